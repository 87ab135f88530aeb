// SPDX-License-Identifier: Apache-2.0
/**
 * Carries a change from wanted to committed, for all pools at once:
 *
 *   idle ──> columns ──> slots ──> settling ──> rebasing ──> committing ──> idle
 *              │           │          │            │
 *              └───────────┴──────────┴────────────┴── abandoned: nothing resolves through the column, so nothing need be
 *                                         undone but its rows; slots made unstable for it are merged back onto their base
 *
 * Columns come before slots: a slot must have no rows of earlier times left in any column when it becomes unstable, and
 * slots are unstable no longer than they must. Seats that are taken (seats.ts) need no row in the new column: they are rebased.
 */

import { isFlooded } from './flood.ts';
import type { Entry } from './ledger.ts';
import { isHopeless, isSettled } from './ledger.ts';
import { clearStableSlot, isAgreed } from './merger.ts';
import {
  type Change,
  COLUMNS,
  idleChange,
  isDead,
  isLive,
  log,
  NO_BACKEND,
  NO_ROW,
  newestColumn,
  noteProblem,
  type Pool,
  type State,
  servingPools,
  type Turn,
  WAITING_FOR_WRITES,
} from './model.ts';
import { hasOutstandingPin, removePin } from './pins.ts';
import { bury, countMoved, place } from './placement.ts';
import type { Column } from './row.ts';
import { isSeat, leaveSeat } from './seats.ts';
import { backendOf, baseOf, isUnstable, setColumn, setSlot } from './slots.ts';
import { activate, liveColumns, nextFilterSlot, noteAdmitting } from './versions.ts';

/** Where weights or states have changed: computes the table wanted, and helps the slots of the dead at once. */
export function placeStalePools(state: State, turn: Turn): void {
  for (const pool of state.pools.values()) {
    if (!pool.isPlacementStale || pool.phase === 'leaving') continue;
    if (pool.isRestored && pool.phase === 'filling') continue;
    place(state, pool);
    if (pool.phase === 'filling') {
      fillInPlace(state, pool);
      continue;
    }
    buryTheDead(state, turn, pool);
    if (turn.options.naive) fillInPlace(state, pool);
  }
}

/** Moves the change under way, or begins one, as far as it goes without another answer. */
export function advanceChange(state: State, turn: Turn): void {
  const change = state.change;
  if (change.isSpoilt) {
    abandon(state, turn.now);
    return;
  }
  const isAnswered = [...change.targets.keys()].every(isSettled);
  switch (change.phase) {
    case 'idle':
      begin(state, turn);
      return;
    case 'columns':
      if (isAnswered) makeUnstable(state, turn);
      return;
    case 'slots':
      if (!isAnswered) return;
      change.phase = 'settling';
      change.settleUntil = settledAt(state, turn);
      advanceChange(state, turn);
      return;
    case 'settling':
      if (!isAnswered || turn.now < change.settleUntil || state.versionChange) return;
      // A flood may have taken the filter slot that was free when the change began.
      if (isLive(state.version, nextFilterSlot(state.version))) return;
      change.phase = 'rebasing';
      rebase(state);
      advanceChange(state, turn);
      return;
    case 'rebasing':
      if (!isAnswered || state.versionChange || isLive(state.version, nextFilterSlot(state.version))) return;
      change.phase = 'committing';
      activate(state, turn, 'commit', change.column);
      return;
    case 'committing':
      return;
  }
}

