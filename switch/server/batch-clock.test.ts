// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { BatchClock } from './batch-clock.ts';

it('tells a burst one time, a long burst the time now and then, and who waited the real one', () => {
  let now = 0;
  const clock = new BatchClock(() => (now += 1));
  expect(Array.from({ length: 40 }, () => clock.read())).toEqual([
    ...Array(16).fill(1),
    ...Array(16).fill(2),
    ...Array(8).fill(3),
  ]);
  clock.expire();
  expect(clock.read()).toBe(4);
});
