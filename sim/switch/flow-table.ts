// SPDX-License-Identifier: Apache-2.0
/**
 * Which row belongs to a flow of a pool, for millions of flows: open addressing over typed arrays. What a row holds is
 * its owner's, in arrays of `capacity` elements beside these.
 */

import { assert } from '../../controller/core/assert.ts';

export const noRow = -1;
const firstRows = 64;
/** 512 times the pins of the P4 program; a table at its limit is a simulation that has lost its way. */
const rowsMax = 2 ** 26;
/** Pools have 12 bits, ports 16: no key has this one. */
const freeKey = -1;

/** Pool and port as one key of the table. */
export function poolPortOf(pool: number, port: number): number {
  return (pool << 16) | port;
}

export class FlowTable {
  /** Flows in it. */
  size = 0;
  /** Every row number is below; grows by doubling. */
  capacity = firstRows;
  /** Rows at or above have never been used. */
  rowEnd = 0;
  private addresses = new Int32Array(firstRows);
  private poolPorts = new Int32Array(firstRows);
  /** At most half full. A tag is 0 where empty, else some bits of the hash: most searches end there, in little memory. */
  private tags = new Uint8Array(firstRows * 2);
  /** The row, where there is a tag. */
  private slots = new Int32Array(firstRows * 2);
  private slotMask = firstRows * 2 - 1;
  private freeRows: number[] = [];

  /** @returns the flow's row, or `noRow` */
  find(address: number, poolPort: number): number {
    const { tags, slotMask, addresses, poolPorts } = this;
    const word = address | 0;
    const hash = hashOf(word, poolPort);
    const wanted = tagOf(hash);
    for (let slot = hash & slotMask; ; slot = (slot + 1) & slotMask) {
      const tag = tags[slot]!;
      if (tag === 0) return noRow;
      if (tag !== wanted) continue;
      const row = this.slots[slot]!;
      if (addresses[row] === word && poolPorts[row] === poolPort) return row;
    }
  }

  /**
   * A row for a flow that has none.
   *
   * @returns the row, perhaps one that was removed; the owner looks whether `capacity` has grown
   */
  add(address: number, poolPort: number): number {
    const row = this.freeRows.pop() ?? this.rowEnd++;
    if (row === this.capacity) this.grow();
    this.addresses[row] = address | 0;
    this.poolPorts[row] = poolPort;
    this.place(row);
    this.size += 1;
    return row;
  }

  remove(row: number): void {
    const { slots, tags, slotMask } = this;
    let hole = this.hashOfRow(row) & slotMask;
    while (slots[hole] !== row) hole = (hole + 1) & slotMask;
    // Without a tombstone: followers that were pushed on by this one move back.
    for (let at = (hole + 1) & slotMask; tags[at] !== 0; at = (at + 1) & slotMask) {
      const distance = (at - this.hashOfRow(slots[at]!)) & slotMask;
      if (distance < ((at - hole) & slotMask)) continue;
      slots[hole] = slots[at]!;
      tags[hole] = tags[at]!;
      hole = at;
    }
    tags[hole] = 0;
    this.poolPorts[row] = freeKey;
    this.freeRows.push(row);
    this.size -= 1;
  }

  has(row: number): boolean {
    return row < this.rowEnd && this.poolPorts[row] !== freeKey;
  }

  poolOf(row: number): number {
    return this.poolPorts[row]! >>> 16;
  }

  addressOf(row: number): number {
    return this.addresses[row]! >>> 0;
  }

  portOf(row: number): number {
    return this.poolPorts[row]! & 0xffff;
  }

  private hashOfRow(row: number): number {
    return hashOf(this.addresses[row]!, this.poolPorts[row]!);
  }

  private place(row: number): void {
    const hash = this.hashOfRow(row);
    let slot = hash & this.slotMask;
    while (this.tags[slot] !== 0) slot = (slot + 1) & this.slotMask;
    this.tags[slot] = tagOf(hash);
    this.slots[slot] = row;
  }

  private grow(): void {
    this.capacity *= 2;
    assert(this.capacity <= rowsMax, `a simulated switch knows at most ${rowsMax} flows at a time`);
    this.addresses = grown(this.addresses, new Int32Array(this.capacity));
    this.poolPorts = grown(this.poolPorts, new Int32Array(this.capacity));
    const { slots, tags } = this;
    this.slots = new Int32Array(this.capacity * 2);
    this.tags = new Uint8Array(this.capacity * 2);
    this.slotMask = this.capacity * 2 - 1;
    for (const [slot, row] of slots.entries()) if (tags[slot] !== 0) this.place(row);
  }
}

/** Not the switch's hash: flows that collide there must not collide here too. */
function hashOf(address: number, poolPort: number): number {
  let hash = Math.imul(address ^ Math.imul(poolPort, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}

function tagOf(hash: number): number {
  return (hash >>> 25) + 1;
}

/** `to`, which starts as `from`. */
export function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
