// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of a switch. */
import type { Address, MacAddress } from '../core/desired.ts';
import type { Event } from '../core/event.ts';
import type { DigestRates } from '../core/options.ts';
import type { Row, RowUpdate, SwitchRow } from '../core/row.ts';

type WithoutTime<E> = E extends unknown ? Omit<E, 'now'> : never;

/** What a switch has to tell. Whoever listens says when it heard of it. */
export type SwitchEvent<R extends SwitchRow = Row> =
  /** wasDeposed: since we were primary last, or since the start, another controller was seen to be. */
  { kind: 'connected'; rows: readonly R[]; wasDeposed?: boolean } | OtherSwitchEvent;

type OtherSwitchEvent = WithoutTime<
  Extract<
    Event,
    {
      kind: 'disconnected' | 'written' | 'flow-digest' | 'neighbour-digest' | 'pin-idle' | 'admitted' | 'gap';
    }
  >
>;

export interface Solicitation {
  port: number;
  address: Address;
  /** Of the same family. */
  sourceAddress: Address;
  sourceMac: MacAddress;
}

/**
 * One switch. It connects and reconnects by itself; between 'connected' and 'disconnected' every write is answered by
 * one 'written', and after 'disconnected' none is until the next 'connected'.
 */
export interface SwitchPort<R extends SwitchRow = Row> {
  /** To be called once. Events come from then on until `close`, never during a call of this interface. */
  start(listener: (event: SwitchEvent<R>) => void): void;
  write(write: number, updates: readonly RowUpdate<R>[]): void;
  solicit(solicitation: Solicitation): void;
  /** As of now, and after every reconnection. A switch that has no meters has no such method. */
  limit?(rates: DigestRates): void;
  /** Every row that the switch holds now. Rows that are written meanwhile are in it or not. Rejects when it cannot be read. */
  readBack?(): Promise<readonly R[]>;
  /** Of a group: whether its switches hold what they were given. */
  readonly drift?: DriftControl;
  status(): SwitchStatus;
  close(): Promise<void>;
}

/** missing: it was given the row and has it no more. changed: it has another. foreign: it was never given it. */
export type DriftKind = 'missing' | 'changed' | 'foreign';

export interface DriftedRow {
  kind: DriftKind;
  table: Row['table'];
  /** What it should hold, and holds, with addresses as people write them. */
  wanted: string | undefined;
  found: string | undefined;
}

export interface AdoptedRow {
  table: Row['table'];
  row: string;
}

/** Plain JSON-able data. */
export interface DriftReport {
  switch: string;
  /** How long ago it was looked at last, and how long that took; undefined: never. */
  lookedMsAgo: number | undefined;
  tookMs: number | undefined;
  rowsRead: number;
  /** Why it could not be looked at, or repaired. */
  problem: string | undefined;
  /** In all; `rows` are the first of them. */
  counts: Readonly<Record<DriftKind, number>>;
  rows: readonly DriftedRow[];
  /** Rows of others that were adopted: they are kept, and not told again while they stay as they are, until they are released. */
  tolerated: number;
  /** The first of these. */
  adopted: readonly AdoptedRow[];
}

/** Each may be asked of one switch, or of all. @throws Error never: what went wrong is in the report */
export interface DriftControl {
  /** As seen last. */
  report(): DriftReport[];
  look(name?: string): Promise<void>;
  /** Looks, and writes what should be there: the rows that differ and no others. */
  repair(name?: string): Promise<void>;
  /** Looks, and takes what is there as what should be: the controller begins anew with it, as after a restart. */
  adopt(name?: string): Promise<void>;
  /** Gives up what was adopted of others, and looks: from now on it is foreign again, and a repair deletes it. */
  release(name?: string): Promise<void>;
}

/**
 * connecting: no connection, or none yet. standby: connected, but another controller is primary. preparing: primary,
 * reading the tables. ready: 'connected' has been told.
 */
export type SwitchConnection = 'connecting' | 'standby' | 'preparing' | 'ready' | 'closed';

/** Plain JSON-able data. */
export interface SwitchStatus {
  target: string;
  connection: SwitchConnection;
  /** Why it is not ready, or what went wrong last. */
  problem: string | undefined;
  /** Digests and idle notifications since the start; those dropped come again by themselves. */
  notices: { received: number; unreadable: number };
  /** Undefined until it has been read once. */
  traffic: Traffic | undefined;
  /** How long ago the counters of pools and backends were read; of a group, those read longest ago. */
  trafficAgeMs?: number | undefined;
  /** Updates sent since the start, by table. */
  written?: Readonly<Record<string, number>>;
  /** Of a group. */
  members?: readonly MemberStatus[];
}

/**
 * gathering: connected; whose tables are in force is not decided yet. joining: it is being given the rows it lacks.
 * participating: it holds what the group holds, and may carry traffic. outdated: it does not answer in time, the others go
 * on without it.
 */
export type MemberState = 'disconnected' | 'gathering' | 'joining' | 'participating' | 'outdated';

/** Plain JSON-able data. */
export interface MemberStatus {
  name: string;
  address: string;
  state: MemberState;
  /** For how long. */
  stateMs: number;
  /** Rows that differ from those of the group, or may. Unless it participates, it should carry no traffic. */
  rowsBehind: number;
  problem: string | undefined;
  /** Rows that somebody else has written or deleted; see DriftReport. */
  drift?: MemberDrift;
}

export interface MemberDrift {
  counts: Readonly<Record<DriftKind, number>>;
  /** Undefined: it was never looked at. */
  lookedMsAgo: number | undefined;
  looks: number;
  problem: string | undefined;
}

export interface Count {
  packets: number;
  bytes: number;
}

/** Counters of the switch since its program was loaded. */
export interface Traffic {
  /** By the names of DECISION_*, in lower case: stable, pinned, filter, base, new, return, routed, ... */
  decisions: Readonly<Record<string, Count>>;
  /** By the names of DROP_*, in lower case. */
  drops: Readonly<Record<string, Count>>;
  /** By the names of HINT_*, in lower case: what came of packets that may name their backend. */
  hints: Readonly<Record<string, Count>>;
  /** By the fields of DigestRates: what the switch did not do, because it was beyond the rate. */
  limited: Readonly<Record<string, Count>>;
  /** By pool id. */
  pools: Readonly<Record<number, Count>>;
  /** By backend id. */
  backends: Readonly<Record<number, Count>>;
}
