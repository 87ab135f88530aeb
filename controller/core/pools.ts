// SPDX-License-Identifier: Apache-2.0
/**
 * Pools and backends come and go:
 *
 *   filling ──slots acknowledged──> vip row ──> serving ──no longer wanted──> leaving: vip row deleted
 *                                                            ──acknowledged──> all else deleted ──> forgotten
 *
 * The vip row is the last to come and the first to go, so that no packet sees half a table.
 */

import { formatEndpoint } from './address.ts';
import type { Address, DesiredBackend, DesiredPool } from './desired.ts';
import { isSettled } from './ledger.ts';
import {
  type Backend,
  createPool,
  endpointKey,
  isOut,
  isServedBy,
  log,
  NO_BACKEND,
  NO_ROW,
  noteProblem,
  type Pool,
  PROTOCOL_NUMBER,
  type State,
  type Turn,
} from './model.ts';
import { removePin } from './pins.ts';
import type { BackendRow, ReturnPathRow, VipFragmentRow, VipRow } from './row.ts';
import { backendKey, dropRow, returnPathKey, vipFragmentKey, vipKey, wantRow } from './rows.ts';
import { beginWaiting, takesSeats } from './seats.ts';
import { forgetServerId, reconcileServerIds } from './server-ids.ts';
import { setColumn, setSlot } from './slots.ts';

/** Makes the pools those that are wanted; what that takes of the switch follows step by step. */
export function reconcilePools(state: State, turn: Turn, desired: readonly DesiredPool[]): void {
  const kept = new Set<Pool>();
  for (const wanted of desired) {
    const pool = findPool(state, wanted) ?? addPool(state, turn, wanted);
    if (pool === undefined) continue;
    kept.add(pool);
    updatePool(state, turn, pool, wanted);
  }
  for (const pool of state.pools.values()) {
    if (kept.has(pool) || pool.phase === 'leaving') continue;
    if (pool.phase === 'serving') {
      log(turn, 'warn', 'pool removed: its connections are cut', { pool: pool.name }, 'pool');
    }
    pool.phase = 'leaving';
  }
  reconcileServerIds(state);
}

/** Pools that are filled begin to serve; pools that leave are emptied; backends that nothing names are forgotten. */
export function advancePools(state: State, turn: Turn): void {
  for (const pool of [...state.pools.values()]) {
    switch (pool.phase) {
      case 'filling':
        if (isSettled(pool) && (pool.isRestored || !pool.isPlacementStale)) serve(state, turn, pool);
        break;
      case 'serving':
        forgetBackends(state, pool);
        break;
      case 'leaving':
        leave(state, turn, pool);
        break;
    }
  }
}

/** The switch has acknowledged that a backend row is gone: its id may name another. */
export function backendGone(state: State, id: number): void {
  state.freeBackendIds.push(id);
}

export function returnPathRow(pool: Pool, backend: Pick<Backend, 'address' | 'port'>): ReturnPathRow {
  return {
    table: 'return_path',
    address: backend.address,
    protocol: PROTOCOL_NUMBER[pool.vip.protocol],
    port: backend.port,
    vipAddress: pool.vip.address,
    vipPort: pool.vip.port,
  };
}

export function vipRow(pool: Pool): VipRow {
  return {
    table: 'vip',
    address: pool.vip.address,
    protocol: PROTOCOL_NUMBER[pool.vip.protocol],
    port: pool.vip.port,
    pool: pool.id,
    slotMask: pool.slotCount - 1,
    affinity: pool.affinity,
    hint: pool.hint,
    whenDead: pool.whenDead,
    byPrefix: pool.table === 'prefix',
  };
}

export function createBackend(id: number, address: Address, port: number): Backend {
  return {
    id,
    name: formatEndpoint({ address, port }),
    address,
    port,
    serverId: undefined,
    weight: 0,
    state: 'leaving',
    waitsUntil: undefined,
    rowRefs: 0,
    pinRefs: 0,
  };
}

function findPool(state: State, wanted: DesiredPool): Pool | undefined {
  for (const pool of state.pools.values()) {
    if (pool.phase !== 'leaving' && isServedBy(pool, wanted)) return pool;
  }
  return undefined;
}

function addPool(state: State, turn: Turn, wanted: DesiredPool): Pool | undefined {
  const id = state.freePoolIds.shift();
  if (id === undefined) {
    noteProblem(state, turn, 'no pool id is free', { pool: wanted.name });
    return undefined;
  }
  const pool = createPool(id, { ...wanted.vip }, wanted.slotCount, wanted.affinity, wanted.table);
  state.pools.set(id, pool);
  return pool;
}

