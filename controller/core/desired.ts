// SPDX-License-Identifier: Apache-2.0
/**
 * What the operator wants: pools with their backends, and the network around the switch. Plain data, already validated
 * (the configuration reader reports every problem with its place; here a wrong value is a broken promise).
 */

/** An IPv4 address as an unsigned 32-bit integer, network order read as a number (10.0.0.1 is 0x0a000001). */
export type Ipv4Address = number;
/** An IPv6 address as an unsigned 128-bit integer, network order. */
export type Ipv6Address = bigint;
/** The family is the type: 1 and 1n are different addresses. */
export type Address = Ipv4Address | Ipv6Address;
/** A MAC address as an integer below 2^48. */
export type MacAddress = number;
export type Protocol = 'tcp' | 'udp';

/**
 * active: gets new flows by its weight. draining: gets none, keeps those it has. down: declared dead; its flows cannot be
 * saved and its slots move at once. disabled: as if it were not of the pool; what it still has moves at once, as with down.
 */
export type BackendState = 'active' | 'draining' | 'disabled' | 'down';

/**
 * How a packet reaches its backend. nat: with the backend's address and port for the vip's; the answers come back through the
 * switch. l2_dsr: as it is, in a frame to the backend. ipip, gre, gue: as it is, inside another IP packet to the backend.
 */
export type Forwarding = 'nat' | 'l2_dsr' | 'ipip' | 'gre' | 'gue';
/** source: new flows of one source address go to one backend. */
export type Affinity = 'none' | 'source';
/** Where a packet may name its backend itself: in the QUIC connection id, or in the TCP option 0xB7. */
export type Hint = 'none' | 'quic' | 'tcp_option';
/** What becomes of a packet that no backend lives for. */
export type WhenDead = 'drop' | 'reset' | 'unreachable';

/** What the 64 bits of a hint are where they name a backend; bits outside of the mask may be anything. */
export interface ServerId {
  value: bigint;
  mask: bigint;
}

export interface DesiredBackend {
  /** Unique in its pool; how the operator calls it. */
  name: string;
  address: Address;
  /** Where packets are not translated: the vip's. */
  port: number;
  /** Unique in its pool. Only of use with a hint. */
  serverId?: ServerId | undefined;
  /** 0..65535, relative to the other backends of the pool; 0 gets no new flows. */
  weight: number;
  state: BackendState;
}

/**
 * pure: the table is a function of the set {(backend, weight)}. sticky: as few slots move as the weights allow, starting
 * from the table in force.
 */
export type Placement = 'pure' | 'sticky';

/**
 * How the switch holds the rows of slots. maglev: a row each. prefix: one for all slots with the same first bits, where these have the
 * same backend; such pools are placed in blocks, and always `sticky`.
 */
export type SlotTable = 'maglev' | 'prefix';

export interface DesiredPool {
  /** Unique; how the operator calls the vip and its pool. */
  name: string;
  vip: { address: Address; protocol: Protocol; port: number };
  forwarding: Forwarding;
  /** UDP port of the outer packets. Of use with gue only. */
  guePort: number;
  /** Fixed for the life of the pool: another one is another slot for every flow. */
  affinity: Affinity;
  hint: Hint;
  /** hash: all fragments to the vip's address go by addresses and protocol. drop: the first goes by its ports, the rest is lost. */
  fragments: 'drop' | 'hash';
  whenDead: WhenDead;
  /** A power of two, 2..65,536. Fixed for the life of the pool. */
  slotCount: number;
  /** Fixed for the life of the pool. */
  table: SlotTable;
  /** A flow that is idle for longer may be forgotten. */
  sessionTimeoutMs: number;
  placement: Placement;
  backends: readonly DesiredBackend[];
}

/** A pool that asks for nothing special. */
export const PLAIN_POOL = {
  table: 'maglev',
  forwarding: 'nat',
  guePort: 0,
  affinity: 'none',
  hint: 'none',
  fragments: 'drop',
  whenDead: 'drop',
} as const satisfies Partial<DesiredPool>;

/** An address of the switch itself in a connected network. It is answered for by ARP or NDP with `mac`. */
export interface DesiredInterface {
  port: number;
  address: Address;
  prefixLength: number;
  mac: MacAddress;
  /** Octets of the longest IP packet that may leave towards it; 0: of any length. */
  mtu: number;
}

export interface DesiredRoute {
  prefix: Address;
  prefixLength: number;
  /** In the network of an interface; of the prefix's family. */
  nextHop: Address;
}

/** A neighbour that need not be asked for by ARP or NDP. */
export interface DesiredNeighbour {
  address: Address;
  mac: MacAddress;
  port: number;
}

/** Sources of the outer packets of tunnels: they vary with the flow, so that receivers can spread load. */
export interface DesiredTunnel {
  /** The flow chooses the bits behind the prefix, which has 16 at least. */
  ipv4: { address: Ipv4Address; prefixLength: number } | undefined;
  /** The flow chooses the last 16 bits, which are 0 here. */
  ipv6: Ipv6Address | undefined;
}

export interface Desired {
  pools: readonly DesiredPool[];
  interfaces: readonly DesiredInterface[];
  routes: readonly DesiredRoute[];
  neighbours: readonly DesiredNeighbour[];
  /** Needed where a pool's forwarding is a tunnel. */
  tunnel?: DesiredTunnel | undefined;
}
