// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { isExcused } from './judge.ts';
import type { BrokenConnection } from './traffic.ts';

const outages = [{ host: 's3', from: 10_000, until: 15_000 }];
const base: BrokenConnection = {
  kind: 'long',
  localPort: 10_000,
  reason: 'reset',
  detail: '',
  server: 's3-1',
  openedAt: 5_000,
  brokenAt: 10_200,
  answers: 3,
};

const cases: [string, Partial<BrokenConnection>, boolean][] = [
  ['its server died', {}, true],
  ['its server died, and it was silent for long', { reason: 'silent', brokenAt: 20_500 }, true],
  ['another server died', { server: 's1-1' }, false],
  ['it broke before its server died', { brokenAt: 9_999 }, false],
  ['it was opened after its server came back', { openedAt: 16_000, brokenAt: 17_000 }, false],
  ['refused by the dead', { server: undefined, reason: 'refused', openedAt: 10_100 }, true],
  [
    'refused while everybody lived',
    { server: undefined, reason: 'refused', openedAt: 30_000, brokenAt: 30_001 },
    false,
  ],
  ['reset before the first answer, at the death', { server: undefined, openedAt: 9_990 }, true],
  ['accepted by the dying, and reset', { server: undefined, openedAt: 10_050, brokenAt: 10_060 }, true],
  [
    'reset before the first answer, at another time',
    { server: undefined, openedAt: 20_000, brokenAt: 20_010 },
    false,
  ],
  [
    'silent from the start',
    { server: undefined, reason: 'silent', openedAt: 10_100, brokenAt: 20_100 },
    false,
  ],
];

test.each(cases)('a connection is excused only by the death of its server: %s', (_what, change, excused) => {
  expect(isExcused({ ...base, ...change }, outages)).toBe(excused);
});
