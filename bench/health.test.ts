// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import {
  benchHealthCost,
  benchKills,
  formatHealthCosts,
  formatKillTimes,
  healthBenchDefaults,
} from './health.ts';

const options = {
  ...healthBenchDefaults,
  backends: 20,
  intervalMs: 100,
  rounds: 1,
  roundMs: 300,
  kills: 1,
  killIntervalMs: 100,
};

test('a small run asks everybody in every way, and nobody fails', async () => {
  const costs = await benchHealthCost(options);
  expect(costs.map(({ kind, failures }) => [kind, failures])).toEqual([
    ['tcp', 0],
    ['http', 0],
    ['udp', 0],
  ]);
  for (const { probesPerSecond } of costs) expect(probesPerSecond).toBeGreaterThan(0);
  expect(formatHealthCosts(options, costs)).toHaveLength(6);
}, 60_000);

test('a small run sees a server die', async () => {
  const times = await benchKills(options);
  expect(times.rewrittenMs.least).toBeGreaterThanOrEqual(times.downMs.least);
  expect(formatKillTimes(times)).toHaveLength(3);
}, 60_000);
