// SPDX-License-Identifier: Apache-2.0
/**
 * Which entry a key meets, twice: by asking every entry, which is obviously right and slow, and through the index of the
 * table, as generated code does. The first is the judge of the second.
 */

import type { KeyPart, TableOperation } from '../pipeline.ts';
import type { KeyField, Table } from '../program.ts';
import { search } from '../tables/search.ts';
import type { TableState } from '../tables/table-state.ts';

export interface Lookup {
  /** @returns the row of the entry in the table's state, 0 for a miss */
  find(table: Table, key: readonly bigint[]): number;
}

export class IndexedLookup implements Lookup {
  private readonly tables: ReadonlyMap<number, TableState>;

  constructor(tables: ReadonlyMap<number, TableState>) {
    this.tables = tables;
  }

  find({ id }: Table, key: readonly bigint[]): number {
    return search(this.tables.get(id)!, key);
  }
}

interface Entry {
  handle: number;
  key: readonly KeyPart[];
  priority: number;
}

/** Keeps every entry as its owner gave it, and asks them all. */
export class ScanLookup implements Lookup {
  private readonly entries = new Map<number, Map<number, Entry>>();

  insert(table: number, handle: number, key: readonly KeyPart[], priority: number): void {
    let entries = this.entries.get(table);
    if (!entries) {
      entries = new Map();
      this.entries.set(table, entries);
    }
    entries.set(handle, { handle, key, priority });
  }

  /** Takes note of what changes keys. */
  apply(operation: TableOperation): void {
    const { table } = operation;
    if (operation.kind === 'insert') {
      this.insert(table, operation.handle, operation.key, operation.priority);
    } else if (operation.kind === 'delete') {
      this.entries.get(table)?.delete(operation.handle);
    }
  }

  /**
   * In a table with ternary or range keys the highest priority wins, elsewhere the longest prefix; among equals the
   * lowest handle.
   *
   * Source: behavioral-model src/bm_sim/lookup_structures.cpp.
   */
  find(table: Table, key: readonly bigint[]): number {
    const hasPriorities = table.key.some(({ kind }) => kind === 'ternary' || kind === 'range');
    let best: Entry | undefined;
    let bestRank = 0;
    for (const entry of this.entries.get(table.id)?.values() ?? []) {
      if (!entry.key.every((part, index) => matches(table.key[index]!, part, key[index]!))) continue;
      const rank = hasPriorities ? entry.priority : prefixLength(entry);
      if (best && (rank < bestRank || (rank === bestRank && entry.handle > best.handle))) continue;
      best = entry;
      bestRank = rank;
    }
    return best ? best.handle + 1 : 0;
  }
}

function prefixLength({ key }: Entry): number {
  const prefix = key.find((part) => part.kind === 'lpm');
  return prefix ? prefix.prefixLength : 0;
}

/** @param value  of the packet, the program's own mask applied */
function matches({ width, mask = -1n }: KeyField, part: KeyPart, value: bigint): boolean {
  switch (part.kind) {
    case 'exact':
      return value === (part.value & mask);
    case 'ternary':
      return (value & part.mask) === (part.value & part.mask & mask);
    case 'lpm': {
      const shift = BigInt(width - part.prefixLength);
      return value >> shift === (part.value & mask) >> shift;
    }
    case 'range':
      return value >= part.low && value <= part.high;
  }
}
