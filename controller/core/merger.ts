// SPDX-License-Identifier: Apache-2.0
/**
 * Makes unstable slots stable again. A slot s may become stable on n, its newest backend, iff
 *
 * - every live filter slot gives n to its flows of s, and
 * - n is base, or the flows of base are pinned or idle for longer than promised: the slot has been unstable, and the
 *   switch been heard, for the session timeout and a margin, and
 * - no pin of s is outstanding, and
 * - s is no open seat.
 *
 * The slot row comes first, then the rows of its columns and the pins that agree with it go (see `slotSettled`).
 */

import type { Millis } from './event.ts';
import { isSettled } from './ledger.ts';
import {
  COLUMNS,
  NO_ROW,
  newestColumn,
  type Pool,
  type State,
  servingPools,
  type Turn,
  WAITING_FOR_WRITES,
} from './model.ts';
import { hasOutstandingPin, removeAgreeingPins } from './pins.ts';
import type { Column } from './row.ts';
import { closeOldSeats, isSeat } from './seats.ts';
import { backendOf, baseOf, isUnstable, type Stability, setColumn, setSlot, stabilityOf } from './slots.ts';
import { isGoingToBase, liveColumns } from './versions.ts';

/** Looking again for slots that wait for the answer to a pin. */
const PIN_POLL_MS = 100;

/** Merges what is due, at most options.mergeBatch slots. */
export function mergeDue(state: State, turn: Turn): void {
  if (state.change.phase !== 'idle' || state.versionChange) return;
  // Who is newest is about to be taken back.
  if (isGoingToBase(state, turn)) return;
  // A change that waits for writes only is not kept waiting by more of them.
  if (state.change.waitingFor === WAITING_FOR_WRITES) return;
  let room = turn.options.mergeBatch;
  for (const pool of servingPools(state)) {
    if (pool.unstableCount === 0 || pool.mergeAt > turn.now || !isSettled(pool)) continue;
    room -= mergePool(state, turn, pool, room);
    if (room === 0) return;
  }
}

/** The switch has acknowledged a slot row; `before` says what it was. */
export function slotSettled(state: State, turn: Turn, pool: Pool, slot: number, before: Stability): void {
  if (stabilityOf(pool, slot) !== before) pool.since[slot] = turn.now;
  if (before !== 'stable' && !isUnstable(pool, slot)) state.totals.mergedSlots++;
  if (isUnstable(pool, slot)) pool.mergeAt = Math.min(pool.mergeAt, turn.now);
  else clearStableSlot(state, pool, slot);
}

/** Stable traffic needs neither columns nor pins. */
export function clearStableSlot(state: State, pool: Pool, slot: number): void {
  for (const column of COLUMNS) setColumn(state, pool, slot, column, NO_ROW);
  removeAgreeingPins(state, pool, slot);
}

/** The next time at which a merge may be due that no answer will bring up. */
export function nextMergeAt(state: State): Millis {
  let at = Number.POSITIVE_INFINITY;
  if (state.change.phase !== 'idle' || state.versionChange) return at;
  for (const pool of servingPools(state)) {
    if (pool.unstableCount > 0 && isSettled(pool)) at = Math.min(at, pool.mergeAt);
  }
  return at;
}

/** @returns how many slots were merged */
function mergePool(state: State, turn: Turn, pool: Pool, limit: number): number {
  const columns = liveColumns(state.version);
  const newest = newestColumn(state);
  const waitMs = pool.sessionTimeoutMs + turn.options.mergeMarginMs;
  let merged = 0;
  let lookAgainAt = closeOldSeats(pool, turn);
  for (let slot = 0; slot < pool.slotCount; slot++) {
    if (!isUnstable(pool, slot) || isSeat(pool, slot)) continue;
    const backend = backendOf(pool, slot, newest);
    // A new version brings this up again.
    if (!isAgreed(pool, slot, columns, backend)) continue;
    const dueAt =
      backend === baseOf(pool, slot) ? turn.now : Math.max(pool.since[slot]!, state.gapAt) + waitMs;
    if (dueAt > turn.now) {
      lookAgainAt = Math.min(lookAgainAt, dueAt);
    } else if (hasOutstandingPin(pool, slot)) {
      lookAgainAt = Math.min(lookAgainAt, turn.now + PIN_POLL_MS);
    } else if (merged === limit) {
      lookAgainAt = turn.now;
      break;
    } else {
      setSlot(state, pool, slot, 'stable', backend);
      merged++;
    }
  }
  pool.mergeAt = lookAgainAt;
  return merged;
}

/** Every live filter slot gives this backend to its flows. */
export function isAgreed(pool: Pool, slot: number, columns: readonly Column[], backend: number): boolean {
  for (const column of columns) if (backendOf(pool, slot, column) !== backend) return false;
  return true;
}
