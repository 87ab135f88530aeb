// SPDX-License-Identifier: Apache-2.0
/** One run: a network, a controller, traffic, a scenario; and what became of it. */

import type { SlotTable } from '../controller/core/desired.ts';
import type { CommitRecord, Status } from '../controller/core/status.ts';
import { ControllerProcess } from './controller-process.ts';
import { finalChecks } from './final-checks.ts';
import { flood, isFloodSource } from './flood.ts';
import { Acceptances, isExcused, type Outage } from './judge.ts';
import { serverHosts } from './layout.ts';
import { emptySummary, type Network, type RunningTraffic } from './network.ts';
import { Observer } from './observer.ts';
import { pause, until } from './programs.ts';
import type { BrokenRecord, Check, Report } from './report.ts';
import { type Action, applyEdits, countChanges, type PoolPlan, type Scenario } from './scenario.ts';
import { readSwitchTables } from './switch-tables.ts';
import type { BrokenConnection, TrafficOptions, TrafficSummary } from './traffic.ts';

export interface RunOptions {
  naive: boolean;
  scenario: Scenario;
  traffic: TrafficOptions;
  slots: number;
  /** How the switch holds them. */
  table: SlotTable;
  sessionTimeoutMs: number;
  rotationMs: number;
  quarantineMs: number;
  mergeMarginMs: number;
  closingTimeoutMs: number;
  /** For the configuration file. */
  directory: string;
  onProgress: (progress: Progress) => void;
}

export const runDefaults: Readonly<Omit<RunOptions, 'scenario' | 'traffic' | 'directory'>> = {
  naive: false,
  slots: 8_192,
  table: 'maglev',
  sessionTimeoutMs: 12_000,
  rotationMs: 5_000,
  quarantineMs: 4_000,
  mergeMarginMs: 1_000,
  closingTimeoutMs: 5_000,
  onProgress: () => {},
};

/** What a viewer may show, a few times a second and at every step. */
export interface Progress {
  /** After the start of the scenario; negative before. */
  atMs: number;
  words: string;
  /** The words are news. */
  isStep: boolean;
  traffic: TrafficSummary;
  /** Undefined while no controller answers. */
  status: Status | undefined;
  broken: number;
  excused: number;
  commits: readonly CommitRecord[];
}

const pollMs = 250;
/** Which slots are unstable is looked up so often while a flood is aimed at them. */
const aimEveryMs = 1_000;
const startTimeoutMs = 60_000;
/** For the controller to notice the file and begin to prepare. */
const crashTimeoutMs = 20_000;
/** Beyond the times that are waited for on purpose: a controller that starts anew on a machine with much else to do takes a while. */
const restPatienceMs = 60_000;
const brokenMax = 1_000;
const explainedMax = 20;

/** @throws Error when the run itself cannot go on: a part of it does not start, or dies unbidden */
export async function run(network: Network, options: RunOptions): Promise<Report> {
  const { switchAddress, deviceId } = network;
  const controller = await ControllerProcess.create({ ...options, switchAddress, deviceId });
  try {
    return await new Run(network, controller, options).play();
  } finally {
    await controller.stop();
  }
}

class Run {
  readonly #network: Network;
  readonly #controller: ControllerProcess;
  readonly #options: RunOptions;
  readonly #observer = new Observer();
  readonly #outages: Outage[] = [];
  readonly #acceptances = new Acceptances();
  readonly #broken: BrokenRecord[] = [];
  readonly #steps: Report['steps'] = [];
  readonly #floods: Promise<Check>[] = [];
  #traffic: RunningTraffic | undefined;
  #plan: PoolPlan;
  /** Of the scenario. */
  #startedAt = 0;
  #words = 'starting';
  #status: Status | undefined;
  #isControllerUp = false;
  #brokenCount = 0;
  #excusedCount = 0;
  #floodFrames = 0;

  constructor(network: Network, controller: ControllerProcess, options: RunOptions) {
    this.#network = network;
    this.#controller = controller;
    this.#options = options;
    this.#plan = options.scenario.start;
  }

