// SPDX-License-Identifier: Apache-2.0
/** BIRD and FRR in network namespaces, as the balancer's speaker and as the router that it speaks to. */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until, type Watched, watch } from '../../demo/programs.ts';
import { LabError } from '../../lab/error.ts';
import { ip, Namespace } from '../../lab/namespace.ts';

export type SpeakerKind = 'bird' | 'frr';

export const speakerSide = { address: '10.255.0.1', ipv6: 'fd77::1', as: 65_001 } as const;
export const routerSide = { address: '10.255.0.2', ipv6: 'fd77::2', as: 65_002 } as const;
export const frrTag = 10_300;

const frrPrograms = '/usr/lib/frr';
const frrRun = '/var/run/frr';
const startTimeoutMs = 60_000;

/** @returns why there is none on this machine */
export function whyNoSpeaker(kind: SpeakerKind): string | undefined {
  if (kind === 'frr')
    return existsSync(`${frrPrograms}/bgpd`)
      ? undefined
      : `${frrPrograms}/bgpd is missing; install Debian's frr`;
  const { error } = spawnSync('bird', ['--version']);
  return error === undefined ? undefined : "'bird' was not found; install Debian's bird2";
}

export interface SpeakerPair {
  router: Namespace;
  /** As the configuration of the controller wants it, after `announce: `. */
  announce: Readonly<Record<string, string | number>>;
  /** Kills the balancer's speaker without a word. */
  killSpeaker(): Promise<void>;
  startSpeaker(): Promise<void>;
  /** The router's route to the prefix in its kernel, as `ip route` prints it; undefined when there is none. */
  route(prefix: string): Promise<string | undefined>;
  /** What the daemons have said last. */
  lines(): string;
  close(): void;
}

/** @param directory  readable for everybody: FRR's daemons are nobody special */
export async function openSpeakers(
  speaker: SpeakerKind,
  router: SpeakerKind,
  directory: string,
): Promise<SpeakerPair> {
  const namespaces = {
    speaker: new Namespace(`bgp-${speaker}`),
    router: new Namespace(`bgp-router-${router}`),
  };
  const pathspaces = { speaker: `ek${process.pid}s`, router: `ek${process.pid}r` };
  const daemons: { speaker: Watched[]; router: Watched[] } = { speaker: [], router: [] };
  const all = () => [...daemons.speaker, ...daemons.router];
  const close = () => {
    for (const { child } of all()) child.kill('SIGKILL');
    for (const namespace of Object.values(namespaces)) namespace.remove();
    for (const pathspace of Object.values(pathspaces))
      rmSync(`${frrRun}/${pathspace}`, { recursive: true, force: true });
  };
  const start = async (side: 'speaker' | 'router', kind: SpeakerKind) => {
    const namespace = namespaces[side];
    const files = kind === 'bird' ? birdFiles(side, directory) : frrFiles(side, pathspaces[side], directory);
    for (const { path, text } of files.configurations) writeFileSync(path, text);
    for (const argv of files.commands) {
      const daemon = watch(namespace.spawn(argv, { stdio: 'pipe' }));
      daemons[side].push(daemon);
      const [program] = argv;
      // staticd and bgpd wait for zebra by themselves; what they listen on says that they run.
      await until(`${program} runs`, startTimeoutMs, () => {
        const ending = daemon.ending();
        if (ending !== undefined)
          throw new LabError('command-failed', `${program}: ${ending}\n${daemon.lines.join('\n')}`);
        return existsSync(files.socketOf(program!));
      });
    }
  };

  try {
    connectSides(namespaces.speaker, namespaces.router);
    await start('router', router);
    await start('speaker', speaker);
  } catch (error) {
    close();
    throw error;
  }
  return {
    router: namespaces.router,
    announce:
      speaker === 'bird'
        ? { speaker, file: join(directory, 'evenkeel.conf'), control: join(directory, 'speaker.ctl') }
        : { speaker, pathspace: pathspaces.speaker, tag: frrTag },
    async killSpeaker() {
      const killed = daemons.speaker.splice(0);
      for (const { child } of killed) child.kill('SIGKILL');
      await Promise.all(killed.map(({ ended }) => ended));
      // A killed daemon leaves its sockets behind; the next one must not be taken for it.
      rmSync(join(directory, 'speaker.ctl'), { force: true });
      rmSync(`${frrRun}/${pathspaces.speaker}`, { recursive: true, force: true });
    },
    startSpeaker: () => start('speaker', speaker),
    async route(prefix) {
      const family = prefix.includes(':') ? '-6' : '-4';
      const text = await namespaces.router.run(['ip', family, 'route', 'show', 'exact', prefix]);
      return text.trim() === '' ? undefined : text.trim().replaceAll(/\s+/g, ' ');
    },
    lines: () =>
      all()
        .flatMap(({ lines }) => lines.slice(-10))
        .join('\n'),
    close,
  };
}

