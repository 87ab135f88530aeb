// SPDX-License-Identifier: Apache-2.0
/**
 * What health checks cost, and how soon they tell: processor time of a controller that asks many backends every second, and the time from
 * the kill of a server process until its backend is down and the switch holds no row that names it. Servers are processes of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../controller/adapters/clock/system-clock.ts';
import { Probes } from '../controller/adapters/probe/probes.ts';
import { formatAddress } from '../controller/core/address.ts';
import type { Check } from '../controller/core/check.ts';
import { PLAIN_POOL } from '../controller/core/desired.ts';
import { healthDefaults } from '../controller/core/health.ts';
import { HealthMonitor } from '../controller/health-monitor.ts';
import { type RunningController, startController } from '../controller/main.ts';
import { pause, programPath, startProgram, until as untilSlowly, type Watched } from '../demo/programs.ts';
import { startSwitch } from '../switch/server/switch.ts';
import { type Distribution, distributionOf, formatDistribution } from './distribution.ts';
import type { ControllerCost } from './health-controller.ts';
import type { HealthPorts } from './health-servers.ts';

export interface HealthBenchOptions {
  backends: number;
  intervalMs: number;
  /** Of a probe on its own; that of a whole controller is its interval. */
  timeoutMs: number;
  /** Each measures once without checks and once with them. */
  rounds: number;
  roundMs: number;
  kinds: readonly HealthBenchKind[];
  kills: number;
  killIntervalMs: number;
}

/** bare: a connection and its reset with nothing of ours around it, as the least that a TCP check can cost here. */
export type HealthBenchKind = 'bare' | 'tcp' | 'http' | 'https' | 'udp' | 'grpc';

export const healthBenchDefaults: Readonly<HealthBenchOptions> = {
  backends: 1_000,
  intervalMs: 1_000,
  timeoutMs: 1_000,
  rounds: 5,
  roundMs: 8_000,
  kinds: ['bare', 'tcp', 'http', 'https', 'udp', 'grpc'],
  kills: 20,
  killIntervalMs: 1_000,
};

export interface HealthCost {
  kind: HealthBenchKind;
  probesPerSecond: number;
  failures: number;
  /** Share of one core, medians. */
  idle: number;
  checking: number;
}

const http: Check = {
  kind: 'http',
  tls: false,
  verify: true,
  path: '/',
  host: undefined,
  statuses: [{ least: 200, most: 299 }],
  body: undefined,
};

const checks: Readonly<Record<Exclude<HealthBenchKind, 'bare'>, Check>> = {
  tcp: { kind: 'tcp' },
  http,
  https: { ...http, tls: true, verify: false },
  grpc: { kind: 'grpc', service: '' },
  udp: { kind: 'udp', send: Buffer.from('ping'), expect: Buffer.from('ping') },
};

const serversStartMs = 60_000;
/** On a machine with much else to do. */
const roundTriesMax = 100;

/** @throws Error when the servers do not start */
export async function benchHealthCost(options: HealthBenchOptions): Promise<HealthCost[]> {
  return withServers(options, async (ports) => {
    const costs: HealthCost[] = [];
    for (const kind of options.kinds) {
      const port = portFor(kind, ports);
      if (port !== undefined) costs.push(await costOf(kind, port, options));
    }
    return costs;
  });
}

async function withServers<T>(
  { backends }: HealthBenchOptions,
  ask: (ports: HealthPorts) => Promise<T>,
): Promise<T> {
  const program = programPath('bench/health-servers.js');
  let ports: HealthPorts | undefined;
  const servers = startProgram([process.execPath, program, String(backends)], (line) => {
    ports = JSON.parse(line) as HealthPorts;
  });
  try {
    await untilSlowly('the servers listen', serversStartMs, () => {
      if (servers.ending() !== undefined) throw new Error(servers.lines.join('\n'));
      return ports !== undefined;
    });
    return await ask(ports!);
  } finally {
    servers.child.kill('SIGKILL');
  }
}

function portFor(kind: HealthBenchKind, ports: HealthPorts): number | undefined {
  if (kind === 'grpc' || kind === 'https') return ports[kind];
  return ports.http;
}

