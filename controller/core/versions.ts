// SPDX-License-Identifier: Apache-2.0
/**
 * The one row of table version, and the life of its four filter slots: free -> active -> quarantine -> free, strictly in
 * turn. One write of it is under way at most; the next is computed from what was acknowledged.
 */

import type { Millis } from './event.ts';
import { admittedNow, emptyColumn, isFlooded, membersNow, mustGoToBase, reachedAt } from './flood.ts';
import { isSettled, want } from './ledger.ts';
import {
  activeFilter,
  emptyFilter,
  FILTER_SLOTS,
  type FilterRecord,
  isLive,
  log,
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

/**
 * Opening flows of this column join a fresh filter slot from now on. The next filter slot must be free, but for `base`: it is
 * emptied by the same write, since in a flood established connections win.
 */
export function activate(state: State, turn: Turn, kind: 'commit' | 'rotate' | 'base', column: Column): void {
  const filterSlot = nextFilterSlot(state.version);
  // Epochs only ever count up, so the active one tells the next even to a controller that has just started.
  const epoch = (activeFilter(state.version).epoch % MAX_EPOCH) + 1;
  const row = withFilter(state.version, filterSlot, { epoch, column, learn: true });
  changeVersion(state, turn, { kind, row: { ...row, active: filterSlot } });
}

/** @returns whether a write of the version was begun */
export function retireOrRotate(state: State, turn: Turn): boolean {
  if (state.versionChange) return false;
  if (isGoingToBase(state, turn)) {
    // A slot that is being merged onto its newest backend would be given to base meanwhile, and taken from it.
    if (!servingPools(state).every(isSettled)) return false;
    activate(state, turn, 'base', emptyColumn(state, liveColumns(state.version)) ?? 0);
    return true;
  }
  const isOver = activeFilter(state.version).column === 0 && !isFlooded(state, turn.now);
  if (isOver && !turn.options.naive) makeFiltersLearn(state, turn);
  if (state.versionChange) return true;
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
 * In a flood, new flows are about to go to base: the oldest filter slot is to be emptied for it. Not if that knows flows which
 * may never have been heard, or for which there was no room: they are established as well.
 */
export function isGoingToBase(state: State, turn: Turn): boolean {
  if (state.change.phase !== 'idle' || !mustGoToBase(state, turn.now)) return false;
  const next = nextFilterSlot(state.version);
  const { gapAt, couldAdmit } = filterRecord(state, next);
  if (!isLive(state.version, next) || !couldAdmit || gapAt === undefined) return true;
  return retireAt(state, turn.options, next, turn.now) <= turn.now;
}

/**
 * Flows admitted from now on are learned, and have a column that can have rows. The live filter slots of a switch that was
 * never told so are told now. A column without rows means the same as base does.
 */
export function makeFiltersLearn(state: State, turn: Turn): void {
  const column = emptyColumn(state, liveColumns(state.version));
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
    const last = filterRecord(state, before.active);
    last.deactivatedAt = turn.now;
    last.isSaturated = membersNow(state, turn.now) >= turn.options.floodLimit;
    if (state.admitted !== undefined) state.admittedBefore = admittedNow(state, turn.now);
    if (change.kind !== 'commit') state.totals.rotations++;
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
export function retireAt(state: State, options: EngineOptions, filterSlot: FilterSlot, now: Millis): Millis {
  if (filterSlot === state.version.active) return Number.POSITIVE_INFINITY;
  const record = filterRecord(state, filterSlot);
  if (!record.couldAdmit) return record.deactivatedAt;
  const at = record.deactivatedAt + restMs(state, options, filterSlot, now);
  if (record.gapAt === undefined) return at;
  // A flow whose digest was lost sends again within the session timeout, or is forgotten.
  return Math.max(at, record.gapAt + longestTimeout(state) + options.mergeMarginMs);
}

function restMs(state: State, options: EngineOptions, filterSlot: FilterSlot, now: Millis): number {
  const { quarantineMs, floodQuarantineMs, saturatedRestMs } = options;
  if (isFlooded(state, now)) {
    const { isSaturated } = filterRecord(state, filterSlot);
    return Math.min(quarantineMs, isSaturated ? saturatedRestMs : floodQuarantineMs);
  }
  const isNeeded = filterSlot === nextFilterSlot(state.version) && isFull(state, options, now);
  return isNeeded ? Math.min(quarantineMs, floodQuarantineMs) : quarantineMs;
}

/** The next time at which filter slots have something to do. */
export function nextVersionAt(state: State, turn: Turn): Millis {
  let at = Number.POSITIVE_INFINITY;
  for (const filterSlot of resting(state.version)) {
    at = Math.min(at, retireAt(state, turn.options, filterSlot, turn.now));
    if (!isFlooded(state, turn.now)) break;
  }
  if (canRotate(state, turn)) at = Math.min(at, rotationAt(state, turn));
  if (unstableSlotCount(state) > 0) {
    const fullAt = reachedAt(state, turn.options.fillLimit);
    if (fullAt > turn.now) at = Math.min(at, fullAt);
  }
  return at;
}

function changeVersion(state: State, turn: Turn, change: VersionChange): void {
  state.versionChange = change;
  want(state.ledger, { key: 'version', before: state.version, wanted: change.row, isUrgent: true });
  log(turn, 'debug', `version: ${change.kind} begins`, { active: change.row.active });
}

/** Oldest first: who is free out of turn is of no use to anybody, but in a flood. */
function withoutRetired(state: State, turn: Turn): VersionRow | undefined {
  let row = state.version;
  for (const filterSlot of resting(state.version)) {
    const at = retireAt(state, turn.options, filterSlot, turn.now);
    const isDue = at <= turn.now && pinsAreInstalled(state, at);
    if (isDue) row = withFilter(row, filterSlot, { epoch: 0, column: 0, learn: false });
    else if (!isFlooded(state, turn.now)) break;
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
  return phase === 'idle' || (phase !== 'committing' && isFull(state, turn.options, turn.now));
}

/** Rotation by the clock is for quiet times, so that no change need wait for it; a filter slot that is full takes the last. */
function rotationAt(state: State, turn: Turn): Millis {
  const next = nextFilterSlot(state.version);
  if (isLive(state.version, next)) return Number.POSITIVE_INFINITY;
  if (isFull(state, turn.options, turn.now)) return turn.now;
  for (const age of [1, 2]) if (isLive(state.version, after(next, age))) return Number.POSITIVE_INFINITY;
  return filterRecord(state, state.version.active).activatedAt + turn.options.rotationMs;
}

/** More members would make the active filter slot claim too many strangers. */
function isFull(state: State, options: EngineOptions, now: Millis): boolean {
  return membersNow(state, now) >= options.fillLimit;
}

/** Those that were active before the one that is now, oldest first. */
function resting(version: VersionRow): FilterSlot[] {
  return [1, 2, 3]
    .map((age) => after(version.active, age))
    .filter((filterSlot) => isLive(version, filterSlot));
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
