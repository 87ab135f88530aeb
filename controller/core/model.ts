// SPDX-License-Identifier: Apache-2.0
/**
 * The engine's state. The model holds what the switch is to hold; the ledger holds the difference to what it has
 * acknowledged. Most of it is typed arrays that are changed in place: whoever calls `step` gives the state up.
 */

import { addressKey } from './address.ts';
import type { Book } from './book.ts';
import {
  type Address,
  type Affinity,
  type BackendState,
  type Desired,
  type DesiredPool,
  type Forwarding,
  type Hint,
  type MacAddress,
  PLAIN_POOL,
  type Placement,
  type Protocol,
  type ServerId,
  type SlotTable,
  type WhenDead,
} from './desired.ts';
import type { Effect, LogLevel, LogTopic, Millis } from './event.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { EngineOptions } from './options.ts';
import type { Column, FilterSlot, Row, VersionRow } from './row.ts';
import type { ChangePhase, CommitRecord, Problem, Totals } from './status.ts';

/** p4/core/types.p4: pool_id_t, backend_id_t. */
export const POOL_IDS = 4096;
export const BACKEND_IDS = 8192;
/** The switch drops what is sent to it. */
export const NO_BACKEND = 0;
/** In a column: there is no slot_version row, so the slot's base stands for it. */
export const NO_ROW = 0xffff;
export const COLUMNS = [1, 2, 3] as const;
export const FILTER_SLOTS = 4;
export const PROTOCOL_NUMBER: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };

export interface Backend {
  id: number;
  name: string;
  address: Address;
  port: number;
  serverId: ServerId | undefined;
  weight: number;
  state: BackendState | 'leaving';
  /** Until then it takes no slot but a seat; see seats.ts. */
  waitsUntil: Millis | undefined;
  /** Slots and columns that name it, and pins. It may be forgotten only when both are 0. */
  rowRefs: number;
  pinRefs: number;
}

export interface Pin {
  readonly key: string;
  readonly pool: number;
  readonly slot: number;
  readonly sourceAddress: Address;
  readonly sourcePort: number;
  readonly backend: number;
  idleTimeoutMs: number;
  isClosing: boolean;
  /** The switch has acknowledged it once. */
  isInstalled: boolean;
  createdAt: Millis;
  /** When it seemed to close last and opened again: the switch may go by its short life for a while. */
  reopenedAt: Millis;
}

export interface Pool {
  readonly id: number;
  name: string;
  readonly vip: { address: Address; protocol: Protocol; port: number };
  readonly slotCount: number;
  readonly affinity: Affinity;
  readonly table: SlotTable;
  forwarding: Forwarding;
  guePort: number;
  hint: Hint;
  fragments: 'drop' | 'hash';
  whenDead: WhenDead;
  sessionTimeoutMs: number;
  placement: Placement;
  /** filling -> serving once its slots are acknowledged and the vip row is written. leaving: see pools.ts. */
  phase: 'filling' | 'serving' | 'leaving';
  /** leaving: its vip row is gone, the rest is being deleted. */
  isEmptying: boolean;
  /** filling: with the table it had on a switch that lost it; see book.ts. */
  isRestored: boolean;
  /** By id; and by endpointKey. */
  backends: Map<number, Backend>;
  endpoints: Map<string, Backend>;
  /** Per slot: backend id, plus UNSTABLE. 0: no row, nobody serves it. See slots.ts. */
  slots: Uint16Array;
  /** Per column 1..3, per slot: backend id or NO_ROW. */
  columns: readonly [Uint16Array, Uint16Array, Uint16Array];
  /** Per slot: when the switch acknowledged that it is stable, or unstable, as it is now. */
  since: Float64Array;
  /** Per slot: the number of the open seat it belongs to; 0: none. See seats.ts. */
  seats: Uint32Array;
  /** Seats held open, by number, oldest first. Numbers only ever grow. */
  openSeats: Map<number, Seat>;
  lastSeat: number;
  lastDeathAt: Millis;
  /** Slots of the dead whose columns are being written, with their heirs: the slot row follows. */
  orphans: Map<number, number>;
  unstableCount: number;
  /** Rows in `columns`. */
  columnRowCount: number;
  /** Rows that the switch needs for the slots and columns; undefined: to be counted anew. See slots.ts. */
  slotRowCount: number | undefined;
  /** By backend id, what status tells: slots of new flows, by this column; and of `target`. Undefined, or of others: to be counted anew. */
  owned: { column: Column; slots: ReadonlyMap<number, number> } | undefined;
  wanted: { target: Uint16Array; slots: ReadonlyMap<number, number> } | undefined;
  /** The table wanted, backend ids; as of the last time it was placed. It is replaced, never changed. */
  target: Uint16Array;
  /** Slots where the target is not what new flows get. */
  movedCount: number;
  /** The target must be placed anew: weights, states or the table in force have changed. */
  isPlacementStale: boolean;
  /** Rows of slot, slot_version, backend and return_path that the switch has not acknowledged; and of pin. */
  unsettledRows: number;
  unsettledPins: number;
  pins: Map<number, Set<Pin>>;
  /** When it is worth looking for slots to merge. */
  mergeAt: Millis;
}

