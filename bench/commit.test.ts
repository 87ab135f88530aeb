// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { benchCommit } from './commit.ts';

test('the removal of a backend writes a slot row and a column row for each slot that moves, and no more', async () => {
  const result = await benchCommit({
    target: 'embedded',
    slots: 1_024,
    placement: 'sticky',
    backends: 8,
    removals: 2,
  });
  if ('unavailable' in result) throw new Error(result.unavailable);
  expect(result.movedSlots).toMatchObject({ least: 128, most: 128 });
  expect(result.rows).toMatchObject({ least: 256, most: 256 });
}, 240_000);
