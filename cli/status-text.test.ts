// SPDX-License-Identifier: Apache-2.0
/** What `evenkeel status` says of a group of switches; of a single one see commands.test.ts. */
import { expect, it } from 'vitest';
import { statusText } from './status-text.ts';
import { busyStatus } from './testing/screen.ts';

it('shows the switches of a group, and which of them should carry no traffic', () => {
  const text = statusText({
    ...busyStatus,
    switch: {
      ...busyStatus.switch,
      members: [
        {
          name: 'left',
          address: '10.0.9.1:9559',
          state: 'participating',
          stateMs: 3_600_000,
          rowsBehind: 0,
          problem: undefined,
        },
        {
          name: 'right',
          address: '10.0.9.2:9559',
          state: 'outdated',
          stateMs: 90_000,
          rowsBehind: 4_211,
          problem: 'it does not answer in time',
        },
      ],
    },
  });
  expect(text).toMatch(/^switches {4}ready, 1 of 2 participating$/m);
  expect(text).toMatch(
    /^! switch right is outdated for 1 min 30 s \(it does not answer in time\): it should carry no traffic$/m,
  );
  expect(text.match(/^SWITCH[\s\S]*?\n\n/m)?.[0]).toMatchInlineSnapshot(`
    "SWITCH  ADDRESS        STATE                   SINCE  ROWS BEHIND
    left    10.0.9.1:9559  participating         1 h ago            0
    right   10.0.9.2:9559  outdated       1 min 30 s ago        4,211

    "
  `);
});

it('says who leads, where there are several controllers', () => {
  const shown = (leadership: Partial<typeof busyStatus.leadership>) =>
    statusText({ ...busyStatus, leadership: { ...busyStatus.leadership, isShared: true, ...leadership } });
  expect(statusText(busyStatus)).not.toContain('role ');
  const term = String((1_767_268_800_000n << 64n) | 42n);
  expect(shown({ term })).toMatch(/^role {8}leader, term 42$/m);
  const leader = { name: 'left', admin: 'http://10.0.9.5:9580' };
  expect(shown({ role: 'standby', leader })).toMatch(
    /^role {8}standby, left leads \(http:\/\/10\.0\.9\.5:9580\)$/m,
  );
  expect(shown({ role: 'standby', problem: 'etcd does not answer' })).toMatch(
    /^role {8}standby: etcd does not answer$/m,
  );
  const book = { store: 'x', written: 0, problem: 'x cannot be written: EACCES' };
  expect(shown({ book })).toContain('! the book is not kept: x cannot be written: EACCES\n');
});

it('says whom the checks speak against, why and since when', () => {
  const well = {
    state: 'up',
    stateMs: 60_000,
    verdict: 'trusted',
    verdictMs: 60_000,
    failure: undefined,
    latencyMs: 1,
    problem: undefined,
    penalty: 0,
    suppressedMs: undefined,
  } as const;
  const shown = (web2: object, isPanicking = false) =>
    statusText({
      ...busyStatus,
      health: [
        {
          pool: 'web',
          check: 'http',
          isPanicking,
          backends: [
            { ...well, backend: 'web-1' },
            { ...well, backend: 'web-2', ...web2 },
          ],
        },
      ],
    });
  const failing = { state: 'down', verdictMs: 12_000, failure: 'refused: connection refused' };
  expect(shown({ ...failing, verdict: 'dead' })).toContain(
    '! backend web web-2 is dead for 12 s (refused: connection refused): its connections were given up\n',
  );
  expect(shown({ ...failing, verdict: 'dead' })).toMatch(/ web-2 .* dead for 12 s /);
  const avoided = { ...failing, verdict: 'avoided', failure: 'wrong: status 503', suppressedMs: 180_000 };
  expect(shown(avoided)).toContain(
    '! backend web web-2 is avoided for 12 s (wrong: status 503): it gets no new connections, held out for flapping, 3 min more\n',
  );
  const panic = shown(failing, true);
  expect(panic).toContain('! vip web: too few backends would be left, so none of its checks is trusted\n');
  expect(panic).toContain(
    '! backend web web-2 fails its checks (refused: connection refused), and is used all the same\n',
  );
  expect(shown({ problem: 'EMFILE' })).toContain('! backend web web-2 cannot be checked: EMFILE\n');
  expect(statusText(busyStatus)).not.toContain('HEALTH');
});

it('says what is announced, and what is the matter with it', () => {
  const shown = (announcer: typeof busyStatus.announcer) => statusText({ ...busyStatus, announcer });
  const well = {
    speaker: 'BIRD',
    announced: ['10.0.1.100/32'],
    problem: undefined,
    isDraining: false,
    refused: [],
  };
  expect(statusText(busyStatus)).not.toContain('announces');
  expect(shown(well)).toMatch(/^announces {3}10\.0\.1\.100\/32 by BIRD$/m);
  expect(shown({ ...well, announced: [], isDraining: true })).toMatch(
    /^announces {3}nothing by BIRD, draining$/m,
  );
  expect(shown({ ...well, announced: undefined, problem: 'it hung up' })).toMatch(
    /^announces {3}nothing yet by BIRD: it hung up$/m,
  );
  expect(shown({ ...well, announced: [], refused: ['web', 'dns'] })).toMatch(
    /^announces {3}nothing by BIRD, without web dns: too few pass their checks$/m,
  );
});