/** Slots of a dead backend that nobody has taken yet. */
export interface Seat {
  openedAt: Millis;
  slots: number;
}

/** What we know about a filter slot beyond its version row. */
export interface FilterRecord {
  activatedAt: Millis;
  deactivatedAt: Millis;
  /** Some slot was unstable while it was active: it may have members. */
  couldAdmit: boolean;
  /** Digests of its members may have been lost then, last. */
  gapAt: Millis | undefined;
  /** More members than it can tell from strangers: `floodLimit` and more. */
  isSaturated: boolean;
}

export interface VersionChange {
  kind: 'commit' | 'rotate' | 'retire' | 'learn' | 'base';
  row: VersionRow;
}

export interface Change {
  phase: ChangePhase;
  column: 1 | 2 | 3;
  startedAt: Millis;
  rows: number;
  movedSlots: number;
  /** Names of the pools whose slots move. */
  pools: string[];
  /** What is being prepared. A pool's own target may have moved on meanwhile; that is the next change. */
  targets: Map<Pool, Uint16Array>;
  /** Seats that are taken: their slots get their new backend as base. */
  rebased: Map<Pool, number[]>;
  /** A digest was lost while seats are being taken: they are none any more. */
  isSpoilt: boolean;
  settleUntil: Millis;
  /** Not before this after a change was abandoned. */
  retryAt: Millis;
  waitingFor: string | undefined;
}

export interface LearnedNeighbour {
  address: Address;
  mac: MacAddress;
  port: number;
  /** Since it was last heard it has been asked so often. */
  probes: number;
  /** It is needed, and has left too many questions unanswered. */
  isSilent: boolean;
  /** When it is to be asked the next time. */
  nextAt: Millis;
}

export interface Solicitation {
  attempts: number;
  nextAt: Millis;
}

export interface State {
  isConnected: boolean;
  desired: Desired | undefined;
  isDesiredNew: boolean;
  /** Read from the switch, not yet understood: nothing was wanted yet. */
  rowsRead: readonly Row[] | undefined;
  /** Connected, and the state stands for what the switch holds. */
  isReady: boolean;
  /** What a controller before us has left. */
  book: Book | undefined;

  /** In force, as acknowledged; and the one write of it under way. */
  version: VersionRow;
  versionChange: VersionChange | undefined;
  filters: readonly [FilterRecord, FilterRecord, FilterRecord, FilterRecord];
  change: Change;
  /** Read from the switch: columns of stable slots, of a change or a merge that was interrupted. */
  hasLeftovers: boolean;

  pools: Map<number, Pool>;
  freePoolIds: number[];
  freeBackendIds: number[];
  /** All tables but version, slot, slot_version and pin, as wanted. */
  rows: Map<string, Row>;
  ledger: Ledger;