/** New flows get the new table as of now. */
export function committed(state: State, turn: Turn): void {
  const { change } = state;
  const { startedAt, rows, movedSlots, pools, targets } = change;
  const takenSlots = [...change.rebased.values()].reduce((sum, slots) => sum + slots.length, 0);
  state.commits.push({
    pools,
    movedSlots,
    takenSlots,
    rows,
    startedAt,
    committedAt: turn.now,
    durationMs: turn.now - startedAt,
  });
  if (state.commits.length > turn.options.historyLimit) state.commits.shift();
  state.totals.commits++;
  state.totals.movedSlots += movedSlots;
  const durationMs = Math.round(turn.now - startedAt);
  log(
    turn,
    'info',
    'committed',
    { pools: pools.join(' '), movedSlots, takenSlots, rows, durationMs },
    'commit',
  );
  state.change = idleChange(turn.now);
  for (const pool of servingPools(state)) {
    pool.mergeAt = turn.now;
    // Stable slots are the same in every column.
    const isSame = pool.unstableCount === 0 && !targets.has(pool);
    if (!pool.isPlacementStale && !isSame) countMoved(state, pool);
  }
}

/** A row of the change was refused for good, or too often. */
export function abandonIfHopeless(
  state: State,
  turn: Turn,
  entry: Entry,
  code: string,
  message: string,
): void {
  const { change } = state;
  if (!isPreparing(change) || entry.pool === undefined || !change.targets.has(entry.pool)) return;
  if (!isHopeless(entry, code, turn.options)) return;
  noteProblem(state, turn, 'change abandoned; it will be tried again', {
    pool: entry.pool.name,
    table: entry.row.table,
    code,
    reason: message,
  });
  abandon(state, turn.now + turn.options.changeRetryMs);
}

/** The commit would come when filters mistake most strangers for members. What is committing already is taken back by base for all. */
export function abandonInFlood(state: State, turn: Turn): void {
  if (!isPreparing(state.change)) return;
  log(turn, 'warn', 'change abandoned; it will be tried again when the flood is over');
  abandon(state, turn.now);
}

/** The next time at which a change has something to do that no answer will bring up. */
export function nextChangeAt(state: State): number {
  const { change } = state;
  if (change.phase === 'settling') {
    // Once settled, it waits for a filter slot; that comes up by itself.
    return isLive(state.version, nextFilterSlot(state.version))
      ? Number.POSITIVE_INFINITY
      : change.settleUntil;
  }
  if (change.phase === 'idle' && change.waitingFor !== undefined)
    return Math.max(change.retryAt, state.floodUntil);
  return Number.POSITIVE_INFINITY;
}

function abandon(state: State, retryAt: number): void {
  const { change } = state;
  const columns = liveColumns(state.version);
  if (change.phase === 'rebasing') undoRebase(state);
  for (const pool of change.targets.keys()) {
    if (pool.phase !== 'serving') continue;
    pool.isPlacementStale = true;
    pool.mergeAt = 0;
    for (let slot = 0; slot < pool.slotCount; slot++) {
      setColumn(state, pool, slot, change.column, NO_ROW);
      if (change.phase === 'columns' || !isUnstable(pool, slot) || isSeat(pool, slot)) continue;
      // It was made unstable for this change, or could be merged as well: all its flows are on base.
      const base = baseOf(pool, slot);
      if (isAgreed(pool, slot, columns, base) && !hasOutstandingPin(pool, slot)) {
        setSlot(state, pool, slot, 'stable', base);
      }
    }
  }
  state.change = idleChange(retryAt);
  state.mustAdvance = true;
}

function buryTheDead(state: State, turn: Turn, pool: Pool): void {
  const rewritten = bury(state, turn, pool);
  for (const pins of [...pool.pins.values()]) {
    for (const pin of [...pins]) if (isDead(pool, pin.backend)) removePin(state, pin, true);
  }
  if (rewritten === 0) return;
  log(
    turn,
    'info',
    'rows of dead backends rewritten in place',
    { pool: pool.name, rows: rewritten },
    'backend',
  );
  pool.mergeAt = turn.now;
  countMoved(state, pool);
  if (isPreparing(state.change)) leaveOutTheDead(state, turn, pool);
}

