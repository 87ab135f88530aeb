// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

test('a timer of more days than Node knows does not fire at once', async () => {
  const clock = systemClock();
  const fired: string[] = [];
  const cancel = clock.after(1e12, () => fired.push('in thirty years'));
  await new Promise<void>((resolve) => clock.after(20, resolve));
  cancel();
  expect(fired).toEqual([]);
});