function updatePool(state: State, turn: Turn, pool: Pool, wanted: DesiredPool): void {
  pool.name = wanted.name;
  if (pool.sessionTimeoutMs !== wanted.sessionTimeoutMs) pool.mergeAt = turn.now;
  pool.sessionTimeoutMs = wanted.sessionTimeoutMs;
  if (pool.placement !== wanted.placement) pool.isPlacementStale = true;
  pool.placement = wanted.placement;
  if (pool.forwarding !== wanted.forwarding && pool.phase === 'serving') {
    const { forwarding } = wanted;
    const message = 'forwarding has changed: connections of before are cut';
    log(turn, 'warn', message, { pool: pool.name, forwarding }, 'pool');
  }
  const isForwardedAnew = pool.forwarding !== wanted.forwarding || pool.guePort !== wanted.guePort;
  pool.forwarding = wanted.forwarding;
  pool.guePort = wanted.guePort;
  pool.hint = wanted.hint;
  pool.fragments = wanted.fragments;
  pool.whenDead = wanted.whenDead;
  if (pool.phase === 'serving') writeVip(state, pool);

  const kept = new Set<Backend>();
  for (const wish of wanted.backends) {
    const backend =
      pool.endpoints.get(endpointKey(wish.address, wish.port)) ?? addBackend(state, turn, pool, wish);
    if (backend === undefined) continue;
    kept.add(backend);
    backend.name = wish.name;
    backend.serverId = wish.serverId;
    if (backend.weight !== wish.weight || backend.state !== wish.state) pool.isPlacementStale = true;
    if (wish.state === 'active' && backend.state !== 'active') beginWaiting(pool, turn, backend);
    // One that we have never seen alive, as after a restart, did not die just now.
    const wasAlive = backend.state === 'active' || backend.state === 'draining';
    if (wish.state === 'down' && wasAlive) pool.lastDeathAt = turn.now;
    backend.weight = wish.weight;
    backend.state = wish.state;
    writeBackend(state, turn, pool, backend);
  }
  for (const backend of pool.backends.values()) {
    if (kept.has(backend)) continue;
    if (isForwardedAnew) writeBackend(state, turn, pool, backend);
    if (backend.state === 'leaving') continue;
    if (isOut(backend)) backend.serverId = undefined;
    // Removal is a drain: what it serves today it keeps. Nothing names the dead any more.
    backend.weight = 0;
    backend.state = 'leaving';
    pool.isPlacementStale = true;
  }
}

function addBackend(state: State, turn: Turn, pool: Pool, wish: DesiredBackend): Backend | undefined {
  const id = state.freeBackendIds.shift();
  if (id === undefined) {
    noteProblem(state, turn, 'no backend id is free', { pool: pool.name, backend: wish.name });
    return undefined;
  }
  const backend = createBackend(id, wish.address, wish.port);
  pool.backends.set(id, backend);
  pool.endpoints.set(endpointKey(wish.address, wish.port), backend);
  pool.isPlacementStale = true;
  return backend;
}

/**
 * Its rows, but for a return path that another vip has already. Answers to untranslated packets need none, and one that is
 * disabled gives none.
 */
export function writeBackend(state: State, turn: Turn, pool: Pool, backend: Backend): void {
  wantRow(state, backendRow(pool, backend), pool);
  if (pool.forwarding !== 'nat' || backend.state === 'disabled') {
    dropReturnPath(state, pool, backend);
    return;
  }
  const path = returnPathRow(pool, backend);
  const held = state.rows.get(returnPathKey(path));
  const isOurs =
    held?.table === 'return_path' && held.vipAddress === path.vipAddress && held.vipPort === path.vipPort;
  if (isOurs) return;
  const owner = [...state.pools.values()].find(
    (other) => other !== pool && !isSameVip(other, pool) && sharesReturnPath(other, pool, backend),
  );
  if (owner === undefined || owner.phase === 'leaving') {
    wantRow(state, path, pool);
  } else {
    noteProblem(state, turn, 'a backend serves two vips: its answers carry the address of one', {
      backend: backend.name,
      pool: owner.name,
      other: pool.name,
    });
  }
}

function backendRow(pool: Pool, { id, address, port }: Backend): BackendRow {
  const { forwarding, guePort } = pool;
  const portSent = forwarding === 'nat' ? port : forwarding === 'gue' ? guePort : 0;
  return { table: 'backend', backend: id, forwarding, address, port: portSent };
}

