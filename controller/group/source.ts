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
 * - slots whose new flows go elsewhere, with their columns: within a version that is so only because a backend has died, and
 *   the heir's row tells by its form, if it differs, or by the other's leading to nobody
 *
 * @param shadow  the rows of the source, and what was adopted before
 * @param difference  of the other switch to them
 */
export function adopted(shadow: ReadonlyMap<RowKey, Row>, difference: Difference): Row[] {
  const active = activeColumn(shadow);
  const rows: Row[] = [];
  const slots = new Set<RowKey & number>();
  for (const [key, { name, row }] of difference.rows) {
    if (row?.table === 'pin' && !shadow.has(key)) rows.push(row);
    if (name.table === 'slot' || (name.table === 'slot_version' && name.column === active))
      slots.add(slotKey(name));
  }
  for (const key of slots) {
    const mine = slotOf(key, active, (row) => shadow.get(row));
    const theirs = slotOf(key, active, (row) => difference.held(row));
    if (mine === undefined || theirs === undefined) continue;
    const isSettled = mine.row.unstable && !theirs.row.unstable && mine.owner === theirs.owner;
    const isBuried = mine.owner !== theirs.owner && (mine.owner === 0 || isHeirs(theirs.row, mine.row));
    if (isSettled || isBuried) rows.push(theirs.row);
    if (isBuried) rows.push(...theirs.columns);
  }
  return rows;
}

/** Buried slots are stable, or held for another without asking for pins; those of the dead may be anything else. */
function isHeirs(theirs: SlotRow, mine: SlotRow): boolean {
  if (theirs.unstable) return !theirs.pinsBase && (!mine.unstable || mine.pinsBase);
  return mine.unstable && mine.pinsBase;
}

/** A slot with its columns, and who gets its new flows; 0: nobody. */
function slotOf(
  key: RowKey & number,
  active: number,
  rowOf: (key: RowKey) => Row | undefined,
): { row: SlotRow; columns: Row[]; owner: number } | undefined {
  const row = rowOf(key);
  if (row?.table !== 'slot') return undefined;
  const columns: Row[] = [];
  let owner = row.backend;
  for (const column of [1, 2, 3]) {
    const named = rowOf(key + column * 65_536);
    if (named?.table !== 'slot_version') continue;
    columns.push(named);
    if (row.unstable && column === active) owner = named.backend;
  }
  return { row, columns, owner };
}

function activeColumn(shadow: ReadonlyMap<RowKey, Row>): number {
  const version = shadow.get(versionKey) as VersionRow | undefined;
  return version === undefined ? 0 : version.filters[version.active].column;
}
