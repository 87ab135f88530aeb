// SPDX-License-Identifier: Apache-2.0
/** Lookup of one table without generated code: what lookup.ts writes for one key layout, for any. */

import { boundAt, type KeyPlan } from './key.ts';
import { hashOf, type TableState } from './table-state.ts';

/**
 * @param key  one value per key field, the program's own masks applied
 * @returns the row of the entry, 0 for a miss
 */
export function search(table: TableState, key: readonly bigint[]): number {
  const { plan } = table;
  if (plan.search === 'none') return 0;
  const words = packedWords(plan, key);
  if (plan.search === 'exact') return headOf(table, 0, words);
  let best = 0;
  let bestPriority = 0;
  for (let index = 0; index < table.tupleCount; index++) {
    if (best !== 0 && table.tupleTops[index]! < bestPriority) break;
    const masked = words.map((word, at) => word & table.tupleMasks[index * plan.words + at]!);
    let row = headOf(table, table.tupleIds[index]!, masked);
    while (row !== 0 && !isInRanges(table, row, key)) row = table.next[row]!;
    if (row === 0) continue;
    const priority = table.priority[row]!;
    if (best === 0 || priority > bestPriority || (priority === bestPriority && row < best)) {
      best = row;
      bestPriority = priority;
    }
  }
  return best;
}

function packedWords(plan: KeyPlan, key: readonly bigint[]): Int32Array {
  const words = new Int32Array(plan.words);
  for (const { field, fieldWord, word, shift } of plan.pieces) {
    words[word]! |= Number((key[field]! >> BigInt(32 * fieldWord)) & 0xffffffffn) << shift;
  }
  return words;
}

/** The best row with this key under this tuple, or 0. */
function headOf(table: TableState, tuple: number, words: Int32Array): number {
  const { slots, slotMask } = table;
  for (let slot = hashOf(tuple, words, 0, words.length) & slotMask; ; slot = (slot + 1) & slotMask) {
    const row = slots[slot]!;
    if (row === 0) return 0;
    const isSame = words.every((word, index) => table.keys[row * words.length + index] === word);
    if (table.tuple[row] === tuple && isSame) return row;
  }
}

function isInRanges({ plan, bounds }: TableState, row: number, key: readonly bigint[]): boolean {
  return plan.ranges.every(({ field, at, words }) => {
    const from = row * plan.boundWords + at;
    const value = key[field]!;
    return value >= boundAt(bounds, from, words) && value <= boundAt(bounds, from + words, words);
  });
}
