// SPDX-License-Identifier: Apache-2.0
/**
 * What one switch holds, kept as the difference to what the group holds. A switch that is equal costs nothing; one that
 * is away or behind costs an entry for each row in which the two differ, so never more than both tables together.
 */
import type { RowKey } from '../core/ledger.ts';
import type { Row } from '../core/row.ts';
import { rowKey, sameRow } from './row-key.ts';

/** The rows of the group, as last asked for. */
export type Shadow = ReadonlyMap<RowKey, Row>;

export interface Held {
  /** Any row with this key: what a delete names. */
  name: Row;
  /** What the switch holds; undefined: no such row. */
  row: Row | undefined;
  /** ... or something else: an answer is outstanding, was lost, or did not fit. */
  isDoubtful: boolean;
}

export class Difference {
  readonly rows = new Map<RowKey, Held>();
  private readonly shadow: Shadow;

  constructor(shadow: Shadow) {
    this.shadow = shadow;
  }

  get size(): number {
    return this.rows.size;
  }

  /** What the switch holds, as far as it is known. */
  held(key: RowKey): Row | undefined {
    const held = this.rows.get(key);
    return held === undefined ? this.shadow.get(key) : held.row;
  }

  /** The group's row is another from now on, and the switch was not told. */
  leftBehind(key: RowKey, before: Row | undefined, after: Row | undefined): void {
    const held = this.rows.get(key);
    if (held === undefined) {
      if (!sameRow(before, after))
        this.rows.set(key, { name: (after ?? before)!, row: before, isDoubtful: false });
    } else if (!held.isDoubtful && sameRow(held.row, after)) {
      this.rows.delete(key);
    }
  }

  /** The switch holds just this. */
  holds(key: RowKey, row: Row | undefined, name: Row): void {
    if (sameRow(row, this.shadow.get(key))) this.rows.delete(key);
    else this.rows.set(key, { name, row, isDoubtful: false });
  }

  /** What the switch holds will be known when it has answered, if ever. */
  doubt(key: RowKey, name: Row): void {
    const held = this.rows.get(key);
    this.rows.set(key, { name, row: held ? held.row : this.shadow.get(key), isDoubtful: true });
  }

  /** The switch holds just these rows. */
  measure(rows: readonly Row[]): void {
    const slices = this.measureInSlices(rows, Number.POSITIVE_INFINITY);
    while (!slices.next().done);
  }

  /** The same, with a pause after so many rows; the group's rows must not change meanwhile. */
  *measureInSlices(rows: readonly Row[], sliceRows: number): Generator<undefined> {
    this.rows.clear();
    let shared = 0;
    let untilPause = sliceRows;
    for (const row of rows) {
      const key = rowKey(row);
      const wanted = this.shadow.get(key);
      if (wanted !== undefined) shared++;
      if (!sameRow(row, wanted)) this.rows.set(key, { name: row, row, isDoubtful: false });
      if (--untilPause === 0) {
        untilPause = sliceRows;
        yield;
      }
    }
    // Usually nothing is missing, and there may be a million rows.
    if (shared === this.shadow.size) return;
    const seen = new Set(rows.map(rowKey));
    for (const [key, row] of this.shadow)
      if (!seen.has(key)) this.rows.set(key, { name: row, row: undefined, isDoubtful: false });
  }

  /** Whether the switch can hold these rows if nobody but us has written to it. */
  explains(rows: readonly Row[]): boolean {
    const seen = new Set<RowKey>();
    for (const row of rows) {
      const key = rowKey(row);
      seen.add(key);
      const held = this.rows.get(key);
      if (
        held === undefined ? !sameRow(this.shadow.get(key), row) : !held.isDoubtful && !sameRow(held.row, row)
      )
        return false;
    }
    for (const key of this.shadow.keys()) if (!seen.has(key) && !this.rows.has(key)) return false;
    for (const [key, held] of this.rows)
      if (!held.isDoubtful && held.row !== undefined && !seen.has(key)) return false;
    return true;
  }
}
