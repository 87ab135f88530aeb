// SPDX-License-Identifier: Apache-2.0
/** Whose tables are in force when the controller knows of none: those of the switch whose version is the newest. */
import type { Row, VersionRow } from '../core/row.ts';
import { rowKey, sameRow } from './row-key.ts';

/** Epochs count from 1 to this, and begin anew; p4/core/types.p4. */
const epochs = 65_535;

/** New or restarted: it serves nobody. */
export function isBlank(rows: readonly Row[]): boolean {
  return !rows.some(({ table }) => table === 'vip' || table === 'slot');
}

/** Whether the left switch has seen a version that the right one has not. */
export function isNewer(left: readonly Row[], right: readonly Row[]): boolean {
  if (isBlank(left) || isBlank(right)) return isBlank(right) && !isBlank(left);
  const ahead = (epochOf(left) - epochOf(right) + epochs) % epochs;
  return ahead > 0 && ahead < epochs / 2;
}

/**
 * The index of the switch with the newest version: the one that a commit under way has reached, if one has. Of equals
 * the one that a change under way has brought further: it has more unstable slots; of equals still, the first.
 */
export function newest(candidates: readonly (readonly Row[])[]): number {
  let best = 0;
  candidates.forEach((rows, i) => {
    const chosen = candidates[best]!;
    const isFurther = !isNewer(chosen, rows) && unstableSlots(rows) > unstableSlots(chosen);
    if (isNewer(rows, chosen) || isFurther) best = i;
  });
  return best;
}

/**
 * The rows of the source, and the pins that switches of the very same version have besides: a pin that was written to
 * some of them when the last controller ended.
 */
export function rowsInForce(source: readonly Row[], others: readonly (readonly Row[])[]): Row[] {
  const rows = new Map(source.map((row) => [rowKey(row), row]));
  const version = versionOf(source);
  for (const other of others) {
    if (!sameRow(versionOf(other), version)) continue;
    for (const row of other) if (row.table === 'pin' && !rows.has(rowKey(row))) rows.set(rowKey(row), row);
  }
  return [...rows.values()];
}

function unstableSlots(rows: readonly Row[]): number {
  return rows.filter((row) => row.table === 'slot' && row.unstable).length;
}

function epochOf(rows: readonly Row[]): number {
  const version = versionOf(rows);
  return version === undefined ? 0 : version.filters[version.active].epoch;
}

function versionOf(rows: readonly Row[]): VersionRow | undefined {
  return rows.find((row) => row.table === 'version');
}
