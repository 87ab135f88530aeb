// SPDX-License-Identifier: Apache-2.0
/**
 * Sends frames at a steady rate out of an interface: many frames per system call, the frames laid out beforehand, asleep
 * between two bursts, so that it takes no more of the machine than the kernel does for each frame.
 */

import { addressOf, systemCalls, systemError } from '../../switch/ports/linux.ts';
import { bindPacketSocket, openPacketSocket, packetProtocol } from '../../switch/ports/packet-link.ts';

/** struct mmsghdr and struct iovec, on every 64-bit Linux. */
const messageBytes = 64;
const vectorBytes = 16;

/** Bursts are no longer than this: queues in a switch may be as short as 64 packets. */
export const burstFramesMax = 32;
/** What is overdue by more than this is not made up for. */
const backlogMsMax = 5;

export interface Offered {
  frames: number;
  durationMs: number;
}

export class PacketGenerator {
  readonly #fd: number;
  readonly #count: number;
  readonly #messages: BigUint64Array;
  readonly #messagesAddress: bigint;
  /** Only to keep the memory alive. */
  readonly #memory: readonly unknown[];
  #next = 0;

  /** @throws SystemError */
  constructor(interfaceName: string, frames: readonly Uint8Array[]) {
    const link = openPacketSocket(interfaceName);
    bindPacketSocket(link, packetProtocol.none);
    this.#fd = link.fd;
    this.#count = frames.length;
    const slab = new Uint8Array(
      frames.reduce((bytes, frame) => bytes + Math.ceil(frame.length / 64) * 64, 0),
    );
    const vectors = new BigUint64Array((frames.length * vectorBytes) / 8);
    this.#messages = new BigUint64Array((frames.length * messageBytes) / 8);
    this.#messagesAddress = addressOf(this.#messages);
    const slabAddress = addressOf(slab);
    const vectorsAddress = addressOf(vectors);
    let at = 0;
    for (const [index, frame] of frames.entries()) {
      slab.set(frame, at);
      vectors[index * 2] = slabAddress + BigInt(at);
      vectors[index * 2 + 1] = BigInt(frame.length);
      this.#messages[index * 8 + 2] = vectorsAddress + BigInt(index * vectorBytes);
      this.#messages[index * 8 + 3] = 1n;
      at += Math.ceil(frame.length / 64) * 64;
    }
    this.#memory = [slab, vectors];
  }

  /** Blocks this thread. @throws SystemError */
  run(framesPerSecond: number, durationMs: number): Offered {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const perMs = framesPerSecond / 1000;
    const burst = Math.max(1, Math.min(burstFramesMax, Math.floor(perMs)));
    const startMs = performance.now();
    let sent = 0;
    let forgotten = 0;
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= durationMs) return { frames: sent, durationMs: elapsedMs };
      let due = Math.floor(elapsedMs * perMs) - sent - forgotten;
      if (due > backlogMsMax * perMs) {
        forgotten += due - Math.floor(backlogMsMax * perMs);
        due = Math.floor(backlogMsMax * perMs);
      }
      if (due < burst) Atomics.wait(sleeper, 0, 0, (burst - due) / perMs);
      else sent += this.#send(Math.min(due, burstFramesMax));
    }
  }

  /** Sends the next frames at once. @throws SystemError */
  burst(frames: number): void {
    for (let left = frames; left > 0; ) left -= this.#send(left);
  }

  close(): void {
    if (this.#memory.length > 0) systemCalls().close(this.#fd);
  }

  #send(frames: number): number {
    const count = Math.min(frames, this.#count - this.#next);
    const at = this.#messagesAddress + BigInt(this.#next * messageBytes);
    const sent = systemCalls().sendmmsg(this.#fd, at, count, 0);
    if (sent < 0) throw systemError('send a burst');
    this.#next = (this.#next + sent) % this.#count;
    return sent;
  }
}
