// SPDX-License-Identifier: Apache-2.0
/** What `evenkeel doctor` says of machines that are made up, and of this one. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { evenkeel } from '../testing/screen.ts';
import { type DoctorQuestion, diagnose } from './doctor.ts';
import { type Finding, findingsText } from './finding.ts';
import type { World } from './world.ts';

const configText = `
switch: { interfaces: { 1: eth1, 2: eth2 } }
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24, mtu: 1500 }
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - { name: web, address: 10.0.1.100, port: 80, slots: 128, backends: [{ name: a, address: 10.0.2.11 }] }
`;

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

const device = (name: string, more: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ flags: '0x1003', mtu: '1500', carrier: '1', ifindex: '5', iflink: '5', ...more }).map(
      ([file, text]) => [`/sys/class/net/${name}/${file}`, `${text}\n`],
    ),
  );

const files: Readonly<Record<string, string>> = {
  '/proc/self/status': 'Name:\tnode\nCapEff:\t0000000000002000\n',
  '/proc/self/limits': 'Max open files            1024                 20000                files\n',
  '/proc/meminfo': 'MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n',
  '/ek/p4/build/manifest.json': JSON.stringify({
    sources: { 'core/a.p4': hash('a') },
    outputs: { 'evenkeel.json': hash('{}') },
  }),
  '/ek/p4/build/evenkeel.json': '{}',
  '/ek/p4/core/a.p4': 'a',
  '/ek/dist/web/main.js': '',
  '/etc/ek.yaml': configText,
  ...device('eth1'),
  ...device('eth2'),
};

interface Machine extends Partial<Omit<World, 'run' | 'get' | 'list' | 'read'>> {
  /** Instead of, or beside, those of a machine that is in order; undefined: there is none. */
  files?: Record<string, string | undefined>;
  /** By the program and its first argument. */
  programs?: Record<string, { status: number; output: string }>;
  answers?: Record<string, { status: number; body: string; date?: string }>;
}

function world({ files: more = {}, programs = {}, answers = {}, ...rest }: Machine = {}): World {
  const all: Record<string, string | undefined> = { ...files, ...more };
  return {
    env: {},
    platform: { os: 'linux', arch: 'x64', isLittleEndian: true },
    nodeVersion: '20.19.0',
    installation: '/ek',
    now: () => Date.UTC(2026, 0),
    read: (path) => all[path],
    list: (path) => [
      ...new Set(
        Object.keys(all)
          .filter((name) => name.startsWith(`${path}/`) && all[name] !== undefined)
          .map((name) => name.slice(path.length + 1).split('/')[0]!),
      ),
    ],
    isExecutable: () => true,
    run: async (program, args) => programs[program] ?? programs[`${program} ${args[0]}`],
    openSocket: async () => undefined,
    leavesChecksums: async () => true,
    get: async (url) => {
      const answer = answers[url];
      return answer && { date: undefined, ...answer };
    },
    knock: async () => undefined,
    ...rest,
  };
}

const question: DoctorQuestion = { config: '/etc/ek.yaml', controller: undefined, target: undefined };
const ready = (more: object = {}) => ({
  'http://127.0.0.1:9580/readyz': {
    status: 200,
    body: JSON.stringify({ isReady: true, role: 'leader', engine: 'running', switch: 'ready', ...more }),
  },
});

async function findings(machine: Machine, more: Partial<DoctorQuestion> = {}): Promise<Finding[]> {
  return diagnose(world(machine), { ...question, ...more });
}

const wrong = (all: readonly Finding[]) => all.filter(({ level }) => level !== 'ok');

