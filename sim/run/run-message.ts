// SPDX-License-Identifier: Apache-2.0
/** What the main thread and the workers of `make sim` tell each other. */
import type { WorldPlan } from '../world/plan.ts';
import type { RuleName } from '../world/rules.ts';
import type { WorldStats } from '../world/world.ts';

export interface RunManner {
  /** A protective rule that is switched off. */
  without: RuleName | undefined;
  /** The switches execute the compiled P4 program. */
  isCompiled: boolean;
}

export interface RunOrder extends RunManner {
  plans: readonly WorldPlan[];
}

export interface RunResult {
  plan: WorldPlan;
  /** Invariants broken, each once. */
  broken: readonly string[];
  stats: WorldStats;
}
