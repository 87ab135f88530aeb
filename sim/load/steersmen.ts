// SPDX-License-Identifier: Apache-2.0
/** Ways to make weights of load: ours, and those that come to mind first. */
import {
  adjust,
  createLoadWeights,
  type LoadMember,
  type LoadOptions,
  type LoadWeights,
  noteLoads,
  WEIGHT_UNITS,
  weightsOf,
} from '../../controller/core/load-weights.ts';

/** @returns the weights, or undefined where nothing changes */
export type Steersman = (
  loads: ReadonlyMap<string, number>,
  members: readonly LoadMember[],
  now: number,
) => Map<string, number> | undefined;

export function shippedSteersman(options: LoadOptions): Steersman {
  let state: LoadWeights | undefined;
  return (loads, members, now) => {
    state ??= createLoadWeights(options, now);
    noteLoads(state, loads, now);
    return adjust(state, members, now) ? weightsOf(state, members) : undefined;
  };
}

/** The same without the model of what earlier changes have not shown yet. */
export function forgetfulSteersman(options: LoadOptions): Steersman {
  return shippedSteersman({ ...options, lagMs: 1 });
}

/** With every reading: each weight by the room that is left, as if it showed at once. */
export function hastySteersman(): Steersman {
  return (loads, members) => roomFor(loads, members);
}

function roomFor(loads: ReadonlyMap<string, number>, members: readonly LoadMember[]): Map<string, number> {
  // The smallest weight is one per cent of the largest: some load is needed to see any.
  const room = members.map(({ name }) => Math.max(0.01, 1 - loads.get(name)!));
  const most = Math.max(...room);
  return new Map(
    members.map(({ name }, i) => [name, Math.max(1, Math.round((100 * WEIGHT_UNITS * room[i]!) / most))]),
  );
}

/** With every reading: each weight is divided by the load, relative to the mean. */
export function dividingSteersman(): Steersman {
  const factors = new Map<string, number>();
  return (loads, members) => {
    const mean = [...loads.values()].reduce((sum, load) => sum + load, 0) / loads.size;
    for (const { name } of members) {
      const factor = (factors.get(name) ?? 1) * (mean / Math.max(loads.get(name)!, mean / 100));
      factors.set(name, Math.min(1_000, Math.max(0.001, factor)));
    }
    const most = Math.max(...factors.values());
    return new Map(
      members.map(({ name }) => [name, Math.max(1, Math.round((60_000 * factors.get(name)!) / most))]),
    );
  };
}

/** Once, whatever the loads are. */
export function fixedSteersman(weights: Map<string, number>): Steersman {
  let isDone = false;
  return () => {
    if (isDone) return undefined;
    isDone = true;
    return weights;
  };
}
