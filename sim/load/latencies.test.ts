// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { Latencies } from './latencies.ts';

test('quantiles are those of what was noted, within one per cent', () => {
  const latencies = new Latencies();
  for (let ms = 1_000; ms >= 1; ms--) latencies.note(ms);
  for (const share of [0.01, 0.5, 0.99]) {
    const exact = 1_000 * share;
    expect(Math.abs(latencies.quantile(share) / exact - 1)).toBeLessThan(0.011);
  }
  expect(latencies.count).toBe(1_000);
  latencies.clear();
  expect(latencies.quantile(0.5)).toBeNaN();
});
