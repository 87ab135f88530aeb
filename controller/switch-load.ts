// SPDX-License-Identifier: Apache-2.0
/** Load as the switch has it: what it forwards to each backend, a second, for its configured weight. */

import type { Clock } from './ports/clock.ts';
import type { LoadReading, LoadSource, LoadTarget } from './ports/load-source.ts';
import type { Count } from './ports/switch.ts';

export interface SwitchLoadWorld {
  clock: Clock;
  /** By the name of the backend, since the program was loaded; undefined: not read yet. */
  counts: () => ReadonlyMap<string, Count> | undefined;
}

export class SwitchLoad implements LoadSource {
  private readonly world: SwitchLoadWorld;
  private readonly count: keyof Count;
  private before = new Map<string, number>();
  private beforeAt = 0;

  constructor(count: keyof Count, world: SwitchLoadWorld) {
    this.count = count;
    this.world = world;
  }

  async read(backends: readonly LoadTarget[]): Promise<LoadReading> {
    const loads = new Map<string, number>();
    const counts = this.world.counts();
    if (counts === undefined) return { loads, problem: 'the switch has not told its counters yet' };
    const now = this.world.clock.now();
    const seconds = (now - this.beforeAt) / 1_000;
    const values = new Map<string, number>();
    for (const { name } of backends) {
      const value = counts.get(name)?.[this.count];
      if (value !== undefined) values.set(name, value);
    }
    // Counters are read in a rhythm of their own: these are those of the last time.
    if ([...values].every(([name, value]) => this.before.get(name) === value))
      return { loads, problem: undefined };
    for (const { name, weight } of backends) {
      const value = values.get(name);
      if (value === undefined) continue;
      const before = this.before.get(name);
      // A switch that was restarted counts anew.
      if (before !== undefined && value >= before && seconds > 0 && weight > 0)
        loads.set(name, (value - before) / seconds / weight);
    }
    this.before = values;
    this.beforeAt = now;
    return { loads, problem: undefined };
  }
}
