// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import {
  benchHealthCost,
  benchKills,
  benchWholeController,
  formatHealthCosts,
  formatKillTimes,
  formatWholeCosts,
  healthBenchDefaults,
} from './health.ts';

const options = {
  ...healthBenchDefaults,
  backends: 20,
  intervalMs: 100,
  timeoutMs: 30_000,
  rounds: 1,
  roundMs: 300,
  kills: 1,
  killIntervalMs: 100,
};

test('a small run asks everybody in every way, and nobody fails', async () => {
  const costs = await benchHealthCost(options);
  const kinds = costs.map(({ kind }) => kind);
  expect(kinds).toEqual(expect.arrayContaining(['bare', 'tcp', 'http', 'udp', 'grpc']));
  expect(costs.filter(({ failures }) => failures > 0)).toEqual([]);
  for (const { probesPerSecond } of costs) expect(probesPerSecond).toBeGreaterThan(0);
  expect(formatHealthCosts(options, costs)).toHaveLength(3 + costs.length);
}, 240_000);

test('a small run measures a whole controller, at rest and checking', async () => {
  // So long may a server take to answer, and a machine with much else to do takes its time.
  const costs = await benchWholeController({ ...options, intervalMs: 500 });
  expect(costs[0]).toMatchObject({ kind: undefined, isSettled: true, up: 0 });
  for (const { up } of costs.slice(1)) expect(up).toBe(options.backends);
  expect(formatWholeCosts(options, costs)).toHaveLength(3 + costs.length);
}, 240_000);

test('a small run sees a server die', async () => {
  const times = await benchKills(options);
  expect(times.rewrittenMs.least).toBeGreaterThanOrEqual(times.downMs.least);
  expect(formatKillTimes(times)).toHaveLength(3);
}, 240_000);
