// SPDX-License-Identifier: Apache-2.0
/**
 * One process that runs the shipping engine, and may be killed between any two of its effects, stopped for a while, or
 * have a clock that is wrong.
 *
 * What its clock promises: it never goes back, it may stand still, and it runs ahead of the world by no more than
 * `clockJumpMs` in a session timeout.
 */
import type { Desired } from '../../controller/core/desired.ts';
import type { Millis } from '../../controller/core/event.ts';
import type { EngineOptions } from '../../controller/core/options.ts';
import type { SwitchRow } from '../../controller/core/row.ts';
import type { Status } from '../../controller/core/status.ts';
import { Engine } from '../../controller/engine.ts';
import type { Clock } from '../../controller/ports/clock.ts';
import type { Log } from '../../controller/ports/log.ts';
import type { SwitchPort, SwitchStatus } from '../../controller/ports/switch.ts';
import { PrefixPort, type PrefixPortOptions } from '../../controller/prefix/prefix-port.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { PortListener, SimPort } from './sim-port.ts';

export interface SimControllerOptions {
  engine: EngineOptions;
  clock: SimClock;
  /** One for each switch. */
  ports: readonly SimPort[];
  prefix: Partial<PrefixPortOptions>;
  /** Makes one of them, for the engine: it runs in this process, too. */
  join(ports: readonly SwitchPort[], clock: Clock, log: Log): SwitchPort;
  /** Notices that may wait; 0: as shipped. */
  noticeQueueLength: number;
  log: Log;
  onDeath: () => void;
}

/** After which effect it dies: the k-th from now, or the k-th after the next write of `version` is sent. */
export interface CrashPoint {
  effects: number;
  waitsForVersion: boolean;
}

export class SimController {
  isDead = false;
  readonly engine: Engine;
  readonly ports: readonly SimPort[];
  readonly #options: SimControllerOptions;
  readonly #clock: ProcessClock;
  readonly #switchPort: SwitchPort;
  #crash: CrashPoint | undefined;
  #stoppedUntil: Millis = 0;
  /** What waits for it to go on; timers are looked at before sockets. */
  #timersDue: (() => void)[] = [];
  #eventsDue: (() => void)[] = [];

  constructor(options: SimControllerOptions) {
    this.#options = options;
    this.ports = options.ports;
    this.#clock = new ProcessClock(options.clock, (due) => this.#whenRunning(this.#timersDue, due));
    const queue = options.noticeQueueLength > 0 ? { noticeLimit: options.noticeQueueLength } : {};
    const watched = options.ports.map(
      (port) => new PrefixPort(this.#watched(port), this.#clock, options.prefix),
    );
    this.#switchPort = options.join(watched, this.#clock, this.#log);
    this.engine = new Engine(
      options.engine,
      { clock: this.#clock, switchPort: this.#switchPort, log: this.#log },
      { ...queue, later: options.clock.later },
    );
    this.engine.start();
  }

  want(desired: Desired): void {
    this.whenRunning(() => this.engine.want(structuredClone(desired), this.#options.engine));
  }

  status(): Status {
    return this.engine.status();
  }

  switchStatus(): SwitchStatus {
    return this.#switchPort.status();
  }

  crashAt(point: CrashPoint): void {
    this.#crash = { ...point };
  }

  /** Nothing is handled for so long; then everything at once. */
  stopFor(ms: number): void {
    const { clock } = this.#options;
    this.#stoppedUntil = clock.now() + ms;
    clock.after(ms, () => {
      if (clock.now() < this.#stoppedUntil) return;
      for (const due of [...this.#timersDue.splice(0), ...this.#eventsDue.splice(0)]) due();
    });
  }

  clockStandsStillFor(ms: number): void {
    this.#clock.standStillFor(ms);
  }

  clockJumpsBy(ms: number): void {
    this.#clock.jumpBy(ms);
  }

  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#timersDue = [];
    this.#eventsDue = [];
    void this.engine.close();
    for (const port of this.ports) void port.close();
    this.#options.onDeath();
  }

  /** At once, or when it goes on; never, if it dies. */
  whenRunning(act: () => void): void {
    this.#whenRunning(this.#eventsDue, act);
  }

  #whenRunning(queue: (() => void)[], due: () => void): void {
    if (this.isDead) return;
    if (this.#options.clock.now() < this.#stoppedUntil) queue.push(due);
    else due();
  }

  /** The port as seen from within the process. */
  #watched(port: SimPort): SwitchPort<SwitchRow> {
    return {
      start: (listener) => {
        const hear: PortListener = (event, fate) =>
          this.#whenRunning(this.#eventsDue, () => {
            const droppedBefore = this.engine.droppedEvents;
            listener(event);
            if (this.engine.droppedEvents > droppedBefore) fate?.lost();
            else fate?.heard();
          });
        port.start(hear);
      },
      write: (write, updates) => {
        if (this.isDead) return;
        port.write(write, updates);
        this.#countEffect(updates.some(({ row }) => row.table === 'version'));
      },
      solicit: () => {
        if (this.isDead) return;
        port.solicit();
        this.#countEffect(false);
      },
      status: () => port.status(),
      close: () => port.close(),
    };
  }

  readonly #log: Log = (level, message, fields) => {
    if (this.isDead) return;
    this.#options.log(level, message, fields);
    this.#countEffect(false);
  };

  #countEffect(isVersion: boolean): void {
    const crash = this.#crash;
    if (crash === undefined) return;
    if (isVersion) crash.waitsForVersion = false;
    if (crash.waitsForVersion) return;
    if (crash.effects-- > 0) return;
    this.kill();
  }
}

/** Monotonic, whole milliseconds, and not quite the world's. */
class ProcessClock implements Clock {
  readonly #world: SimClock;
  readonly #deliver: (due: () => void) => void;
  #aheadMs = 0;
  #stoodStillAt: Millis | undefined;
  #latest: Millis = 0;

  constructor(world: SimClock, deliver: (due: () => void) => void) {
    this.#world = world;
    this.#deliver = deliver;
  }

  now(): Millis {
    const at = (this.#stoodStillAt ?? this.#world.now()) + this.#aheadMs;
    this.#latest = Math.max(this.#latest, Math.round(at));
    return this.#latest;
  }

  date(): Date {
    return this.#world.date();
  }

  after(delayMs: number, callback: () => void): () => void {
    const dueAt = this.now() + delayMs;
    let isCancelled = false;
    const wait = (): void => {
      this.#world.after(Math.max(0.5, dueAt - this.now()), () => {
        if (isCancelled) return;
        // A timer goes by its own clock.
        if (this.now() < dueAt) wait();
        else
          this.#deliver(() => {
            if (!isCancelled) callback();
          });
      });
    };
    wait();
    return () => {
      isCancelled = true;
    };
  }

  standStillFor(ms: number): void {
    if (this.#stoodStillAt !== undefined) return;
    const since = this.#world.now();
    this.#stoodStillAt = since;
    this.#world.after(ms, () => {
      this.#aheadMs -= this.#world.now() - since;
      this.#stoodStillAt = undefined;
    });
  }

  jumpBy(ms: number): void {
    this.#aheadMs += ms;
  }
}
