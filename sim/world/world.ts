// SPDX-License-Identifier: Apache-2.0
/**
 * The shipping controller, switches, clients, an operator and fate, under one seed and one simulated clock.
 *
 *   operator ──desired──> SimController (Engine) <──SwitchPort──> SimPort ──rows──> Device (SimSwitch) <──packets── clients
 *
 * Turmoil first, as the fault plan says; then quiet, until everything has come to rest; what must hold is checked all along
 * (judge.ts).
 */
import type { Desired } from '../../controller/core/desired.ts';
import type { EngineOptions } from '../../controller/core/options.ts';
import { SwitchGroup } from '../../controller/group/switch-group.ts';
import { diceOf } from '../kernel/dice.ts';
import { SimClock } from '../kernel/sim-clock.ts';
import { FastSwitch } from '../switch/fast-switch.ts';
import type { SimSwitch } from '../switch/sim-switch.ts';
import { Chronicle, everybody } from './chronicle.ts';
import { type ClientStats, Clients } from './clients.ts';
import { Device } from './device.ts';
import { Ecmp } from './ecmp.ts';
import { Fate } from './fate.ts';
import { type Faults, noFaults } from './faults.ts';
import { Fleet } from './fleet.ts';
import { Floods } from './floods.ts';
import { Judge, type Violation } from './judge.ts';
import { Operator } from './operator.ts';
import { capacityOf, engineOptionsOf, slowSwitchMs, type WorldPlan } from './plan.ts';
import { type RuleName, withoutRule } from './rules.ts';
import { Settled } from './settled.ts';
import type { SimControllerOptions } from './sim-controller.ts';
import { noLies, type PortLies } from './sim-port.ts';

export interface WorldOptions {
  /** A protective rule that is switched off. */
  without: RuleName | undefined;
  /** Keeps what happened to every flow, for those that are told of. */
  keepsTraces: boolean;
  /** Defaults to the fast model. */
  createSwitch: ((plan: WorldPlan) => SimSwitch) | undefined;
}

export const worldDefaults: Readonly<WorldOptions> = {
  without: undefined,
  keepsTraces: false,
  createSwitch: undefined,
};

export interface WorldStats extends ClientStats {
  commits: number;
  rewrites: number;
  crashes: number;
  takeovers: number;
  streamRestarts: number;
  switchRestarts: number;
  floodPackets: number;
  maxPins: number;
  collateralMoves: number;
  /** Simulated time until everything had come to rest. */
  endedAt: number;
}

/** What changes the world so that a rule protects no more (rules.ts). */
export interface WorldTwist {
  engine: Partial<EngineOptions>;
  port: Partial<PortLies>;
  /** What the controller believes the session timeout to be. */
  toldTimeoutMs: number | undefined;
  /** The controller is told that all backends weigh the same. */
  weightsAreHidden: boolean;
  /** Filters know nobody. */
  filtersAreOff: boolean;
}

const firstClientAt = 2_000;
const firstTurmoilAt = 2_500;
const lookEveryMs = 500;

export class World {
  readonly plan: WorldPlan;
  readonly judge: Judge;
  readonly devices: readonly Device[];
  readonly clock = new SimClock();
  readonly #fleet: Fleet;
  readonly #clients: Clients;
  readonly #floods: Floods;
  readonly #fate: Fate;
  readonly #operator: Operator;
  readonly #settled: Settled;
  readonly #stats = { commits: 0, rewrites: 0, maxPins: 0 };
  #faults: Faults;

