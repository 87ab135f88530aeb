// SPDX-License-Identifier: Apache-2.0
/** Commands that bring backends in and out, in front of an admin API whose controller is this test. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Admin, ControllerStatus } from '../controller/adapters/http/admin.ts';
import { type AdminServer, startAdminServer } from '../controller/adapters/http/admin-server.ts';
import { serverOptions } from '../controller/adapters/http/testing/server-options.ts';
import type { Edit } from '../controller/config/edit.ts';
import type { BackendStatus } from '../controller/core/status.ts';
import { run } from './commands.ts';
import { busyStatus, evenkeel, Screen } from './testing/screen.ts';

let server: AdminServer;
let edits: Edit[] = [];
/** What the controller says, look after look; the last of it for ever. */
let looks: ControllerStatus[] = [];

type Wish = Partial<NonNullable<ControllerStatus['lifecycle']>[number]['backends'][number]>;
interface Seen {
  wish?: Wish;
  served?: Partial<BackendStatus>;
  /** By its checks. */
  health?: 'up' | 'down';
}

/** A vip 'web' with these backends; unless it is said that one is not served, or not wished for, it is both. */
function look(backends: Record<string, Seen>, unstableSlots = 0): ControllerStatus {
  const status = structuredClone(busyStatus);
  const [pool] = status.engine.pools;
  const [model] = pool!.backends;
  const names = Object.entries(backends);
  Object.assign(pool!, { unstableSlots });
  pool!.backends = names.map(([name, { served }], i) => ({ ...model!, id: i + 1, name, ...served }));
  const wish = {
    wish: 'active',
    weight: 1,
    deadlineMs: undefined,
    share: 1,
    fillMs: 0,
    replaces: undefined,
  } as const;
  status.lifecycle = [
    { pool: 'web', backends: names.map(([backend, seen]) => ({ ...wish, backend, ...seen.wish })) },
  ];
  const checked = names.flatMap(([backend, { health: state }]) =>
    state === undefined
      ? []
      : [
          {
            ...({
              backend,
              state,
              stateMs: 1,
              verdict: 'trusted',
              verdictMs: 1,
              latencyMs: undefined,
            } as const),
            failure: state === 'down' ? 'refused: nobody there' : undefined,
            ...{ problem: undefined, penalty: 0, suppressedMs: undefined },
          },
        ],
  );
  status.health =
    checked.length === 0 ? [] : [{ pool: 'web', check: 'tcp', isPanicking: false, backends: checked }];
  return status;
}

const drain = { baseSlots: 0, namedSlots: 0, promisedUntil: undefined, hasServerId: false, isDrained: false };
const draining: Seen = {
  wish: { wish: 'draining' },
  served: { state: 'draining', slots: 0, drain: { ...drain, baseSlots: 4, namedSlots: 4 } },
};
const drained: Seen = {
  wish: { wish: 'draining' },
  served: { state: 'draining', slots: 0, pins: 0, drain: { ...drain, isDrained: true } },
};

beforeAll(async () => {
  const admin: Partial<Admin> = {
    status: () => (looks.length > 1 ? looks.shift()! : looks[0]!),
    edit: async (edit) => {
      edits.push(edit);
      return { isChanged: true, warnings: [], needsRestart: [] };
    },
    onEvent: () => () => {},
  };
  server = await startAdminServer(admin as Admin, serverOptions);
});
afterAll(() => server.close());

const env = () => ({ EVENKEEL_CONTROLLER: server.url, EVENKEEL_TOKEN: serverOptions.token });

function ask(commandLine: string, ...seen: ControllerStatus[]) {
  edits = [];
  looks = seen;
  return evenkeel(commandLine, env());
}

describe('drain', () => {
  it('takes a deadline', async () => {
    expect((await ask('drain web a --deadline 10m')).stdout).toBe('done\n');
    expect(edits).toEqual([
      { kind: 'state', vip: 'web', backend: 'a', state: 'draining', deadlineMs: 600_000 },
    ]);
    expect(await ask('drain web a --deadline 10')).toMatchObject({ exitCode: 2 });
  });

  it('waits until nothing is left', async () => {
    const { exitCode, stdout } = await ask('drain web a --wait', look({ a: draining }), look({ a: drained }));
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'done\na: older connections of 4 slots, 2 pins left\na is drained: it may be stopped\n',
    });
  });

  it.each<[what: string, seen: Seen, exitCode: number, words: string]>([
    [
      'its deadline has passed',
      { wish: { wish: 'draining', deadlineMs: 0 }, served: { state: 'disabled', slots: 0 } },
      6,
      'the deadline of a has passed: what was left has been given up, and it may be stopped',
    ],
    ['it was restored', { wish: { wish: 'active' } }, 1, 'another command has come between'],
    [
      'it is dead',
      { wish: { wish: 'down' }, served: { state: 'down' } },
      1,
      'another command has come between',
    ],
  ])('says otherwise when %s', async (_, seen, exitCode, words) => {
    const ended = await ask('drain web a --wait', look({ a: draining }), look({ a: seen }));
    expect(ended).toMatchObject({ exitCode, stderr: expect.stringContaining(words) });
  });

  it('can be left alone', async () => {
    looks = [look({ a: draining })];
    const screen = new Screen(env());
    screen.onOutput = (text) => {
      if (text.includes('pins left')) screen.ending.abort();
    };
    expect(await run(['drain', 'web', 'a', '--wait'], screen)).toBe(7);
    expect(screen.stderr).toBe('evenkeel: interrupted: a goes on draining\n');
  });

  it('is not waited for in front of a controller that stands by', async () => {
    const standby = look({ a: draining });
    standby.leadership = {
      ...standby.leadership,
      role: 'standby',
      leader: { name: 'lb-2', admin: 'http://lb-2' },
    };
    expect(await ask('drain web a --wait', standby)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('lb-2 leads (http://lb-2): only that one can be waited for'),
    });
  });
});

