// SPDX-License-Identifier: Apache-2.0
/** Checks of the machine: system, privileges, limits, memory, clock, what is installed. */
import { createHash } from 'node:crypto';
import { type Finding, ok, problem, warning } from './finding.ts';
import type { World } from './world.ts';

/** Linux's numbers of capabilities. */
const CAP_NET_RAW = 13;
/** 512 connections of the admin API, as many probes, and what a process needs. */
const openFilesMin = 4_096;
const memoryMin = 512 * 1024 * 1024;
/** Leases and election ids are times; a second is nothing to them. */
const clockDifferenceMaxMs = 5_000;

/** @param needsRaw  whether an embedded switch with real interfaces is to run here */
export async function hostFindings(world: World, needsRaw: boolean): Promise<Finding[]> {
  return [
    system(world),
    node(world),
    ...installation(world),
    await privileges(world, needsRaw),
    ...(needsRaw ? await sockets(world) : []),
    openFiles(world),
    memory(world),
    await clock(world),
  ];
}

function system({ platform: { os, arch, isLittleEndian } }: World): Finding {
  const is64Bit = ['x64', 'arm64', 'riscv64', 'loong64'].includes(arch);
  if (os === 'linux' && is64Bit && isLittleEndian) return ok('system', `${os} ${arch}`);
  return warning(
    'system',
    `${os} ${arch}: the embedded switch has no real interfaces here`,
    'run the switch on 64-bit Linux; controller and commands run here',
  );
}

function node({ nodeVersion }: World): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return ok('node', nodeVersion);
  return problem('node', `${nodeVersion} is too old`, 'install Node.js 20.19 or later: https://nodejs.org');
}

/** The compiled program is the one that its manifest speaks of, and that of the sources beside it. */
function installation(world: World): Finding[] {
  const folder = `${world.installation}/p4`;
  const what = 'P4 program';
  const text = world.read(`${folder}/build/manifest.json`);
  if (text === undefined)
    return [problem(what, `there is no ${folder}/build`, 'install evenkeel again: npm ci && npm run build')];
  const manifest = JSON.parse(text) as Record<'sources' | 'outputs', Record<string, string>>;
  const differs = (base: string, hashes: Record<string, string>): string[] =>
    Object.entries(hashes).flatMap(([name, hash]) => {
      const content = world.read(`${base}/${name}`);
      if (content === undefined) return base.endsWith('/build') ? [name] : [];
      return createHash('sha256').update(content).digest('hex') === hash ? [] : [name];
    });
  const outputs = differs(`${folder}/build`, manifest.outputs);
  const sources = differs(folder, manifest.sources);
  const program =
    outputs.length > 0
      ? problem(
          what,
          `${outputs.join(', ')} of p4/build is not what was compiled`,
          'git checkout p4/build, or make p4',
        )
      : sources.length > 0
        ? warning(
            what,
            `compiled before ${sources.slice(0, 3).join(', ')} was changed`,
            'make p4 (needs p4c-bm2-ss)',
          )
        : ok(what, 'compiled from the sources that are there');
  const hasPages = world.list(`${world.installation}/dist/web`).includes('main.js');
  return [
    program,
    hasPages
      ? ok('dashboard', 'built')
      : warning('dashboard', 'not built: the controller shows no page', 'npm run build'),
  ];
}

async function privileges(world: World, needsRaw: boolean): Promise<Finding> {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(world.read('/proc/self/status') ?? '')?.[1];
  const hasRaw = effective !== undefined && ((BigInt(`0x${effective}`) >> BigInt(CAP_NET_RAW)) & 1n) === 1n;
  if (hasRaw) return ok('privileges', 'CAP_NET_RAW');
  if (!needsRaw)
    return ok(
      'privileges',
      'no CAP_NET_RAW, and none needed: no interface of the embedded switch is configured',
    );
  return problem(
    'privileges',
    'no CAP_NET_RAW: the embedded switch cannot open interfaces',
    'sudo evenkeel up -c FILE, or the systemd unit of packaging/, which grants just that',
  );
}

async function sockets(world: World): Promise<Finding[]> {
  const packet = await world.openSocket('packet');
  const xdp = await world.openSocket('xdp');
  const complaint = (errno: string): string => errno || 'they cannot be opened here';
  return [
    packet === undefined
      ? ok('AF_PACKET', 'works')
      : packet === 'EPERM' || packet === 'EACCES'
        ? problem('AF_PACKET', 'not permitted', 'sudo, or AmbientCapabilities=CAP_NET_RAW')
        : problem('AF_PACKET', `does not work: ${complaint(packet)}`, 'sudo modprobe af_packet'),
    xdp === undefined
      ? ok('AF_XDP', 'works')
      : ok('AF_XDP', `not there (${complaint(xdp)}): frames leave through AF_PACKET, which is slower`),
  ];
}

function openFiles(world: World): Finding {
  const what = 'open files';
  // Node raises its soft limit to the hard one by itself.
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(world.read('/proc/self/limits') ?? '')?.[1];
  if (hard === undefined) return ok(what, 'the limit is not told here');
  if (hard === 'unlimited' || Number(hard) >= openFilesMin) return ok(what, `at most ${hard}`);
  return warning(
    what,
    `at most ${hard}, fewer than ${openFilesMin}`,
    `ulimit -Hn ${openFilesMin} as root, or LimitNOFILE=${openFilesMin} in the unit`,
  );
}

function memory(world: World): Finding {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(world.read('/proc/meminfo') ?? '')?.[1];
  if (kilobytes === undefined) return ok('memory', 'how much is free is not told here');
  const limit = Number(world.read('/sys/fs/cgroup/memory.max')?.trim());
  const bytes = Math.min(Number(kilobytes) * 1024, Number.isFinite(limit) && limit > 0 ? limit : Infinity);
  const found = `${Math.round(bytes / 1024 / 1024)} MiB free`;
  if (bytes >= memoryMin) return ok('memory', found);
  return warning(
    'memory',
    `${found}, less than 512 MiB`,
    'stop something else, or raise MemoryMax= of the unit',
  );
}

/** Without etcd the election id is the time of the start: a clock that goes back makes a controller lose. */
async function clock(world: World): Promise<Finding> {
  const told = await world.run('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  const word = told?.status === 0 ? told.output.trim() : '';
  if (world.now() < Date.UTC(2025, 0))
    return problem(
      'clock',
      `it is ${new Date(world.now()).toISOString()} here`,
      'sudo timedatectl set-ntp true',
    );
  if (word === 'no')
    return warning(
      'clock',
      'not synchronised: election ids of controllers are times',
      'sudo timedatectl set-ntp true',
    );
  return ok(
    'clock',
    word === 'yes' ? 'synchronised' : 'plausible; whether it is synchronised is not told here',
  );
}

/** Between this machine and the one that answered. */
export function clockFinding(what: string, date: string | undefined, now: number): Finding[] {
  const difference = date === undefined ? 0 : Math.abs(Date.parse(date) - now);
  if (!(difference > clockDifferenceMaxMs)) return [];
  const seconds = Math.round(difference / 1_000);
  return [
    warning(`clock of ${what}`, `${seconds} s away from ours`, 'sudo timedatectl set-ntp true, on both'),
  ];
}
