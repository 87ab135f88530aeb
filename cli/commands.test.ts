// SPDX-License-Identifier: Apache-2.0
/** What the commands print and how they end, in front of an admin API that answers what the test wants. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Admin, ChangeResult, Failure, LogLine } from '../controller/adapters/http/admin.ts';
import { type AdminServer, startAdminServer } from '../controller/adapters/http/admin-server.ts';
import { serverOptions } from '../controller/adapters/http/testing/server-options.ts';
import type { Edit } from '../controller/config/edit.ts';
import type { Explanation } from '../controller/core/explain.ts';
import { run } from './commands.ts';
import { busyStatus, evenkeel, Screen } from './testing/screen.ts';

const { token } = serverOptions;
let onEvent: () => void = () => {};
let server: AdminServer;
let folder: string;
let edits: Edit[] = [];
let result: ChangeResult;
const done: ChangeResult = { isChanged: true, warnings: [], needsRestart: [] };

const explanation: Explanation = {
  pool: 'web',
  hash: { crc32: 0xdead_0123, crc16: 0xbeef, rowA: 0xdead, rowB: 0xbeef },
  slot: 0x123,
  stable: false,
  pin: undefined,
  base: 'web-1',
  columns: [
    { column: 1, backend: 'web-2', live: true },
    { column: 2, backend: 'web-3', live: false },
  ],
  activeFilter: 1,
  afterChange: undefined,
  outcomes: [
    { backend: 'web-1', when: 'it is older than the change' },
    { backend: 'web-2', when: 'filter slot 1 knows it' },
  ],
  why: 'Its slot is unstable; only the switch knows which filters it is in.',
};

const log: LogLine[] = [
  {
    number: 1,
    at: '2026-01-01T12:00:00.000Z',
    level: 'info',
    topic: 'controller',
    message: 'the controller runs',
    fields: { admin: 'x' },
  },
  {
    number: 2,
    at: '2026-01-01T12:00:01.000Z',
    level: 'warn',
    topic: 'merge',
    message: 'a pin was refused',
    fields: {},
  },
];

const admin: Admin = {
  status: () => busyStatus,
  explain: ({ vipPort }) =>
    vipPort === 80
      ? explanation
      : { ...explanation, pool: undefined, outcomes: [], why: 'No vip has this address, protocol and port.' },
  slots: () => undefined,
  history: () => [],
  events: (after) => log.filter(({ number }) => number > after),
  onEvent: (listener) => {
    onEvent = listener;
    return () => {};
  },
  edit: async (edit) => {
    edits.push(edit);
    return result;
  },
  why: (vip, backend) => ({
    ...{ vip, backend, gets: 'nothing', slots: 0, slotCount: 8, share: 0, shareWanted: 0.5, packets: 0 },
    reasons: [{ gravity: 'nothing', text: 'It is drained.', remedy: 'evenkeel restore' }],
  }),
  plan: () => Promise.reject(new Error('nobody plans here')),
  apply: () => Promise.reject(new Error('nobody applies here')),
  drift: async () => [],
  reload: async () => result,
};

beforeAll(async () => {
  server = await startAdminServer(admin, serverOptions);
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-cli-'));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Against the controller of this test. */
function ask(commandLine: string, answer: ChangeResult = done) {
  edits = [];
  result = answer;
  return evenkeel(commandLine, { EVENKEEL_CONTROLLER: server.url, EVENKEEL_TOKEN: token });
}