/** What is being prepared was computed with the dead. The rest of it goes on: where many die, changes must still come to an end. */
function leaveOutTheDead(state: State, turn: Turn, pool: Pool): void {
  const { change } = state;
  const newest = newestColumn(state);
  const ownerOf = (slot: number): number => pool.orphans.get(slot) ?? backendOf(pool, slot, newest);
  const target = change.targets.get(pool)?.slice() ?? pool.slots.map((_, slot) => ownerOf(slot));
  for (let slot = 0; slot < pool.slotCount; slot++) {
    if (!isDead(pool, target[slot]!)) continue;
    target[slot] = ownerOf(slot);
    if (isSeat(pool, slot)) setColumn(state, pool, slot, change.column, target[slot]!);
    else if (!isUnstable(pool, slot) && !pool.orphans.has(slot))
      setColumn(state, pool, slot, change.column, NO_ROW);
  }
  change.targets.set(pool, target);
  const taken = change.rebased.get(pool)?.filter((slot) => target[slot] !== ownerOf(slot));
  if (taken) change.rebased.set(pool, taken);
  if (!hasMoves(change, newest)) abandon(state, turn.now);
}

function hasMoves(change: Change, newest: Column): boolean {
  for (const [pool, target] of change.targets) {
    for (let slot = 0; slot < pool.slotCount; slot++) {
      if (target[slot] !== backendOf(pool, slot, newest) && !pool.orphans.has(slot)) return true;
    }
  }
  return false;
}

function isPreparing({ phase }: Change): boolean {
  return phase !== 'idle' && phase !== 'committing';
}

/** No traffic sees this table as a whole, or it is nobody's (naive): its rows are written as they should be. */
function fillInPlace(state: State, pool: Pool): void {
  for (let slot = 0; slot < pool.slotCount; slot++) setSlot(state, pool, slot, 'stable', pool.target[slot]!);
  countMoved(state, pool);
}

function begin(state: State, turn: Turn): void {
  const { change } = state;
  const pools = servingPools(state);
  const hasMoved = pools.some((pool) => pool.movedCount > 0);
  change.waitingFor = hasMoved ? obstacle(state, turn, pools) : undefined;
  if (!hasMoved && state.hasLeftovers) clearLeftovers(state, pools);
  if (!hasMoved || change.waitingFor !== undefined) return;

  const column = freeColumn(state)!;
  state.change = { ...idleChange(0), phase: 'columns', column, startedAt: turn.now };
  for (const pool of pools) {
    if (isAtRest(pool)) continue;
    state.change.targets.set(pool, pool.target);
    if (pool.movedCount > 0) state.change.pools.push(pool.name);
    state.change.movedSlots += pool.movedCount;
    state.change.rows += prepareColumn(state, pool, column);
  }
  state.hasLeftovers = false;
  advanceChange(state, turn);
}

/** A change has nothing to do with it: there may be a hundred such pools, and many slots. */
function isAtRest(pool: Pool): boolean {
  const { movedCount, unstableCount, columnRowCount, orphans } = pool;
  return movedCount === 0 && unstableCount === 0 && columnRowCount === 0 && orphans.size === 0;
}

/** No change makes use of them. */
function clearLeftovers(state: State, pools: readonly Pool[]): void {
  state.hasLeftovers = false;
  for (const pool of pools) {
    for (let slot = 0; slot < pool.slotCount; slot++) {
      if (!isUnstable(pool, slot)) clearStableSlot(state, pool, slot);
    }
  }
}

/** Why a change cannot begin now, for the operator; undefined: it can. */
function obstacle(state: State, turn: Turn, pools: readonly Pool[]): string | undefined {
  if (isFlooded(state, turn.now)) return 'the end of a SYN flood';
  if (turn.now < state.change.retryAt) return 'the time to try again after a failure';
  if (turn.now < state.pinsRefusedAt + turn.options.refusalHoldMs) return 'room for pins';
  if (state.versionChange) return 'the version to be acknowledged';
  if (isLive(state.version, nextFilterSlot(state.version))) return 'a free filter slot';
  if (freeColumn(state) === undefined) return 'a free column';
  if (!pools.every(isSettled)) return WAITING_FOR_WRITES;
  return undefined;
}

