// SPDX-License-Identifier: Apache-2.0
/** The table of a pool as a picture needs it: for every slot who has it, and how it is doing. */

import { type Backend, newestColumn, type Pool, type State } from './model.ts';
import { isSeat } from './seats.ts';
import { backendOf, baseOf, isUnstable } from './slots.ts';

export const slotMarks = { stable: 0, unstable: 1, seat: 2 } as const;

export interface SlotMap {
  pool: string;
  slotCount: number;
  /** Everybody whom the slots may name. */
  backends: { id: number; name: string; state: Backend['state'] }[];
  /** Per slot, backend ids; 0: nobody. `owners` get its new flows, `bases` those that neither pin nor filter knows. */
  owners: Uint16Array;
  bases: Uint16Array;
  /** Per slot, one of `slotMarks`. A seat is an unstable slot whose backend is dead and not replaced yet. */
  marks: Uint8Array;
}

/** A copy. @returns undefined when there is no pool of this name */
export function slotMap(state: State, name: string): SlotMap | undefined {
  // A pool that takes over from one that leaves may have its name.
  const pools = [...state.pools.values()].filter((pool) => pool.name === name);
  const pool = pools.find(({ phase }) => phase !== 'leaving') ?? pools[0];
  return pool && mapOf(state, pool);
}

function mapOf(state: State, pool: Pool): SlotMap {
  const { slotCount } = pool;
  const column = newestColumn(state);
  const owners = new Uint16Array(slotCount);
  const bases = new Uint16Array(slotCount);
  const marks = new Uint8Array(slotCount);
  for (let slot = 0; slot < slotCount; slot++) {
    owners[slot] = backendOf(pool, slot, column);
    bases[slot] = baseOf(pool, slot);
    if (isUnstable(pool, slot)) marks[slot] = isSeat(pool, slot) ? slotMarks.seat : slotMarks.unstable;
  }
  const backends = [...pool.backends.values()].map(({ id, name, state: of }) => ({ id, name, state: of }));
  return { pool: pool.name, slotCount, backends, owners, bases, marks };
}
