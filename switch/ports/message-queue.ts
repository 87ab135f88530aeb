// SPDX-License-Identifier: Apache-2.0
/**
 * The usual way out of an interface: frames are copied into a slab and leave many at a time, through traffic control and
 * past every packet tap.
 *
 * sendmmsg(2) and not a transmit ring: the kernel gives a ring's slot back as soon as a frame has crossed a veth, while
 * the receiver may still be reading from it, so that the next frame would overwrite the last.
 */

import { type FrameQueue, linkHeaderBytes } from './frame-queue.ts';
import { addressOf, lastErrno, systemCalls } from './linux.ts';
import { bindPacketSocket, openPacketSocket, type PacketLink, packetProtocol } from './packet-link.ts';
import { countDrop, type PortCounters } from './port.ts';

/** struct mmsghdr and struct iovec, on every 64-bit Linux. */
const messageBytes = 64;
const vectorBytes = 16;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const socketBufferBytes = 4 * 1024 * 1024;
const SIOCOUTQ = 0x5411;

/** What the kernel books for a frame besides its bytes: struct sk_buff; headroom and struct skb_shared_info. */
const bufferBytes = { header: 256, around: 336, smallMax: 576 };

export class MessageQueue implements FrameQueue {
  readonly link: PacketLink;
  readonly #fd: number;
  readonly #counters: PortCounters;
  readonly #slotBytes: number;
  readonly #framesMax: number;
  readonly #slab: Uint8Array;
  readonly #vectors: BigUint64Array;
  readonly #messages: BigUint64Array;
  readonly #messagesAddress: bigint;
  readonly #lengths: Uint32Array;
  #queued = 0;
  /** Frames in the kernel, when it was last asked, and the round of that; -1: not since the last flush. */
  #waiting = 0;
  #waitingRound = -1;
  readonly #waitingBytes = new Int32Array(1);
  /** What had been sent when nothing was waiting: all that waits has come since. */
  #idle = { packets: 0, bytes: 0 };
  #isClosed = false;

  /**
   * @param framesMax  frames that wait for a flush; a full queue flushes itself
   * @throws SystemError
   */
  constructor(interfaceName: string, counters: PortCounters, framesMax: number) {
    this.#counters = counters;
    this.#framesMax = framesMax;
    const link = openPacketSocket(interfaceName);
    this.link = link;
    this.#fd = link.fd;
    try {
      bindPacketSocket(link, packetProtocol.none);
    } catch (error) {
      systemCalls().close(link.fd);
      throw error;
    }
    systemCalls().setsockopt(link.fd, SOL_SOCKET, SO_SNDBUFFORCE, Int32Array.of(socketBufferBytes), 4);
    this.#slotBytes = Math.ceil((link.mtu + linkHeaderBytes) / 64) * 64;
    this.#slab = new Uint8Array(framesMax * this.#slotBytes);
    this.#vectors = new BigUint64Array((framesMax * vectorBytes) / 8);
    this.#messages = new BigUint64Array((framesMax * messageBytes) / 8);
    this.#messagesAddress = addressOf(this.#messages);
    this.#lengths = new Uint32Array(this.#vectors.buffer);
    const slabAddress = addressOf(this.#slab);
    const vectorsAddress = addressOf(this.#vectors);
    for (let index = 0; index < framesMax; index += 1) {
      this.#vectors[index * 2] = slabAddress + BigInt(index * this.#slotBytes);
      // msghdr: name, its length, then the vector and the number of vectors.
      this.#messages[index * 8 + 2] = vectorsAddress + BigInt(index * vectorBytes);
      this.#messages[index * 8 + 3] = 1n;
    }
  }

  push(frame: Uint8Array): boolean {
    if (frame.length > this.#slotBytes) {
      countDrop(this.#counters, 'transmit-too-long');
      return false;
    }
    if (this.#queued === this.#framesMax) this.flush();
    const index = this.#queued;
    this.#slab.set(frame, index * this.#slotBytes);
    this.#lengths[index * 4 + 2] = frame.length;
    this.#queued = index + 1;
    return index === 0;
  }

  /**
   * How many frames wait in the kernel, and those for the next flush if any do: traffic control's queue, because a frame
   * that has crossed a veth is no longer booked on the socket. One that a netem with a delay holds is not either.
   * The kernel tells bytes of memory, so this is an estimate: exact for frames of one size, on Linux 6.18.
   *
   * @param round  the kernel is asked once in each, and again after a flush
   */
  queuedFrames(round: number): number {
    if (this.#waitingRound !== round) {
      this.#waitingRound = round;
      this.#waiting = this.#askKernel();
    }
    return this.#waiting === 0 ? 0 : this.#waiting + this.#queued;
  }

  get isEmpty(): boolean {
    return this.#queued === 0;
  }

  flush(): void {
    if (this.#isClosed) return;
    const count = this.#queued;
    this.#queued = 0;
    this.#waitingRound = -1;
    let next = 0;
    while (next < count) {
      const messages = next === 0 ? this.#messages : this.#messagesAddress + BigInt(next * messageBytes);
      const sent = systemCalls().sendmmsg(this.#fd, messages, count - next, MSG_DONTWAIT);
      if (sent > 0) {
        for (let index = next; index < next + sent; index += 1) {
          this.#counters.sentBytes += this.#lengths[index * 4 + 2]!;
        }
        this.#counters.sentPackets += sent;
        next += sent;
      } else {
        next += this.#giveUp(lastErrno(), count - next);
      }
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    systemCalls().close(this.#fd);
  }

  #askKernel(): number {
    const { sentPackets, sentBytes } = this.#counters;
    const isTold = !this.#isClosed && systemCalls().ioctl(this.#fd, SIOCOUTQ, this.#waitingBytes) === 0;
    const waitingBytes = isTold ? this.#waitingBytes[0]! : 0;
    const packets = sentPackets - this.#idle.packets;
    if (waitingBytes === 0 || packets === 0) {
      this.#idle = { packets: sentPackets, bytes: sentBytes };
      return 0;
    }
    const meanBytes = (sentBytes - this.#idle.bytes) / packets;
    return Math.min(packets, Math.ceil(waitingBytes / bookedBytes(meanBytes)));
  }

  /** Counts what the kernel refused. @returns how many frames to pass over: the first one, or all the rest */
  #giveUp(errno: string, rest: number): number {
    switch (errno) {
      case 'EINTR':
        return 0;
      case 'EAGAIN':
        countDrop(this.#counters, 'transmit-queue-full', rest);
        return rest;
      case 'ENETDOWN':
      case 'ENXIO':
      case 'ENODEV':
        countDrop(this.#counters, 'transmit-down', rest);
        return rest;
      case 'ENOBUFS':
        countDrop(this.#counters, 'transmit-queue-full');
        return 1;
      case 'EMSGSIZE':
        countDrop(this.#counters, 'transmit-too-long');
        return 1;
      default:
        countDrop(this.#counters, 'transmit-refused');
        return 1;
    }
  }
}

/**
 * The kernel's `truesize` of a frame: its memory comes in small heads, and in powers of two beyond. As measured on Linux
 * 6.18; before 6.3 there were no small heads, and frames of up to 240 bytes differ.
 */
function bookedBytes(frameBytes: number): number {
  const { header, around, smallMax } = bufferBytes;
  const needed = frameBytes + around;
  return header + (needed <= smallMax ? smallMax : 2 ** Math.ceil(Math.log2(needed)));
}
