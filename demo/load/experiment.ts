// SPDX-License-Identifier: Apache-2.0
/**
 * One run: servers of 1, 2, 4 and 8 CPUs behind a real switch and the controller that ships, users with real connections. Equal weights for a
 * while; then whoever is to steer begins.
 */
import { loadavg } from 'node:os';
import type { LatencyQuantiles } from '../../sim/load/requests-world.ts';
import { type LoadSample, type SteeringSummary, summaryOf, variationOf } from '../../sim/load/summary.ts';
import { ControllerProcess, configOf } from '../controller-process.ts';
import { openField, untilReady } from '../field.ts';
import { client, serverHosts, vip } from '../layout.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { pause, programPath, until, type Watched } from '../programs.ts';
import { runDefaults } from '../run.ts';
import type { BrokenUser, ClientCommand, ClientReport, ClientSummary, ServerReport } from './message.ts';
import { cpusOfServers, loadOptions, slots, usersOf } from './parameters.ts';
import { startPrometheus } from './prometheus.ts';
import { type SteeringCase, statusPort } from './steering.ts';

export interface ExperimentOptions {
  program: SwitchProgram;
  steering: SteeringCase;
  connections: number;
  seed: number;
  beforeMs: number;
  steeredMs: number;
  /** For the controller's configuration. */
  directory: string;
  onProgress: (line: string) => void;
}

export interface ServerFigures {
  name: string;
  cpus: number;
  before: PartFigures;
  after: PartFigures;
}

/** Of the last half of a part. */
export interface PartFigures {
  /** Of its CPUs. */
  busy: number;
  latency: LatencyQuantiles;
}

export interface ExperimentResult {
  date: string;
  label: string;
  network: string;
  connections: number;
  beforeMs: number;
  steeredMs: number;
  summary: SteeringSummary;
  servers: ServerFigures[];
  users: ClientSummary;
  broken: BrokenUser[];
  /** Of the machine, mean of the samples. */
  machineLoad: number;
  /** Weights at the end, as the controller has them. */
  weights: Record<string, number>;
  series: LoadSample[];
}

const sampleMs = 1_000;
const servicePort = 8_001;
const startTimeoutMs = 30_000;
/** Then even who waits for the slowest server has left. */
const endTimeoutMs = 70_000;

export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const field = await openField(options.program);
  const { switchAddress, deviceId } = field;
  const settings = { ...runDefaults, slots, switchAddress, deviceId, directory: options.directory };
  const controller = await ControllerProcess.create(settings);
  const write = (weights: ReadonlyMap<string, number>, load?: object): void => {
    const backends = serverHosts.map(({ name, address }) => {
      return { name, address, port: servicePort, weight: weights.get(name) ?? 1 };
    });
    const session_timeout = `${settings.sessionTimeoutMs}ms`;
    const { name, address, port } = vip;
    controller.write({
      ...configOf(settings),
      vips: [{ name, address, port, slots, session_timeout, backends, ...(load && { load }) }],
    });
  };
  let prometheus: Watched | undefined;
  try {
    const servers = serverHosts.map(({ name }, i) => new ServerWatch(name, cpusOfServers[i]!));
    for (const server of servers) {
      const argv = [server.name, server.cpus, servicePort, statusPort].map(String);
      const process = field.start(server.name, [programPath('demo/load/server.js'), ...argv], (report) =>
        server.hear(report as ServerReport),
      );
      await untilReady(server.name, process);
    }
    const targets = serverHosts.map(({ address }) => `${address}:${statusPort}`);
    if (options.steering.load?.source === 'prometheus')
      prometheus = await startPrometheus(options.directory, targets);
    write(new Map());
    controller.start();
    await until('the controller serves the vip', startTimeoutMs, async () => {
      const problem = field.failure() ?? controller.failure();
      if (problem !== undefined) throw new Error(problem);
      const status = await controller.status();
      return status?.pools[0]?.phase === 'serving' && status.neighbours.missing.length === 0;
    });
    return await observe(options, { servers, controller, write, failure: field.failure, field });
  } finally {
    prometheus?.child.kill('SIGKILL');
    await controller.stop();
    await field.close();
  }
}

interface Running {
  servers: readonly ServerWatch[];
  controller: ControllerProcess;
  write: (weights: ReadonlyMap<string, number>, load?: object) => void;
  failure: () => string | undefined;
  field: Awaited<ReturnType<typeof openField>>;
}

