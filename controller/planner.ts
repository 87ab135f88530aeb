// SPDX-License-Identifier: Apache-2.0
/** What would come of another configuration: its text, as checks and load have it now, rehearsed by the engine. */
import type { Failure, PlanResult } from './adapters/http/admin.ts';
import type { Config } from './config/config.ts';
import type { ConfigKeeper } from './config-keeper.ts';
import type { Desired } from './core/desired.ts';
import type { EngineOptions } from './core/options.ts';
import type { Engine } from './engine.ts';

export interface PlannerWorld {
  keeper: ConfigKeeper;
  desiredBy: (config: Config) => Desired;
  engine: () => Engine;
  engineOptions: (config: Config) => EngineOptions;
}

export class Planner {
  private readonly world: PlannerWorld;
  private isBusy = false;

  constructor(world: PlannerWorld) {
    this.world = world;
  }

  /** One rehearsal at a time: each holds copies of everything the engine knows. */
  async plan(text: string, isRehearsed: boolean): Promise<PlanResult | { failure: Failure }> {
    const found = await this.world.keeper.look(text);
    if ('failure' in found) return found;
    const { config, ...rest } = found;
    if (!isRehearsed) return { ...rest, plan: undefined };
    if (this.isBusy) {
      const wrong = 'another plan is being made';
      return { failure: { code: 'busy', wrong, right: 'a little patience', problems: [] } };
    }
    this.isBusy = true;
    try {
      const { desiredBy, engine, engineOptions } = this.world;
      return { ...rest, plan: await engine().plan(desiredBy(config), engineOptions(config)) };
    } finally {
      this.isBusy = false;
    }
  }
}
