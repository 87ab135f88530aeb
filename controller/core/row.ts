// SPDX-License-Identifier: Apache-2.0
/** The rows of the P4 program's tables, as the core knows them. Adapters translate; names are those of p4/core. */

import type { Ipv4Address, MacAddress } from './desired.ts';

/** Column 0 is base, 1..3 have rows in slot_version. */
export type Column = 0 | 1 | 2 | 3;
export type FilterSlot = 0 | 1 | 2 | 3;

/** Says whose members a filter slot admitted. `epoch` 0: the slot is not live. */
export interface FilterVersion {
  epoch: number;
  column: Column;
  learn: boolean;
}

/** The data of the one default action of table version. */
export interface VersionRow {
  table: 'version';
  active: FilterSlot;
  filters: readonly [FilterVersion, FilterVersion, FilterVersion, FilterVersion];
}

export interface VipRow {
  table: 'vip';
  address: Ipv4Address;
  /** IP protocol number. */
  protocol: number;
  port: number;
  pool: number;
  slotMask: number;
}

/** `backend` is base while `unstable`. */
export interface SlotRow {
  table: 'slot';
  pool: number;
  slot: number;
  unstable: boolean;
  /** While unstable: flows that no filter knows are older than the change, and the switch asks for pins for them. */
  pinsBase: boolean;
  backend: number;
}

export interface SlotVersionRow {
  table: 'slot_version';
  pool: number;
  slot: number;
  column: 1 | 2 | 3;
  backend: number;
}

export interface PinRow {
  table: 'pin';
  pool: number;
  sourceAddress: Ipv4Address;
  sourcePort: number;
  backend: number;
  /** The switch reports the pin when no packet has hit it for so long. 0: never. */
  idleTimeoutMs: number;
}

export interface BackendRow {
  table: 'backend';
  backend: number;
  address: Ipv4Address;
  port: number;
}

/** Packets from this backend address leave with the vip's. */
export interface ReturnPathRow {
  table: 'return_path';
  address: Ipv4Address;
  protocol: number;
  port: number;
  vipAddress: Ipv4Address;
  vipPort: number;
}

/** `nextHop` undefined: the network is on link. */
export interface RouteRow {
  table: 'route';
  prefix: Ipv4Address;
  prefixLength: number;
  nextHop: Ipv4Address | undefined;
}

export interface NeighbourRow {
  table: 'neighbour';
  address: Ipv4Address;
  port: number;
  sourceMac: MacAddress;
  targetMac: MacAddress;
}

/** Keeps the switch from telling us again what we know. */
export interface KnownNeighbourRow {
  table: 'known_neighbour';
  address: Ipv4Address;
  mac: MacAddress;
  port: number;
}

export interface OwnAddressRow {
  table: 'own_address';
  address: Ipv4Address;
  mac: MacAddress;
}

export type Row =
  | VersionRow
  | VipRow
  | SlotRow
  | SlotVersionRow
  | PinRow
  | BackendRow
  | ReturnPathRow
  | RouteRow
  | NeighbourRow
  | KnownNeighbourRow
  | OwnAddressRow;

/** `version` is only ever modified. A delete needs only the row's key; the rest is ignored. */
export interface RowUpdate {
  operation: 'insert' | 'modify' | 'delete';
  row: Row;
}