describe('evenkeel', () => {
  it.each([
    '',
    'up',
    'controller',
    'switch',
    'status',
    'explain',
    'events',
    'check',
    'add',
    'remove',
    'weight',
    'drain',
    'disable',
    'replace',
    'fail',
    'restore',
    'reload',
    'top',
    'doctor',
    'plan',
    'diff',
    'apply',
    'drift',
    'why',
    'schema',
  ])('%s --help says what it does, with an example', async (command) => {
    const { exitCode, stdout, stderr } = await evenkeel(`${command} --help`);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    if (!['up', 'controller', 'reload'].includes(command)) expect(stdout).toContain('$ evenkeel ');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(120);
    expect(stdout).toMatchSnapshot();
  });

  it('shows the status as tables', async () => {
    const { exitCode, stdout } = await ask('status');
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  it('shows the status as JSON, with everything', async () => {
    const { stdout } = await ask('status -o json');
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(busyStatus)));
  });

  it('explains a flow', async () => {
    const { stdout } = await ask('explain 10.0.1.7:40000 10.0.1.100:80');
    expect(stdout).toMatchSnapshot();
    expect((await ask('explain tcp,10.0.1.7:40000,10.0.1.100:80')).stdout).toBe(stdout);
    expect((await ask('explain 10.0.1.7:40000,10.0.1.100:80')).stdout).toBe(stdout);
    expect((await ask('explain 10.0.1.7:40000 10.0.1.100:81')).stdout).toBe(
      'tcp 10.0.1.7:40000 -> 10.0.1.100:81\n\nNo vip has this address, protocol and port.\n',
    );
    expect((await ask('explain [2001:db8::7]:40000 [2001:db8::100]:81')).stdout).toMatch(
      /^tcp \[2001:db8::7\]:40000 -> \[2001:db8::100\]:81\n/,
    );
    expect((await ask('explain --udp 10.0.1.7:40000 10.0.1.100:81')).stdout).toMatch(/^udp /);
  });

  it('shows what happened', async () => {
    const { stdout } = await ask('events');
    expect(stdout).toBe(
      '2026-01-01T12:00:00.000Z  info   controller  the controller runs  admin=x\n' +
        '2026-01-01T12:00:01.000Z  warn   merge       a pin was refused\n',
    );
    const lines = (await ask('events -o json')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).number)).toEqual([1, 2]);
    // Of these it is long ago.
    expect((await ask('events --since 10m')).stdout).toBe('');
    expect((await ask('events --since 90000h')).stdout).toBe(stdout);
    expect((await ask('events --topic merge')).stdout).toMatch(/^\S+ {2}warn {3}merge .*\n$/);
  });

  it('shows what happens from now on, until it is stopped', async () => {
    const screen = new Screen({ EVENKEEL_CONTROLLER: server.url });
    const ended = run(['events', '--follow'], screen);
    screen.onOutput = (text) => {
      if (text.includes('a pin was refused'))
        setTimeout(() => {
          log.push({ ...log[1]!, number: 3, topic: 'commit', message: 'committed' });
          onEvent();
        }, 50);
      if (text.includes('committed')) screen.ending.abort();
    };
    expect(await ended).toBe(0);
    log.pop();
    expect(screen.stdout.trim().split('\n')).toHaveLength(3);
    expect(screen.stdout).toMatch(/warn {3}commit {6}committed\n$/);
  });

  it('goes on telling when the controller is started anew', async () => {
    const first = await startAdminServer(admin, serverOptions);
    const port = Number(new URL(first.url).port);
    const screen = new Screen({ EVENKEEL_CONTROLLER: first.url });
    let anew: Promise<AdminServer> | undefined;
    screen.onOutput = () => {
      const lines = screen.stdout.trim().split('\n').length;
      if (lines === 2)
        anew = first
          .close()
          .then(() => startAdminServer(admin, { ...serverOptions, listen: { host: '127.0.0.1', port } }));
      if (lines === 4) screen.ending.abort();
    };
    expect(await run(['events', '--follow'], screen)).toBe(0);
    // It tells all it knows: its numbers are its own.
    const [one, two, ...again] = screen.stdout.trim().split('\n');
    expect(again).toEqual([one, two]);
    await (await anew!).close();
    expect(await run(['events', '--follow'], new Screen({ EVENKEEL_CONTROLLER: first.url }))).toBe(3);
  });

  it('changes nothing without the token', async () => {
    const env = { EVENKEEL_CONTROLLER: server.url };
    edits = [];
    const refused = { exitCode: 1, stdout: '' };
    const none = await evenkeel('drain web web-1', env);
    expect(none).toMatchObject(refused);
    expect(none.stderr).toMatch(/^evenkeel: a change needs a token; expected .*--token, EVENKEEL_TOKEN/);
    expect(await evenkeel('drain web web-1 --token not-the-token-of-this-test', env)).toMatchObject(refused);
    expect(edits).toEqual([]);
    expect(await evenkeel(`drain web web-1 --token ${token}`, env)).toMatchObject({ exitCode: 0 });
    expect(edits).toHaveLength(1);
  });

  it.each<[commandLine: string, edit: Edit]>([
    [
      'add web web-5 10.0.2.15:8080',
      { kind: 'add', vip: 'web', backend: 'web-5', address: '10.0.2.15', port: 8080 },
    ],
    [
      'add web web-5 [2001:DB8::0015]:8080',
      { kind: 'add', vip: 'web', backend: 'web-5', address: '2001:db8::15', port: 8080 },
    ],
    [
      'add web web-5 10.0.2.15:8080 --server-id 0a05',
      { kind: 'add', vip: 'web', backend: 'web-5', address: '10.0.2.15', port: 8080, serverId: '0a05' },
    ],
    [
      'add web web-5 10.0.2.15:8080 --weight 3',
      { kind: 'add', vip: 'web', backend: 'web-5', address: '10.0.2.15', port: 8080, weight: 3 },
    ],
    ['remove web web-1', { kind: 'remove', vip: 'web', backend: 'web-1' }],
    ['weight web web-1 0', { kind: 'weight', vip: 'web', backend: 'web-1', weight: 0 }],
    ['drain web web-1', { kind: 'state', vip: 'web', backend: 'web-1', state: 'draining' }],
    ['fail web web-1', { kind: 'state', vip: 'web', backend: 'web-1', state: 'down' }],
    ['restore web web-1', { kind: 'state', vip: 'web', backend: 'web-1', state: 'active' }],
  ])('asks for %s', async (commandLine, edit) => {
    expect(await ask(commandLine)).toEqual({ exitCode: 0, stdout: 'done\n', stderr: '' });
    expect(edits).toEqual([edit]);
  });

  it('says what came of a change', async () => {
    expect((await ask('drain web web-1', { ...done, isChanged: false })).stdout).toBe(
      'nothing to do: it is so already\n',
    );
    const { warnings } = busyStatus.config;
    expect((await ask('reload', { ...done, warnings })).stderr).toBe(
      'line:12:5: warning: vips[0].slots: 128 slots; expected 512\n',
    );
    expect(JSON.parse((await ask('drain web web-1 -o json')).stdout)).toEqual(done);
  });

  it('says why a change was refused', async () => {
    const refused: Failure = {
      code: 'no-such-vip',
      wrong: "there is no vip named 'wbe'",
      right: "'web'",
      problems: [],
    };
    expect(await ask('drain wbe web-1', { failure: refused })).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: "evenkeel: there is no vip named 'wbe'; expected 'web'\n",
    });
    const { warnings: problems } = busyStatus.config;
    expect(
      await ask('reload', { failure: { ...refused, code: 'invalid', wrong: 'it has problems', problems } }),
    ).toEqual({
      exitCode: 4,
      stdout: '',
      stderr:
        'evenkeel: it has problems:\nevenkeel:   line:12:5: warning: vips[0].slots: 128 slots; expected 512\n',
    });
  });

  it('says that nobody answers', async () => {
    const { exitCode, stderr } = await evenkeel('status --controller 127.0.0.1:1');
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /^evenkeel: no controller answers at http:\/\/127\.0\.0\.1:1 \(.+\)\nevenkeel: Is it running\?/,
    );
  });

  it.each<[commandLine: string, complaint: RegExp]>([
    ['stats', /unknown command 'stats'\n\(Did you mean status\?\)/],
    ['status --wach', /unknown option '--wach'\n\(Did you mean --watch\?\)/],
    ['status -o yaml', /Allowed choices are table, json/],
    ['status --watch 0', /Expected a number of seconds above 0/],
    ['status --watch 100000', /above 0, at most 86400/],
    ['status --controller :::', /':::' is not the address of a controller/],
    ['add web web-5', /missing required argument 'address:port'/],
    ['add web web-5 2001:db8::15:8080', /Expected ADDRESS:PORT/],
    ['add web web-5 10.0.2.15', /Expected ADDRESS:PORT, such as 10.0.0.1:80/],
    ['weight web web-1 70000', /Expected a whole number from 0 to 65535/],
    ['explain 10.0.1.7:40000', /is not a flow; expected SOURCE:PORT VIP:PORT/],
    ['explain 10.0.1.7 10.0.1.100:80', /'10.0.1.7' is not an endpoint/],
    ['explain sctp,10.0.1.7:1,10.0.1.100:80', /'sctp' is no protocol; expected tcp or udp/],
    ['explain tcp,10.0.1.7:1,10.0.1.100:80 --udp', /expected one of them/],
    ['controller', /required option '-c, --config <file>' not specified/],
    ['switch --no-p4 -i veth0', /-i veth0: write it as 0@veth0/],
    ['switch -c', /error: -c takes one file and no other options/],
    ['switch -c a.yaml --no-p4', /error: -c takes one file and no other options/],
  ])('calls %s a wrong command line', async (commandLine, complaint) => {
    const { exitCode, stdout, stderr } = await ask(commandLine);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(complaint);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
    for (const option of ['--version', '-v'])
      expect(await evenkeel(option)).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('begins without what only some commands need: a parser of YAML, an engine, a switch', () => {
    const reached = new Set<string>();
    const follow = (file: URL): void => {
      if (reached.has(file.pathname)) return;
      reached.add(file.pathname);
      for (const [, from] of readFileSync(file, 'utf8').matchAll(
        /^(?:im|ex)port (?!type )[^;]* from '(.+)'/gm,
      ))
        if (from!.startsWith('.')) follow(new URL(from!, file));
        else reached.add(from!);
    };
    follow(new URL('./commands.ts', import.meta.url));
    expect([...reached].filter((name) => name.endsWith('/cli/admin-client.ts'))).toHaveLength(1);
    expect([...reached].filter((name) => !/^\/|^node:/.test(name))).toEqual([
      'commander',
      'fastest-levenshtein',
    ]);
    expect(
      [...reached].filter((name) => /config\/parse|core\/controller|p4runtime|switch\/|processes/.test(name)),
    ).toEqual([]);
  });

  it('checks a file', async () => {
    const example = new URL('../docs/example.yaml', import.meta.url).pathname;
    expect(await evenkeel(`check ${example}`)).toEqual({
      exitCode: 0,
      stdout: `${example} is sound: 4 vips, 10 backends\n`,
      stderr: '',
    });
    const file = join(folder, 'bad.yaml');
    await writeFile(file, 'network: { interfaces: [] }\nvips: 7\nx: 1\n');
    expect(await evenkeel(`check ${file}`)).toEqual({
      exitCode: 4,
      stdout: '',
      stderr:
        `${file}:2:7: error: vips: 7 is not a list; expected a list\n` +
        `${file}:3:1: error: 'x' is not known here; expected one of switch, switches, controller, network, announce, vips\n` +
        `evenkeel: ${file} has 2 problems\n`,
    });
    expect(await evenkeel(`check ${folder}/none.yaml`)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('none.yaml cannot be read'),
    });
    expect(await evenkeel(`controller -c ${file}`)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining(`${file}:2:7: error`),
    });
  });
});
