// SPDX-License-Identifier: Apache-2.0
/**
 * Which pools a router may send packets to: those that serve and have a backend that lives.
 *
 * Pools that share an address share its route: it stays while one of them has a backend. A backend that drains lives: the
 * flows that it keeps need the route.
 */

import type { Address } from './desired.ts';
import type { Pool, State } from './model.ts';

/** A pool that can be served. */
export interface Servable {
  pool: string;
  address: Address;
}

/** @returns undefined when nothing is certain: what is announced should stay, as the switch forwards as it last did */
export function servablePools(state: State): Servable[] | undefined {
  if (!state.isConnected || !state.isReady) return undefined;
  const pools = [...state.pools.values()].filter(isServable);
  return pools.map(({ name, vip: { address } }) => ({ pool: name, address }));
}

function isServable({ phase, backends }: Pool): boolean {
  if (phase !== 'serving') return false;
  return [...backends.values()].some(
    ({ state, weight }) => weight > 0 && (state === 'active' || state === 'draining'),
  );
}