  pins: Map<string, Pin>;
  /** Not yet acknowledged, oldest first. */
  outstandingPins: Set<Pin>;
  pinsRefused: number;
  pinsRefusedAt: Millis;
  pinsFullUntil: Millis;
  /** Digests may have been lost then, last. Every promise that counts on digests counts from here. */
  gapAt: Millis;
  admitted: number | undefined;
  /** When it was read, and how much it grew in a millisecond; see flood.ts. */
  admittedAt: Millis;
  admitRate: number;
  /** `admitted` when the active filter slot became active. */
  admittedBefore: number | undefined;
  /** A flood is supposed to last until then. */
  floodUntil: Millis;

  learned: Map<Address, LearnedNeighbour>;
  /** Without them backends, or the way back to clients, are not reached. */
  needed: ReadonlySet<Address>;
  /** Needed, and nobody has answered yet. */
  solicitations: Map<Address, Solicitation>;
  /** When the next neighbour is to be asked, or a little earlier. */
  solicitAt: Millis;

  commits: CommitRecord[];
  problems: Problem[];
  totals: Totals;
  /** When the next backend has waited long enough for a seat. */
  seatWaitAt: Millis;
  /** Time asked for with the last `wake`. */
  wakeAt: Millis;
  /** Look at everything in this step, not only at what the event names. */
  mustAdvance: boolean;
}

/** A change that is wanted waits for nothing but this. */
export const WAITING_FOR_WRITES = 'earlier writes to be acknowledged';

/** What one step works with. */
export interface Turn {
  readonly now: Millis;
  readonly options: EngineOptions;
  readonly effects: Effect[];
}

/** What a switch without a controller does; p4/core/version.p4. */
export const INITIAL_VERSION: VersionRow = {
  table: 'version',
  active: 0,
  filters: [
    { epoch: 1, column: 0, learn: false },
    { epoch: 0, column: 0, learn: false },
    { epoch: 0, column: 0, learn: false },
    { epoch: 0, column: 0, learn: false },
  ],
};

/** @param book  what a controller before this one has left */
export function createState(book?: Book): State {
  return {
    isConnected: false,
    desired: undefined,
    isDesiredNew: false,
    rowsRead: undefined,
    isReady: false,
    book,
    version: INITIAL_VERSION,
    versionChange: undefined,
    filters: [emptyFilter(0), emptyFilter(0), emptyFilter(0), emptyFilter(0)],
    change: idleChange(0),
    hasLeftovers: false,
    pools: new Map(),
    freePoolIds: idsFrom(1, POOL_IDS),
    freeBackendIds: idsFrom(1, BACKEND_IDS),
    rows: new Map(),
    ledger: createLedger(),
    pins: new Map(),
    outstandingPins: new Set(),
    pinsRefused: 0,
    pinsRefusedAt: Number.NEGATIVE_INFINITY,
    pinsFullUntil: Number.NEGATIVE_INFINITY,
    gapAt: Number.NEGATIVE_INFINITY,
    admitted: undefined,
    admittedAt: 0,
    admitRate: 0,
    admittedBefore: undefined,
    floodUntil: Number.NEGATIVE_INFINITY,
    learned: new Map(),
    needed: new Set(),
    solicitations: new Map(),
    solicitAt: Number.POSITIVE_INFINITY,
    commits: [],
    problems: [],
    totals: { commits: 0, movedSlots: 0, mergedSlots: 0, rotations: 0 },
    seatWaitAt: Number.POSITIVE_INFINITY,
    wakeAt: Number.POSITIVE_INFINITY,
    mustAdvance: false,
  };
}

export function emptyFilter(now: Millis): FilterRecord {
  return { activatedAt: now, deactivatedAt: now, couldAdmit: false, gapAt: undefined, isSaturated: false };
}

