// SPDX-License-Identifier: Apache-2.0
/**
 * The one row of table version, and the life of its four filter slots: free -> active -> quarantine -> free, strictly in
 * turn. One write of it is under way at most; the next is computed from what was acknowledged.
 */

import type { Millis } from './event.ts';
import { want } from './ledger.ts';
import {
  activeFilter,
  COLUMNS,
  emptyFilter,
  FILTER_SLOTS,
  type FilterRecord,
  isLive,
  log,
  NO_ROW,
  type State,
  servingPools,
  type Turn,
  unstableSlotCount,
  type VersionChange,
} from './model.ts';
import type { EngineOptions } from './options.ts';
import type { Column, FilterSlot, FilterVersion, VersionRow } from './row.ts';
import { closeSeats } from './seats.ts';

const MAX_EPOCH = 65_535;

/** Filter slots are used in turn; p4/core/filters.p4 knows the oldest by that. */
export function nextFilterSlot(version: VersionRow): FilterSlot {
  return after(version.active, 1);
}

/** Columns some live filter slot refers to: a flow may resolve through them. */
export function liveColumns(version: VersionRow): Column[] {
  return [...new Set(version.filters.filter((filter) => filter.epoch !== 0).map((filter) => filter.column))];
}

/** Opening flows of this column join a fresh filter slot from now on. The next filter slot must be free. */
export function activate(state: State, turn: Turn, kind: 'commit' | 'rotate', column: Column): void {
  const filterSlot = nextFilterSlot(state.version);
  // Epochs only ever count up, so the active one tells the next even to a controller that has just started.
  const epoch = (activeFilter(state.version).epoch % MAX_EPOCH) + 1;
  const row = withFilter(state.version, filterSlot, { epoch, column, learn: true });
  changeVersion(state, turn, { kind, row: { ...row, active: filterSlot } });
}

/** @returns whether a write of the version was begun */
export function retireOrRotate(state: State, turn: Turn): boolean {
  if (state.versionChange) return false;
  const retired = withoutRetired(state, turn);
  if (retired) {
    changeVersion(state, turn, { kind: 'retire', row: retired });
    return true;
  }
  if (canRotate(state, turn) && rotationAt(state, turn) <= turn.now) {
    activate(state, turn, 'rotate', activeFilter(state.version).column);
    return true;
  }
  return false;
}

/**
 * Flows admitted from now on are learned, and have a column that can have rows. The live filter slots of a switch that was
 * never told so are told now. A column without rows means the same as base does.
 */
export function makeFiltersLearn(state: State, turn: Turn): void {
  const column = emptyColumn(state);
  const filters = state.version.filters.map((filter) =>
    filter.epoch === 0
      ? filter
      : {
          ...filter,
          learn: true,
          column: filter.column === 0 && column !== undefined ? column : filter.column,
        },
  );
  if (JSON.stringify(filters) === JSON.stringify(state.version.filters)) return;
  changeVersion(state, turn, { kind: 'learn', row: { ...state.version, filters: asFour(filters) } });
}

/** A column that no live filter slot refers to, and no slot has a row in. */
function emptyColumn(state: State): 1 | 2 | 3 | undefined {
  const live = liveColumns(state.version);
  return COLUMNS.find((column) => {
    if (live.includes(column)) return false;
    for (const pool of state.pools.values()) {
      if (pool.columns[column - 1]!.some((backend) => backend !== NO_ROW)) return false;
    }
    return true;
  });
}

/** The switch has acknowledged the version under way. @returns what has changed */
export function versionSettled(state: State, turn: Turn): VersionChange | undefined {
  const change = state.versionChange;
  if (change === undefined) return undefined;
  const before = state.version;
  state.version = change.row;
  state.versionChange = undefined;
  if (change.row.active !== before.active) {
    const fresh = emptyFilter(turn.now);
    fresh.couldAdmit = unstableSlotCount(state) > 0;
    // What was lost before the filter slot became active is no loss of its own.
    Object.assign(filterRecord(state, change.row.active), fresh);
    filterRecord(state, before.active).deactivatedAt = turn.now;
    state.admittedBefore = state.admitted;
    if (change.kind === 'rotate') state.totals.rotations++;
  }
  log(turn, 'debug', `version: ${change.kind}`, {
    active: change.row.active,
    epoch: activeFilter(change.row).epoch,
    column: activeFilter(change.row).column,
  });
  return change;
}

/**
 * Digests may have been lost up to now: the switch was not heard, or there was no room for a pin. What counts on having
 * heard of every flow counts from here.
 */
export function noteGap(state: State, now: Millis): void {
  state.gapAt = now;
  closeSeats(state);
  state.filters.forEach((record, filterSlot) => {
    if (isLive(state.version, filterSlot as FilterSlot) && record.couldAdmit) record.gapAt = now;
  });
}

