// SPDX-License-Identifier: Apache-2.0
/** Checks of simple_switch_grpc, installed and running, and of Mininet. */
import { type Finding, ok, problem, warning } from './finding.ts';
import type { World } from './world.ts';

const program = 'simple_switch_grpc';
/** What the tests are run with; older ones lack meters and selectors that work over P4Runtime. */
const versionMin = [1, 15] as const;
const processesMax = 65_536;

/** @param isWanted  whether BMv2 is the target, and not only there */
export async function bmv2Findings(world: World, isWanted: boolean): Promise<Finding[]> {
  const found = await installed(world, isWanted);
  const running = runningSwitches(world);
  const ofRunning = await Promise.all(running.map((args) => runningFindings(world, args)));
  return [...found, ...ofRunning.flat()];
}

export async function mininetFinding(world: World): Promise<Finding> {
  const told = await world.run('mn', ['--version']);
  if (told === undefined)
    return ok('Mininet', 'not installed; only topo/ needs it: sudo apt-get install mininet');
  return ok('Mininet', told.output.trim().split('\n').at(-1) ?? '');
}

async function installed(world: World, isWanted: boolean): Promise<Finding[]> {
  const variable = world.env.BMV2_SWITCH_EXE;
  const remedy = 'install p4lang-bmv2, or: export BMV2_SWITCH_EXE=/path/to/simple_switch_grpc';
  // A name alone is looked for in PATH.
  if (variable?.includes('/') && !world.isExecutable(variable))
    return [problem(program, `BMV2_SWITCH_EXE is ${variable}, which cannot be run`, remedy)];
  const path = variable || program;
  const told = await world.run(path, ['--version']);
  if (told === undefined)
    return isWanted
      ? [problem(program, 'not found', remedy)]
      : [ok(program, 'not found; the embedded switch needs none')];
  const version = /\d+\.\d+(\.\d+)?/.exec(told.output)?.[0];
  if (version === undefined)
    return [
      problem(program, `${path} --version says no version: ${told.output.trim().slice(0, 100)}`, remedy),
    ];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (/evenkeel/.test(path)) return [ok(program, `${version}, the embedded switch in its place`)];
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1]))
    return [
      warning(
        program,
        `${version} is older than any that was tested (${versionMin.join('.')})`,
        'install p4lang-bmv2 1.15 or later',
      ),
    ];
  return [ok(program, version)];
}

/** Command lines of all that run here and that we may see. */
function runningSwitches(world: World): string[][] {
  return world
    .list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .slice(0, processesMax)
    .map((pid) => (world.read(`/proc/${pid}/cmdline`) ?? '').split('\0').filter((word) => word !== ''))
    .filter(([path = '']) => path.split('/').at(-1) === program);
}

async function runningFindings(world: World, args: readonly string[]): Promise<Finding[]> {
  const what = `running ${program}`;
  const found: Finding[] = [];
  const hasOption = (name: string): boolean =>
    args.some((word) => word === name || word.startsWith(`${name}=`));
  if (!hasOption('--cpu-port'))
    found.push(
      problem(
        what,
        'it has no --cpu-port: ARP, NDP and answers of the controller are lost',
        'start it again with ... -- --cpu-port 510',
      ),
    );
  if (!hasOption('--no-p4') && !args.some((word) => word.endsWith('.json')))
    found.push(problem(what, 'it has neither a program nor --no-p4', 'start it again with --no-p4'));
  for (const device of devicesOf(args)) found.push(...(await offloadFindings(world, device)));
  return found.length > 0 ? found : [ok(what, args.slice(1).join(' '))];
}

/** -i 1@veth1, -i1@veth1, --interface 1@veth1, --interface=1@veth1 */
function devicesOf(args: readonly string[]): string[] {
  return args.flatMap((word, at) => {
    const value =
      /^(?:-i|--interface=)(.+)$/.exec(word)?.[1] ??
      (/^(-i|--interface)$/.test(word) ? args[at + 1] : undefined);
    const device = value?.split('@')[1];
    return device === undefined ? [] : [device];
  });
}

/** Who sends into the switch must finish checksums himself: ping has none to leave to a card, TCP and UDP do. */
async function offloadFindings(world: World, device: string): Promise<Finding[]> {
  const index = world.read(`/sys/class/net/${device}/iflink`)?.trim();
  const own = world.read(`/sys/class/net/${device}/ifindex`)?.trim();
  if (index === undefined || index === own) return [];
  const peer = world
    .list('/sys/class/net')
    .find((name) => name !== device && world.read(`/sys/class/net/${name}/ifindex`)?.trim() === index);
  // A namespace has numbers of its own; that of a peer elsewhere may be that of another device here.
  const isPeer = peer !== undefined && world.read(`/sys/class/net/${peer}/iflink`)?.trim() === own;
  const what = `offload at ${device}`;
  if (!isPeer)
    return [
      warning(
        what,
        'its other end is in another namespace: if ping works there and TCP dies, this is why',
        'in each host: ethtool -K eth0 tx off (with its own device)',
      ),
    ];
  const leaves = await world.leavesChecksums(peer);
  if (leaves === undefined) return [];
  if (!leaves) return [ok(what, `${peer} finishes its checksums`)];
  return [
    problem(
      what,
      `${peer} leaves checksums to a card that is not there, and BMv2 does not finish them: ping works, TCP dies`,
      `sudo ethtool -K ${peer} tx off`,
    ),
  ];
}
