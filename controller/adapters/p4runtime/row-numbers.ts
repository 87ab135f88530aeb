// SPDX-License-Identifier: Apache-2.0
/** What p4/core/types.p4 and p4/core/vip.p4 call by number, and the core by name. */
import type { Affinity, Hint, WhenDead } from '../../core/desired.ts';

const affinities = ['none', 'source'] as const satisfies readonly Affinity[];
/** HINT_* */
const hints = ['none', 'quic', 'tcp_option'] as const satisfies readonly Hint[];
/** ON_DEAD_* */
const whenDeads = ['drop', 'reset', 'unreachable'] as const satisfies readonly WhenDead[];

interface Service {
  affinity: Affinity;
  whenDead: WhenDead;
  byPrefix: boolean;
}

interface ServiceParams {
  affinity: number;
  on_dead: number;
  by_prefix: number;
}

/** Parameters that `serve` and `serve_fragments` have in common. */
export function serviceParams({ affinity, whenDead, byPrefix }: Service): ServiceParams {
  return {
    affinity: affinities.indexOf(affinity),
    on_dead: whenDeads.indexOf(whenDead),
    by_prefix: byPrefix ? 1 : 0,
  };
}

/** A number that nobody knows says what its table says by default. */
export function serviceOf(params: ServiceParams): Service {
  return {
    affinity: affinities[params.affinity] ?? 'none',
    whenDead: whenDeads[params.on_dead] ?? 'drop',
    byPrefix: params.by_prefix === 1,
  };
}

export const hintNumber = (hint: Hint): number => hints.indexOf(hint);
export const hintOf = (number: number): Hint => hints[number] ?? 'none';
