// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { type Deed, deedBehind } from './judge.ts';
import type { Broken } from './message.ts';

const first: Deed = { victim: 's1', at: 1_000, backAt: 25_000 };
const second: Deed = { victim: 's2', at: 30_000, backAt: undefined };
const again: Deed = { victim: 's1', at: 60_000, backAt: undefined };

it.each<[string, Partial<Broken>, Deed | undefined]>([
  ['that its server took along', { server: 's1', answeredAt: 900, at: 14_000 }, first],
  ['that heard its server a little late', { server: 's1', answeredAt: 1_400, at: 14_000 }, first],
  [
    'that learns of it when its server is back, and another gone',
    { server: 's1', answeredAt: 900, at: 31_000 },
    first,
  ],
  ['that heard its server since', { server: 's1', answeredAt: 26_000, at: 31_000 }, undefined],
  ['that began since', { server: 's1', answeredAt: 29_000, at: 29_500 }, undefined],
  ['of the one that is away', { server: 's2', answeredAt: 29_900, at: 44_000 }, second],
  ['of one that is to go later', { server: 's2', answeredAt: 28_000, at: 29_000 }, undefined],
  ['of one that never went', { server: 's3', answeredAt: 900, at: 14_000 }, undefined],
  ['of one that has gone again', { server: 's1', answeredAt: 59_000, at: 74_000 }, again],
])('a connection %s', (_which, broken, deed) => {
  expect(deedBehind({ sort: 'talking', how: 'reset', ...broken } as Broken, [first, second, again])).toBe(
    deed,
  );
});
