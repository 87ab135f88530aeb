// SPDX-License-Identifier: Apache-2.0
/**
 * The switch is the source of truth: after every connect the state is rebuilt from its rows. Nothing is assumed to have
 * gone on as it was; every timer starts anew, but for what the book knows.
 */

import { rememberedBook, restoreFilters, restorePools } from './book.ts';
import type { Protocol, SlotTable } from './desired.ts';
import { flowHash } from './flow-hash.ts';
import { createLedger, want } from './ledger.ts';
import { MAX_SLOTS } from './maglev.ts';
import {
  BACKEND_IDS,
  COLUMNS,
  createPool,
  emptyFilter,
  endpointKey,
  INITIAL_VERSION,
  idleChange,
  isServedBy,
  NO_ROW,
  newestColumn,
  POOL_IDS,
  type Pool,
  PROTOCOL_NUMBER,
  type State,
  type Turn,
  unstableSlotCount,
} from './model.ts';
import { loadPin, pinKey, removeAgreeingPins, reopenPins } from './pins.ts';
import { createBackend } from './pools.ts';
import type { BackendRow, PinRow, Row, SlotRow, SlotVersionRow, VipRow } from './row.ts';
import { dropRow, returnPathKey, type SmallRow, smallRowKey } from './rows.ts';
import { adoptServerIds } from './server-ids.ts';
import { backendOf, baseOf, isUnstable, loadColumn, loadSlot, setSlot, stabilityOf } from './slots.ts';
import { liveColumns, noteGap } from './versions.ts';

/** Rows read from the switch, by table. */
interface Snapshot {
  vips: VipRow[];
  slots: SlotRow[];
  columns: SlotVersionRow[];
  pins: PinRow[];
  backends: BackendRow[];
  small: SmallRow[];
}

export function rebuild(state: State, turn: Turn, rows: readonly Row[]): void {
  const book = rememberedBook(state, turn.now);
  const snapshot = sort(state, rows);
  state.ledger = { ...createLedger(), nextWrite: state.ledger.nextWrite, failures: state.ledger.failures };
  state.versionChange = undefined;
  state.change = idleChange(turn.now);
  state.rows = new Map(snapshot.small.map((row) => [smallRowKey(row), row]));
  state.pins.clear();
  state.outstandingPins.clear();
  state.hasLeftovers = false;
  state.learned.clear();
  state.solicitations.clear();
  state.solicitAt = Number.POSITIVE_INFINITY;
  state.pinsFullUntil = Number.NEGATIVE_INFINITY;
  state.admitted = undefined;
  state.admitRate = 0;
  state.admittedBefore = undefined;

  rebuildPools(state, snapshot);
  rebuildBackends(state, snapshot);
  for (const row of snapshot.slots) loadInto(state, row, loadSlot);
  for (const row of snapshot.columns) loadInto(state, row, loadColumn);
  for (const row of snapshot.pins) rebuildPin(state, turn, row);
  reopenPins(state, turn);
  for (const pool of state.pools.values()) startSlots(state, turn, pool);
  if (book) restorePools(state, turn, book);

  const couldAdmit = unstableSlotCount(state) > 0;
  for (const record of state.filters) Object.assign(record, emptyFilter(turn.now), { couldAdmit });
  if (book) restoreFilters(state, turn.now, book);
  noteGap(state, turn.now);
}

function sort(state: State, rows: readonly Row[]): Snapshot {
  const snapshot: Snapshot = { vips: [], slots: [], columns: [], pins: [], backends: [], small: [] };
  state.version = INITIAL_VERSION;
  for (const row of rows) {
    switch (row.table) {
      case 'version':
        state.version = row;
        break;
      case 'slot':
        snapshot.slots.push(row);
        break;
      case 'slot_version':
        snapshot.columns.push(row);
        break;
      case 'pin':
        snapshot.pins.push(row);
        break;
      default:
        if (row.table === 'vip') snapshot.vips.push(row);
        if (row.table === 'backend') snapshot.backends.push(row);
        snapshot.small.push(row);
    }
  }
  return snapshot;
}