/** A slot is, or is becoming, unstable: the active filter slot will have members. */
export function noteAdmitting(state: State): void {
  filterRecord(state, state.version.active).couldAdmit = true;
}

/** Before this, flows that this filter slot admitted may have neither a pin nor be forgotten. */
export function retireAt(state: State, options: EngineOptions, filterSlot: FilterSlot): Millis {
  if (filterSlot === state.version.active) return Number.POSITIVE_INFINITY;
  const record = filterRecord(state, filterSlot);
  if (!record.couldAdmit) return record.deactivatedAt;
  const isNeeded = filterSlot === nextFilterSlot(state.version) && isFull(state, options);
  const restMs = isNeeded ? Math.min(options.quarantineMs, options.floodQuarantineMs) : options.quarantineMs;
  const at = record.deactivatedAt + restMs;
  if (record.gapAt === undefined) return at;
  // A flow whose digest was lost sends again within the session timeout, or is forgotten.
  return Math.max(at, record.gapAt + longestTimeout(state) + options.mergeMarginMs);
}

/** The next time at which filter slots have something to do. */
export function nextVersionAt(state: State, turn: Turn): Millis {
  let at = Number.POSITIVE_INFINITY;
  const oldest = oldestQuarantined(state);
  if (oldest !== undefined) at = retireAt(state, turn.options, oldest);
  if (canRotate(state, turn)) at = Math.min(at, rotationAt(state, turn));
  return at;
}

function changeVersion(state: State, turn: Turn, change: VersionChange): void {
  state.versionChange = change;
  want(state.ledger, { key: 'version', before: state.version, wanted: change.row, isUrgent: true });
  log(turn, 'debug', `version: ${change.kind} begins`, { active: change.row.active });
}

/** Oldest first: who is free out of turn is of no use to anybody. */
function withoutRetired(state: State, turn: Turn): VersionRow | undefined {
  let row = state.version;
  for (let age = 1; age < FILTER_SLOTS; age++) {
    const filterSlot = after(state.version.active, age);
    if (!isLive(state.version, filterSlot)) continue;
    const at = retireAt(state, turn.options, filterSlot);
    if (at > turn.now || !pinsAreInstalled(state, at)) break;
    row = withFilter(row, filterSlot, { epoch: 0, column: 0, learn: false });
  }
  return row === state.version ? undefined : row;
}

/** Every pin asked for until then. */
function pinsAreInstalled(state: State, until: Millis): boolean {
  for (const oldest of state.outstandingPins) return oldest.createdAt > until;
  return true;
}

/** A change brings a fresh filter slot itself, but a flood does not wait for it. */
function canRotate(state: State, turn: Turn): boolean {
  if (unstableSlotCount(state) === 0) return false;
  const { phase } = state.change;
  return phase === 'idle' || (phase !== 'committing' && isFull(state, turn.options));
}

/** Rotation by the clock is for quiet times, so that no change need wait for it; a filter slot that is full takes the last. */
function rotationAt(state: State, turn: Turn): Millis {
  const next = nextFilterSlot(state.version);
  if (isLive(state.version, next)) return Number.POSITIVE_INFINITY;
  if (isFull(state, turn.options)) return turn.now;
  for (const age of [1, 2]) if (isLive(state.version, after(next, age))) return Number.POSITIVE_INFINITY;
  return filterRecord(state, state.version.active).activatedAt + turn.options.rotationMs;
}

/** More members would make the active filter slot claim too many strangers. */
function isFull(state: State, options: EngineOptions): boolean {
  return (state.admitted ?? 0) - (state.admittedBefore ?? 0) >= options.fillLimit;
}

function oldestQuarantined(state: State): FilterSlot | undefined {
  for (let age = 1; age < FILTER_SLOTS; age++) {
    const filterSlot = after(state.version.active, age);
    if (isLive(state.version, filterSlot)) return filterSlot;
  }
  return undefined;
}

function longestTimeout(state: State): number {
  let longest = 0;
  for (const pool of servingPools(state)) {
    if (pool.unstableCount > 0) longest = Math.max(longest, pool.sessionTimeoutMs);
  }
  return longest;
}

function filterRecord(state: State, filterSlot: FilterSlot): FilterRecord {
  return state.filters[filterSlot];
}

function withFilter(version: VersionRow, filterSlot: FilterSlot, filter: FilterVersion): VersionRow {
  const filters = version.filters.map((old, i) => (i === filterSlot ? filter : old));
  return { ...version, filters: asFour(filters) };
}

function asFour(filters: FilterVersion[]): VersionRow['filters'] {
  return [filters[0]!, filters[1]!, filters[2]!, filters[3]!];
}

function after(filterSlot: FilterSlot, steps: number): FilterSlot {
  return ((filterSlot + steps) % FILTER_SLOTS) as FilterSlot;
}
