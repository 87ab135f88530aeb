// SPDX-License-Identifier: Apache-2.0
/** Hints: which backend a packet names by a server id. A backend that has one is named for as long as anything of it is there. */

import { type Backend, isOut, NO_BACKEND, type Pool, type State } from './model.ts';
import type { ServerIdRow } from './row.ts';
import { dropRow, smallRowKey, wantRow } from './rows.ts';

/** Makes the rows of all pools those that are wanted. */
export function reconcileServerIds(state: State): void {
  const wanted = new Set<string>();
  for (const pool of state.pools.values()) {
    if (pool.hint === 'none' || pool.phase === 'leaving') continue;
    for (const backend of pool.backends.values()) {
      const row = serverIdRow(pool, backend);
      if (row === undefined) continue;
      const key = smallRowKey(row);
      // A backend that leaves does not keep its id from the one that has it now.
      if (wanted.has(key) && backend.state === 'leaving') continue;
      wanted.add(key);
      wantRow(state, row, pool);
    }
  }
  for (const [key, row] of [...state.rows]) {
    if (row.table === 'server_id' && !wanted.has(key)) dropRow(state, key, state.pools.get(row.pool));
  }
}

/** Nobody is named by its id any more. @returns whether a row had to go for that */
export function forgetServerId(state: State, pool: Pool, backend: Backend): boolean {
  const row = serverIdRow(pool, backend);
  const key = row && smallRowKey(row);
  const held = key === undefined ? undefined : state.rows.get(key);
  if (key === undefined || held?.table !== 'server_id' || held.backend !== backend.id) return false;
  dropRow(state, key, pool);
  return true;
}

/** Which ids were given is read from the switch; whose the dead ones' were, is not in it. */
export function adoptServerIds(state: State): void {
  for (const row of state.rows.values()) {
    if (row.table !== 'server_id') continue;
    const backend = state.pools.get(row.pool)?.backends.get(row.backend);
    if (backend) backend.serverId = { value: row.value, mask: row.mask };
  }
}

function serverIdRow(pool: Pool, backend: Backend): ServerIdRow | undefined {
  const { id, serverId } = backend;
  if (serverId === undefined) return undefined;
  return { table: 'server_id', pool: pool.id, ...serverId, backend: isOut(backend) ? NO_BACKEND : id };
}
