// SPDX-License-Identifier: Apache-2.0
/** Which backend should serve each slot of a pool, in backend ids; and in-place help for the slots of the dead. */

import { isFlooded } from './flood.ts';
import { maglevTable, NOBODY } from './maglev.ts';
import {
  activeFilter,
  BACKEND_IDS,
  type Backend,
  COLUMNS,
  isOut,
  NO_BACKEND,
  NO_ROW,
  newestColumn,
  type Pool,
  type State,
  type Turn,
} from './model.ts';
import { prefixTable } from './prefix-placement.ts';
import type { Column } from './row.ts';
import { backendKey } from './rows.ts';
import { admitWaiting, canHold, hold, isSeat, isWaiting, leaveSeat, openSeat } from './seats.ts';
import { backendOf, baseOf, isSlotSettled, isUnstable, setColumn, setSlot, stabilityOf } from './slots.ts';
import { stickyTable } from './sticky.ts';
import { liveColumns } from './versions.ts';

/** Computes the pool's target, and how far it is from what new flows get. */
export function place(state: State, pool: Pool): void {
  const column = newestColumn(state);
  admitWaiting(pool, (slot) => backendOf(pool, slot, column));
  const participants = [...pool.backends.values()].map((backend) => ({
    ...backend,
    weight: isKnownToSwitch(state, pool, backend) ? share(backend) : 0,
  }));
  pool.target = tableOf(state, pool, participants).map((index) =>
    index === NOBODY ? NO_BACKEND : participants[index]!.id,
  );
  pool.isPlacementStale = false;
  countMoved(state, pool);
}

function tableOf(state: State, pool: Pool, participants: readonly Backend[]): Uint16Array {
  if (pool.table === 'maglev' && pool.placement === 'pure') return maglevTable(participants, pool.slotCount);
  const move = pool.table === 'prefix' ? prefixTable : stickyTable;
  return move(participants, ...inForce(state, pool, participants), seatsOf(pool));
}

export function countMoved(state: State, pool: Pool): void {
  const column = newestColumn(state);
  let moved = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    if (pool.target[slot] !== backendOf(pool, slot, column)) moved++;
  }
  pool.movedCount = moved;
}

/**
 * Rows that name a dead backend, or nobody, get a live one in place and without a commit: nobody's connection is lost by it.
 * Where new flows of the slot go to a live backend already, the others join them, and the slot can become stable soon. Where all
 * of it was the dead one's, its seat is held open if that is allowed (seats.ts); otherwise the slot is stable at once.
 *
 * @returns how many slots and columns are rewritten
 */
export function bury(state: State, turn: Turn, pool: Pool): number {
  const column = newestColumn(state);
  const columns = [...new Set([...liveColumns(state.version), column, ...columnPrepared(state)])];
  const isGone = deadIds(pool);
  const orphans = orphanCount(pool, column, isGone);
  const isRoomForSeats = orphans <= turn.options.maxSeatSlots && turn.options.maxSeats > 0;
  const mayHold = isRoomForSeats && !isFlooded(state, turn.now);
  const isFilling = fillingIds(pool, column, orphans);
  let seat = 0;
  let rewritten = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    const newest = backendOf(pool, slot, column);
    const heir = isGone[newest] ? pool.target[slot]! : newest;
    if (isGone[baseOf(pool, slot)] && pool.orphans.get(slot) !== heir) {
      // Whoever was short of slots keeps these: they are no seat for another.
      const mayBeTaken = mayHold && isGone[newest] && !isGone[heir] && !isFilling[heir];
      const becomesSeat = mayBeTaken && canHold(pool, slot, columns);
      if (becomesSeat && (pool.orphans.has(slot) || isSlotSettled(state, pool, slot))) {
        if (seat === 0) seat = openSeat(pool, turn);
        hold(state, pool, slot, heir, seat, columns);
        rewritten++;
        continue;
      }
      pool.orphans.delete(slot);
      leaveSeat(pool, slot);
      // Flows of a newest owner that lives are known by its rows, unless a filter slot takes them for flows of the dead; so they
      // must not be left behind by a change under way. Otherwise the heir's begin now, and may have to leave soon.
      const isHeld = isUnstable(pool, slot) && !isGone[newest] && !isAboutToMove(state, pool, slot, heir);
      const stability = isHeld ? 'held' : stabilityOf(pool, slot);
      if (setSlot(state, pool, slot, stability, heir, true)) rewritten++;
    }
    // A slot that is being merged has no use for its columns; rewritten before its row, they would give flows to the heir
    // that the merge, still under way, then gives to the dead.
    if (!isUnstable(pool, slot)) continue;
    for (const c of COLUMNS) {
      const named = pool.columns[c - 1]![slot]!;
      if (named !== NO_ROW && isGone[named] && setColumn(state, pool, slot, c, heir, true)) rewritten++;
    }
  }
  return rewritten;
}

