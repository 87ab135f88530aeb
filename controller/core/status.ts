// SPDX-License-Identifier: Apache-2.0
/** What the engine knows about itself, as plain JSON-able data. Times are of the engine's own monotonic clock. */

import { formatAddress } from './address.ts';
import type { Affinity, Forwarding, Placement, Protocol, SlotTable } from './desired.ts';
import { type DrainStatus, drainsOf } from './drain.ts';
import type { Millis } from './event.ts';
import { activeFilter, type Backend, isOut, type Pool, type State } from './model.ts';
import { type EngineOptions, engineDefaults } from './options.ts';
import { slotsOwned, slotsWanted } from './placement.ts';
import type { Column, FilterSlot } from './row.ts';
import { slotRowCount } from './slots.ts';
import { retireAt } from './versions.ts';

export interface Status {
  now: Millis;
  /** disconnected: the switch forwards as it last did. waiting: connected, but nothing is wanted yet. */
  state: 'disconnected' | 'waiting' | 'running';
  pools: PoolStatus[];
  version: VersionStatus;
  change: ChangeStatus;
  pins: PinStatus;
  writes: WriteStatus;
  neighbours: NeighbourStatus;
  /** Most recent last; bounded by options.historyLimit. */
  commits: CommitRecord[];
  /** Most recent last; bounded by options.historyLimit. */
  problems: Problem[];
  totals: Totals;
}

/** Counts since the controller began; they only grow. */
export interface Totals {
  commits: number;
  /** Slots whose owner for new flows a commit has changed. */
  movedSlots: number;
  /** Slots that have become stable again. */
  mergedSlots: number;
  /** Fresh filter slots without a commit. */
  rotations: number;
}

export interface PoolStatus {
  name: string;
  id: number;
  /** 10.0.0.1 or 2001:db8::1. */
  address: string;
  protocol: Protocol;
  port: number;
  /** filling: its table is being written, the vip is not announced yet. leaving: its rows are being deleted. */
  phase: 'filling' | 'serving' | 'leaving';
  /** Whether it serves and no backend that lives has a slot: its packets are dropped or answered. */
  isDead: boolean;
  forwarding: Forwarding;
  affinity: Affinity;
  placement: Placement;
  table: SlotTable;
  sessionTimeoutMs: number;
  slotCount: number;
  /** Rows of slots and columns that the switch needs: as many as slots, or fewer with a prefix table. */
  slotRows: number;
  stableSlots: number;
  unstableSlots: number;
  pins: number;
  backends: BackendStatus[];
}

export interface BackendStatus {
  name: string;
  id: number;
  address: string;
  port: number;
  weight: number;
  /** leaving: no longer configured; gone when no slot, column or pin names it any more. */
  state: Backend['state'];
  /** Slots whose new flows it gets. */
  slots: number;
  /** Those it would have if what is wanted were in force already. */
  wantedSlots: number;
  /** slots / slotCount. */
  share: number;
  /** Pins that name it. */
  pins: number;
  /** Of one that drains or leaves. */
  drain?: DrainStatus | undefined;
}

export interface VersionStatus {
  active: FilterSlot;
  /** Column of the active filter slot: what new flows of unstable slots are given. */
  column: Column;
  filters: FilterStatus[];
}

export interface FilterStatus {
  filterSlot: FilterSlot;
  /** free: not live. quarantine: asked, but admits nobody any more. */
  state: 'active' | 'quarantine' | 'free';
  epoch: number;
  column: Column;
  learn: boolean;
  /** Earliest time at which it may be reused; undefined when active or free. */
  reusableAt: Millis | undefined;
}

/** idle: nothing under way. The others in this order, once per change. */
export type ChangePhase = 'idle' | 'columns' | 'slots' | 'settling' | 'rebasing' | 'committing';

export interface ChangeStatus {
  phase: ChangePhase;
  /** A change is wanted but has not begun, because ... ; undefined when nothing is wanted or it is under way. */
  waitingFor: string | undefined;
  startedAt: Millis | undefined;
  /** Rows written so far. */
  rows: number;
}

export interface PinStatus {
  installed: number;
  /** Wanted, not acknowledged by the switch. */
  outstanding: number;
  /** Digests refused for want of room, in all. */
  refused: number;
}

export interface WriteStatus {
  /** Writes and their updates that the switch has not answered. */
  writesInFlight: number;
  updatesInFlight: number;
  /** Rows that are not yet as wanted, those in flight included. */
  unsettledRows: number;
  failures: number;
}

export interface NeighbourStatus {
  known: number;
  /** Addresses that are needed and do not answer ARP or NDP. */
  missing: string[];
}

