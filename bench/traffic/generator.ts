// SPDX-License-Identifier: Apache-2.0
/**
 * Sends frames at a steady rate out of an interface: many frames per system call, and asleep between two bursts, so that
 * it takes little more of the machine than the kernel does for each frame.
 */

import { emptyCounters } from '../../switch/ports/port.ts';
import { TransmitQueue } from '../../switch/ports/transmit-queue.ts';

/** Bursts are no longer than this: queues in a switch may be as short as 64 packets. */
export const burstFramesMax = 32;
/** What is overdue by more than this is not made up for. */
const backlogMsMax = 5;

export interface Offered {
  frames: number;
  durationMs: number;
}

export class PacketGenerator {
  readonly #queue: TransmitQueue;
  readonly #counters = emptyCounters();
  readonly #frames: readonly Uint8Array[];
  #next = 0;

  /**
   * @param namespace  a named network namespace; undefined for the one we are in
   * @throws SystemError
   */
  constructor(interfaceName: string, namespace: string | undefined, frames: readonly Uint8Array[]) {
    this.#queue = new TransmitQueue(interfaceName, namespace, this.#counters, burstFramesMax);
    this.#queue.choose(true);
    this.#frames = frames;
  }

  /** Blocks this thread. */
  run(framesPerSecond: number, durationMs: number): Offered {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const perMs = framesPerSecond / 1000;
    const burst = Math.max(1, Math.min(burstFramesMax, Math.floor(perMs)));
    const sentBefore = this.#counters.sentPackets;
    const startMs = performance.now();
    let done = 0;
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs >= durationMs) {
        return { frames: this.#counters.sentPackets - sentBefore, durationMs: elapsedMs };
      }
      const due = Math.floor(elapsedMs * perMs) - done;
      const tooLate = due - Math.floor(backlogMsMax * perMs);
      if (tooLate > 0) done += tooLate;
      else if (due < burst) Atomics.wait(sleeper, 0, 0, (burst - due) / perMs);
      else {
        const frames = Math.min(due, burstFramesMax);
        this.burst(frames);
        done += frames;
      }
    }
  }

  /** Sends the next frames at once. */
  burst(frames: number): void {
    for (let count = 0; count < frames; count += 1) {
      this.#queue.push(this.#frames[this.#next]!);
      this.#next = this.#next + 1 === this.#frames.length ? 0 : this.#next + 1;
    }
    this.#queue.flush();
  }

  close(): void {
    this.#queue.close();
  }
}