/** By id: 1 for those who are to have many more slots, not only their part of the orphans. */
function fillingIds(pool: Pool, column: Column, orphans: number): Uint8Array {
  const missing = new Int32Array(BACKEND_IDS);
  for (let slot = 0; slot < pool.slotCount; slot++) {
    missing[pool.target[slot]!]!++;
    missing[backendOf(pool, slot, column)]!--;
  }
  let heirs = 0;
  for (const { state } of pool.backends.values()) if (state === 'active') heirs++;
  const most = 2 * Math.ceil(orphans / Math.max(1, heirs));
  const isFilling = new Uint8Array(BACKEND_IDS);
  for (const id of pool.backends.keys()) isFilling[id] = Number(missing[id]! > most);
  return isFilling;
}

/** The commit that is being prepared gives the slot to another; for the next one it is made unstable anew. */
function isAboutToMove({ change }: State, pool: Pool, slot: number, owner: number): boolean {
  if (change.phase === 'idle' || change.phase === 'committing') return false;
  return (change.targets.get(pool)?.[slot] ?? owner) !== owner;
}

function columnPrepared({ change }: State): Column[] {
  return change.phase === 'idle' ? [] : [change.column];
}

function orphanCount(pool: Pool, column: Column, isGone: Uint8Array): number {
  let count = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) if (isGone[backendOf(pool, slot, column)]) count++;
  return count;
}

/** By id: 1 for the dead, the unknown, and nobody. */
function deadIds(pool: Pool): Uint8Array {
  const isGone = new Uint8Array(BACKEND_IDS).fill(1);
  for (const backend of pool.backends.values()) if (!isOut(backend)) isGone[backend.id] = 0;
  return isGone;
}

/** By backend id, unless none: slots whose new flows it gets. Costs a look at every slot if they have changed. */
export function slotsOwned(state: State, pool: Pool): ReadonlyMap<number, number> {
  const { column } = activeFilter(state.version);
  if (pool.owned?.column === column) return pool.owned.slots;
  const counts = new Uint32Array(BACKEND_IDS);
  for (let slot = 0; slot < pool.slotCount; slot++) counts[backendOf(pool, slot, column)]!++;
  pool.owned = { column, slots: unlessNone(counts) };
  return pool.owned.slots;
}

/** The same by the table wanted, as it was last placed. */
export function slotsWanted(pool: Pool): ReadonlyMap<number, number> {
  const { target } = pool;
  if (pool.wanted?.target === target) return pool.wanted.slots;
  const counts = new Uint32Array(BACKEND_IDS);
  for (let slot = 0; slot < target.length; slot++) counts[target[slot]!]!++;
  pool.wanted = { target, slots: unlessNone(counts) };
  return pool.wanted.slots;
}

/** Small, because it is kept. */
function unlessNone(counts: Uint32Array): ReadonlyMap<number, number> {
  const slots = new Map<number, number>();
  for (let id = 0; id < counts.length; id++) if (counts[id]! > 0) slots.set(id, counts[id]!);
  return slots;
}

/** Per slot, how willingly it is given up: the youngest seat first, of whose flows there are the fewest. */
function seatsOf(pool: Pool): Uint32Array {
  const willingness = new Uint32Array(pool.slotCount);
  if (pool.openSeats.size === 0) return willingness;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    if (isSeat(pool, slot)) willingness[slot] = pool.seats[slot]!;
  }
  return willingness;
}

/** Slots of the dead may be rewritten in this very step: none must lead to a backend whose own row is still on its way. */
function isKnownToSwitch(state: State, pool: Pool, { id }: Backend): boolean {
  return pool.phase !== 'serving' || !state.ledger.entries.has(backendKey(id));
}

function share(backend: Backend): number {
  return backend.state === 'active' && !isWaiting(backend) ? backend.weight : 0;
}

/** Today's owners and the homes to return to, as indexes into the participants. */
function inForce(state: State, pool: Pool, participants: readonly Backend[]): [Uint16Array, Uint16Array] {
  // By id, of those who live.
  const indexOf = new Uint16Array(BACKEND_IDS).fill(NOBODY);
  participants.forEach((backend, index) => {
    if (!isOut(backend)) indexOf[backend.id] = index;
  });
  const column = newestColumn(state);
  const owners = new Uint16Array(pool.slotCount);
  const homes = new Uint16Array(pool.slotCount);
  for (let slot = 0; slot < pool.slotCount; slot++) {
    owners[slot] = indexOf[backendOf(pool, slot, column)]!;
    homes[slot] = isUnstable(pool, slot) ? indexOf[baseOf(pool, slot)]! : NOBODY;
  }
  return [owners, homes];
}
