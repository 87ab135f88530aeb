// SPDX-License-Identifier: Apache-2.0
/**
 * Seats: the slots of a dead backend are held open for another that comes.
 *
 *   its backend dies ──> columns: the heir ──acknowledged──> held: base is the heir too
 *        held ──a backend is short of slots──> base is given to it, right before the commit (planner.ts)
 *        held ──too long, too many, a digest was lost──> closed: merged onto the heir (merger.ts)
 *
 * While a slot is held, new flows get the heir through a row of their column, not from base; so the switch asks for a pin as soon as
 * they have answered the handshake, and every flow of the slot is known to a pin or to a live filter slot. Hence base
 * can be given to another backend. From the commit on that one's flows need neither pins nor filters, because they are where the
 * unknown go; those of the heir, few if the seat was taken soon, keep their pins. Without a seat, a backend that comes back
 * would make stable slots unstable for a whole session timeout, with a pin for each new flow.
 */

import type { Millis } from './event.ts';
import {
  BACKEND_IDS,
  type Backend,
  COLUMNS,
  isDead,
  NO_BACKEND,
  NO_ROW,
  type Pool,
  type State,
  servingPools,
  type Turn,
} from './model.ts';
import type { Column } from './row.ts';
import { baseOf, isSlotSettled, isUnstable, setColumn, setSlot, stabilityOf } from './slots.ts';

/** No timeout, no need to remember: a seat is held for this share of the session timeout at most. */
const SESSION_SHARE = 3;
/** ... and waited for no longer than this share of it: a minute of a quarter of an hour. */
const WAIT_SHARE = 15;

/** The slot's flows are all known, and its base may be given away. */
export function isSeat(pool: Pool, slot: number): boolean {
  return (
    pool.openSeats.has(pool.seats[slot]!) && stabilityOf(pool, slot) === 'held' && !pool.orphans.has(slot)
  );
}

/** @returns the number of a new seat; the oldest is closed when there are too many */
export function openSeat(pool: Pool, turn: Turn): number {
  pool.lastSeat++;
  pool.openSeats.set(pool.lastSeat, { openedAt: turn.now, slots: 0 });
  for (const seat of pool.openSeats.keys()) {
    if (pool.openSeats.size <= turn.options.maxSeats) break;
    pool.openSeats.delete(seat);
  }
  return pool.lastSeat;
}

/**
 * Begins to hold the slot of a dead backend, whose heir nobody has been given yet. A stable slot goes on to the dead until its
 * columns are acknowledged, one answer longer than without a seat.
 *
 * @param columns  those of live filter slots, and of one that is becoming so
 */
export function hold(
  state: State,
  pool: Pool,
  slot: number,
  heir: number,
  seat: number,
  columns: readonly Column[],
): void {
  const isVisible = isUnstable(pool, slot);
  for (const column of columns) {
    if (column === 0) continue;
    const named = pool.columns[column - 1]![slot]!;
    if (isVisible && named !== NO_ROW && !isDead(pool, named)) continue;
    setColumn(state, pool, slot, column, heir, true);
  }
  leaveSeat(pool, slot);
  pool.seats[slot] = seat;
  pool.openSeats.get(seat)!.slots++;
  pool.orphans.set(slot, heir);
}

/** The slot is no seat any more. */
export function leaveSeat(pool: Pool, slot: number): void {
  const number = pool.seats[slot]!;
  pool.seats[slot] = 0;
  const seat = pool.openSeats.get(number);
  if (seat && --seat.slots === 0) pool.openSeats.delete(number);
}

/** Slots can be held: every column that a flow may resolve through can have a row. */
export function canHold(pool: Pool, slot: number, columns: readonly Column[]): boolean {
  if (columns.includes(0) || baseOf(pool, slot) === NO_BACKEND) return false;
  return stabilityOf(pool, slot) !== 'leaving';
}

/** Orphans whose columns are acknowledged are given to their heirs. @returns the pools whose table has changed by it */
export function seatOrphans(state: State): Pool[] {
  const changed: Pool[] = [];
  for (const pool of servingPools(state)) {
    const orphanCount = pool.orphans.size;
    for (const [slot, heir] of pool.orphans) {
      const isBack = !isUnstable(pool, slot) && !isDead(pool, baseOf(pool, slot));
      if (isBack) {
        pool.orphans.delete(slot);
        leaveSeat(pool, slot);
        for (const column of COLUMNS) setColumn(state, pool, slot, column, NO_ROW);
      } else if (isSlotSettled(state, pool, slot)) {
        pool.orphans.delete(slot);
        setSlot(state, pool, slot, 'held', heir, true);
      }
    }
    if (pool.orphans.size < orphanCount) changed.push(pool);
  }
  return changed;
}