async function costOf(kind: HealthBenchKind, port: number, options: HealthBenchOptions): Promise<HealthCost> {
  const idle: number[] = [];
  const checking: number[] = [];
  const counted: Counted = { asked: 0, failures: 0 };
  let failed = 0;
  for (let round = 0; round < options.rounds; round++) {
    idle.push(await processorShare(options.roundMs));
    const stop = kind === 'bare' ? askBarely(port, options, counted) : ask(kind, port, options, counted);
    // The first probes come all at once.
    await pause(2 * options.intervalMs);
    counted.asked = 0;
    counted.failures = 0;
    // A round in which nobody answered is none.
    let share: number;
    for (let tries = 0; ; tries++) {
      share = await processorShare(options.roundMs);
      if (counted.asked > 0 || tries === roundTriesMax) break;
    }
    checking.push(share);
    failed += counted.failures;
    await stop();
  }
  return {
    kind,
    probesPerSecond: counted.asked / (options.roundMs / 1_000),
    failures: failed,
    idle: medianOf(idle),
    checking: medianOf(checking),
  };
}

interface Counted {
  asked: number;
  failures: number;
}

function ask(
  kind: Exclude<HealthBenchKind, 'bare'>,
  port: number,
  options: HealthBenchOptions,
  counted: Counted,
): () => Promise<void> {
  const probes = new Probes();
  const monitor = new HealthMonitor({
    clock: systemClock,
    prober: {
      probe: (probe, answer) =>
        probes.probe(probe, (outcome) => {
          counted.asked++;
          if (outcome.kind !== 'passed') counted.failures++;
          answer(outcome);
        }),
      close: () => probes.close(),
    },
    log: () => {},
    dice: Math.random,
    onChange: () => {},
  });
  monitor.check(manyBackends(checks[kind], port, options));
  return () => monitor.close();
}

function askBarely(
  port: number,
  { backends, intervalMs, timeoutMs }: HealthBenchOptions,
  counted: Counted,
): () => Promise<void> {
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  let isOver = false;
  const askOne = (i: number) => {
    const socket = connect({ host: formatAddress(0x7f01_0001 + i), port });
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    const later = () => {
      counted.asked++;
      clearTimeout(timer);
      if (!isOver)
        timers.set(
          i,
          setTimeout(() => askOne(i), intervalMs * (0.9 + 0.2 * Math.random())),
        );
    };
    socket.on('connect', () => {
      socket.resetAndDestroy();
      later();
    });
    socket.on('error', () => {
      counted.failures++;
      later();
    });
  };
  for (let i = 0; i < backends; i++)
    timers.set(
      i,
      setTimeout(() => askOne(i), intervalMs * Math.random()),
    );
  return async () => {
    isOver = true;
    for (const timer of timers.values()) clearTimeout(timer);
  };
}

function manyBackends(check: Check, port: number, { backends, intervalMs, timeoutMs }: HealthBenchOptions) {
  const pool = {
    name: 'web',
    vip: { address: 0x0a00_0164, protocol: 'tcp', port: 80 },
    ...PLAIN_POOL,
    slotCount: 65_536,
    sessionTimeoutMs: 900_000,
    placement: 'sticky',
    backends: Array.from({ length: backends }, (_, i) => ({
      name: `b${i}`,
      address: 0x7f01_0001 + i,
      port,
      weight: 1,
      state: 'active' as const,
    })),
  } as const;
  return {
    desired: { pools: [pool], interfaces: [], routes: [], neighbours: [] },
    health: [{ vip: 'web', check, port: undefined, options: { ...healthDefaults, intervalMs, timeoutMs } }],
  };
}

export interface WholeCost extends ControllerCost {
  /** undefined: nobody is checked. */
  kind: Exclude<HealthBenchKind, 'bare' | 'udp'> | undefined;
}

/**
 * What a whole controller costs with so many backends at a switch that it has filled: without checks, and with each kind.
 *
 * @throws Error when it does not come to rest
 */
export async function benchWholeController(options: HealthBenchOptions): Promise<WholeCost[]> {
  return withServers(options, async (ports) => {
    const costs: WholeCost[] = [];
    for (const kind of [undefined, 'tcp', 'http', 'https', 'grpc'] as const) {
      const port = portFor(kind ?? 'tcp', ports);
      if (port !== undefined) costs.push({ kind, ...(await wholeCostOf(kind, port, options)) });
    }
    return costs;
  });
}

