// SPDX-License-Identifier: Apache-2.0
/**
 * The whole at work: a switch process, the controller, and hosts with a kernel's own TCP in network namespaces. Servers
 * behind tunnels unpack by a process of ours where kernels would by an interface; everything behind that is the kernel.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ControllerStatus } from '../../../controller/adapters/http/admin.ts';
import type { EngineOptions } from '../../../controller/core/options.ts';
import type { PoolStatus } from '../../../controller/core/status.ts';
import { type RunningController, startController } from '../../../controller/main.ts';
import type { SwitchProgram } from '../../../demo/namespace-network.ts';
import { freePort, startProgram, switchOptions, until, type Watched, watch } from '../../../demo/programs.ts';
import { embeddedSwitch, findBmv2 } from '../../../demo/targets.ts';
import { whyNoLab } from '../../../lab/capability.ts';
import { ip, Namespace } from '../../../lab/namespace.ts';
import { buildLab, type Lab } from '../../../lab/topology.ts';
import { configText, type Wish } from './config-text.ts';
import {
  client,
  guePort,
  isIpv6,
  isTranslated,
  natPorts,
  router,
  servers,
  udpPort,
  untranslated,
  type Vip,
  webPort,
} from './layout.ts';

export interface L4Lab {
  client: Namespace;
  router: Namespace;
  server(name: string): Namespace;
  /** Starts a program at a server, and waits until it prints `ready`. */
  start(server: string, argv: readonly string[]): Promise<void>;
  /** Replaces what is wanted, and waits until the switch holds it. */
  want(wish: Wish): Promise<void>;
  status(): ControllerStatus;
  /** Of the path from the router to the client, and nowhere else: who sends to the client learns it from the router alone. */
  setPathMtu(mtu: number): void;
  /** The configuration, whatever else goes on; it is not waited for. */
  edit(wish: Wish): Promise<void>;
  close(): Promise<void>;
}

const deviceId = 1;
const cpuPort = 510;
const startTimeoutMs = 60_000;
const settleTimeoutMs = 60_000;
const tunDevice = 'tun0';
const backTable = 100;
const scriptOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export interface L4Target {
  program: SwitchProgram | undefined;
  /** Why its tests are skipped. */
  skipped: string | undefined;
}

/** The embedded switch and BMv2, as tests are made for each. */
export function l4Targets(): [name: string, target: L4Target][] {
  const missing = whyNoLab() ?? whyNoProgram('python3', '--version') ?? whyNoProgram('curl', '--version');
  const bmv2 = findBmv2();
  const noBmv2 = 'unavailable' in bmv2 ? bmv2.unavailable : undefined;
  return [
    ['the embedded switch', { program: embeddedSwitch(), skipped: missing }],
    ['BMv2', { program: 'unavailable' in bmv2 ? undefined : bmv2, skipped: missing ?? noBmv2 }],
  ];
}

export function whyNoProgram(program: string, argument: string): string | undefined {
  const { error } = spawnSync(program, [argument]);
  return error === undefined ? undefined : `'${program}' was not found`;
}

/**
 * @param label  tells labs of one process apart
 * @param engine  where the defaults would have a test wait
 */
