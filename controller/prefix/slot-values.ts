// SPDX-License-Identifier: Apache-2.0
/** What a row says of a slot, as one number of 16 bits, so that slots with the same row are those with the same number. */
import { NO_VALUE, nodeOf, SLOT_BITS } from '../core/prefix-cover.ts';
import type { SlotPrefixRow, SlotRow, SlotVersionPrefixRow, SlotVersionRow } from '../core/row.ts';

/** A backend has 13 bits, a slot row 2 more. 1 is added, for 0 says that there is no row. */
const unstableBit = 1 << 13;
const pinsBaseBit = 1 << 14;
const backendMask = unstableBit - 1;

type AnyRow = SlotRow | SlotVersionRow | SlotPrefixRow | SlotVersionPrefixRow;

export function valueOfRow(row: AnyRow): number {
  if (row.table === 'slot_version' || row.table === 'slot_version_prefix') return row.backend + 1;
  return (row.backend | (row.unstable ? unstableBit : 0) | (row.pinsBase ? pinsBaseBit : 0)) + 1;
}

export function slotOfValue(
  pool: number,
  column: 0 | 1 | 2 | 3,
  slot: number,
  value: number,
): SlotRow | SlotVersionRow {
  const word = value - 1;
  const byPrefix = true;
  if (column !== 0) return { table: 'slot_version', pool, slot, column, backend: word, byPrefix };
  return { table: 'slot', pool, slot, ...slotData(word), byPrefix };
}

/** @param value  NO_VALUE: any row with this key, to be deleted */
export function prefixRow(
  pool: number,
  column: 0 | 1 | 2 | 3,
  slot: number,
  prefixLength: number,
  value: number,
): SlotPrefixRow | SlotVersionPrefixRow {
  const word = value === NO_VALUE ? 0 : value - 1;
  if (column !== 0) return { table: 'slot_version_prefix', pool, slot, column, prefixLength, backend: word };
  return { table: 'slot_prefix', pool, slot, prefixLength, ...slotData(word) };
}

/** The block of slots that the row is for. */
export function nodeOfRow({ slot, prefixLength }: SlotPrefixRow | SlotVersionPrefixRow): number {
  return nodeOf(slot, 1 << (SLOT_BITS - prefixLength));
}

function slotData(word: number): Pick<SlotRow, 'unstable' | 'pinsBase' | 'backend'> {
  return {
    unstable: (word & unstableBit) !== 0,
    pinsBase: (word & pinsBaseBit) !== 0,
    backend: word & backendMask,
  };
}
