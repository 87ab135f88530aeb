// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { benchSim, formatSimBench } from './sim.ts';

test('a small run decides every packet as its situation says, in all three ways', () => {
  const results = benchSim({ rounds: 1, flows: 1_000, compiledFlows: 100, slots: 256 });
  expect([...new Set(results.map(({ way }) => way))]).toEqual(['decide', 'process', 'compiled']);
  for (const { perSecond } of results) expect(perSecond.p50).toBeGreaterThan(0);
  expect(formatSimBench(results)).toHaveLength(2 + results.length);
}, 240_000);