async function wholeCostOf(
  kind: WholeCost['kind'],
  port: number,
  options: HealthBenchOptions,
): Promise<ControllerCost> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-health-'));
  const target = await startSwitch({ grpcAddress: '127.0.0.1:0', deviceId: 1n, cpuPort: 510 });
  const configPath = join(folder, 'evenkeel.yaml');
  writeFileSync(configPath, wholeConfig(kind, port, target.address, options));
  const costs: ControllerCost[] = [];
  const controller: Watched = startProgram(
    [process.execPath, programPath('bench/health-controller.js'), configPath],
    (line) => costs.push(JSON.parse(line) as ControllerCost),
  );
  const measure = async (): Promise<ControllerCost> => {
    const before = costs.length;
    controller.child.stdin?.write('\n');
    await untilSlowly('the controller answers', serversStartMs, () => {
      if (controller.ending() !== undefined) throw new Error(controller.lines.join('\n'));
      return costs.length > before;
    });
    return costs.at(-1)!;
  };
  try {
    await untilSlowly('the controller is at rest', 120_000, async () => {
      const { isSettled, up } = await measure();
      return isSettled && (kind === undefined || up === options.backends);
    });
    await pause(2 * options.intervalMs);
    await measure();
    await pause(options.rounds * options.roundMs);
    return await measure();
  } finally {
    controller.child.kill('SIGKILL');
    await target.close();
    rmSync(folder, { recursive: true });
  }
}

/** Some 64 a backend. */
const slotsFor = (backends: number): number => 2 ** Math.ceil(Math.log2(64 * backends));

/** Neighbours are told, so that nobody asks for them: there are none. */
function wholeConfig(
  kind: WholeCost['kind'],
  port: number,
  switchAddress: string,
  { backends, intervalMs }: HealthBenchOptions,
): string {
  const addresses = Array.from({ length: backends }, (_, i) => formatAddress(0x0a01_0001 + i));
  const health = {
    check: kind,
    interval: `${intervalMs}ms`,
    ...(kind === 'https' && { verify: false }),
  };
  return JSON.stringify({
    switch: { address: switchAddress },
    network: {
      interfaces: [
        { port: 1, address: '10.0.1.1/24' },
        { port: 2, address: '10.1.255.254/16' },
      ],
      neighbours: addresses.map((address) => ({ address, mac: '02:00:00:00:02:02', port: 2 })),
    },
    vips: [
      {
        name: 'web',
        address: '10.0.1.100',
        port: 80,
        slots: slotsFor(backends),
        ...(kind && { health }),
        backends: addresses.map((address, i) => ({ name: `b${i}`, address, port })),
      },
    ],
  });
}

/** Of one core, user and system, that this process uses meanwhile. */
async function processorShare(forMs: number): Promise<number> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await pause(forMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / (performance.now() - startedAt);
}

const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

export interface KillTimes {
  intervalMs: number;
  fall: number;
  /** From the kill. */
  downMs: Distribution;
  rewrittenMs: Distribution;
}

/** @throws Error when a server or the switch does not start */
export async function benchKills(options: HealthBenchOptions): Promise<KillTimes> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-health-'));
  const target = await startSwitch({ grpcAddress: '127.0.0.1:0', deviceId: 1n, cpuPort: 510 });
  const servers = await Promise.all([11, 12, 13, 14].map((last) => startServer(`127.0.2.${last}`)));
  const configPath = join(folder, 'evenkeel.yaml');
  const lines = servers.map(
    ({ port }, i) => `      - { name: b${i}, address: 10.0.2.${11 + i}, port: ${port} }`,
  );
  writeFileSync(
    configPath,
    `switch: { address: '${target.address}' }
network:
  interfaces: [{ port: 1, address: 10.0.1.1/24 }, { port: 2, address: 10.0.2.1/24 }]
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 4096
    health: { check: tcp, interval: ${options.killIntervalMs}ms, flapping: { hold: false } }
    backends:
${lines.join('\n')}
`,
  );
  const probes = new Probes();
  const controller = await startController({
    configPath,
    listen: { host: '127.0.0.1', port: 0 },
    engine: { tcpSettleMs: 0, seatWaitMs: 0 },
    prober: {
      probe: (probe, answer) => {
        const address = probe.target.address.replace(/^10\./, '127.');
        return probes.probe({ ...probe, target: { ...probe.target, address } }, answer);
      },
      close: () => probes.close(),
    },
  });
  const downMs: number[] = [];
  const rewrittenMs: number[] = [];
  try {
    await until('everybody serves', 60_000, () => isSettled(controller, 'active'));
    for (let kill = 0; kill < options.kills; kill++) {
      const index = kill % servers.length;
      const { process: server, port } = servers[index]!;
      // At any moment of an interval.
      await pause(options.killIntervalMs * Math.random());
      const killedAt = performance.now();
      server.kill('SIGKILL');
      await until('it is down', 60_000, () => backendOf(controller, index).state === 'down');
      downMs.push(performance.now() - killedAt);
      await until('no row names it', 60_000, () => isSettled(controller, 'down', index));
      rewrittenMs.push(performance.now() - killedAt);
      servers[index] = await startServer(`127.0.2.${11 + index}`, port);
      await until('everybody serves', 60_000, () => isSettled(controller, 'active'));
    }
  } finally {
    await controller.close();
    await target.close();
    for (const { process: server } of servers) server.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
  return {
    intervalMs: options.killIntervalMs,
    fall: healthDefaults.fall,
    downMs: distributionOf(downMs),
    rewrittenMs: distributionOf(rewrittenMs),
  };
}