function connectSides(speaker: Namespace, router: Namespace): void {
  ip([`link add eth0 type veth peer name eth0 netns ${router.name}`], speaker.name);
  for (const [namespace, side] of [
    [speaker, speakerSide],
    [router, routerSide],
  ] as const) {
    const quiet = {
      'ipv6/conf/all/disable_ipv6': 0,
      'ipv6/conf/eth0/disable_ipv6': 0,
      'ipv6/conf/eth0/accept_ra': 0,
    };
    namespace.setSysctls(quiet);
    ip(
      [
        `address add ${side.address}/30 dev eth0`,
        `address add ${side.ipv6}/64 dev eth0 nodad`,
        'link set eth0 up',
      ],
      namespace.name,
    );
  }
}

interface Files {
  configurations: { path: string; text: string }[];
  commands: string[][];
  socketOf(program: string): string;
}

function birdFiles(side: 'speaker' | 'router', directory: string): Files {
  const [self, peer] = side === 'speaker' ? [speakerSide, routerSide] : [routerSide, speakerSide];
  const path = join(directory, `${side}-bird.conf`);
  const control = join(directory, `${side}.ctl`);
  const channels =
    side === 'speaker'
      ? `ipv4 { import none; export where proto = "evenkeel_ipv4"; next hop self; };
  ipv6 { import none; export where proto = "evenkeel_ipv6"; next hop address ${self.ipv6}; };`
      : 'ipv4 { import all; export none; };\n  ipv6 { import all; export none; };';
  const kernel =
    side === 'router'
      ? 'protocol kernel { ipv4 { import none; export all; }; }\nprotocol kernel { ipv6 { import none; export all; }; }'
      : `include "${directory}/evenkeel*.conf";`;
  const text = `router id ${self.address};
log stderr all;
protocol device { scan time 1; }
${kernel}
protocol bgp {
  local ${self.address} as ${self.as};
  neighbor ${peer.address} as ${peer.as};
  connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 9;
  # Else the routes of an FRR that is killed stay for two minutes, in case it comes back.
  graceful restart off;
  ${channels}
}
`;
  return {
    configurations: [{ path, text }],
    commands: [['bird', '-f', '-c', path, '-s', control]],
    socketOf: () => control,
  };
}

function frrFiles(side: 'speaker' | 'router', pathspace: string, directory: string): Files {
  const [self, peer] = side === 'speaker' ? [speakerSide, routerSide] : [routerSide, speakerSide];
  const run = `${frrRun}/${pathspace}`;
  mkdirSync(run, { recursive: true });
  const { uid, gid } = frrUser();
  chownSync(run, uid, gid);
  const redistribute = side === 'speaker' ? '  redistribute static route-map vips\n' : '';
  const text = `frr defaults traditional
route-map vips permit 10
 match tag ${frrTag}
exit
route-map ipv6-next-hop permit 10
 set ipv6 next-hop global ${self.ipv6}
exit
router bgp ${self.as}
 bgp router-id ${self.address}
 no bgp ebgp-requires-policy
 neighbor ${peer.address} remote-as ${peer.as}
 neighbor ${peer.address} timers 3 9
 neighbor ${peer.address} timers connect 1
 neighbor ${peer.address} advertisement-interval 0
 address-family ipv4 unicast
${redistribute} exit-address-family
 address-family ipv6 unicast
${redistribute}  neighbor ${peer.address} activate
  neighbor ${peer.address} route-map ipv6-next-hop out
 exit-address-family
exit
`;
  const path = join(directory, `${side}-frr.conf`);
  const empty = join(directory, 'empty.conf');
  // -P 0: no telnet; each daemon is its own process in the foreground.
  const daemon = (name: string, configuration: string) => [
    join(frrPrograms, name),
    ...['-N', pathspace, '-f', configuration, '-P', '0', '--log', 'stdout'],
  ];
  return {
    configurations: [
      { path, text },
      { path: empty, text: '' },
    ],
    commands: [daemon('zebra', empty), daemon('staticd', empty), daemon('bgpd', path)],
    socketOf: (program) => join(run, `${program.slice(frrPrograms.length + 1)}.vty`),
  };
}

function frrUser(): { uid: number; gid: number } {
  const { stdout } = spawnSync('id', ['-u', 'frr'], { encoding: 'utf8' });
  const group = spawnSync('id', ['-g', 'frr'], { encoding: 'utf8' });
  return { uid: Number(stdout), gid: Number(group.stdout) };
}