export interface CommitRecord {
  pools: string[];
  /** Slots whose owner for new flows changed. */
  movedSlots: number;
  /** Of these, slots of open seats: their flows need no pins (seats.ts). */
  takenSlots: number;
  /** slot and slot_version rows written to prepare it. */
  rows: number;
  startedAt: Millis;
  committedAt: Millis;
  durationMs: number;
}

export interface Problem {
  at: Millis;
  message: string;
}

/** A copy: it may be kept, and changes no more. Costs a look at every slot if they have changed since the last, or if somebody drains. */
export function status(state: State, now: Millis, options: EngineOptions = engineDefaults): Status {
  const silent = [...state.learned.values()].flatMap(({ isSilent, address }) => (isSilent ? [address] : []));
  return {
    now,
    state: statusState(state),
    pools: [...state.pools.values()].map((pool) => poolStatus(state, pool, options)),
    version: versionStatus(state, now, options),
    change: {
      phase: state.change.phase,
      waitingFor: state.change.waitingFor,
      startedAt: state.change.phase === 'idle' ? undefined : state.change.startedAt,
      rows: state.change.rows,
    },
    pins: {
      installed: state.pins.size - state.outstandingPins.size,
      outstanding: state.outstandingPins.size,
      refused: state.pinsRefused,
    },
    writes: {
      writesInFlight: state.ledger.writes.size,
      updatesInFlight: state.ledger.updatesInFlight,
      unsettledRows: state.ledger.entries.size,
      failures: state.ledger.failures,
    },
    neighbours: {
      known: [...state.rows.values()].filter((row) => row.table === 'neighbour').length - silent.length,
      missing: [...silent, ...state.solicitations.keys()].map(formatAddress),
    },
    commits: state.commits.map((commit) => ({ ...commit, pools: [...commit.pools] })),
    problems: state.problems.map((problem) => ({ ...problem })),
    totals: { ...state.totals },
  };
}

function statusState(state: State): Status['state'] {
  if (!state.isConnected) return 'disconnected';
  return state.isReady ? 'running' : 'waiting';
}

function poolStatus(state: State, pool: Pool, options: EngineOptions): PoolStatus {
  const owned = slotsOwned(state, pool);
  const wanted = slotsWanted(pool);
  const drains = drainsOf(state, pool, owned, options);
  let pins = 0;
  for (const slotPins of pool.pins.values()) pins += slotPins.size;
  return {
    name: pool.name,
    id: pool.id,
    address: formatAddress(pool.vip.address),
    protocol: pool.vip.protocol,
    port: pool.vip.port,
    phase: pool.phase,
    isDead: pool.phase === 'serving' && !hasLivingOwner(pool, owned),
    forwarding: pool.forwarding,
    affinity: pool.affinity,
    placement: pool.placement,
    table: pool.table,
    sessionTimeoutMs: pool.sessionTimeoutMs,
    slotCount: pool.slotCount,
    slotRows: slotRowCount(pool),
    stableSlots: pool.slotCount - pool.unstableCount,
    unstableSlots: pool.unstableCount,
    pins,
    backends: [...pool.backends.values()].map((backend) =>
      backendStatus(pool, backend, {
        slots: owned.get(backend.id) ?? 0,
        wantedSlots: wanted.get(backend.id) ?? 0,
        drain: drains.get(backend.id),
      }),
    ),
  };
}

function hasLivingOwner(pool: Pool, owned: ReadonlyMap<number, number>): boolean {
  return [...pool.backends.values()].some((backend) => !isOut(backend) && owned.has(backend.id));
}

function backendStatus(
  pool: Pool,
  backend: Backend,
  { slots, wantedSlots, drain }: Pick<BackendStatus, 'slots' | 'wantedSlots' | 'drain'>,
): BackendStatus {
  return {
    name: backend.name,
    id: backend.id,
    address: formatAddress(backend.address),
    port: backend.port,
    weight: backend.weight,
    state: backend.state,
    slots,
    wantedSlots,
    share: slots / pool.slotCount,
    pins: backend.pinRefs,
    ...(drain && { drain }),
  };
}

function versionStatus(state: State, now: Millis, options: EngineOptions): VersionStatus {
  const { version } = state;
  return {
    active: version.active,
    column: activeFilter(version).column,
    filters: version.filters.map(({ epoch, column, learn }, index) => {
      const filterSlot = index as FilterSlot;
      const isQuarantined = epoch !== 0 && filterSlot !== version.active;
      return {
        filterSlot,
        state: epoch === 0 ? 'free' : isQuarantined ? 'quarantine' : 'active',
        epoch,
        column,
        learn,
        reusableAt: isQuarantined ? retireAt(state, options, filterSlot, now) : undefined,
      };
    }),
  };
}
