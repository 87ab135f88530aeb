// SPDX-License-Identifier: Apache-2.0
/** Runs one world; an exception in it is a violation like any other. */
import type { Violation } from '../world/judge.ts';
import type { WorldPlan } from '../world/plan.ts';
import type { RuleName } from '../world/rules.ts';
import { World } from '../world/world.ts';
import type { RunResult } from './run-message.ts';

export function runWorld(
  plan: WorldPlan,
  without: RuleName | undefined,
  keepsTraces = false,
): { violations: readonly Violation[]; thrown: Error | undefined; result: RunResult } {
  const world = new World(plan, { without, keepsTraces });
  let thrown: Error | undefined;
  try {
    world.run();
  } catch (error) {
    thrown = error instanceof Error ? error : new Error(String(error));
  }
  const broken: string[] = [...new Set(world.violations.map(({ invariant }) => invariant))];
  if (thrown) broken.push('exception');
  return { violations: world.violations, thrown, result: { plan, broken, stats: world.stats } };
}
