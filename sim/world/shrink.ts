// SPDX-License-Identifier: Apache-2.0
/** Makes a failing plan smaller: fewest faults first, then the shortest and mildest story that still fails. */
import { faultNames } from './faults.ts';
import { type WorldPlan, withFault } from './plan.ts';

/** Worlds run at most; what has been reached by then is what is told. */
const attemptLimit = 400;
const shortestTurmoilMs = 3_000;

export interface Shrunk {
  plan: WorldPlan;
  /** Worlds it took. */
  attempts: number;
}

/** @param fails  whether a world of this plan goes wrong; `plan` itself must */
export function shrink(plan: WorldPlan, fails: (plan: WorldPlan) => boolean): Shrunk {
  let attempts = 0;
  const isStillWrong = (smaller: WorldPlan): boolean =>
    attempts < attemptLimit && ++attempts > 0 && fails(smaller);
  let best = plan;
  const keepIfWrong = (smaller: WorldPlan): boolean => {
    if (!isStillWrong(smaller)) return false;
    best = smaller;
    return true;
  };

  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const name of faultNames) {
      if (best.faults[name] > 0 && keepIfWrong(withFault(best, name, 0))) isSmaller = true;
    }
    while (
      best.turmoilMs / 2 >= shortestTurmoilMs &&
      keepIfWrong({ ...best, turmoilMs: best.turmoilMs / 2 })
    ) {
      isSmaller = true;
    }
  }
  for (const name of faultNames) {
    while (best.faults[name] >= 2 && keepIfWrong(withFault(best, name, Math.floor(best.faults[name] / 2)))) {
      // Halved once more, until it goes well.
    }
  }
  return { plan: best, attempts };
}
