// SPDX-License-Identifier: Apache-2.0
/**
 * Which vips a router may send packets for: those with a pool that serves and has a backend that lives.
 *
 * Pools that share an address share its route: it stays while one of them has a backend. A backend that drains lives: the
 * flows that it keeps need the route.
 */

import type { Address } from './desired.ts';
import type { Pool, State } from './model.ts';

/** @returns undefined when nothing is certain: what is announced should stay, as the switch forwards as it last did */
export function servableVips(state: State): Address[] | undefined {
  if (!state.isConnected || !state.isReady) return undefined;
  const vips = new Set<Address>();
  for (const pool of state.pools.values()) if (isServable(pool)) vips.add(pool.vip.address);
  return [...vips];
}

function isServable({ phase, backends }: Pool): boolean {
  if (phase !== 'serving') return false;
  return [...backends.values()].some(
    ({ state, weight }) => weight > 0 && (state === 'active' || state === 'draining'),
  );
}
