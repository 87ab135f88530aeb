// SPDX-License-Identifier: Apache-2.0
/** What it takes to build a table, by its size and the number of backends: processor time, so that other work does not count. */

import { maglevTable, NOBODY, type WeightedBackend } from '../controller/core/maglev.ts';
import { stickyTable } from '../controller/core/sticky.ts';
import { type Distribution, distributionOf } from './distribution.ts';

export interface TableTimesOptions {
  sizes: readonly { slots: number; backends: number }[];
  /** Builds before the clock runs, and under it. */
  warmUps: number;
  rounds: number;
}

export const tableTimesDefaults: Readonly<TableTimesOptions> = {
  sizes: [
    { slots: 65_536, backends: 100 },
    { slots: 65_536, backends: 500 },
    { slots: 65_536, backends: 1_000 },
    { slots: 65_536, backends: 10_000 },
    { slots: 1 << 20, backends: 500 },
    { slots: 1 << 20, backends: 10_000 },
  ],
  warmUps: 30,
  rounds: 100,
};

export interface TableTimes {
  slots: number;
  backends: number;
  /** Milliseconds of processor time. */
  pure: Distribution;
  pureWeighted: Distribution;
  stickyFresh: Distribution;
  stickyRemoved: Distribution;
  stickyReturned: Distribution;
}

export function benchTableTimes(options: TableTimesOptions): TableTimes[] {
  return options.sizes.map(({ slots, backends }) => {
    const equal = fleet(backends, () => 100);
    const weighted = fleet(backends, (i) => 1 + ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 100));
    const without = equal.map((backend, i) => (i === 1 ? { ...backend, weight: 0 } : backend));
    const nobody = new Uint16Array(slots).fill(NOBODY);
    const full = stickyTable(equal, nobody, nobody);
    const orphaned = full.map((owner) => (owner === 1 ? NOBODY : owner));
    const away = stickyTable(without, orphaned, nobody);
    const time = (build: () => unknown) => times(build, options);
    return {
      slots,
      backends,
      pure: time(() => maglevTable(equal, slots)),
      pureWeighted: time(() => maglevTable(weighted, slots)),
      stickyFresh: time(() => stickyTable(equal, nobody, nobody)),
      stickyRemoved: time(() => stickyTable(without, orphaned, nobody)),
      stickyReturned: time(() => stickyTable(equal, away, nobody)),
    };
  });
}

function times(build: () => unknown, { warmUps, rounds }: TableTimesOptions): Distribution {
  for (let i = 0; i < warmUps; i++) build();
  return distributionOf(
    Array.from({ length: rounds }, () => {
      const before = process.cpuUsage();
      build();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    }),
  );
}

function fleet(count: number, weight: (index: number) => number): WeightedBackend[] {
  return Array.from({ length: count }, (_, i) => ({
    address: 0x0a000001 + i,
    port: 8080,
    weight: weight(i),
  }));
}
