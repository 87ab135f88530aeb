// SPDX-License-Identifier: Apache-2.0
/**
 * The four filter slots of filters.p4, in three exactnesses: cells as the switch has them, false positives included;
 * sets that never err; and none at all.
 */

import { assert } from '../../controller/core/assert.ts';
import type { VersionRow } from '../../controller/core/row.ts';
import { FlowTable, grown, noRow, poolPortOf } from './flow-table.ts';

export const noFilterSlot = -1;
const filterSlots = 4;
/** filter_index_t of p4/core/types.p4 has 16 bits. */
export const cellsOfSwitch = 65_536;
const cellsMax = 2 ** 24;

/** Everything but the cells: which epochs are in force, and which filter slot is asked first. */
abstract class EpochFilters {
  protected readonly epochs = new Uint16Array(filterSlots);
  protected active = 0;

  use({ active, filters }: VersionRow): void {
    this.active = active;
    for (const [index, { epoch }] of filters.entries()) this.epochs[index] = epoch;
  }

  /**
   * Asks every live filter slot; an opening packet leaves its mark in the active one at the same time.
   *
   * @returns the oldest filter slot that knows the flow, or `noFilterSlot`
   */
  abstract ask(
    rowA: number,
    rowB: number,
    pool: number,
    address: number,
    port: number,
    isOpening: boolean,
  ): number;
}

export type Filters = EpochFilters;

/** Two rows of cells a filter slot; a cell holds the epoch in which it was set. */
export class CellFilters extends EpochFilters {
  /** The cells of one index of all four filter slots lie side by side. */
  private readonly rowA: Uint16Array;
  private readonly rowB: Uint16Array;
  private readonly indexMask: number;

  /** @param cells  of each row: a power of two. Above `cellsOfSwitch` only indexes of more than 16 bits reach them all. */
  constructor(cells: number) {
    super();
    const isPowerOfTwo = cells >= 1 && cells <= cellsMax && Number.isInteger(Math.log2(cells));
    assert(isPowerOfTwo, `the cells of a filter row are a power of two up to ${cellsMax}, not ${cells}`);
    this.rowA = new Uint16Array(cells * filterSlots);
    this.rowB = new Uint16Array(cells * filterSlots);
    this.indexMask = cells - 1;
  }

  override ask(
    rowA: number,
    rowB: number,
    _pool: number,
    _address: number,
    _port: number,
    isOpening: boolean,
  ): number {
    const { epochs, rowA: cellsA, rowB: cellsB, active } = this;
    const a = (rowA & this.indexMask) * filterSlots;
    const b = (rowB & this.indexMask) * filterSlots;
    let known = noFilterSlot;
    // From the active slot back to the oldest, which has the last word.
    for (let age = 0; age < filterSlots; age++) {
      const index = (active - age) & 3;
      const epoch = epochs[index]!;
      if (epoch !== 0 && cellsA[a + index] === epoch && cellsB[b + index] === epoch) known = index;
    }
    if (isOpening) {
      cellsA[a + active] = epochs[active]!;
      cellsB[b + active] = epochs[active]!;
    }
    return known;
  }
}

/**
 * Flows instead of cells. A flow whose marks are all of epochs that are no longer in force is forgotten when its room is
 * needed, so the sets grow with the flows of four epochs, not with all there ever were.
 */
export class ExactFilters extends EpochFilters {
  private flows = new FlowTable();
  /** Four a flow. */
  private marks = new Uint16Array(this.flows.capacity * filterSlots);

  override ask(
    _rowA: number,
    _rowB: number,
    pool: number,
    address: number,
    port: number,
    isOpening: boolean,
  ): number {
    const { epochs, active } = this;
    const poolPort = poolPortOf(pool, port);
    const row = this.flows.find(address, poolPort);
    let known = noFilterSlot;
    if (row !== noRow) {
      const at = row * filterSlots;
      for (let age = 0; age < filterSlots; age++) {
        const index = (active - age) & 3;
        const epoch = epochs[index]!;
        if (epoch !== 0 && this.marks[at + index] === epoch) known = index;
      }
    }
    if (isOpening) this.mark(row === noRow ? this.add(address, poolPort) : row, active);
    return known;
  }

  /** Whether this filter slot has admitted the flow in the epoch in force. */
  hasAdmitted(filterSlot: number, pool: number, address: number, port: number): boolean {
    const row = this.flows.find(address, poolPortOf(pool, port));
    return row !== noRow && this.marks[row * filterSlots + filterSlot] === this.epochs[filterSlot];
  }

  private mark(row: number, filterSlot: number): void {
    this.marks[row * filterSlots + filterSlot] = this.epochs[filterSlot]!;
  }

  private add(address: number, poolPort: number): number {
    if (this.flows.size === this.flows.capacity) this.forget();
    const row = this.flows.add(address, poolPort);
    if (this.flows.capacity * filterSlots > this.marks.length) {
      this.marks = grown(this.marks, new Uint16Array(this.flows.capacity * filterSlots));
    }
    this.marks.fill(0, row * filterSlots, (row + 1) * filterSlots);
    return row;
  }

  private forget(): void {
    for (let row = 0; row < this.flows.rowEnd; row++) {
      if (!this.flows.has(row)) continue;
      const at = row * filterSlots;
      const isKnown = this.epochs.some((epoch, index) => epoch !== 0 && this.marks[at + index] === epoch);
      if (!isKnown) this.flows.remove(row);
    }
  }
}

/** Nobody is ever known. */
export class NoFilters extends EpochFilters {
  override ask(): number {
    return noFilterSlot;
  }
}