  constructor(plan: WorldPlan, options: Partial<WorldOptions> = {}) {
    const { without, keepsTraces, createSwitch } = { ...worldDefaults, ...options };
    this.plan = plan;
    this.#faults = plan.faults;
    const twist = withoutRule(without);
    /** What clients are promised goes by it, whatever the controller is told. */
    const engine = engineOptionsOf(plan);
    const { clock } = this;
    const faults = (): Faults => this.#faults;
    const dice = (name: string) => diceOf(plan.seed, name);

    const chronicle = new Chronicle(keepsTraces, clock);
    this.#fleet = new Fleet(plan, clock, dice('fleet'), {
      sessionTimeoutMs: twist.toldTimeoutMs ?? plan.sessionTimeoutMs,
      weightsAreHidden: twist.weightsAreHidden,
    });
    this.judge = new Judge(this.#fleet, clock, engine, chronicle);
    const create = createSwitch ?? ((): SimSwitch => createFastSwitch(plan, twist));
    this.devices = Array.from(
      { length: plan.switchCount },
      (_, index) => new Device(index, create(plan), this.judge, chronicle),
    );
    this.judge.devices = this.devices;
    const shared = {
      plan,
      engine,
      clock,
      faults,
      fleet: this.#fleet,
      judge: this.judge,
      devices: this.devices,
    };
    const ecmp = new Ecmp(this.devices, clock, () => this.#fate);
    this.judge.isInService = (device) => ecmp.isInService(device);
    this.#clients = new Clients({
      ...shared,
      ecmp,
      idleAgreeMs: groupOptions.idleAgreeMs,
      dice: { arrivals: dice('arrivals'), talk: dice('talk'), moves: dice('moves') },
      isDeaf: twist.port.isDeafToDigests ?? false,
      chronicle,
    });
    this.#floods = new Floods({ ...shared, dice: dice('floods') });
    this.#fate = new Fate({
      ...shared,
      engine: { ...engine, ...twist.engine },
      port: {
        clock,
        faults,
        lies: { ...noLies, ...twist.port },
        dice: { writes: dice('writes'), digests: dice('digests'), connections: dice('connections') },
      },
      clients: this.#clients,
      chronicle,
      log: (level, message, fields) => {
        if (level !== 'debug') chronicle.note(everybody, `${message} ${JSON.stringify(fields)}`);
        this.#noteLog(message);
      },
      join: plan.switchCount > 1 || plan.isGroup ? joinSwitches(() => this.#noteGap()) : ([port]) => port!,
    });
    this.#operator = new Operator(plan.seed, clock, this.#fleet, faults);
    this.#settled = new Settled({
      ...shared,
      updatesInFlightMax:
        engine.maxUpdatesInFlight * (plan.table === 'maglev' ? 1 : 2) +
        (plan.switchCount > 1 ? groupOptions.joinUpdatesInFlight : 0),
      fate: this.#fate,
      clients: this.#clients,
    });

    this.#fleet.onChange = (desired) => {
      chronicle.note(everybody, describeDesired(desired));
      for (const controller of this.#fate.controllers) controller.want(desired);
    };
    this.#fleet.onDeath = (endpoint) => this.#clients.serverDied(endpoint);
    this.#fleet.onWithdrawal = (vip) => this.#clients.vipWithdrawn(vip);
    this.judge.overfull = overfullLimits(plan, engine);
    this.#fleet.onSuccession = (vip) => this.#clients.poolLeaves(vip);
    this.judge.onPinDeleted = (row) => this.#clients.pinDeleted(row);
    this.judge.onFilterEmptied = (isEarly, isCrowded, restMs) =>
      this.#clients.filterEmptied(isEarly && (isCrowded || isFlooded(plan)), restMs);
  }

  get violations(): readonly Violation[] {
    return this.judge.violations;
  }

  get stats(): WorldStats {
    return {
      ...this.#clients.stats,
      ...this.#fate.stats,
      ...this.#stats,
      floodPackets: this.#floods.packets,
      collateralMoves: this.judge.collateralMoves,
      endedAt: Math.round(this.clock.now()),
    };
  }

  /** The whole story. */
  run(): this {
    this.#fate.start();
    this.clock.runUntil(firstClientAt);
    this.#clients.start();
    this.#lookOften();
    this.clock.runUntil(firstTurmoilAt);
    this.#operator.start();
    this.#floods.start();
    this.clock.runUntil(this.plan.turmoilMs);
    this.#faults = noFaults;
    this.#clients.stop();
    this.#fate.calm();
    this.#settled.wait();
    return this;
  }

  #lookOften(): void {
    this.clock.after(lookEveryMs, () => {
      for (const device of this.devices) {
        this.#stats.maxPins = Math.max(this.#stats.maxPins, device.mirror.pins.size);
      }
      this.#settled.look();
      this.#lookOften();
    });
  }

  /** A group tells the controller of gaps that no stream knows of. */
  #noteGap(): void {
    for (const device of this.devices) device.gapAt = Math.max(device.gapAt, this.clock.now());
  }

  #noteLog(message: string): void {
    if (message.startsWith('committed')) {
      this.#stats.commits++;
      this.#fleet.noteCommitted();
    }
    if (message.startsWith('rows of dead')) this.#stats.rewrites++;
  }
}

/** Where pins are refused all filter slots are kept, however full: established connections win. */
function overfullLimits(plan: WorldPlan, engine: EngineOptions): Judge['overfull'] {
  const { faults, sessionTimeoutMs, switchCount } = plan;
  const { pinLimit, pinTableSize, stallMs, clockLagMs, writeDelayMs, digestDelayMs } = faults;
  const isRefusing = pinLimit + pinTableSize > 0;
  // A group takes a switch back, and counts from there, some time after its stream is up.
  const joinMs = switchCount > 1 ? 2 * groupOptions.laggardMs + slowSwitchMs(plan) : 0;
  const keptMs = sessionTimeoutMs + engine.mergeMarginMs + engine.quarantineMs + joinMs;
  const waitMs = 2_000 + engine.floodQuarantineMs + clockLagMs + stallMs + digestDelayMs + 8 * writeDelayMs;
  return {
    limitMs: isRefusing ? Number.POSITIVE_INFINITY : waitMs + joinMs,
    afterGapMs: keptMs,
  };
}

/** Filter cells mistake strangers for members now and then, in floods most of all; sets do not, and I1 is about them. */
function createFastSwitch(plan: WorldPlan, twist: WorldTwist): SimSwitch {
  return new FastSwitch({
    filters: twist.filtersAreOff ? 'off' : isFlooded(plan) ? 'perfect' : 'cells',
    capacity: capacityOf(plan),
  });
}

function isFlooded({ faults }: WorldPlan): boolean {
  return faults.floodPerSecond + faults.aimedFloodPerSecond > 0;
}

function describeDesired({ pools }: Desired): string {
  const wanted = pools.map(({ name, backends }) => {
    const list = backends.map((b) => `${b.name} ${b.state === 'active' ? b.weight : b.state}`);
    return `${name}: ${list.join(', ')}`;
  });
  return `wanted: ${wanted.join('; ')}`;
}

const groupOptions = {
  laggardMs: 5_000,
  gatherMs: 500,
  idleAgreeMs: 3_000,
  joinUpdatesInFlight: 100,
  joinBatch: 20,
};

function joinSwitches(onGap: () => void): SimControllerOptions['join'] {
  return (ports, clock, log) => {
    const targets = ports.map((port, index) => ({ name: `s${index}`, port }));
    const group = new SwitchGroup(targets, { clock, log }, groupOptions);
    return {
      start: (listener) =>
        group.start((event) => {
          if (event.kind === 'gap') onGap();
          listener(event);
        }),
      write: (write, updates) => group.write(write, updates),
      solicit: (solicitation) => group.solicit(solicitation),
      status: () => group.status(),
      close: () => group.close(),
    };
  };
}
