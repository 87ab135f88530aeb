// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { benchScale, formatScale, type ScaleOptions } from './scale.ts';

test('every kind of change is carried out on every switch, and a takeover rewrites nothing', () => {
  const options: ScaleOptions = {
    pools: 3,
    backendsPerPool: 4,
    slotsPerPool: 64,
    slotsOfLargest: 256,
    switches: 3,
    flows: 2_000,
  };
  const result = benchScale(options);
  expect(result.slots).toBe(64 + 64 + 256);
  expect(result.pins).toBeGreaterThan(0);
  expect(result.unstableSlots).toBeGreaterThan(0);
  expect(result.work['first fill'].updates).toBeGreaterThan(result.slots);
  // A slot row and a column row for each of the dead one's.
  expect(result.work['a backend dies'].updates).toBeGreaterThanOrEqual(2 * (64 / 4));
  expect(result.work['a weight in every pool'].updates).toBeGreaterThan(0);
  expect(result.work.takeover.updates).toBe(0);
  expect(result.work['merge of all'].updates).toBeGreaterThan(result.unstableSlots);
  expect(formatScale(options, result).at(-1)).toContain('merge of all');
}, 240_000);
