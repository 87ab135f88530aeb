// SPDX-License-Identifier: Apache-2.0
/** What the operator wants, as it stands: with what the checks say of backends, and with the weights that their load asks for. */

import type { BackendState, Desired, DesiredBackend } from './desired.ts';
import type { Verdict } from './health.ts';

export interface Standing {
  /** As the operator says, with what follows from the time. */
  wishOf: (pool: string, backend: DesiredBackend) => BackendState;
  /** By the names of pool and backend; undefined: not checked. */
  verdictOf: (pool: string, backend: string) => Verdict | undefined;
  /** Undefined: as the operator says. */
  weightOf: (pool: string, backend: string) => number | undefined;
}

/** The core is given what it would be given if the operator did by hand what the checks and the load ask for. */
export function asItStands(desired: Desired, standing: Standing): Desired {
  return {
    ...desired,
    pools: desired.pools.map((pool) => ({
      ...pool,
      backends: pool.backends.map((backend) => backendAsItStands(pool.name, backend, standing)),
    })),
  };
}

function backendAsItStands(pool: string, backend: DesiredBackend, standing: Standing): DesiredBackend {
  const state = stateBy(standing.wishOf(pool, backend), standing.verdictOf(pool, backend.name));
  const weight = standing.weightOf(pool, backend.name) ?? backend.weight;
  return state === backend.state && weight === backend.weight ? backend : { ...backend, state, weight };
}

/** The checks never make more of a backend than the operator does. */
export function stateBy(wish: BackendState, verdict: Verdict | undefined): BackendState {
  if (wish === 'down' || wish === 'disabled') return wish;
  if (verdict === 'dead') return 'down';
  return verdict === 'avoided' ? 'draining' : wish;
}
