// SPDX-License-Identifier: Apache-2.0
/**
 * Whose tables are in force when the controller knows of none. Those of the latest era (era.ts) hold all that was ever
 * acknowledged, and differ only in what was under way when the last controller ended: any part of it may have been done
 * on any of them, and flows may have met it there. Of these the switch with the newest version has its way, and those with
 * the same version add what flows may have met on them (`adopted`).
 */
import type { RowKey } from '../core/ledger.ts';
import type { Row, SlotRow, VersionRow } from '../core/row.ts';
import type { Difference } from './difference.ts';
import { eraOf } from './era.ts';
import { slotKey, versionKey } from './row-key.ts';

/** Epochs count from 1 to this, and begin anew; p4/core/types.p4. */
const epochs = 65_535;

/** All rows of a switch, and how far it is. */
export interface Tables {
  rows: readonly Row[];
  isBlank: boolean;
  era: number;
  /** Of the active filter slot. 0: none yet. */
  epoch: number;
}

export function tablesOf(rows: readonly Row[]): Tables {
  const version = rows.find((row) => row.table === 'version');
  const epoch = version === undefined ? 0 : version.filters[version.active].epoch;
  return { rows, isBlank: isBlank(rows), era: eraOf(rows), epoch };
}

/** New or restarted: it serves nobody. */
export function isBlank(rows: readonly Row[]): boolean {
  return !rows.some(({ table }) => table === 'vip' || table === 'slot');
}

/** Whether the left switch has seen what the right one has not, as far as eras and versions tell. */
export function isNewer(left: Tables, right: Tables): boolean {
  if (left.isBlank || right.isBlank) return right.isBlank && !left.isBlank;
  if (left.era !== right.era) return left.era > right.era;
  const ahead = (left.epoch - right.epoch + epochs) % epochs;
  return ahead > 0 && ahead < epochs / 2;
}

/** The index of the switch whose tables are in force: of equals the first. */
export function newest(candidates: readonly Tables[]): number {
  let best = 0;
  candidates.forEach((tables, i) => {
    if (isNewer(tables, candidates[best]!)) best = i;
  });
  return best;
}

/**
 * Rows that another switch has, which is as new as the source, and that are to be in force:
 *
 * - pins that the source lacks: they were being written
 * - slots that are stable on the very backend that the source gives new flows. They were being merged, or prepared for a
 *   commit that has not come; flows of either switch are where the stable slot leads, or pinned
 * - slots whose new flows go elsewhere, with their columns: within a version only because a backend has died
 *
 * @param shadow  the rows of the source, and what was adopted before
 * @param difference  of the other switch to them
 */
export function adopted(shadow: ReadonlyMap<RowKey, Row>, difference: Difference): Row[] {
  const column = activeColumn(shadow);
  const rows: Row[] = [];
  for (const [key, { row }] of difference.rows) {
    if (row?.table === 'pin' && !shadow.has(key)) rows.push(row);
    if (row?.table !== 'slot') continue;
    const mine = shadow.get(key);
    if (mine?.table !== 'slot') continue;
    const columnKey = slotKey(row.pool, row.slot) + column * 65_536;
    const theirColumn = difference.held(columnKey);
    const ownerOf = (slot: SlotRow, named: Row | undefined): number =>
      slot.unstable && column !== 0 && named?.table === 'slot_version' ? named.backend : slot.backend;
    const mineOwner = ownerOf(mine, shadow.get(columnKey));
    const theirOwner = ownerOf(row, theirColumn);
    if (mine.unstable && !row.unstable && mineOwner === theirOwner) rows.push(row);
    if (!mine.unstable && row.unstable && mineOwner !== theirOwner) {
      rows.push(row);
      for (const other of [1, 2, 3]) {
        const held = difference.held(slotKey(row.pool, row.slot) + other * 65_536);
        if (held !== undefined) rows.push(held);
      }
    }
  }
  return rows;
}

function activeColumn(shadow: ReadonlyMap<RowKey, Row>): number {
  const version = shadow.get(versionKey) as VersionRow | undefined;
  return version === undefined ? 0 : version.filters[version.active].column;
}
