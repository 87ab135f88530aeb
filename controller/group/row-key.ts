// SPDX-License-Identifier: Apache-2.0
/** Which rows are the same row, and which are equal. */
import type { RowKey } from '../core/ledger.ts';
import { POOL_IDS } from '../core/model.ts';
import { pinKey } from '../core/pins.ts';
import type { FilterVersion, Row, SlotRow, VersionRow } from '../core/row.ts';
import { smallRowKey } from '../core/rows.ts';

export const versionKey = 'version';

/** Two rows with the same key cannot be on one switch. */
export function rowKey(row: Row): RowKey {
  switch (row.table) {
    case 'version':
      return versionKey;
    case 'slot':
      return slotKey(row);
    case 'slot_version':
      return slotKey(row) + row.column * 65_536;
    case 'pin':
      return pinKey(row.pool, row.sourceAddress, row.sourcePort);
    default:
      return smallRowKey(row);
  }
}

/** A number: there may be a million of them. Columns come behind it. A switch may hold a pool's slots in tables of both kinds. */
export function slotKey({
  pool,
  slot,
  byPrefix,
}: Pick<SlotRow, 'pool' | 'slot' | 'byPrefix'>): RowKey & number {
  return ((byPrefix ? POOL_IDS : 0) + pool) * 4 * 65_536 + slot;
}

/** The same key, and the same data. */
export function sameRow(left: Row | undefined, right: Row | undefined): boolean {
  if (left === right) return true;
  if (left === undefined || right === undefined || left.table !== right.table) return false;
  if (left.table === 'version') return sameVersion(left, right as VersionRow);
  // There may be millions of these, and names of fields take their time.
  if (left.table === 'slot') return sameSlot(left, right as SlotRow);
  for (const field in left) if (left[field as keyof Row] !== right[field as keyof Row]) return false;
  return true;
}

function sameSlot(left: SlotRow, right: SlotRow): boolean {
  return (
    left.backend === right.backend &&
    left.slot === right.slot &&
    left.pool === right.pool &&
    left.unstable === right.unstable &&
    left.pinsBase === right.pinsBase
  );
}

function sameVersion(left: VersionRow, right: VersionRow): boolean {
  const same = (a: FilterVersion, b: FilterVersion): boolean =>
    a.epoch === b.epoch && a.column === b.column && a.learn === b.learn;
  return left.active === right.active && left.filters.every((filter, i) => same(filter, right.filters[i]!));
}