  async play(): Promise<Report> {
    const { scenario } = this.#options;
    const begunAt = Date.now();
    const lastStepMs = scenario.steps.at(-1)?.atMs ?? 0;
    this.#startedAt = begunAt;
    await this.#startEverything();
    this.#startedAt = Date.now();
    for (const { atMs, words, action } of scenario.steps) {
      await this.#watchUntil(this.#startedAt + atMs);
      await this.#do(words, action);
    }
    await this.#watchUntil(this.#startedAt + lastStepMs + 1_000);
    const floodChecks = await Promise.all(this.#floods);
    this.#traffic!.calm();
    this.#say('the last change is made; waiting for the last merge');
    const quiet = await this.#comeToRest();
    const traffic = await this.#traffic!.stop();
    this.#judgeAgain();
    return this.#report((Date.now() - begunAt) / 1_000, traffic, [...floodChecks, ...quiet]);
  }

  async #startEverything(): Promise<void> {
    const { traffic } = this.#options;
    this.#say('starting servers and controller');
    await Promise.all(serverHosts.map(({ name }) => this.#startServers(name)));
    this.#startController();
    await until('the controller serves the vip', startTimeoutMs, async () => {
      await this.#sample();
      return isServing(this.#status);
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#controller.lastLines()}`);
    });
    this.#say(`opening ${traffic.longConnections} connections`);
    this.#traffic = await this.#network.startTraffic(traffic, (broken) => this.#onBroken(broken));
    await until('all connections are open', traffic.rampMs + startTimeoutMs, async () => {
      await this.#sample();
      return this.#traffic!.summary().longOpen >= traffic.longConnections * 0.98;
    });
    this.#observer.expectLoad();
  }

  #startServers(host: string): Promise<void> {
    return this.#network.startServers(host, (accepted) => this.#acceptances.add(accepted));
  }

  #startController(): void {
    this.#controller.configure(this.#plan);
    this.#controller.start();
    this.#isControllerUp = true;
    this.#observer.expectRestart();
  }

  async #do(words: string, action: Action): Promise<void> {
    const step: Report['steps'][number] = { atMs: Date.now() - this.#startedAt, words, note: undefined };
    this.#steps.push(step);
    this.#say(words);
    switch (action.kind) {
      case 'edit':
        this.#plan = applyEdits(this.#plan, action.edits);
        this.#controller.configure(this.#plan);
        return;
      case 'edit-and-crash':
        this.#plan = applyEdits(this.#plan, action.edits);
        step.note = await this.#configureAndCrash();
        this.#say(`killed the controller ${step.note}`);
        return;
      case 'start-controller':
        this.#startController();
        return;
      case 'kill-host':
        this.#kill(action.host);
        return;
      case 'start-host': {
        await this.#startServers(action.host);
        const outage = this.#outages.findLast(({ host }) => host === action.host);
        if (outage !== undefined) outage.until = Date.now();
        return;
      }
      case 'goodbye':
        this.#network.sayGoodbye(action.server);
        return;
      case 'flood':
        this.#floods.push(this.#flood(action));
        return;
    }
  }

  /** Goes on at once: a busy machine takes its time to end a process. */
  #kill(host: string): void {
    const never = Number.POSITIVE_INFINITY;
    const outage: Outage = { host, from: Date.now(), deadAt: never, until: never };
    this.#outages.push(outage);
    void this.#network.killServers(host).then(() => {
      outage.deadAt = Date.now();
    });
  }

  /** @returns at which point of the change it was killed, as it last said itself */
  async #configureAndCrash(): Promise<string> {
    const before = (await this.#controller.status())?.change.startedAt;
    this.#controller.configure(this.#plan);
    // A naive controller has no phases in which to meet it.
    const deadline = Date.now() + (this.#options.naive ? 300 : crashTimeoutMs);
    let phase = 'with no change under way: the moment was missed';
    while (Date.now() < deadline) {
      const status = await this.#controller.status();
      if (status === undefined) break;
      // It takes its last commits with it.
      this.#observer.see(status);
      const { change, writes } = status;
      // One that was under way already is not the change that is meant.
      const isNew = change.phase !== 'idle' && change.startedAt !== before;
      if (isNew && change.rows + writes.updatesInFlight > 0) {
        phase = `in phase '${change.phase}', ${change.rows} rows written, ${writes.updatesInFlight} under way`;
        break;
      }
    }
    this.#isControllerUp = false;
    await this.#controller.crash();
    return phase;
  }

  async #flood({ framesPerSecond, forMs, isAimed }: Extract<Action, { kind: 'flood' }>): Promise<Check> {
    const { switchAddress, deviceId } = this.#network;
    const { seed } = this.#options.traffic;
    let tables = await readSwitchTables(switchAddress, deviceId);
    let isOver = false;
    const aiming = (async () => {
      while (isAimed && !isOver) {
        tables = await readSwitchTables(switchAddress, deviceId);
        await pause(aimEveryMs);
      }
    })();
    const isWanted = isAimed && ((address: number, port: number) => tables.isUnstable(address, port));
    const frames = await flood({ framesPerSecond, forMs, seed, isWanted }, (batch) => {
      this.#network.sendFromClient(batch);
    });
    isOver = true;
    await aiming;
    this.#floodFrames += frames;
    // Digests of the last frames are on their way for up to half a second.
    await pause(500);
    const { pins } = await readSwitchTables(switchAddress, deviceId);
    const guilty = pins.filter(({ sourceAddress }) => isFloodSource(sourceAddress)).length;
    return {
      what: 'a SYN flood creates no pin',
      passed: guilty === 0 && frames > 0 && (pins.length > 0 || this.#options.naive),
      detail: `${frames} SYNs, ${guilty} pins of theirs, ${pins.length} of others`,
    };
  }

  /** Until nothing is unstable, or for as long as that may take; then the last checks. */
  async #comeToRest(): Promise<Check[]> {
    const { sessionTimeoutMs, mergeMarginMs, quarantineMs, naive } = this.#options;
    // Twice, because the restarted controller may have started a timer anew.
    const restMs = naive ? 0 : 2 * (sessionTimeoutMs + mergeMarginMs + quarantineMs) + restPatienceMs;
    const deadline = Date.now() + restMs;
    while (Date.now() < deadline) {
      await this.#watchUntil(Date.now() + pollMs);
      if (isAtRest(this.#status)) break;
    }
    if (naive) return [];
    this.#say('nothing is unstable; looking at what is left');
    return finalChecks(this.#network, this.#plan, this.#status);
  }

  async #watchUntil(time: number): Promise<void> {
    do {
      await this.#sample();
      await pause(Math.min(pollMs, Math.max(0, time - Date.now())));
    } while (Date.now() < time);
  }

  async #sample(): Promise<void> {
    const problem =
      this.#network.failure() ?? (this.#isControllerUp ? this.#controller.failure() : undefined);
    if (problem !== undefined) throw new Error(problem);
    this.#status = this.#isControllerUp ? await this.#controller.status() : undefined;
    if (this.#status !== undefined) this.#observer.see(this.#status);
    if (this.#traffic !== undefined) this.#observer.seeTraffic(this.#traffic.summary());
    this.#progress(false);
  }

  #say(words: string): void {
    this.#words = words;
    this.#progress(true);
  }

  #progress(isStep: boolean): void {
    this.#options.onProgress({
      atMs: Date.now() - this.#startedAt,
      words: this.#words,
      isStep,
      traffic: this.#traffic?.summary() ?? emptySummary,
      status: this.#status,
      broken: this.#brokenCount,
      excused: this.#excusedCount,
      commits: this.#observer.commits,
    });
  }

  #onBroken(broken: BrokenConnection): void {
    const excused = this.#isExcused(broken);
    if (excused) this.#excusedCount += 1;
    else this.#brokenCount += 1;
    if (this.#broken.length >= brokenMax) return;
    const atMs = broken.brokenAt - this.#startedAt;
    const record: BrokenRecord = { ...broken, atMs, isExcused: excused, why: undefined };
    this.#broken.push(record);
    if (excused || this.#brokenCount > explainedMax) return;
    void this.#controller.explain(broken.localPort).then((explanation) => {
      record.why = explanation?.why;
    });
  }

  #isExcused(broken: BrokenConnection): boolean {
    return isExcused(broken, this.#outages, this.#acceptances.of(broken));
  }

  /** A busy server says late whom it has accepted. */
  #judgeAgain(): void {
    for (const record of this.#broken) {
      const excused = this.#isExcused(record);
      if (excused === record.isExcused) continue;
      record.isExcused = excused;
      this.#excusedCount += excused ? 1 : -1;
      this.#brokenCount += excused ? -1 : 1;
    }
  }

  #report(seconds: number, traffic: TrafficSummary, checks: Check[]): Report {
    const { naive, scenario, slots, traffic: wanted } = this.#options;
    const { commits, longOpenMin, longOpenMax, pinsMax, unstableSlotsMax, writesInFlightMax } =
      this.#observer;
    const lived: Check = {
      what: 'no connection whose server lived was broken',
      passed: this.#brokenCount === 0,
      detail: `${this.#brokenCount} broken of ${traffic.longTotal + traffic.shortTotal}; ${this.#excusedCount} went with their server`,
    };
    const load: Check = {
      what: `${wanted.longConnections} connections were open at the same time`,
      passed: longOpenMax >= wanted.longConnections * 0.98,
      detail: `${longOpenMin} to ${longOpenMax}`,
    };
    return {
      network: this.#network.description,
      naive,
      scenario: scenario.name,
      seconds,
      changes: countChanges(scenario),
      steps: this.#steps,
      commits,
      traffic,
      longOpenMin,
      longOpenMax,
      pinsMax,
      unstableSlotsMax,
      slots,
      writesInFlightMax,
      filterRotations: this.#observer.rotations,
      floodFrames: this.#floodFrames,
      broken: this.#broken,
      brokenCount: this.#brokenCount,
      excusedCount: this.#excusedCount,
      checks: [lived, load, ...checks],
    };
  }
}

function isServing(status: Status | undefined): boolean {
  if (status?.state !== 'running' || status.neighbours.missing.length > 0) return false;
  return status.pools.length > 0 && status.pools.every(({ phase }) => phase === 'serving');
}

function isAtRest(status: Status | undefined): boolean {
  // A controller that has just been started knows of no pool yet.
  if (status?.state !== 'running' || status.pools.length === 0) return false;
  if (status.change.phase !== 'idle' || status.change.waitingFor !== undefined) return false;
  if (status.writes.unsettledRows > 0 || status.pins.outstanding > 0) return false;
  return status.pools.every(({ unstableSlots }) => unstableSlots === 0);
}
