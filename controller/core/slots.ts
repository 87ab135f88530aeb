// SPDX-License-Identifier: Apache-2.0
/** Reads and changes the rows of tables slot and slot_version. Every change of them passes through here. */

import { want } from './ledger.ts';
import { NO_BACKEND, NO_ROW, type Pool, type State } from './model.ts';
import { fewestRows, NO_VALUE } from './prefix-cover.ts';
import type { Column, SlotRow, SlotVersionRow } from './row.ts';

/** Above the 13 bits of a backend id. */
const UNSTABLE = 1 << 13;
const PINS_BASE = 1 << 14;
const BACKEND_MASK = UNSTABLE - 1;

/**
 * stable: every flow goes to the row's backend. leaving: unstable, and base has flows that only they themselves can name; they
 * are pinned as they speak. held: unstable, and whoever is unknown belongs to base without a pin.
 */
export type Stability = 'stable' | 'leaving' | 'held';

const FLAGS: Readonly<Record<Stability, number>> = {
  stable: 0,
  leaving: UNSTABLE | PINS_BASE,
  held: UNSTABLE,
};

export function isUnstable(pool: Pool, slot: number): boolean {
  return (pool.slots[slot]! & UNSTABLE) !== 0;
}

export function stabilityOf(pool: Pool, slot: number): Stability {
  const flags = pool.slots[slot]!;
  if ((flags & UNSTABLE) === 0) return 'stable';
  return flags & PINS_BASE ? 'leaving' : 'held';
}

/** No row is a stable one. */
export function stabilityOfRow(row: SlotRow | undefined): Stability {
  if (!row?.unstable) return 'stable';
  return row.pinsBase ? 'leaving' : 'held';
}

/** The backend of the slot row: base while the slot is unstable. */
export function baseOf(pool: Pool, slot: number): number {
  return pool.slots[slot]! & BACKEND_MASK;
}

/** Whom a flow with this column is sent to. */
export function backendOf(pool: Pool, slot: number, column: Column): number {
  if (column === 0 || !isUnstable(pool, slot)) return baseOf(pool, slot);
  const backend = pool.columns[column - 1]![slot]!;
  return backend === NO_ROW ? baseOf(pool, slot) : backend;
}

/** The slot row from now on; stable on nobody is no row. @returns whether anything had to be written */
export function setSlot(
  state: State,
  pool: Pool,
  slot: number,
  stability: Stability,
  backend: number,
  isUrgent = false,
): boolean {
  const before = pool.slots[slot]!;
  const after = backend | FLAGS[stability];
  if (before === after) return false;
  recordSlot(pool, slot, after);
  want(state.ledger, {
    key: slotKey(pool, 0, slot),
    pool,
    before: slotRow(pool, slot, before),
    wanted: slotRow(pool, slot, after),
    isUrgent,
  });
  return true;
}

/** A slot_version row from now on; NO_ROW: none. @returns whether anything had to be written */
export function setColumn(
  state: State,
  pool: Pool,
  slot: number,
  column: 1 | 2 | 3,
  backend: number,
  isUrgent = false,
): boolean {
  const before = pool.columns[column - 1]![slot]!;
  if (before === backend) return false;
  recordColumn(pool, slot, column, backend);
  want(state.ledger, {
    key: slotKey(pool, column, slot),
    pool,
    before: columnRow(pool, slot, column, before),
    wanted: columnRow(pool, slot, column, backend),
    isUrgent,
  });
  return true;
}

/** The switch has acknowledged the slot's row, and those of its columns, as they are. */
export function isSlotSettled(state: State, pool: Pool, slot: number): boolean {
  const { entries } = state.ledger;
  for (let column: number = 0; column <= 3; column++) {
    if (entries.has(slotKey(pool, column as Column, slot))) return false;
  }
  return true;
}

/** Rows that the switch needs for the slots and their columns, once all is written. Costs a look at every slot if they have changed. */
export function slotRowCount(pool: Pool): number {
  pool.slotRowCount ??= pool.table === 'prefix' ? prefixRowCount(pool) : maglevRowCount(pool);
  return pool.slotRowCount;
}

function prefixRowCount(pool: Pool): number {
  let count = fewestRows(pool.slots).size;
  if (pool.columnRowCount === 0) return count;
  for (const column of pool.columns) {
    count += fewestRows(column.map((backend) => (backend === NO_ROW ? NO_VALUE : backend + 1))).size;
  }
  return count;
}

function maglevRowCount({ slots, columnRowCount }: Pool): number {
  let count = columnRowCount;
  for (const value of slots) if (value !== NO_BACKEND) count++;
  return count;
}

/** Takes over what was read from the switch. */
export function loadSlot(pool: Pool, row: SlotRow): void {
  recordSlot(pool, row.slot, row.backend | FLAGS[stabilityOfRow(row)]);
}

export function loadColumn(pool: Pool, row: SlotVersionRow): void {
  recordColumn(pool, row.slot, row.column, row.backend);
}

function recordSlot(pool: Pool, slot: number, value: number): void {
  const before = pool.slots[slot]!;
  countRef(pool, before & BACKEND_MASK, -1);
  countRef(pool, value & BACKEND_MASK, 1);
  if (before & UNSTABLE) pool.unstableCount--;
  if (value & UNSTABLE) pool.unstableCount++;
  pool.slots[slot] = value;
  pool.slotRowCount = undefined;
  pool.owned = undefined;
}

function recordColumn(pool: Pool, slot: number, column: 1 | 2 | 3, backend: number): void {
  const rows = pool.columns[column - 1]!;
  countRef(pool, rows[slot]!, -1);
  countRef(pool, backend, 1);
  pool.columnRowCount += Number(backend !== NO_ROW) - Number(rows[slot] !== NO_ROW);
  rows[slot] = backend;
  pool.slotRowCount = undefined;
  pool.owned = undefined;
}

function countRef(pool: Pool, backend: number, by: number): void {
  if (backend === NO_BACKEND || backend === NO_ROW) return;
  const named = pool.backends.get(backend);
  if (named) named.rowRefs += by;
}

function slotRow(pool: Pool, slot: number, value: number): SlotRow | undefined {
  if (value === NO_BACKEND) return undefined;
  const row: SlotRow = {
    table: 'slot',
    pool: pool.id,
    slot,
    unstable: (value & UNSTABLE) !== 0,
    pinsBase: (value & PINS_BASE) !== 0,
    backend: value & BACKEND_MASK,
  };
  // Not a copy with one field more: of every slot, it would take as long as the rest of a change.
  if (pool.table === 'prefix') row.byPrefix = true;
  return row;
}

function columnRow(pool: Pool, slot: number, column: 1 | 2 | 3, backend: number): SlotVersionRow | undefined {
  if (backend === NO_ROW) return undefined;
  const row: SlotVersionRow = { table: 'slot_version', pool: pool.id, slot, column, backend };
  if (pool.table === 'prefix') row.byPrefix = true;
  return row;
}

/** Column 0 is the slot row itself. */
function slotKey(pool: Pool, column: Column, slot: number): number {
  return (pool.id * 4 + column) * 65_536 + slot;
}