export async function startL4Lab(
  program: SwitchProgram,
  wish: Wish,
  label: string,
  engine: Partial<EngineOptions> = {},
): Promise<L4Lab> {
  const lab = buildLab(
    {
      hosts: [
        {
          name: 'router',
          port: router.port,
          address: `${router.address}/24`,
          // Whoever forwards asks for neighbours by its link-local address.
          moreAddresses: [`${router.address6}/64`, `${router.linkLocal}/64`],
        },
        ...servers.map(({ name, port, address, address6, gateway, gateway6 }) => ({
          name,
          port,
          address: `${address}/24`,
          moreAddresses: [`${address6}/64`],
          loopbackAddresses: loopbackOf(wish.vips),
          gateway,
          routes: [{ to: '::/0', via: gateway6 }],
        })),
      ],
      offloads: program.takesOffloads,
      switchPlace: 'here',
    },
    label,
  );
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-l4-'));
  const clientHome = new Namespace(`${label}-client`);
  const processes: Watched[] = [];
  let controller: RunningController | undefined;
  const close = async () => {
    await controller?.close();
    for (const { child } of processes) child.kill('SIGTERM');
    await Promise.race([
      Promise.all(processes.map(({ ended }) => ended)),
      new Promise((resolve) => setTimeout(resolve, 2_000).unref()),
    ]);
    for (const { child } of processes) child.kill('SIGKILL');
    clientHome.remove();
    lab.close();
    rmSync(directory, { recursive: true });
  };

  try {
    connectClient(lab, clientHome);
    await connectBack(lab);
    processes.push(...(await startServers(lab)));
    const grpcPort = await freePort();
    const address = `127.0.0.1:${grpcPort}`;
    const options = { deviceId, address, cpuPort, ports: lab.ports };
    const switchProcess = startProgram([...program.command, ...(await switchOptions(options))]);
    processes.push(switchProcess);
    await until('the switch listens', startTimeoutMs, () => {
      const ending = switchProcess.ending();
      if (ending !== undefined)
        throw new Error(`the switch: ${ending}\n${switchProcess.lines.slice(-10).join('\n')}`);
      return isListening(grpcPort);
    });
    const path = join(directory, 'evenkeel.yaml');
    writeFileSync(path, configText(wish, address));
    controller = await startController({ configPath: path, listen: { host: '127.0.0.1', port: 0 }, engine });
    const running = controller;
    const edit = async (next: Wish) => {
      writeFileSync(path, configText(next, address));
      const result = await running.reload();
      if ('failure' in result) throw new Error(JSON.stringify(result.failure));
    };
    await settled(running, switchProcess, wish);
    return {
      client: clientHome,
      router: lab.host('router').namespace,
      server: (name) => lab.host(name).namespace,
      async start(server, argv) {
        processes.push(await startReady(lab.host(server).namespace, argv));
      },
      async want(next) {
        await edit(next);
        await settled(running, switchProcess, next);
      },
      edit,
      status: () => running.status(),
      setPathMtu(mtu) {
        const { name } = lab.host('router').namespace;
        const narrow = (network: string, metric: string) =>
          `route replace ${network} dev downlink ${metric}mtu lock ${mtu}`;
        // IPv6 replaces only a route of the same metric, and 256 is the kernel's own.
        ip([narrow(client.network, ''), narrow(client.network6, 'metric 256 ')], name);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The vips that servers have as their own. */
function loopbackOf(vips: readonly Vip[]): string[] {
  const own = vips
    .filter((vip) => !isTranslated(vip))
    .map(({ address }) => `${address}/${isIpv6(address) ? 128 : 32}`);
  return [...new Set(own)];
}

function connectClient(lab: Lab, clientHome: Namespace): void {
  const { namespace } = lab.host('router');
  ip([`link add downlink type veth peer name eth0 netns ${clientHome.name}`], namespace.name);
  allowIpv6(namespace, 'downlink');
  allowIpv6(clientHome, 'eth0');
  ip(
    [
      `address add ${client.gateway}/24 dev downlink`,
      `address add ${client.gateway6}/64 dev downlink nodad`,
      'link set downlink up',
    ],
    namespace.name,
  );
  ip(
    [
      ...client.addresses.map((address) => `address add ${address}/24 dev eth0`),
      ...client.addresses6.map((address) => `address add ${address}/64 dev eth0 nodad`),
      'link set eth0 up',
      // Of several addresses it begins with the first.
      `route add default via ${client.gateway} dev eth0 src ${client.addresses[0]}`,
      `route add ::/0 via ${client.gateway6} dev eth0 src ${client.addresses6[0]}`,
    ],
    clientHome.name,
  );
  namespace.setSysctls({ 'ipv4/conf/all/forwarding': 1, 'ipv6/conf/all/forwarding': 1 });
}

/** The network by which servers answer past the switch, with a bridge at the router. */
async function connectBack(lab: Lab): Promise<void> {
  const routerHome = lab.host('router').namespace;
  ip(['link add back type bridge'], routerHome.name);
  allowIpv6(routerHome, 'back');
  ip(
    [
      `address add ${router.back}/24 dev back`,
      `address add ${router.back6}/64 dev back nodad`,
      'link set back up',
    ],
    routerHome.name,
  );
  for (const { name, back, back6 } of servers) {
    const { namespace } = lab.host(name);
    ip(
      [
        `link add ${name} type veth peer name back netns ${namespace.name}`,
        `link set ${name} master back up`,
      ],
      routerHome.name,
    );
    allowIpv6(namespace, 'back');
    namespace.setSysctls({ 'ipv6/conf/default/disable_ipv6': 0, 'ipv4/conf/default/rp_filter': 0 });
    ip(
      [
        `address add ${back}/24 dev back`,
        `address add ${back6}/64 dev back nodad`,
        'link set back up',
        `route add default via ${router.back} dev back table ${backTable}`,
        `route add ::/0 via ${router.back6} dev back table ${backTable}`,
        `rule add from ${untranslated.network} table ${backTable}`,
      ],
      namespace.name,
    );
    // Of a rule ip(8) does not see the family.
    await namespace.run([
      'ip',
      '-6',
      'rule',
      'add',
      'from',
      untranslated.network6,
      'table',
      String(backTable),
    ]);
  }
}

function allowIpv6(namespace: Namespace, device: string): void {
  const own = `ipv6/conf/${device}`;
  namespace.setSysctls({
    'ipv6/conf/all/disable_ipv6': 0,
    'ipv6/conf/lo/disable_ipv6': 0,
    [`${own}/disable_ipv6`]: 0,
    [`${own}/accept_ra`]: 0,
    [`${own}/dad_transmits`]: 0,
    [`${own}/router_solicitations`]: 0,
    [`ipv4/conf/${device}/rp_filter`]: 0,
  });
}

async function startServers(lab: Lab): Promise<Watched[]> {
  const started: Watched[] = [];
  for (const { name } of servers) {
    const { namespace } = lab.host(name);
    for (const argv of [
      ['python3', scriptOf('web_server.py'), name, String(udpPort), String(webPort), ...natPorts.map(String)],
      ['python3', scriptOf('decapsulator.py'), tunDevice, String(guePort)],
    ]) {
      started.push(await startReady(namespace, argv));
    }
    ip([`link set ${tunDevice} up`], namespace.name);
    namespace.setSysctls({ [`ipv4/conf/${tunDevice}/rp_filter`]: 0 });
  }
  return started;
}

async function startReady(namespace: Namespace, argv: readonly string[]): Promise<Watched> {
  const process = watch(namespace.spawn(argv, { stdio: 'pipe' }));
  await until(`${argv[1]} is ready`, startTimeoutMs, () => {
    const ending = process.ending();
    if (ending !== undefined) throw new Error(`${argv[1]}: ${ending}\n${process.lines.join('\n')}`);
    return process.lines.includes('ready');
  });
  return process;
}

/** Until every pool is served, nothing is under way, and every neighbour that is needed has answered. */
async function settled(controller: RunningController, switchProcess: Watched, wish: Wish): Promise<void> {
  try {
    await until('the switch holds what is wanted', settleTimeoutMs, () => {
      const { engine, switch: link } = controller.status();
      const { pools, change, writes, neighbours, state } = engine;
      return (
        link.connection === 'ready' &&
        state === 'running' &&
        pools.length === wish.vips.length &&
        pools.every((pool) => isAsWished(pool, wish)) &&
        change.phase === 'idle' &&
        change.waitingFor === undefined &&
        writes.unsettledRows === 0 &&
        neighbours.missing.length === 0
      );
    });
  } catch (error) {
    const { engine, switch: link } = controller.status();
    const { change, writes, neighbours, problems } = engine;
    const state = JSON.stringify({
      connection: link.connection,
      problem: link.problem,
      change,
      writes,
      neighbours,
      problems,
    });
    throw new Error(`${(error as Error).message}\n${state}\n${switchProcess.lines.slice(-10).join('\n')}`);
  }
}

/** The engine has heard of the wish; whether it has done everything for it is another question. */
function isAsWished({ phase, backends }: PoolStatus, { states = {} }: Wish): boolean {
  if (phase !== 'serving') return false;
  return servers.every(({ name }) => {
    const wanted = states[name] ?? 'active';
    const backend = backends.find((one) => one.name === name && one.state !== 'leaving');
    return (backend?.state ?? 'absent') === wanted;
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