async function observe(
  options: ExperimentOptions,
  { servers, controller, write, field }: Running,
): Promise<ExperimentResult> {
  const { beforeMs, steeredMs, steering, connections, onProgress } = options;
  const users = new UsersWatch();
  const argv = [vip.address, String(vip.port), JSON.stringify(usersOf(connections, options.seed))];
  users.process = field.start(client.name, [programPath('demo/load/client.js'), ...argv], (report) =>
    users.hear(report as ClientReport),
  );
  await untilReady('the users', users.process);

  const series: LoadSample[] = [];
  const changes: { atMs: number; moved: number }[] = [];
  const shares: { atMs: number; share: number }[] = [];
  const machineLoads: number[] = [];
  const startedAt = performance.now();
  let movedSlots: number | undefined;
  let weights: Record<string, number> = {};

  /** Looks once a second. */
  const watchUntil = async (endMs: number): Promise<void> => {
    for (;;) {
      const atMs = performance.now() - startedAt;
      if (atMs >= endMs) return;
      await pause(Math.min(sampleMs - (atMs % sampleMs), endMs - atMs));
      const problem = field.failure() ?? controller.failure() ?? users.failure();
      if (problem !== undefined) throw new Error(problem);
      const now = performance.now() - startedAt;
      const loads = servers.map(({ load }) => load);
      series.push({ atMs: now, variation: variationOf(loads), loads });
      machineLoads.push(loadavg()[0]!);
      const status = await controller.status();
      const backends = status?.pools[0]?.backends ?? [];
      if (status === undefined) continue;
      const moved = status.totals.movedSlots - (movedSlots ?? status.totals.movedSlots);
      movedSlots = status.totals.movedSlots;
      if (moved > 0) changes.push({ atMs: now, moved });
      shares.push({ atMs: now, share: backends.find(({ name }) => name === largest)?.share ?? 0 });
      weights = Object.fromEntries(backends.map(({ name, weight }) => [name, weight]));
      if (series.length % 15 === 0) onProgress(progressOf(now, loads, backends, users.summary));
    }
  };

  await watchUntil(beforeMs / 2);
  users.lap('ignored');
  for (const server of servers) server.mark();
  await watchUntil(beforeMs);
  users.lap('before');
  const busyBefore = servers.map((server) => server.busyShare(beforeMs / 2));
  onProgress(`steering begins: ${steering.label}`);
  if (steering.load !== undefined) write(steering.weights ?? new Map(), steering.load);
  const stopScript = steering.script && runScript(steering.script, write);
  await watchUntil(beforeMs + steeredMs / 2);
  users.lap('ignored');
  for (const server of servers) server.mark();
  await watchUntil(beforeMs + steeredMs);
  users.lap('after');
  const busyAfter = servers.map((server) => server.busyShare(steeredMs / 2));
  await stopScript?.();
  await users.end();

  const partOf = (label: string, name: string, busy: number): PartFigures => {
    return { busy, latency: users.laps.get(label)?.[name] ?? { p50: Number.NaN, p99: Number.NaN, count: 0 } };
  };
  return {
    date: new Date().toISOString(),
    label: steering.label,
    network: options.program.name,
    connections,
    beforeMs,
    steeredMs,
    summary: summaryOf({ beforeMs, steeredMs, slots, series, changes, shares }),
    servers: servers.map(({ name, cpus }, i) => ({
      name,
      cpus,
      before: partOf('before', name, busyBefore[i]!),
      after: partOf('after', name, busyAfter[i]!),
    })),
    users: users.summary,
    broken: users.broken,
    machineLoad: machineLoads.reduce((sum, load) => sum + load, 0) / machineLoads.length,
    weights,
    series,
  };
}

const largest = serverHosts[cpusOfServers.indexOf(Math.max(...cpusOfServers) as 8)]!.name;

function progressOf(
  atMs: number,
  loads: readonly number[],
  backends: readonly { slots: number }[],
  users: ClientSummary,
): string {
  const shown = loads.map((load) => load.toFixed(2)).join(' ');
  const table = backends.map(({ slots: count }) => count).join(' ');
  return `${(atMs / 1_000).toFixed(0)} s: load ${shown}; slots ${table}; ${users.open} open, ${users.broken} broken of ${users.opened}`;
}

/** What many an operator's script does: reads the load of each server, and writes weights. */
function runScript(
  steersman: NonNullable<SteeringCase['script']>,
  write: Running['write'],
): () => Promise<void> {
  const members = serverHosts.map(({ name }) => ({ name, weight: 1, isInUse: true }));
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      const loads = new Map(
        await Promise.all(
          serverHosts.map(async ({ name, address }): Promise<[string, number]> => {
            const response = await fetch(`http://${address}:${statusPort}/status`);
            return [name, ((await response.json()) as { load: number }).load];
          }),
        ),
      );
      const weights = steersman(loads, members, performance.now());
      if (weights !== undefined) write(weights);
      await pause(Math.max(0, loadOptions.intervalMs - (performance.now() - startedAt)));
    }
  })();
  return () => {
    isOver = true;
    return running;
  };
}

class ServerWatch {
  readonly name: string;
  readonly cpus: number;
  load = 0;
  #busyMs = 0;
  #markedMs = 0;

  constructor(name: string, cpus: number) {
    this.name = name;
    this.cpus = cpus;
  }

  hear(report: ServerReport): void {
    if (report.kind !== 'load') return;
    this.load = report.load;
    this.#busyMs = report.busyMs;
  }

  mark(): void {
    this.#markedMs = this.#busyMs;
  }

  /** Of its CPUs, since the mark. */
  busyShare(ms: number): number {
    return (this.#busyMs - this.#markedMs) / this.cpus / ms;
  }
}

class UsersWatch {
  process!: Watched;
  summary: ClientSummary = { open: 0, opened: 0, finished: 0, broken: 0, answers: 0 };
  readonly broken: BrokenUser[] = [];
  readonly laps = new Map<string, Record<string, LatencyQuantiles>>();

  hear(report: ClientReport): void {
    if (report.kind === 'summary') this.summary = report.summary;
    if (report.kind === 'broken') this.broken.push(report.broken);
    if (report.kind === 'lap') this.laps.set(report.label, report.latencies);
  }

  lap(label: string): void {
    this.#tell({ kind: 'lap', label });
  }

  failure(): string | undefined {
    const ending = this.process.ending();
    return ending === undefined
      ? undefined
      : `the users have ended (${ending}):\n${this.process.lines.slice(-10).join('\n')}`;
  }

  async end(): Promise<void> {
    this.#tell({ kind: 'stop' });
    await until('everybody has gone', endTimeoutMs, () => this.summary.open === 0);
  }

  #tell(command: ClientCommand): void {
    this.process.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }
}