/** The switch has no room for the columns of an orphan: its slot row is rewritten in place, and it is no seat. */
export function forgoSeat(state: State, pool: Pool, slot: number): void {
  const heir = pool.orphans.get(slot);
  if (heir === undefined) return;
  pool.orphans.delete(slot);
  leaveSeat(pool, slot);
  if (isUnstable(pool, slot)) {
    setSlot(state, pool, slot, 'held', heir, true);
    return;
  }
  for (const column of COLUMNS) setColumn(state, pool, slot, column, NO_ROW);
  setSlot(state, pool, slot, 'stable', heir, true);
}

/** @returns when the next seat is closed for its age */
export function closeOldSeats(pool: Pool, turn: Turn): Millis {
  const holdMs = Math.min(turn.options.seatHoldMs, pool.sessionTimeoutMs / SESSION_SHARE);
  for (const [seat, { openedAt }] of pool.openSeats) {
    if (openedAt + holdMs > turn.now) return openedAt + holdMs;
    pool.openSeats.delete(seat);
  }
  return Number.POSITIVE_INFINITY;
}

/** No row names it yet: seats get their new base right before the commit. */
export function takesSeats({ change }: State, pool: Pool, id: number): boolean {
  const target = change.targets.get(pool);
  return target !== undefined && (change.rebased.get(pool)?.some((slot) => target[slot] === id) ?? false);
}

/** A backend has come, and waits for a seat if one may be expected soon. */
export function beginWaiting(pool: Pool, { now, options }: Turn, backend: Backend): void {
  const waitMs = Math.min(options.seatWaitMs, pool.sessionTimeoutMs / WAIT_SHARE);
  const mayExpect = pool.phase === 'serving' && pool.lastDeathAt + waitMs > now;
  backend.waitsUntil = mayExpect ? now + waitMs : undefined;
}

/**
 * Those who wait are let in, who came first first, as far as the seats go, and the slots of those who are dead or drain; but for
 * what those are short of who were let in before, and wait for a commit only. For each newcomer a backend gives up a
 * slot or so; more seats of one and the same are of no use to it.
 */
export function admitWaiting(pool: Pool, ownerOf: (slot: number) => number): void {
  const waiting = [...pool.backends.values()].filter(isWaiting);
  if (waiting.length === 0) return;
  const owned = new Uint32Array(BACKEND_IDS);
  const seats = new Uint32Array(BACKEND_IDS);
  /** Of the dead, and of those who give up all they have. */
  let orphans = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    const owner = ownerOf(slot);
    owned[owner]!++;
    if (pool.backends.get(owner)?.state !== 'active') orphans++;
    else if (isSeat(pool, slot)) seats[owner]!++;
  }
  const active = [...pool.backends.values()].filter(({ state }) => state === 'active');
  const weight = active.reduce((sum, backend) => sum + backend.weight, 0);
  const dueOf = (backend: Backend): number => (pool.slotCount * backend.weight) / weight;
  let need = 0;
  for (const backend of active) {
    if (!isWaiting(backend)) need += Math.max(0, Math.floor(dueOf(backend)) - owned[backend.id]!);
  }
  for (const backend of waiting.sort((a, b) => a.waitsUntil! - b.waitsUntil!)) {
    need += dueOf(backend);
    const share = need / pool.slotCount;
    let room = orphans;
    for (const { id } of active) room += Math.min(seats[id]!, Math.ceil(owned[id]! * share));
    // What is missing to a whole seat comes from stable slots.
    if (room < need - dueOf(backend) / 2) return;
    backend.waitsUntil = undefined;
  }
}

export function isWaiting(backend: Backend): boolean {
  return backend.state === 'active' && backend.waitsUntil !== undefined;
}

/** Who has waited long enough takes stable slots. @returns when the next one has */
export function endWaiting(state: State, now: Millis): Millis {
  let nextAt = Number.POSITIVE_INFINITY;
  for (const pool of state.pools.values()) {
    for (const backend of pool.backends.values()) {
      if (backend.waitsUntil === undefined) continue;
      if (backend.waitsUntil > now) {
        nextAt = Math.min(nextAt, backend.waitsUntil);
        continue;
      }
      backend.waitsUntil = undefined;
      pool.isPlacementStale = true;
    }
  }
  return nextAt;
}

/** A digest may have been lost: not every flow is known. */
export function closeSeats(state: State): void {
  const { change } = state;
  change.isSpoilt = change.rebased.size > 0 && change.phase !== 'committing';
  state.mustAdvance ||= change.isSpoilt;
  for (const pool of state.pools.values()) {
    if (pool.openSeats.size === 0) continue;
    pool.openSeats.clear();
    pool.mergeAt = 0;
  }
}