describe('doctor', () => {
  it('finds nothing on a machine where all is well', async () => {
    const all = await findings({ answers: ready() });
    expect(wrong(all)).toEqual([]);
    expect(findingsText(all)).toMatchSnapshot();
  });

  const listening = (port: number, address = '0100007F'): Record<string, string> => ({
    '/proc/net/tcp': `  sl  local_address\n   0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A 0\n`,
  });
  const ipTells = (local: string) => ({
    ip: { status: 0, output: JSON.stringify([{ addr_info: [{ local, prefixlen: 24 }] }]) },
  });
  const withStore = (store: string) => ({ '/etc/ek.yaml': `${configText}controller: { store: ${store} }\n` });
  const announcing = (how: string) => ({ '/etc/ek.yaml': `${configText}announce: ${how}\n` });
  const bmv2 = (args: string) => ({
    '/proc/77/cmdline': ['/usr/bin/simple_switch_grpc', ...args.split(' ')].join('\0'),
  });
  const veths = {
    ...device('veth1', { ifindex: '7', iflink: '8' }),
    ...device('h1', { ifindex: '8', iflink: '7' }),
  };

  it.each<
    [
      words: string,
      machine: Machine,
      level: string,
      found: RegExp,
      remedy: RegExp,
      more?: Partial<DoctorQuestion>,
    ]
  >([
    ['an old Node', { nodeVersion: '20.9.0' }, 'problem', /20\.9\.0 is too old/, /20\.19/],
    [
      'another system',
      { platform: { os: 'darwin', arch: 'arm64', isLittleEndian: true } },
      'warning',
      /no real interfaces/,
      /Linux/,
    ],
    [
      'no CAP_NET_RAW',
      { files: { '/proc/self/status': 'CapEff:\t0000000000000000\n' } },
      'problem',
      /cannot open interfaces/,
      /sudo/,
    ],
    [
      'a stale program',
      { files: { '/ek/p4/core/a.p4': 'b' } },
      'warning',
      /before core\/a\.p4 was changed/,
      /make p4/,
    ],
    [
      'a broken program',
      { files: { '/ek/p4/build/evenkeel.json': '' } },
      'problem',
      /evenkeel\.json of p4\/build/,
      /git checkout/,
    ],
    [
      'no program',
      { files: { '/ek/p4/build/manifest.json': undefined } },
      'problem',
      /no \/ek\/p4\/build/,
      /npm ci/,
    ],
    [
      'no dashboard',
      { files: { '/ek/dist/web/main.js': undefined } },
      'warning',
      /not built/,
      /npm run build/,
    ],
    [
      'few files',
      { files: { '/proc/self/limits': 'Max open files  256 1024 files\n' } },
      'warning',
      /at most 1024/,
      /LimitNOFILE/,
    ],
    [
      'little memory',
      { files: { '/proc/meminfo': 'MemAvailable: 1000 kB\n' } },
      'warning',
      /1 MiB free/,
      /stop/,
    ],
    [
      'a small cgroup',
      { files: { '/sys/fs/cgroup/memory.max': '104857600\n' } },
      'warning',
      /100 MiB/,
      /MemoryMax/,
    ],
    [
      'a clock without a master',
      { programs: { timedatectl: { status: 0, output: 'no\n' } } },
      'warning',
      /not synchronised/,
      /set-ntp/,
    ],
    ['a clock of 1970', { now: () => 0 }, 'problem', /1970/, /set-ntp/],
    [
      'no AF_PACKET',
      { openSocket: async (kind) => (kind === 'packet' ? 'EAFNOSUPPORT' : undefined) },
      'problem',
      /EAFNOSUPPORT/,
      /modprobe/,
    ],
    [
      'a missing interface',
      { files: { '/sys/class/net/eth2/flags': undefined } },
      'problem',
      /there are eth1, eth2/,
      /switch\.interfaces\.2/,
    ],
    [
      'an interface that is down',
      { files: device('eth1', { flags: '0x1002' }) },
      'problem',
      /is down/,
      /ip link set eth1 up/,
    ],
    [
      'a veth whose peer is down',
      { files: device('eth1', { carrier: '0' }) },
      'warning',
      /no carrier/,
      /peer/,
    ],
    [
      'a small MTU',
      { files: device('eth1', { mtu: '1400' }) },
      'problem',
      /MTU is 1400, less than the 1500/,
      /mtu 1500/,
    ],
    [
      'a kernel that has the vip',
      { programs: ipTells('10.0.1.100') },
      'problem',
      /connections are reset/,
      /ip address del 10\.0\.1\.100\/24 dev eth1/,
    ],
    ['a taken admin port', { files: listening(9580) }, 'warning', /9580 already/, /ss -ltnp/],
    ['a taken switch port', { files: listening(9559, '00000000') }, 'warning', /9559 already/, /ss -ltnp/],
    [
      'a controller without its switch',
      { answers: ready({ isReady: false, switch: 'connecting' }) },
      'problem',
      /not ready/,
      /switch\.address/,
    ],
    [
      'two controllers',
      { answers: ready({ isReady: false, switch: 'standby' }) },
      'problem',
      /standby/,
      /election_id/,
    ],
    [
      'something else on the port',
      { answers: { 'http://127.0.0.1:9580/readyz': { status: 404, body: 'nginx' } } },
      'problem',
      /no evenkeel/,
      /curl/,
    ],
    [
      'no etcd',
      { files: withStore("{ kind: etcd, endpoints: ['10.0.0.5:2379'] }") },
      'problem',
      /nobody answers/,
      /curl http:\/\/10\.0\.0\.5:2379/,
    ],
    [
      'no BIRD',
      { files: announcing('{ speaker: bird }'), knock: async () => 'ENOENT' },
      'problem',
      /bird\.ctl: ENOENT/,
      /systemctl start bird/,
    ],
    [
      'a BIRD that is not ours',
      { files: announcing('{ speaker: bird }'), knock: async () => 'EACCES' },
      'problem',
      /EACCES/,
      /SupplementaryGroups=bird/,
    ],
    ['no FRR', { files: announcing('{ speaker: frr }') }, 'problem', /there is no vtysh/, /frrvty/],
    [
      'a bad configuration',
      { files: { '/etc/ek.yaml': 'vips: 7\n' } },
      'problem',
      /ek\.yaml:1/,
      /evenkeel check/,
    ],
    ['no configuration', {}, 'problem', /cannot be read/, /ls -l/, { config: '/none' }],
    ['no BMv2, which is wanted', {}, 'problem', /not found/, /BMV2_SWITCH_EXE/, { target: 'bmv2' }],
    [
      'a BMv2 that cannot be run',
      { env: { BMV2_SWITCH_EXE: '/x/y' }, isExecutable: () => false },
      'problem',
      /\/x\/y, which cannot be run/,
      /export/,
    ],
    [
      'an old BMv2',
      { programs: { simple_switch_grpc: { status: 0, output: '1.13.0-abc\n' } } },
      'warning',
      /older/,
      /1\.15/,
    ],
    [
      'a BMv2 without --cpu-port',
      { files: bmv2('--no-p4 -- --grpc-server-addr x') },
      'problem',
      /no --cpu-port/,
      /--cpu-port 510/,
    ],
    [
      'a host that leaves checksums',
      { files: { ...bmv2('--no-p4 -i 1@veth1 -- --cpu-port 510'), ...veths } },
      'problem',
      /h1 leaves checksums .*TCP dies/,
      /ethtool -K h1 tx off/,
    ],
    [
      'a host in another namespace',
      { files: { ...bmv2('--no-p4 -i1@veth1 -- --cpu-port 510'), ...device('veth1', { iflink: '8' }) } },
      'warning',
      /another namespace/,
      /ethtool -K eth0 tx off/,
    ],
  ])('finds %s', async (_words, machine, level, found, remedy, more) => {
    // Where the machine says nothing of a controller, none runs, which is a warning of its own.
    const all = wrong(await findings(machine, more)).filter(
      ({ what, found: words }) => !(what === 'controller' && /none answers/.test(words)),
    );
    expect(all.map((each) => [each.level, each.found, each.remedy])).toContainEqual([
      level,
      expect.stringMatching(found),
      expect.stringMatching(remedy),
    ]);
    // One thing is wrong, and it does not cry about others. A clock of 1970 differs from nobody's.
    expect(all.length).toBeLessThanOrEqual(
      level === 'problem' && /configuration|cannot be read/.test(_words) ? 3 : 2,
    );
  });

  it('finds a controller whose clock differs', async () => {
    const [url, answer] = Object.entries(ready())[0]!;
    const date = new Date(Date.UTC(2026, 0) - 60_000).toUTCString();
    expect(wrong(await findings({ answers: { [url]: { ...answer, date } } }))).toMatchObject([
      { what: 'clock of the controller', found: '60 s away from ours' },
    ]);
  });

  it('is content with checksums that are finished, and with an etcd, a BIRD and an FRR that answer', async () => {
    const files = {
      ...bmv2('--no-p4 -i 1@veth1 -- --cpu-port 510'),
      ...veths,
      ...withStore("{ kind: etcd, endpoints: ['10.0.0.5:2379'] }"),
    };
    const answers = {
      ...ready(),
      'http://10.0.0.5:2379/version': { status: 200, body: '{"etcdserver":"3.4.23"}' },
    };
    expect(wrong(await findings({ files, answers, leavesChecksums: async () => false }))).toEqual([]);
    expect(wrong(await findings({ files: announcing('{ speaker: bird }'), answers }))).toEqual([]);
    const programs = { vtysh: { status: 0, output: 'FRRouting 8.4\n' } };
    expect(wrong(await findings({ files: announcing('{ speaker: frr }'), answers, programs }))).toEqual([]);
  });

  it('looks at this machine, whatever it is like', async () => {
    const { exitCode, stdout } = await evenkeel('doctor -o json --controller 127.0.0.1:1');
    const all = JSON.parse(stdout) as Finding[];
    expect(exitCode).toBe(all.some(({ level }) => level === 'problem') ? 1 : 0);
    expect(all.find(({ what }) => what === 'node')).toMatchObject({
      level: 'ok',
      found: process.versions.node,
    });
    expect(all.find(({ what }) => what === 'P4 program')).toMatchObject({ level: 'ok' });
    for (const { level, remedy } of all) expect(remedy !== undefined).toBe(level !== 'ok');
  });
});
