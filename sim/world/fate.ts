// SPDX-License-Identifier: Apache-2.0
/** What happens to controllers, streams, switches and clocks; and who is primary. */
import type { EngineOptions } from '../../controller/core/options.ts';
import type { Log } from '../../controller/ports/log.ts';
import { type Dice, diceOf } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import { type Chronicle, everybody } from './chronicle.ts';
import type { Clients } from './clients.ts';
import type { Device } from './device.ts';
import type { Faults } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { Judge } from './judge.ts';
import { repeat } from './operator.ts';
import type { WorldPlan } from './plan.ts';
import { SimController, type SimControllerOptions } from './sim-controller.ts';
import { type PortWorld, SimPort } from './sim-port.ts';

export interface FateWorld {
  plan: WorldPlan;
  engine: EngineOptions;
  clock: SimClock;
  faults(): Faults;
  devices: readonly Device[];
  port: PortWorld;
  fleet: Fleet;
  judge: Judge;
  clients: Clients;
  log: Log;
  chronicle: Chronicle;
  /** What an engine is given of several switches. */
  join: SimControllerOptions['join'];
}

/** Effects at most between the moment that is drawn for a crash and the crash. */
const maxCrashEffects = 8;
/** If the controller had nothing to do meanwhile, it dies all the same. */
const crashPatienceMs = 3_000;
const switchBootMs = 500;

export class Fate {
  readonly stats = { crashes: 0, takeovers: 0, streamRestarts: 0, switchRestarts: 0 };
  /** The second one stands by. */
  controllers: SimController[] = [];
  readonly #world: FateWorld;
  readonly #outages: Dice;
  #primary: SimController | undefined;
  #isQuiet = false;
  #mayJumpAt = 0;

  constructor(world: FateWorld) {
    this.#world = world;
    this.#outages = diceOf(world.plan.seed, 'outages');
  }

  get primary(): SimController | undefined {
    return this.#primary;
  }