/** The rows that bring packets to a pool: of its vip and, where it takes them, of fragments to the vip's address. */
function writeVip(state: State, pool: Pool): void {
  wantRow(state, vipRow(pool));
  if (pool.fragments === 'hash') wantRow(state, vipFragmentRow(pool));
  else dropFragments(state, pool);
}

function vipFragmentRow(pool: Pool): VipFragmentRow {
  const { hint: _, port: __, ...row } = vipRow(pool);
  return { ...row, table: 'vip_fragment' };
}

/** Unless another pool takes the fragments to this address. */
function dropFragments(state: State, pool: Pool): void {
  const key = vipFragmentKey(vipRow(pool));
  const row = state.rows.get(key);
  if (row?.table === 'vip_fragment' && row.pool === pool.id) dropRow(state, key);
}

/** The table is there: packets may come. */
function serve(state: State, turn: Turn, pool: Pool): void {
  writeVip(state, pool);
  pool.phase = 'serving';
  state.mustAdvance = true;
  log(turn, 'info', 'pool serves', { pool: pool.name, slots: pool.slotCount }, 'pool');
}

function forgetBackends(state: State, pool: Pool): void {
  for (const backend of [...pool.backends.values()]) {
    const isUnnamed = backend.rowRefs === 0 && backend.pinRefs === 0;
    const isForgettable = backend.state === 'leaving' && isUnnamed && !takesSeats(state, pool, backend.id);
    if (isForgettable && isSettled(pool) && pool.unsettledPins === 0) {
      // Its id may name another backend once its row is gone.
      if (!forgetServerId(state, pool, backend)) forgetBackend(state, pool, backend);
    }
  }
}

function forgetBackend(state: State, pool: Pool, backend: Backend): void {
  pool.backends.delete(backend.id);
  pool.endpoints.delete(endpointKey(backend.address, backend.port));
  dropReturnPath(state, pool, backend);
  dropRow(state, backendKey(backend.id), pool);
}

/** Unless another pool needs it: then it is that one's. */
function dropReturnPath(state: State, pool: Pool, backend: Backend): void {
  const key = returnPathKey(returnPathRow(pool, backend));
  if (!state.rows.has(key)) return;
  const heir = [...state.pools.values()].find(
    (other) => other !== pool && other.phase !== 'leaving' && sharesReturnPath(other, pool, backend),
  );
  if (heir === undefined) dropRow(state, key, pool);
  else wantRow(state, returnPathRow(heir, backend), heir);
}

function leave(state: State, turn: Turn, pool: Pool): void {
  const key = vipKey(vipRow(pool));
  if (!pool.isEmptying) {
    const row = state.rows.get(key);
    if (row?.table === 'vip' && row.pool === pool.id) {
      // A pool that takes over this vip rewrites the row once it is filled.
      if (hasSuccessor(state, pool)) return;
      dropRow(state, key);
    }
    dropFragments(state, pool);
    if (state.ledger.entries.has(key) || state.ledger.entries.has(vipFragmentKey(vipRow(pool)))) return;
    pool.isEmptying = true;
    empty(state, pool);
    return;
  }
  if (!isSettled(pool) || pool.unsettledPins > 0) return;
  if (pool.backends.size > 0) {
    for (const backend of [...pool.backends.values()]) forgetBackend(state, pool, backend);
    return;
  }
  state.pools.delete(pool.id);
  state.freePoolIds.push(pool.id);
  log(turn, 'info', 'pool forgotten', { pool: pool.name }, 'pool');
}

function empty(state: State, pool: Pool): void {
  for (let slot = 0; slot < pool.slotCount; slot++) {
    setSlot(state, pool, slot, 'stable', NO_BACKEND);
    for (const column of [1, 2, 3] as const) setColumn(state, pool, slot, column, NO_ROW);
  }
  for (const pins of [...pool.pins.values()]) for (const pin of [...pins]) removePin(state, pin);
}

function hasSuccessor(state: State, pool: Pool): boolean {
  return [...state.pools.values()].some((other) => other.phase === 'filling' && isSameVip(other, pool));
}

function isSameVip(a: Pool, b: Pool): boolean {
  return a.vip.address === b.vip.address && a.vip.protocol === b.vip.protocol && a.vip.port === b.vip.port;
}

function sharesReturnPath(other: Pool, pool: Pool, backend: Backend): boolean {
  if (other.forwarding !== 'nat' || other.vip.protocol !== pool.vip.protocol) return false;
  const twin = other.endpoints.get(endpointKey(backend.address, backend.port));
  return twin !== undefined && twin.state !== 'disabled';
}
