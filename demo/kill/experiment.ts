// SPDX-License-Identifier: Apache-2.0
/** Servers go, one after the other and again and again; what the controller, those who had connections, and newcomers make of it. */
import { loadavg } from 'node:os';
import { ControllerProcess, configOf } from '../controller-process.ts';
import { type Field, openField, untilReady } from '../field.ts';
import { client, serverHosts, vip } from '../layout.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { pause, programPath, until, type Watched } from '../programs.ts';
import { runDefaults } from '../run.ts';
import { healthPort, type KillCase } from './cases.ts';
import { type Deed, deedBehind } from './judge.ts';
import type { Broken, ClientReport, Sort } from './message.ts';

export interface KillOptions {
  program: SwitchProgram;
  given: KillCase;
  kills: number;
  /** For the controller's configuration. */
  directory: string;
  onProgress: (line: string) => void;
}

/** Milliseconds from the deed. */
export interface Kill {
  /** Until the controller believes it. */
  noticedMs: number | undefined;
  /** Until the controller has another table at the switch, without the victim. */
  avoidedMs: number | undefined;
  /** Until the last newcomer came who was harmed. */
  lastHarmedMs: number | undefined;
  /** refused, reset, late, ... and how many. */
  harmed: Record<string, number>;
  /** Newcomers harmed once it was back: late, for the most part, on a busy machine. */
  harmedLater: number;
  /** Connections that the victim had, and until they ended. */
  had: Record<Sort, number>;
  endedMs: Record<Sort, number[]>;
  endedHow: Record<string, number>;
  /** From this deed to the next, and before the first: connections whose server was there. */
  othersBroken: number;
}

export interface KillResult {
  given: KillCase;
  kills: Kill[];
  newcomers: number;
  machineLoad: number;
}

const slots = 4_096;
const servicePort = 8_001;
const startTimeoutMs = 60_000;
const pollMs = 20;

export async function runKills(options: KillOptions): Promise<KillResult> {
  const field = await openField(options.program);
  const { switchAddress, deviceId } = field;
  const settings = { ...runDefaults, slots, switchAddress, deviceId, directory: options.directory };
  const controller = await ControllerProcess.create(settings);
  const { name, address, port } = vip;
  controller.write({
    ...configOf(settings),
    vips: [
      {
        name,
        address,
        port,
        slots,
        session_timeout: `${settings.sessionTimeoutMs}ms`,
        // They fall oftener than servers do.
        health: { ...options.given.health, flapping: { hold: false } },
        backends: serverHosts.map((host) => ({ name: host.name, address: host.address, port: servicePort })),
      },
    ],
  });
  try {
    return await new Killing(field, controller, options).run();
  } finally {
    await controller.stop();
    await field.close();
  }
}

/** A deed, and the connections that it cost: the last of them may end when another server has gone. */
interface Lost extends Deed {
  ended: Broken[];
  othersBroken: number;
}

class Killing {
  readonly #field: Field;
  readonly #controller: ControllerProcess;
  readonly #options: KillOptions;
  readonly #servers = new Map<string, Watched>();
  #harmed: Extract<ClientReport, { kind: 'harmed' }>[] = [];
  readonly #lost: Lost[] = [];
  /** Connections that ended before any deed. */
  #brokenBefore = 0;
  #summary: Extract<ClientReport, { kind: 'summary' }> | undefined;
  #client: Watched | undefined;

  constructor(field: Field, controller: ControllerProcess, options: KillOptions) {
    this.#field = field;
    this.#controller = controller;
    this.#options = options;
  }