describe('replace', () => {
  const swap = { kind: 'replace', vip: 'web', backend: 'a', by: 'b', address: '10.0.0.9', port: 80 };
  const remove = (backend: string) => ({ kind: 'remove', vip: 'web', backend });

  it('makes one edit of it where nobody checks, and removes the old one when it is drained', async () => {
    const { exitCode, stdout } = await ask(
      'replace web a b 10.0.0.9:80 --deadline 1m',
      ...[look({ a: {} }), look({ a: {} }), look({ a: {}, b: { wish: { replaces: 'a' } } })],
      ...[look({ a: draining, b: {} }), look({ a: drained, b: {} })],
    );
    expect(edits).toEqual([{ ...swap, deadlineMs: 60_000 }, remove('a')]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'b has taken the seat of a\na is drained, and removed\n',
    });
  });

  it('waits for the checks of the new one, without a connection on it', async () => {
    const { exitCode } = await ask(
      'replace web a b 10.0.0.9:80 --no-wait',
      ...[look({ a: { health: 'up' } }), look({ a: { health: 'up' } })],
      look({ a: { health: 'up' }, b: { health: 'down', wish: { weight: 0 } } }),
      look({ a: { health: 'up' }, b: { health: 'up', wish: { weight: 0 } } }),
      look({ a: draining, b: {} }),
    );
    expect(exitCode).toBe(0);
    expect(edits).toEqual([
      { kind: 'add', vip: 'web', backend: 'b', address: '10.0.0.9', port: 80, weight: 0 },
      swap,
    ]);
  });

  it('takes a new one away again that does not become well, and leaves the old one alone', async () => {
    const ended = await ask(
      'replace web a b 10.0.0.9:80 --health-timeout 1s',
      look({ a: { health: 'up' } }),
      look({ a: { health: 'up' } }),
      look({ a: { health: 'up' }, b: { health: 'down', wish: { weight: 0 } } }),
    );
    expect(ended).toMatchObject({
      exitCode: 1,
      stderr:
        'evenkeel: b does not become well (refused: nobody there): it is removed again, and a goes on as before\n',
    });
    expect(edits.map(({ kind, backend }) => `${kind} ${backend}`)).toEqual(['add b', 'remove b']);
  });

  it('goes on where it was', async () => {
    // Prepared: nothing is added.
    const waiting = { health: 'up', wish: { weight: 0 } } as const;
    await ask(
      'replace web a b 10.0.0.9:80 --no-wait',
      look({ a: { health: 'up' }, b: waiting }),
      look({ a: { health: 'up' }, b: waiting }),
      look({ a: { health: 'up' }, b: waiting }),
      look({ a: draining }),
    );
    expect(edits.map(({ kind }) => kind)).toEqual(['replace']);
    // Swapped: only the end is waited for.
    const successor = { health: 'down', wish: { replaces: 'a' } } as const;
    const swapped = look({ a: { ...draining, health: 'up' }, b: successor });
    await ask('replace web a b 10.0.0.9:80', swapped, swapped, swapped, look({ a: drained, b: successor }));
    expect(edits.map(({ kind }) => kind)).toEqual(['replace', 'remove']);
    // Done.
    expect(await ask('replace web a b 10.0.0.9:80', look({ b: {} }))).toMatchObject({
      exitCode: 0,
      stdout: 'a has been replaced by b already\n',
    });
    expect(edits).toEqual([]);
  });

  it('does not take a backend that works for others', async () => {
    expect(await ask('replace web a b 10.0.0.9:80', look({ a: {}, b: {} }))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('b is in use already'),
    });
    expect(edits).toEqual([]);
  });

  it('replaces several one after the other, the next when slots have calmed down', async () => {
    const first = { a: draining, c: {}, b: { wish: { replaces: 'a' } } };
    const ended = await ask(
      'replace web a=b@10.0.0.9:80 c=d@10.0.0.8:80 --max-unstable 25% --no-wait',
      ...[look({ a: {}, c: {} }), look({ a: {}, c: {} }), look(first, 2_000)],
      // Not yet: asked for c, then for calm, twice.
      ...[look(first, 2_000), look(first, 2_000), look(first, 1_000), look(first, 1_000)],
      look({ ...first, c: draining, d: { wish: { replaces: 'c' } } }),
    );
    expect(ended).toMatchObject({
      exitCode: 0,
      stdout:
        'b has taken the seat of a\n2000 of 4096 slots are unstable: the next one waits\nd has taken the seat of c\n',
    });
    expect(edits.map(({ kind, backend }) => `${kind} ${backend}`)).toEqual(['replace a', 'replace c']);
  });

  it.each([
    ['replace web a', /is no replacement; expected OLD NEW ADDRESS:PORT/],
    ['replace web a b 10.0.0.9', /'10.0.0.9' is not an endpoint; expected ADDRESS:PORT/],
    ['replace web a=b@10.0.0.9:80 c=d@1:80', /'1:80' is not an endpoint; expected ADDRESS:PORT/],
    ['replace web a=b@10.0.0.9:80 c=d@10.0.0.8:80 --server-id 01', /--server-id is that of one backend/],
    ['replace web a b 10.0.0.9:80 --max-unstable 101', /Expected 0 to 100/],
  ])('calls %s a wrong command line', async (commandLine, complaint) => {
    expect(await ask(commandLine, look({}))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(complaint),
    });
    expect(edits).toEqual([]);
  });
});