  start(): void {
    this.#startController();
    if (this.#world.faults().takeoversPerMinute > 0) this.#startController();
    this.#promote(this.controllers[0]!);

    const { plan, clock, faults } = this.#world;
    const often = (name: Parameters<typeof repeat>[1], act: (dice: Dice) => void): void =>
      repeat(plan.seed, name, clock, faults, act);
    often('streamRestartsPerMinute', (dice) => this.#breakStream(dice));
    often('switchRestartsPerMinute', (dice) => this.#restartSwitch(dice));
    often('slowSwitchesPerMinute', (dice) => this.#slowDown(dice));
    often('crashesPerMinute', (dice) => this.#crash(dice));
    often('takeoversPerMinute', () => this.#takeOver());
    often('stallsPerMinute', (dice) => this.#stop(dice.between(0, faults().stallMs)));
    often('clockLagsPerMinute', (dice) =>
      this.#primary?.clockStandsStillFor(dice.between(0, faults().clockLagMs)),
    );
    this.#jumpClocks(diceOf(plan.seed, 'clockJumpMs'));
  }

  /** Everybody is well from now on. */
  calm(): void {
    this.#isQuiet = true;
    if (this.controllers.length === 0) this.#startController();
    const primary = this.#primary ?? this.controllers[0]!;
    this.#promote(primary);
  }

  // Controllers.

  #startController(): SimController {
    const { devices, port, engine, clock, faults, log, fleet, join } = this.#world;
    const ports = devices.map((device) => new SimPort(device, port));
    const controller: SimController = new SimController({
      engine,
      clock,
      ports,
      join,
      noticeQueueLength: faults().noticeQueueLength,
      prefix: {
        batchRows: this.#world.engine.writeBatch,
        rowsInFlightMax: this.#world.engine.maxUpdatesInFlight,
      },
      log,
      onDeath: () => this.#died(controller),
    });
    this.controllers.push(controller);
    controller.want(fleet.desired());
    return controller;
  }

  #promote(controller: SimController): void {
    if (controller.isDead) return;
    if (this.#primary && this.#primary !== controller) this.#demote(this.#primary);
    this.#primary = controller;
    this.#world.chronicle.note(everybody, 'a controller becomes primary');
    for (const port of controller.ports) this.#reopen(controller, port);
  }

  #demote(controller: SimController): void {
    this.#primary = undefined;
    for (const port of controller.ports) this.#break(port);
  }

  #break(port: SimPort): void {
    this.#world.chronicle.note(everybody, `the stream of switch ${port.device.index} breaks`);
    port.break();
    this.#world.judge.unattended.add(port.device);
  }

  #crash(dice: Dice): void {
    const victim = this.#primary;
    const point = { effects: dice.integer(0, maxCrashEffects), waitsForVersion: dice.chance(0.5) };
    victim?.crashAt(point);
    this.#world.clock.after(crashPatienceMs, () => {
      if (!this.#isQuiet) victim?.kill();
    });
  }

  /** The engine takes a long stop for a gap. */
  #stop(ms: number): void {
    const { clock, devices } = this.#world;
    this.#primary?.stopFor(ms);
    for (const device of devices) device.gapAt = Math.max(device.gapAt, clock.now() + ms);
  }

  /** Whoever stands by takes over; without one it starts again. */
  #died(controller: SimController): void {
    this.stats.crashes++;
    this.#world.chronicle.note(everybody, 'a controller dies');
    const wasPrimary = this.#primary === controller;
    if (wasPrimary) this.#primary = undefined;
    for (const { device } of controller.ports) if (wasPrimary) this.#world.judge.unattended.add(device);
    this.controllers = this.controllers.filter((other) => other !== controller);
    const { clock } = this.#world;
    clock.after(this.#outageMs(), () => {
      const successor = this.controllers[0] ?? this.#startController();
      if (this.#primary === undefined) this.#promote(successor);
      clock.after(this.#outageMs(), () => {
        const isLonely = this.controllers.length < 2 && this.#world.plan.faults.takeoversPerMinute > 0;
        if (isLonely) this.#startController();
      });
    });
  }

  #takeOver(): void {
    const successor = this.controllers.find((controller) => controller !== this.#primary);
    if (successor === undefined || this.#primary === undefined) return;
    this.stats.takeovers++;
    this.#demote(this.#primary);
    this.#world.clock.after(this.#outageMs(), () => {
      const next = successor.isDead ? this.controllers[0] : successor;
      if (this.#primary === undefined && next) this.#promote(next);
    });
  }

  // Streams and switches.

  #breakStream(dice: Dice): void {
    const controller = this.#primary;
    if (controller === undefined) return;
    const port = dice.pick(controller.ports);
    if (!port.isOpen) return;
    this.stats.streamRestarts++;
    this.#break(port);
    this.#world.clock.after(this.#outageMs(), () => this.#reopen(controller, port));
  }

  /** What it is asked from now on it does later. A single one is slow by `writeDelayMs` alone. */
  #slowDown(dice: Dice): void {
    const { devices, faults } = this.#world;
    const device = dice.pick(devices);
    if (devices.length > 1)
      this.#primary?.ports[device.index]?.takeTime(dice.between(0, faults().slowSwitchMs));
  }

  #restartSwitch(dice: Dice): void {
    const { devices, clients, clock } = this.#world;
    const device = dice.pick(devices);
    const controller = this.#primary;
    const port = controller?.ports[device.index];
    this.stats.switchRestarts++;
    port?.break();
    this.#world.judge.unattended.delete(device);
    device.restart();
    clients.tablesLost(device);
    clock.after(switchBootMs + this.#outageMs(), () => {
      if (controller && port) this.#reopen(controller, port);
    });
  }

  /** A process that is stopped connects when it goes on. */
  #reopen(controller: SimController, port: SimPort): void {
    controller.whenRunning(() => {
      if (this.#primary !== controller || controller.isDead || port.isOpen) return;
      this.#world.judge.unattended.delete(port.device);
      port.open();
      for (const device of this.#world.devices) device.gapAt = this.#world.clock.now();
    });
  }

  #jumpClocks(dice: Dice): void {
    const { clock, plan, faults } = this.#world;
    if (faults().clockJumpMs === 0) return;
    clock.after(plan.sessionTimeoutMs * dice.between(1.2, 2), () => {
      if (faults().clockJumpMs === 0) return;
      if (clock.now() >= this.#mayJumpAt) this.#primary?.clockJumpsBy(dice.between(0, faults().clockJumpMs));
      this.#mayJumpAt = clock.now() + plan.sessionTimeoutMs * 1.2;
      this.#jumpClocks(dice);
    });
  }

  #outageMs(): number {
    const { faults } = this.#world;
    return this.#outages.between(0, faults().outageMs);
  }
}
