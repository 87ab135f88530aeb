// SPDX-License-Identifier: Apache-2.0
/**
 * The rows of the P4 program's tables, as the core knows them. Adapters translate; names are those of p4/core, where a
 * table with addresses in its key has a sister for IPv6.
 */

import type {
  Address,
  Affinity,
  Forwarding,
  Hint,
  Ipv4Address,
  Ipv6Address,
  MacAddress,
  WhenDead,
} from './desired.ts';

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

/** Of a vip that asks for nothing special. */
export const PLAIN_VIP = {
  affinity: 'none',
  hint: 'none',
  whenDead: 'drop',
  byPrefix: false,
} as const satisfies Partial<VipRow>;

export interface VipRow {
  table: 'vip';
  address: Address;
  /** IP protocol number. */
  protocol: number;
  port: number;
  pool: number;
  slotMask: number;
  affinity: Affinity;
  hint: Hint;
  whenDead: WhenDead;
  /** The rows of its slots are in a prefix table. */
  byPrefix: boolean;
}

/** Which pool takes the fragments to an address, as flows without ports. */
export interface VipFragmentRow {
  table: 'vip_fragment';
  address: Address;
  protocol: number;
  pool: number;
  slotMask: number;
  affinity: Affinity;
  whenDead: WhenDead;
  byPrefix: boolean;
}

/** Whom a hint names. `backend` 0: somebody we know, who is dead. */
export interface ServerIdRow {
  table: 'server_id';
  pool: number;
  value: bigint;
  mask: bigint;
  backend: number;
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
  /** Of a pool with a prefix table: controller/prefix makes rows of longest prefixes of such, and these of those. */
  byPrefix?: true;
}

export interface SlotVersionRow {
  table: 'slot_version';
  pool: number;
  slot: number;
  column: 1 | 2 | 3;
  backend: number;
  byPrefix?: true;
}

/** Of all slots with these first bits for which there is no longer prefix. */
export interface SlotPrefixRow extends Omit<SlotRow, 'table' | 'byPrefix'> {
  table: 'slot_prefix';
  /** Bits, of the 16 of a slot. Those behind are 0 in `slot`. */
  prefixLength: number;
}

export interface SlotVersionPrefixRow extends Omit<SlotVersionRow, 'table' | 'byPrefix'> {
  table: 'slot_version_prefix';
  prefixLength: number;
}

export interface PinRow {
  table: 'pin';
  pool: number;
  sourceAddress: Address;
  sourcePort: number;
  backend: number;
  /** The switch reports the pin when no packet has hit it for so long. 0: never. */
  idleTimeoutMs: number;
}

export interface BackendRow {
  table: 'backend';
  backend: number;
  forwarding: Forwarding;
  /** Of the backend; its family is that of the packets that reach it. */
  address: Address;
  /** nat: of the backend. gue: of the outer packets. Else 0. */
  port: number;
}

/** The data of the one default action of table tunnel_source. No row: 0 everywhere. */
export interface TunnelSourceRow {
  table: 'tunnel_source';
  ipv4Address: Ipv4Address;
  /** 16 bits: those of the address that the flow chooses. */
  ipv4Mask: number;
  ipv6Address: Ipv6Address;
}

/** Packets from this backend address leave with the vip's. */
export interface ReturnPathRow {
  table: 'return_path';
  address: Address;
  protocol: number;
  port: number;
  /** Of the same family. */
  vipAddress: Address;
  vipPort: number;
}

/** `nextHop` undefined: the network is on link. */
export interface RouteRow {
  table: 'route';
  prefix: Address;
  prefixLength: number;
  nextHop: Address | undefined;
}

export interface NeighbourRow {
  table: 'neighbour';
  address: Address;
  port: number;
  sourceMac: MacAddress;
  targetMac: MacAddress;
  /** Octets of the longest IP packet it may be sent; 0: of any length. */
  mtu: number;
}

/** Keeps the switch from telling us again what we know. */
export interface KnownNeighbourRow {
  table: 'known_neighbour';
  address: Address;
  mac: MacAddress;
  port: number;
}

export interface OwnAddressRow {
  table: 'own_address';
  address: Address;
  mac: MacAddress;
}

/** Who answers with ICMP to packets that came in by this port. 0: nobody does. */
export interface InterfaceRow {
  table: 'interface';
  port: number;
  ipv4Address: Ipv4Address;
  ipv6Address: Ipv6Address;
}

export type Row =
  | VersionRow
  | VipRow
  | VipFragmentRow
  | ServerIdRow
  | SlotRow
  | SlotVersionRow
  | PinRow
  | BackendRow
  | TunnelSourceRow
  | ReturnPathRow
  | RouteRow
  | NeighbourRow
  | KnownNeighbourRow
  | OwnAddressRow
  | InterfaceRow;

/** What a switch holds: none of these is `byPrefix`. */
export type SwitchRow = Row | SlotPrefixRow | SlotVersionPrefixRow;

/** `version` and `tunnel_source` are only ever modified: to delete the latter is to go back to no row. A delete needs only the row's key; the rest is ignored. */
export interface RowUpdate<R extends SwitchRow = Row> {
  operation: 'insert' | 'modify' | 'delete';
  row: R;
}