/** A column that no flow can resolve through. */
function freeColumn(state: State): 1 | 2 | 3 | undefined {
  const live = liveColumns(state.version);
  return COLUMNS.find((column) => !live.includes(column));
}

/** Writes the target of every slot that moves or is unstable already. @returns rows written */
function prepareColumn(state: State, pool: Pool, column: 1 | 2 | 3): number {
  const newest = newestColumn(state);
  const taken: number[] = [];
  let rows = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    const target = pool.target[slot]!;
    const wasUnstable = isUnstable(pool, slot);
    const isHeld = isSeat(pool, slot);
    const isTaken = isHeld && target !== baseOf(pool, slot) && target !== NO_BACKEND && !isDead(pool, target);
    if (isTaken) taken.push(slot);
    // Who connects to a seat goes on to be pinned; hence the row, though it says the same as base.
    const needsRow = isHeld
      ? !isTaken
      : target !== baseOf(pool, slot) && (wasUnstable || target !== backendOf(pool, slot, newest));
    if (setColumn(state, pool, slot, column, needsRow ? target : NO_ROW)) rows++;
    if (wasUnstable) continue;
    // Live filter slots that remember flows of an earlier spell must find base here.
    for (const c of COLUMNS) if (c !== column && setColumn(state, pool, slot, c, NO_ROW)) rows++;
  }
  if (taken.length > 0) state.change.rebased.set(pool, taken);
  return rows;
}

function makeUnstable(state: State, turn: Turn): void {
  const { change } = state;
  change.phase = 'slots';
  noteAdmitting(state);
  for (const [pool, target] of change.targets) {
    // It was taken away meanwhile.
    if (pool.phase !== 'serving') continue;
    for (let slot = 0; slot < pool.slotCount; slot++) {
      if (target[slot] === baseOf(pool, slot) || baseOf(pool, slot) === NO_BACKEND) continue;
      if (isSeat(pool, slot) || pool.orphans.has(slot)) continue;
      if (setSlot(state, pool, slot, 'leaving', baseOf(pool, slot))) change.rows++;
    }
  }
  advanceChange(state, turn);
}

/** Nobody takes base at the seats: who is unknown there is as good as new, and new flows are to get it from now on. */
function rebase(state: State): void {
  const { change } = state;
  for (const [pool, slots] of change.rebased) {
    if (pool.phase !== 'serving') continue;
    for (const slot of slots) {
      leaveSeat(pool, slot);
      if (setSlot(state, pool, slot, 'held', change.targets.get(pool)![slot]!)) change.rows++;
    }
  }
}

function undoRebase(state: State): void {
  const newest = newestColumn(state);
  for (const [pool, slots] of state.change.rebased) {
    if (pool.phase !== 'serving') continue;
    for (const slot of slots) setSlot(state, pool, slot, 'held', backendOf(pool, slot, newest));
  }
}

/**
 * A flow whose first packet met a stable slot and whose second opening packet, a SYN sent again or any UDP, comes after
 * the commit would look new. So slots that move must have been unstable for a while before: whoever opens again in this
 * while is known to the filter slot of before.
 */
function settledAt(state: State, turn: Turn): number {
  const newest = newestColumn(state);
  let at = turn.now;
  for (const [pool, target] of state.change.targets) {
    const settleMs = pool.vip.protocol === 'udp' ? turn.options.udpSettleMs : turn.options.tcpSettleMs;
    for (let slot = 0; slot < pool.slotCount; slot++) {
      if (!isUnstable(pool, slot) || target[slot] === backendOf(pool, slot, newest)) continue;
      // Nobody has opened at a seat unseen.
      if (isSeat(pool, slot)) continue;
      at = Math.max(at, pool.since[slot]! + settleMs);
    }
  }
  return at;
}
