// SPDX-License-Identifier: Apache-2.0
/** Runs one world; an exception in it is a violation like any other. */
import { loadProgram } from '../../controller/program.ts';
import { CompiledSwitch } from '../switch/compiled-switch.ts';
import type { Violation } from '../world/judge.ts';
import { capacityOf, type WorldPlan } from '../world/plan.ts';
import { World } from '../world/world.ts';
import type { RunManner, RunResult } from './run-message.ts';

export function runWorld(
  plan: WorldPlan,
  { without, isCompiled }: RunManner,
  keepsTraces = false,
): { violations: readonly Violation[]; thrown: Error | undefined; result: RunResult } {
  const world = new World(plan, {
    without,
    keepsTraces,
    createSwitch: isCompiled ? compiledSwitch : undefined,
  });
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

let program: string | undefined;

function compiledSwitch(plan: WorldPlan): CompiledSwitch {
  program ??= new TextDecoder().decode(loadProgram().deviceConfig);
  return new CompiledSwitch(program, { capacity: capacityOf(plan) });
}
