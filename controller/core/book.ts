// SPDX-License-Identifier: Apache-2.0
/**
 * The book: what a controller remembers beyond what its switch can tell the next one. It is a help, never a must: where
 * the switch holds rows, they are the truth.
 *
 *   a pool that the switch lost    its table as it was, so that flows of stable slots keep their backend
 *   a filter slot that rests       whether it has members, and since when it admits nobody
 *
 * Other timers are not in it. A slot may be merged when its old flows have been heard for the session timeout; while
 * nobody was in charge nobody listened, so that time begins with the listener. And a spell of instability that the book
 * knows need not be the one the switch is in.
 */

import type { Address, Affinity, Protocol } from './desired.ts';
import type { Millis } from './event.ts';
import {
  activeFilter,
  createPool,
  endpointKey,
  isServedBy,
  NO_BACKEND,
  type Pool,
  type State,
  type Turn,
} from './model.ts';
import { createBackend, writeBackend } from './pools.ts';
import type { VersionRow } from './row.ts';
import { backendOf, setSlot } from './slots.ts';

/** Plain data. */
export interface Book {
  version: VersionRow;
  /** By filter slot. */
  filters: readonly BookFilter[];
  pools: readonly BookPool[];
}

export interface BookFilter {
  couldAdmit: boolean;
  /** For so long at least it has admitted nobody; undefined: it is the active one. */
  restingMs: number | undefined;
}

export interface BookPool {
  id: number;
  vip: { address: Address; protocol: Protocol; port: number };
  affinity: Affinity;
  /** Those that own slots. */
  backends: readonly { id: number; address: Address; port: number }[];
  /** Per slot: id of the backend that new flows get; 0: nobody. */
  owners: Uint16Array;
}

/** A copy: it may be kept. Costs a look at every slot; not for every packet. */
export function bookOf(state: State, now: Millis): Book {
  const { version } = state;
  return {
    version,
    filters: state.filters.map(({ couldAdmit, deactivatedAt }, filterSlot) => ({
      couldAdmit,
      restingMs: filterSlot === version.active ? undefined : Math.max(0, now - deactivatedAt),
    })),
    pools: [...state.pools.values()]
      .filter((pool) => pool.phase !== 'leaving')
      .map((pool) => bookPool(state, pool)),
  };
}

/**
 * What was known before this connection: by ourselves, if we were connected before; else what a controller before us
 * has left.
 */
export function rememberedBook(state: State, now: Millis): Book | undefined {
  return state.pools.size > 0 ? bookOf(state, now) : state.book;
}

/**
 * Pools that are wanted and that the switch does not serve are filled with the tables they had. They are placed anew
 * only when they serve: what has changed meanwhile is a change like any other.
 */
export function restorePools(state: State, turn: Turn, book: Book): void {
  const known = [...state.pools.values()].filter((pool) => pool.phase !== 'leaving');
  for (const wanted of state.desired?.pools ?? []) {
    if (known.some((pool) => isServedBy(pool, wanted))) continue;
    const { table } = wanted;
    const kept = book.pools.find((pool) =>
      isServedBy({ ...pool, slotCount: pool.owners.length, table }, wanted),
    );
    const id = kept && takeId(state.freePoolIds, kept.id);
    if (kept === undefined || id === undefined) continue;
    const pool = createPool(id, { ...kept.vip }, kept.owners.length, kept.affinity, table);
    pool.name = wanted.name;
    pool.forwarding = wanted.forwarding;
    pool.guePort = wanted.guePort;
    pool.isRestored = true;
    state.pools.set(id, pool);
    restoreTable(state, turn, pool, kept);
  }
}

/** A filter slot that rested already, and rests still, has no members that the book does not know of. */
export function restoreFilters(state: State, now: Millis, book: Book): void {
  state.filters.forEach((record, filterSlot) => {
    const { epoch } = state.version.filters[filterSlot]!;
    const kept = book.filters[filterSlot];
    const isSame = epoch !== 0 && epoch === book.version.filters[filterSlot]?.epoch;
    if (!isSame || kept?.restingMs === undefined || filterSlot === state.version.active) return;
    record.couldAdmit = kept.couldAdmit;
    record.deactivatedAt = now - kept.restingMs;
  });
}

function bookPool(state: State, pool: Pool): BookPool {
  const { column } = activeFilter(state.version);
  const owners = pool.slots.map((_, slot) => backendOf(pool, slot, column));
  const owning = new Set(owners);
  return {
    id: pool.id,
    vip: { ...pool.vip },
    affinity: pool.affinity,
    backends: [...pool.backends.values()]
      .filter(({ id }) => owning.has(id))
      .map(({ id, address, port }) => ({ id, address, port })),
    owners: owners.map((id) => (pool.backends.has(id) ? id : NO_BACKEND)),
  };
}

function restoreTable(state: State, turn: Turn, pool: Pool, kept: BookPool): void {
  const idOf = new Map<number, number>([[NO_BACKEND, NO_BACKEND]]);
  for (const { id: keptId, address, port } of kept.backends) {
    const id = takeId(state.freeBackendIds, keptId);
    if (id === undefined) continue;
    const backend = createBackend(id, address, port);
    pool.backends.set(id, backend);
    pool.endpoints.set(endpointKey(address, port), backend);
    writeBackend(state, turn, pool, backend);
    idOf.set(keptId, id);
  }
  pool.target = kept.owners.map((owner) => idOf.get(owner) ?? NO_BACKEND);
  for (let slot = 0; slot < pool.slotCount; slot++) setSlot(state, pool, slot, 'stable', pool.target[slot]!);
}

/** That id if it is free, else another. */
function takeId(free: number[], wished: number): number | undefined {
  const at = free.indexOf(wished);
  return at < 0 ? free.shift() : free.splice(at, 1)[0];
}
