// SPDX-License-Identifier: Apache-2.0
/**
 * What the operator wants: pools with their backends, and the network around the switch. Plain data, already validated
 * (the configuration reader reports every problem with its place; here a wrong value is a broken promise).
 */

/** An IPv4 address as an unsigned 32-bit integer, network order read as a number (10.0.0.1 is 0x0a000001). */
export type Ipv4Address = number;
/** A MAC address as an integer below 2^48. */
export type MacAddress = number;
export type Protocol = 'tcp' | 'udp';

/**
 * active: gets new flows by its weight. draining: gets none, keeps those it has. down: declared dead; its flows cannot be
 * saved and its slots move at once.
 */
export type BackendState = 'active' | 'draining' | 'down';

export interface DesiredBackend {
  /** Unique in its pool; how the operator calls it. */
  name: string;
  address: Ipv4Address;
  port: number;
  /** 0..65535, relative to the other backends of the pool; 0 gets no new flows. */
  weight: number;
  state: BackendState;
}

/**
 * pure: the table is a function of the set {(backend, weight)}. sticky: as few slots move as the weights allow, starting
 * from the table in force.
 */
export type Placement = 'pure' | 'sticky';

export interface DesiredPool {
  /** Unique; how the operator calls the vip and its pool. */
  name: string;
  vip: { address: Ipv4Address; protocol: Protocol; port: number };
  forwarding: 'nat';
  /** A power of two, 2..65,536. Fixed for the life of the pool. */
  slotCount: number;
  /** A flow that is idle for longer may be forgotten. */
  sessionTimeoutMs: number;
  placement: Placement;
  backends: readonly DesiredBackend[];
}

/** An address of the switch itself in a connected network. It is answered for by ARP with `mac`. */
export interface DesiredInterface {
  port: number;
  address: Ipv4Address;
  prefixLength: number;
  mac: MacAddress;
}

export interface DesiredRoute {
  prefix: Ipv4Address;
  prefixLength: number;
  /** In the network of an interface. */
  nextHop: Ipv4Address;
}

/** A neighbour that need not be asked for by ARP. */
export interface DesiredNeighbour {
  address: Ipv4Address;
  mac: MacAddress;
  port: number;
}

export interface Desired {
  pools: readonly DesiredPool[];
  interfaces: readonly DesiredInterface[];
  routes: readonly DesiredRoute[];
  neighbours: readonly DesiredNeighbour[];
}
