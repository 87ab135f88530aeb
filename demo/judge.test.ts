// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { type Acceptance, Acceptances, isExcused } from './judge.ts';
import { client, floodNetwork } from './layout.ts';
import type { BrokenConnection } from './traffic.ts';

const outages = [{ host: 's3', from: 10_000, deadAt: 10_100, until: 15_000 }];
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
  ['its server answered once more while it was being killed', { openedAt: 10_050 }, true],
  ['opened on its server when that was dead', { openedAt: 10_200, brokenAt: 10_300 }, false],
  ['refused by the dead', { server: undefined, reason: 'refused', openedAt: 10_100 }, true],
  [
    'refused while everybody lived',
    { server: undefined, reason: 'refused', openedAt: 30_000, brokenAt: 30_001 },
    false,
  ],
  [
    'refused by the dead, whom its SYN reached late',
    { server: undefined, reason: 'refused', openedAt: 4_000, brokenAt: 17_000 },
    true,
  ],
  [
    'refused before anybody died',
    { server: undefined, reason: 'refused', openedAt: 9_000, brokenAt: 9_900 },
    false,
  ],
  [
    'refused when they were back',
    { server: undefined, reason: 'refused', openedAt: 15_100, brokenAt: 15_200 },
    false,
  ],
  ['reset before the first answer, at the death', { server: undefined, openedAt: 9_990 }, true],
  ['accepted by the dying, and reset', { server: undefined, openedAt: 10_050, brokenAt: 10_060 }, true],
  [
    'reset before the first answer by the dead, as it learns late',
    { server: undefined, openedAt: 4_000, brokenAt: 21_000 },
    true,
  ],
  ['reset before the first answer, before anybody died', { server: undefined, brokenAt: 9_900 }, false],
  [
    'opened when they were dead, and reset before the first answer',
    { server: undefined, openedAt: 10_200, brokenAt: 10_300 },
    false,
  ],
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
  expect(isExcused({ ...base, ...change }, outages, undefined)).toBe(excused);
});

const peer = { address: client.address, port: base.localPort };
const unanswered = { ...base, server: undefined };
const refused = { ...unanswered, reason: 'refused' } as const;

test.each<[string, BrokenConnection, Acceptance, boolean]>([
  ['by the dead', unanswered, { server: 's3-1', peer, at: 9_000 }, true],
  ['by another', unanswered, { server: 's1-1', peer, at: 9_000 }, false],
  ['by the dead, and refused as the client learns of it', refused, { server: 's3-1', peer, at: 9_000 }, true],
  ['by another, and refused thereafter', refused, { server: 's1-1', peer, at: 9_000 }, false],
  ['by another, when the dead may have refused it', refused, { server: 's1-1', peer, at: 10_150 }, true],
])('one without an answer is excused by whom it was accepted: %s', (_what, broken, accepted, excused) => {
  expect(isExcused(broken, outages, accepted)).toBe(excused);
});

test.each<[string, Partial<Acceptance>[], string | undefined]>([
  ['nobody', [], undefined],
  ['who accepted it', [{}], 's1-1'],
  ['the first who did, for it must not move', [{}, { server: 's3-1', at: 5_100 }], 's1-1'],
  ['none who accepted another connection from its port before', [{ at: 4_999 }], undefined],
  [
    'none who accepted one from elsewhere',
    [{ peer: { address: floodNetwork.address, port: 10_000 } }],
    undefined,
  ],
  [
    'none who accepted one from another port',
    [{ peer: { address: client.address, port: 10_001 } }],
    undefined,
  ],
])('a connection that was never answered belongs to %s', (_whom, accepted, server) => {
  const acceptances = new Acceptances();
  for (const change of accepted) acceptances.add({ server: 's1-1', peer, at: 5_000, ...change });
  expect(acceptances.of(base)?.server).toBe(server);
});