/** A pool is what a vip row names. Rows of a pool that none names are left over: the pool leaves. */
function rebuildPools(state: State, snapshot: Snapshot): void {
  state.pools = new Map();
  for (const row of snapshot.vips) {
    const protocol = (Object.keys(PROTOCOL_NUMBER) as Protocol[]).find(
      (p) => PROTOCOL_NUMBER[p] === row.protocol,
    );
    const isKnown = protocol !== undefined && isMask(row.slotMask) && !state.pools.has(row.pool);
    if (!isKnown) {
      dropRow(state, smallRowKey(row));
      continue;
    }
    const vip = { address: row.address, protocol, port: row.port };
    const pool = createPool(row.pool, vip, row.slotMask + 1, row.affinity, tableOf(row));
    const wanted = state.desired?.pools.find((desired) => isServedBy(pool, desired));
    pool.name = wanted?.name ?? pool.name;
    pool.sessionTimeoutMs = wanted?.sessionTimeoutMs ?? 0;
    pool.placement = wanted?.placement ?? pool.placement;
    pool.fragments = wanted?.fragments ?? pool.fragments;
    pool.hint = row.hint;
    pool.whenDead = row.whenDead;
    pool.phase = 'serving';
    state.pools.set(row.pool, pool);
  }
  for (const row of [...snapshot.slots, ...snapshot.columns]) {
    if (state.pools.has(row.pool)) continue;
    const pool = createPool(
      row.pool,
      { address: 0, protocol: 'tcp', port: 0 },
      MAX_SLOTS,
      'none',
      tableOf(row),
    );
    pool.phase = 'leaving';
    state.pools.set(row.pool, pool);
  }
  for (const row of snapshot.small) {
    const isNobodys = row.table === 'vip_fragment' && state.pools.get(row.pool)?.phase !== 'serving';
    if (isNobodys) dropRow(state, smallRowKey(row));
  }
  state.freePoolIds = freeIds(POOL_IDS, (id) => state.pools.has(id));
}

/** A backend belongs to the pool whose rows name its id; or, if none does, whose vip its translated answers carry. */
function rebuildBackends(state: State, snapshot: Snapshot): void {
  const owners = new Map<number, Pool>();
  for (const row of [...snapshot.slots, ...snapshot.columns, ...snapshot.pins]) {
    const pool = state.pools.get(row.pool);
    if (pool && row.backend !== 0 && !owners.has(row.backend)) owners.set(row.backend, pool);
  }
  const named = new Set(owners.keys());
  // Ids in use come first: what an interrupted fill left behind may stand for the same endpoint.
  const byUse = snapshot.backends.toSorted(
    (a, b) => Number(owners.has(b.backend)) - Number(owners.has(a.backend)),
  );
  for (const row of byUse) {
    const pool = owners.get(row.backend) ?? ownerByReturnPath(state, row);
    named.add(row.backend);
    const port = row.forwarding === 'nat' ? row.port : (pool?.vip.port ?? 0);
    if (pool === undefined || pool.endpoints.has(endpointKey(row.address, port))) {
      dropRow(state, smallRowKey(row));
      continue;
    }
    const backend = createBackend(row.backend, row.address, port);
    pool.forwarding = row.forwarding;
    pool.backends.set(backend.id, backend);
    pool.endpoints.set(endpointKey(row.address, port), backend);
  }
  adoptServerIds(state);
  state.freeBackendIds = freeIds(BACKEND_IDS, (id) => named.has(id));
  dropStaleReturnPaths(state);
}

function ownerByReturnPath(state: State, row: BackendRow): Pool | undefined {
  if (row.forwarding !== 'nat') return undefined;
  for (const pool of state.pools.values()) {
    if (pool.phase === 'leaving') continue;
    const protocol = PROTOCOL_NUMBER[pool.vip.protocol];
    const path = state.rows.get(returnPathKey({ address: row.address, protocol, port: row.port }));
    if (path?.table !== 'return_path') continue;
    if (path.vipAddress === pool.vip.address && path.vipPort === pool.vip.port) return pool;
  }
  return undefined;
}

