// SPDX-License-Identifier: Apache-2.0
/** Receives frames that are too long for a slot of the ring: one recvmsg(2) each, into a buffer of its own. */

import { addressOf, lastErrno, systemCalls, systemError } from './linux.ts';
import { type KernelFrame, superFrameBytesMax, vnetHeaderBytes } from './wire-form.ts';

/** Room for a VLAN tag to be put back, and more, so that the frame is aligned. */
const headroomBytes = 64;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20n;
/** Nothing is there, or the interface went away: the poll set will say so. */
const expectedErrnos = new Set(['EAGAIN', 'EINTR', 'ENETDOWN', 'ENODEV', 'ENXIO']);

/** struct msghdr as 64-bit words. */
const messageWord = { vector: 2, vectorCount: 3, control: 4, controlLength: 5, flags: 6, count: 7 };
/** One control message (length, level, type) and the struct tpacket_auxdata behind it, as 32-bit words. */
const controlWord = { status: 4, vlan: 8, count: 16 };

export class SuperFrameInbox {
  /** What the last `receive` brought. */
  readonly frame: KernelFrame = {
    memory: new Uint8Array(headroomBytes + vnetHeaderBytes + superFrameBytesMax),
    start: headroomBytes + vnetHeaderBytes,
    length: 0,
    status: 0,
    vlan: 0,
  };
  /** It did not fit even here. */
  isTruncated = false;

  readonly #control = new Uint32Array(controlWord.count);
  readonly #vector = new BigUint64Array(2);
  readonly #message = new BigUint64Array(messageWord.count);

  constructor() {
    const { memory } = this.frame;
    this.#vector[0] = addressOf(memory) + BigInt(headroomBytes);
    this.#vector[1] = BigInt(memory.length - headroomBytes);
    this.#message[messageWord.vector] = addressOf(this.#vector);
    this.#message[messageWord.vectorCount] = 1n;
    this.#message[messageWord.control] = addressOf(this.#control);
  }

  /** @returns false when there is nothing to receive */
  receive(fd: number): boolean {
    const message = this.#message;
    message[messageWord.controlLength] = BigInt(this.#control.byteLength);
    message[messageWord.flags] = 0n;
    this.#control.fill(0);
    const received = systemCalls().recvmsg(fd, message, MSG_DONTWAIT);
    if (received < 0 && !expectedErrnos.has(lastErrno())) throw systemError('receive a super-frame');
    if (received < vnetHeaderBytes) return false;
    this.frame.length = received - vnetHeaderBytes;
    this.frame.status = this.#control[controlWord.status]!;
    this.frame.vlan = this.#control[controlWord.vlan]!;
    this.isTruncated = (message[messageWord.flags]! & MSG_TRUNC) !== 0n;
    return true;
  }
}