  async run(): Promise<KillResult> {
    const { given, kills, onProgress } = this.#options;
    await Promise.all(serverHosts.map(({ name }) => this.#startServer(name)));
    this.#controller.start();
    await this.#everybodyServes();
    const argv = [programPath('demo/kill/client.js'), vip.address, String(vip.port)];
    this.#client = this.#field.start(client.name, argv, (report) => this.#hear(report as ClientReport));
    await untilReady('the clients', this.#client);
    await until('all have connections', startTimeoutMs, () => this.#openOf('quiet') >= 70);
    const done: (() => Kill)[] = [];
    const machineLoads: number[] = [];
    for (let i = 0; i < kills; i++) {
      const victim = serverHosts[i % serverHosts.length]!.name;
      // At any moment of an interval.
      await pause(1_000 * Math.random());
      const kill = await this.#kill(victim);
      machineLoads.push(loadavg()[0]!);
      done.push(kill);
      onProgress(
        `${given.label}, ${given.health.check} every ${given.health.interval}: ${JSON.stringify(kill())}`,
      );
    }
    return {
      given,
      kills: done.map((kill) => kill()),
      newcomers: this.#summary!.newcomers,
      machineLoad: machineLoads.reduce((sum, load) => sum + load, 0) / machineLoads.length,
    };
  }

  /** @returns what has come of it up to now */
  async #kill(victim: string): Promise<() => Kill> {
    const { given } = this.#options;
    const had = { talking: this.#openAt('talking', victim), quiet: this.#openAt('quiet', victim) };
    this.#harmed = [];
    const at = Date.now();
    const lost: Lost = { victim, at, backAt: undefined, ended: [], othersBroken: this.#brokenBefore };
    this.#brokenBefore = 0;
    this.#lost.push(lost);
    this.#do(victim);
    let noticedMs: number | undefined;
    let avoidedMs: number | undefined;
    while (Date.now() - at < given.watchMs) {
      if (avoidedMs === undefined) {
        const status = await this.#controller.fullStatus();
        const verdict = status?.health?.[0]?.backends.find(({ backend }) => backend === victim)?.verdict;
        if (verdict !== undefined && verdict !== 'trusted') noticedMs ??= Date.now() - at;
        const engine = status?.engine;
        const share = engine?.pools[0]?.backends.find(({ name }) => name === victim)?.slots;
        // Every row is as wanted: the switch has said so.
        if (share === 0 && engine?.writes.unsettledRows === 0) avoidedMs = Date.now() - at;
      }
      await pause(pollMs);
    }
    const backAt = Date.now();
    lost.backAt = backAt;
    await this.#undo(victim);
    const allHarmed = this.#harmed.filter(({ from }) => from >= at - 1_000);
    const harmed = allHarmed.filter(({ from }) => from < backAt);
    const harmedFrom = harmed.map(({ from }) => from - at);
    const endedMs = (sort: Sort) => lost.ended.filter((one) => one.sort === sort).map((one) => one.at - at);
    return () => ({
      noticedMs,
      avoidedMs,
      lastHarmedMs: harmedFrom.length === 0 ? undefined : Math.max(...harmedFrom),
      harmed: countsOf(harmed.map(({ how }) => how)),
      harmedLater: allHarmed.length - harmed.length,
      had,
      endedMs: { talking: endedMs('talking'), quiet: endedMs('quiet') },
      endedHow: countsOf(lost.ended.map(({ how }) => how)),
      othersBroken: lost.othersBroken,
    });
  }

  #do(victim: string): void {
    const { deed } = this.#options.given;
    if (deed === 'host') this.#field.connect(victim, false);
    else this.#servers.get(victim)!.child.kill(deed === 'hang' ? 'SIGSTOP' : 'SIGKILL');
  }

  /** Takes back the deed, and waits until it is as if nothing had been. */
  async #undo(victim: string): Promise<void> {
    const { deed } = this.#options.given;
    if (deed === 'host') this.#field.connect(victim, true);
    else if (deed === 'hang') this.#servers.get(victim)!.child.kill('SIGCONT');
    else await this.#startServer(victim);
    await this.#everybodyServes();
    await until('everybody has connections', startTimeoutMs, () =>
      serverHosts.every(({ name }) => this.#openAt('talking', name) >= 10),
    ).catch(() => {
      // Connections stay where they are, and so the one that came back may have few: a small sample is none the worse.
    });
  }

  async #startServer(name: string): Promise<void> {
    const argv = [programPath('demo/kill/server.js'), name, String(servicePort), String(healthPort)];
    const process = this.#field.start(name, argv, () => {});
    this.#servers.set(name, process);
    await untilReady(name, process);
  }

  async #everybodyServes(): Promise<void> {
    await until('everybody serves', startTimeoutMs, async () => {
      const problem = this.#field.failure() ?? this.#controller.failure();
      if (problem !== undefined) throw new Error(problem);
      const engine = await this.#controller.status();
      const pool = engine?.pools[0];
      if (engine?.change.phase !== 'idle' || pool?.phase !== 'serving') return false;
      if (engine.neighbours.missing.length > 0) return false;
      return pool.backends.every(({ state, slots: count }) => state === 'active' && count > 0);
    });
  }

  #hear(report: ClientReport): void {
    if (report.kind === 'summary') this.#summary = report;
    if (report.kind === 'harmed') this.#harmed.push(report);
    if (report.kind === 'broken') this.#judge(report);
  }

  #judge(broken: Broken): void {
    const deed = deedBehind(broken, this.#lost);
    if (deed !== undefined) deed.ended.push(broken);
    else if (this.#lost.length > 0) this.#lost.at(-1)!.othersBroken++;
    else this.#brokenBefore++;
  }

  #openOf(sort: Sort): number {
    return Object.values(this.#summary?.open[sort] ?? {}).reduce((sum, count) => sum + count, 0);
  }

  #openAt(sort: Sort, server: string): number {
    return this.#summary?.open[sort][server] ?? 0;
  }
}

function countsOf(words: readonly string[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const word of words) result[word] = (result[word] ?? 0) + 1;
  return result;
}