/** Looks often: its steps are part of what is measured. */
async function until(what: string, timeoutMs: number, isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + timeoutMs; !isSo(); await pause(2))
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs / 1_000} s`);
}

const backendOf = (controller: RunningController, index: number) =>
  controller.status().engine.pools[0]!.backends.find(({ name }) => name === `b${index}`)!;

/** Every row is as wanted; all serve, or one serves nobody. */
function isSettled(controller: RunningController, state: 'active' | 'down', index?: number): boolean {
  const { writes, change, pools } = controller.status().engine;
  if (writes.unsettledRows > 0 || pools[0]?.phase !== 'serving') return false;
  if (index !== undefined)
    return backendOf(controller, index).state === state && backendOf(controller, index).slots === 0;
  return (
    change.phase === 'idle' &&
    pools[0].backends.every((backend) => backend.state === state && backend.slots > 0)
  );
}

async function startServer(address: string, port = 0): Promise<{ process: ChildProcess; port: number }> {
  const script = `require('node:net').createServer((socket) => socket.on('error', () => {}))
    .listen(${port}, '${address}', function () { process.send(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [bound] = (await once(child, 'message')) as [number];
  return { process: child, port: bound };
}

export function formatHealthCosts(
  { backends, intervalMs }: HealthBenchOptions,
  costs: readonly HealthCost[],
): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    `${backends} backends, each every ${intervalMs} ms; share of one core, medians`,
    '| check | probes/s | failed | controller at rest | checking | a probe, µs of processor |',
    '|---|---|---|---|---|---|',
    ...costs.map(({ kind, probesPerSecond, failures, idle, checking }) => {
      const microseconds = (1e6 * (checking - idle)) / probesPerSecond;
      return `| ${kind} | ${probesPerSecond.toFixed(0)} | ${failures} | ${percent(idle)} | ${percent(checking)} | ${microseconds.toFixed(0)} |`;
    }),
  ];
}

export function formatWholeCosts(
  { backends, intervalMs }: HealthBenchOptions,
  costs: readonly WholeCost[],
): string[] {
  const ms = (value: number) => value.toFixed(1);
  return [
    `a whole controller with ${backends} backends and a switch of ${slotsFor(backends)} slots, each asked every ${intervalMs} ms`,
    '| check | of one core | event loop late, ms p50 / p99 / most |',
    '|---|---|---|',
    ...costs.map(({ kind, share, delayMs: { p50, p99, most } }) => {
      return `| ${kind ?? 'none'} | ${(100 * share).toFixed(1)} % | ${ms(p50)} / ${ms(p99)} / ${ms(most)} |`;
    }),
  ];
}

export function formatKillTimes({ intervalMs, fall, downMs, rewrittenMs }: KillTimes): string[] {
  return [
    `kill -9 of a server; asked every ${intervalMs} ms, down after ${fall} failures`,
    `until it is down, ms: ${formatDistribution(downMs)}`,
    `until no row of the switch names it, ms: ${formatDistribution(rewrittenMs)}`,
  ];
}