function dropStaleReturnPaths(state: State): void {
  // Not a look at every pool for each of them: there may be thousands of both.
  const needed = new Set<string>();
  for (const { forwarding, vip, backends } of state.pools.values()) {
    const protocol = PROTOCOL_NUMBER[vip.protocol];
    if (forwarding === 'nat')
      for (const { address, port } of backends.values())
        needed.add(returnPathKey({ address, protocol, port }));
  }
  for (const [key, row] of [...state.rows])
    if (row.table === 'return_path' && !needed.has(key)) dropRow(state, key);
}

function loadInto<R extends SlotRow | SlotVersionRow>(
  state: State,
  row: R,
  load: (pool: Pool, row: R) => void,
): void {
  const pool = state.pools.get(row.pool)!;
  if (row.slot < pool.slotCount && tableOf(row) === pool.table) load(pool, row);
  else deleteForeign(state, row, foreignKey(row));
}

/** Of another size or kind of table than the pool has. */
function foreignKey(row: SlotRow | SlotVersionRow): string {
  const column = row.table === 'slot' ? 0 : row.column;
  return `foreign/${tableOf(row)}/${row.pool}/${row.slot}/${column}`;
}

function tableOf({ byPrefix }: { byPrefix?: boolean }): SlotTable {
  return byPrefix ? 'prefix' : 'maglev';
}

function rebuildPin(state: State, turn: Turn, row: PinRow): void {
  const pool = state.pools.get(row.pool);
  const isOfFamily = pool !== undefined && typeof row.sourceAddress === typeof pool.vip.address;
  if (pool?.phase !== 'serving' || !isOfFamily || !pool.backends.has(row.backend)) {
    deleteForeign(state, row, pinKey(row.pool, row.sourceAddress, row.sourcePort));
    return;
  }
  // Fragments are a flow without ports.
  const isOfFragments = row.sourcePort === 0 && pool.fragments === 'hash';
  const flow = {
    sourceAddress: row.sourceAddress,
    targetAddress: pool.vip.address,
    protocol: PROTOCOL_NUMBER[pool.vip.protocol],
    sourcePort: row.sourcePort,
    targetPort: isOfFragments ? 0 : pool.vip.port,
  };
  loadPin(state, turn, pool, flowHash(flow, pool.slotCount - 1, pool.affinity).slot, row);
}

/** Slots that are unstable are so as of now, as far as we know. Stable ones need no pins. */
function startSlots(state: State, turn: Turn, pool: Pool): void {
  if (pool.phase !== 'serving') return;
  const newest = newestColumn(state);
  for (let slot = 0; slot < pool.slotCount; slot++) {
    if (isUnstable(pool, slot)) {
      pool.since[slot] = turn.now;
      if (stabilityOf(pool, slot) !== 'held') continue;
      const backend = backendOf(pool, slot, newest);
      // A seat was being given away; the commit has not come, so nobody has taken base. Where a live filter slot has sent flows
      // to base, they are not forgotten: they are pinned as they speak.
      if (isNobodysBase(state, pool, slot)) setSlot(state, pool, slot, 'held', backend);
      else if (backend !== baseOf(pool, slot)) setSlot(state, pool, slot, 'leaving', baseOf(pool, slot));
      continue;
    }
    removeAgreeingPins(state, pool, slot);
    // What a change had prepared is of use if the same change is begun again; the planner knows.
    if (COLUMNS.some((column) => pool.columns[column - 1]![slot] !== NO_ROW)) state.hasLeftovers = true;
  }
}

/** Every flow that a live filter slot knows has a row of its column. */
function isNobodysBase(state: State, pool: Pool, slot: number): boolean {
  return liveColumns(state.version).every(
    (column) => column !== 0 && pool.columns[column - 1]![slot] !== NO_ROW,
  );
}

function deleteForeign(state: State, row: Row, key: string): void {
  want(state.ledger, { key, pool: state.pools.get((row as SlotRow).pool), before: row, wanted: undefined });
}

function isMask(mask: number): boolean {
  return mask >= 1 && mask < MAX_SLOTS && (mask & (mask + 1)) === 0;
}

function freeIds(end: number, isUsed: (id: number) => boolean): number[] {
  const free: number[] = [];
  for (let id = 1; id < end; id++) if (!isUsed(id)) free.push(id);
  return free;
}
