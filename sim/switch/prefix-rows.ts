// SPDX-License-Identifier: Apache-2.0
/** The rows of prefix tables, and which of them each slot goes by: the one with the longest prefix. */
import { nodeOf, SLOT_BITS } from '../../controller/core/prefix-cover.ts';
import type { SlotPrefixRow, SlotVersionPrefixRow, SwitchRow } from '../../controller/core/row.ts';

export type PrefixRow = SlotPrefixRow | SlotVersionPrefixRow;

export function isPrefixRow(row: SwitchRow): row is PrefixRow {
  return row.table === 'slot_prefix' || row.table === 'slot_version_prefix';
}

/** 0 for slot_prefix. */
export function columnOf(row: PrefixRow): 0 | 1 | 2 | 3 {
  return row.table === 'slot_prefix' ? 0 : row.column;
}

/** The slots that the row is for. */
export function slotsOf({ slot, prefixLength }: PrefixRow): { first: number; end: number } {
  return { first: slot, end: slot + (1 << (SLOT_BITS - prefixLength)) };
}

export class PrefixRows {
  /** By pool and column, by block. */
  private readonly tables = new Map<number, Map<number, PrefixRow>>();

  has(row: PrefixRow): boolean {
    return this.tables.get(tableKey(row))?.has(blockOf(row)) ?? false;
  }

  set(row: PrefixRow): void {
    const key = tableKey(row);
    let table = this.tables.get(key);
    if (table === undefined) {
      table = new Map();
      this.tables.set(key, table);
    }
    table.set(blockOf(row), row);
  }

  delete(row: PrefixRow): void {
    this.tables.get(tableKey(row))?.delete(blockOf(row));
  }

  clear(): void {
    this.tables.clear();
  }

  longest(pool: number, column: number, slot: number): PrefixRow | undefined {
    const table = this.tables.get(pool * 4 + column);
    if (table === undefined || table.size === 0) return undefined;
    for (let node = nodeOf(slot, 1); node >= 1; node >>= 1) {
      const row = table.get(node);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  *rows(): Generator<PrefixRow> {
    for (const table of this.tables.values()) yield* table.values();
  }
}

/** False for a row whose prefix has bits behind its length. */
export function isPrefix({ slot, prefixLength }: PrefixRow): boolean {
  const isLength = Number.isInteger(prefixLength) && prefixLength >= 0 && prefixLength <= SLOT_BITS;
  return isLength && slot % (1 << (SLOT_BITS - prefixLength)) === 0;
}

export function blockOf(row: PrefixRow): number {
  const { first, end } = slotsOf(row);
  return nodeOf(first, end - first);
}

function tableKey(row: PrefixRow): number {
  return row.pool * 4 + columnOf(row);
}