export function idleChange(retryAt: Millis): Change {
  return {
    phase: 'idle',
    column: 1,
    startedAt: 0,
    rows: 0,
    movedSlots: 0,
    pools: [],
    targets: new Map(),
    rebased: new Map(),
    isSpoilt: false,
    settleUntil: 0,
    retryAt,
    waitingFor: undefined,
  };
}

export function createPool(
  id: number,
  vip: Pool['vip'],
  slotCount: number,
  affinity: Affinity,
  table: SlotTable,
): Pool {
  const column = (): Uint16Array => new Uint16Array(slotCount).fill(NO_ROW);
  return {
    id,
    name: `pool ${id}`,
    vip,
    slotCount,
    ...PLAIN_POOL,
    affinity,
    table,
    sessionTimeoutMs: 0,
    placement: 'pure',
    phase: 'filling',
    isEmptying: false,
    isRestored: false,
    backends: new Map(),
    endpoints: new Map(),
    slots: new Uint16Array(slotCount),
    columns: [column(), column(), column()],
    since: new Float64Array(slotCount),
    seats: new Uint32Array(slotCount),
    openSeats: new Map(),
    lastSeat: 0,
    lastDeathAt: Number.NEGATIVE_INFINITY,
    orphans: new Map(),
    unstableCount: 0,
    columnRowCount: 0,
    slotRowCount: undefined,
    owned: undefined,
    wanted: undefined,
    target: new Uint16Array(slotCount),
    movedCount: 0,
    isPlacementStale: true,
    unsettledRows: 0,
    unsettledPins: 0,
    pins: new Map(),
    mergeAt: 0,
  };
}

/** Unique among the endpoints of both families. */
export function endpointKey(address: Address, port: number): string {
  return `${addressKey(address)}/${port}`;
}

export function isServedBy(
  pool: Pick<Pool, 'vip' | 'slotCount' | 'affinity' | 'table'>,
  desired: DesiredPool,
): boolean {
  return (
    pool.vip.address === desired.vip.address &&
    pool.vip.protocol === desired.vip.protocol &&
    pool.vip.port === desired.vip.port &&
    pool.slotCount === desired.slotCount &&
    pool.affinity === desired.affinity &&
    pool.table === desired.table
  );
}

export function servingPools(state: State): Pool[] {
  return [...state.pools.values()].filter((pool) => pool.phase === 'serving');
}

/** Nobody's connection to it can be saved, or is to be. */
export function isDead(pool: Pool, id: number): boolean {
  const backend = pool.backends.get(id);
  return backend === undefined || isOut(backend);
}

/** It has no connections any more, nor gets any. */
export function isOut({ state }: { state: Backend['state'] }): boolean {
  return state === 'down' || state === 'disabled';
}

export function unstableSlotCount(state: State): number {
  let count = 0;
  for (const pool of state.pools.values()) if (pool.phase === 'serving') count += pool.unstableCount;
  return count;
}

/** The column of new flows: of the active filter slot, or of the one that a commit on its way makes active. */
export function newestColumn(state: State): Column {
  return state.change.phase === 'committing' ? state.change.column : activeFilter(state.version).column;
}

export function activeFilter(version: VersionRow): VersionRow['filters'][number] {
  return version.filters[version.active];
}

export function isLive(version: VersionRow, filterSlot: FilterSlot): boolean {
  return version.filters[filterSlot].epoch !== 0;
}

export function log(
  turn: Turn,
  level: LogLevel,
  message: string,
  fields: Record<string, string | number | boolean> = {},
  topic: LogTopic = 'controller',
): void {
  turn.effects.push({ kind: 'log', level, topic, message, fields });
}

/** Logged, and kept for `status`. */
export function noteProblem(
  state: State,
  turn: Turn,
  message: string,
  fields: Record<string, string | number | boolean> = {},
): void {
  log(turn, 'warn', message, fields);
  const details = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  state.problems.push({ at: turn.now, message: [message, ...details].join(' ') });
  if (state.problems.length > turn.options.historyLimit) state.problems.shift();
}

function idsFrom(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
