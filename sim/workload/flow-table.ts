// SPDX-License-Identifier: Apache-2.0
/**
 * The flows that are alive, as columns of numbers. A flow is known by its index here, and so is what any system keeps about
 * it. An index is given away again only after `recycle`, so that whoever still works on earlier packets reads the right flow.
 */

import type { Dice } from '../kernel/dice.ts';
import { FlowHasher, type Vip } from './flow-hasher.ts';

export class FlowTable {
  readonly capacity: number;
  readonly vip: Vip;
  readonly sourceAddress: Uint32Array;
  readonly sourcePort: Uint16Array;
  readonly crc32: Uint32Array;
  readonly crc16: Uint16Array;
  /** The low bits of crc32. */
  readonly slot: Uint16Array;
  readonly startedAt: Float64Array;
  alive = 0;
  readonly #slotMask: number;
  readonly #hasher: FlowHasher;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #closed: Int32Array;
  #closedCount = 0;

  /** @param capacity  most flows alive, and closed since the last `recycle`, at a time; `open` throws beyond it */
  constructor(capacity: number, vip: Vip, slotCount: number) {
    this.capacity = capacity;
    this.vip = vip;
    this.sourceAddress = new Uint32Array(capacity);
    this.sourcePort = new Uint16Array(capacity);
    this.crc32 = new Uint32Array(capacity);
    this.crc16 = new Uint16Array(capacity);
    this.slot = new Uint16Array(capacity);
    this.startedAt = new Float64Array(capacity);
    this.#slotMask = slotCount - 1;
    this.#hasher = new FlowHasher(vip);
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
    this.#closed = new Int32Array(capacity);
  }

  /** @returns the index of a flow from an address and port that the dice make up */
  open(dice: Dice, now: number): number {
    if (this.#freeCount === 0) throw new RangeError(`more than ${this.capacity} flows at a time`);
    const flow = this.#free[--this.#freeCount]!;
    const sourceAddress = Math.floor(dice.next() * 0x1_0000_0000);
    const sourcePort = 1024 + Math.floor(dice.next() * 64_512);
    this.sourceAddress[flow] = sourceAddress;
    this.sourcePort[flow] = sourcePort;
    this.#hasher.hash(sourceAddress, sourcePort);
    this.crc32[flow] = this.#hasher.crc32;
    this.crc16[flow] = this.#hasher.crc16;
    this.slot[flow] = this.#hasher.crc32 & this.#slotMask;
    this.startedAt[flow] = now;
    this.alive++;
    return flow;
  }

  close(flow: number): void {
    this.#closed[this.#closedCount++] = flow;
    this.alive--;
  }

  /** From now on nobody asks for the flows closed so far. */
  recycle(): void {
    for (let i = 0; i < this.#closedCount; i++) this.#free[this.#freeCount++] = this.#closed[i]!;
    this.#closedCount = 0;
  }
}
