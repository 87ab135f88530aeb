// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the core: events in, one at a time; effects out, in their order; a timer for its `wake`.
 *
 *   switch, config ──event──> queue ──> step ──effect──> switch, log, timer ──tick──> queue
 */

import { type Servable, servablePools } from './core/announce.ts';
import { type BackendFacts, backendFacts } from './core/backend-facts.ts';
import { type Book, bookOf } from './core/book.ts';
import { createState, step } from './core/controller.ts';
import type { Desired } from './core/desired.ts';
import type { Effect, Event, Millis } from './core/event.ts';
import { type Explanation, explain, type FlowQuestion } from './core/explain.ts';
import type { EngineOptions } from './core/options.ts';
import { type Plan, planInSteps } from './core/plan.ts';
import { type SlotMap, slotMap } from './core/slot-map.ts';
import { type Status, status } from './core/status.ts';
import { EventQueue, type EventQueueOptions } from './event-queue.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { SwitchPort } from './ports/switch.ts';
import { WriteSpeedometer } from './write-speed.ts';

export interface EngineWorld {
  clock: Clock;
  switchPort: SwitchPort;
  log: Log;
  /** What a controller before us has left. */
  book?: Book | undefined;
  /** What `Engine.book` or `Engine.servable` say may have changed. */
  onChange?: () => void;
}

export interface EngineQueue extends EventQueueOptions {
  /** Calls back after others had their turn; setImmediate, unless time is simulated. */
  later: (callback: () => void) => void;
}

/** Timers in the far future are set for this long, and again: Node's overflow beyond 2^31 ms. */
const longestTimerMs = 3_600_000;

/**
 * How often the engine makes sure that the process has not been stopped; and the longest stop that digests on their way are
 * allowed for (mergeMarginMs). After a longer one, what they would have told may not be known when a timer is due: a gap.
 */
const heartbeatMs = 250;
const longestStopMs = 1_000;

/** A plan is computed for so long before others have their turn. */
const planSliceMs = 20;

/** Notices come in storms, and what they change is on the switch alone. */
const changesBook: ReadonlySet<Event['kind']> = new Set(['desired', 'connected', 'written', 'tick']);

export class Engine {
  private readonly world: EngineWorld;
  private options: EngineOptions;
  private state: ReturnType<typeof createState>;
  private readonly queue: EventQueue;
  private readonly speedometer = new WriteSpeedometer();
  private cancelWake = () => {};
  private cancelHeartbeat = () => {};
  /** When the process was last seen to run. */
  private ranAt: Millis;
  /** It was stopped; what is read until then may have waited all the time. */
  private isBehindUntil: Millis = Number.NEGATIVE_INFINITY;
  /** Streams to the switch that began or ended: as told, and as far as the core knows yet. */
  private streamEventsTold = 0;
  private streamEventsKnown = 0;

  constructor(options: EngineOptions, world: EngineWorld, queue: Partial<EngineQueue> = {}) {
    this.options = options;
    this.world = world;
    this.state = createState(world.book);
    this.ranAt = world.clock.now();
    this.queue = new EventQueue((event) => this.handle(event), queue, queue.later);
  }

  start(): void {
    const { clock, switchPort } = this.world;
    this.beat();
    this.limit();
    switchPort.start((event) => {
      if (isStreamEvent(event)) this.streamEventsTold++;
      this.queue.push({ ...event, now: clock.now() } as Event);
    });
  }

  /** Everything the operator wants, and how; replaces what was wanted before. */
  want(desired: Desired, options: EngineOptions): void {
    this.options = options;
    this.limit();
    this.queue.push({ kind: 'desired', now: this.world.clock.now(), desired });
  }

  status(): Status {
    return status(this.state, this.world.clock.now(), this.options);
  }

  /** Undefined when there is no pool of this name. */
  slots(pool: string): SlotMap | undefined {
    return slotMap(this.state, pool);
  }

  /** By the name of the backend, its id, by which the switch counts; undefined unless a pool of this name serves. */
  backendIds(pool: string): ReadonlyMap<string, number> | undefined {
    for (const { name, phase, backends } of this.state.pools.values())
      if (name === pool && phase === 'serving')
        return new Map([...backends.values()].map((backend) => [backend.name, backend.id]));
    return undefined;
  }

  explain(flow: FlowQuestion): Explanation {
    return explain(this.state, flow);
  }

  /** What bears on what this backend gets. */
  backendFacts(pool: string, backend: string): BackendFacts {
    return backendFacts(this.state, this.world.clock.now(), pool, backend);
  }

  /** What would come of it if this were wanted; undefined while the switch is not known. */
  async plan(desired: Desired, options: EngineOptions): Promise<Plan | undefined> {
    const { clock } = this.world;
    const steps = planInSteps(this.state, desired, clock.now(), options, this.speedometer.speed());
    for (let until = clock.now() + planSliceMs; ; ) {
      const { done, value } = steps.next();
      if (done) return value;
      if (clock.now() < until) continue;
      await new Promise<void>((resolve) => clock.after(0, resolve));
      until = clock.now() + planSliceMs;
    }
  }

  /** What the next controller should know; undefined while we do not know ourselves. */
  book(): Book | undefined {
    return this.state.isReady ? bookOf(this.state, this.world.clock.now()) : undefined;
  }

  /** What routers may send us packets for; undefined: nothing certain is known. */
  servable(): Servable[] | undefined {
    return servablePools(this.state);
  }

  get waitingEvents(): number {
    return this.queue.length;
  }

  get droppedEvents(): number {
    return this.queue.dropped;
  }

  async close(): Promise<void> {
    this.cancelWake();
    this.cancelHeartbeat();
    this.queue.close();
    await this.world.switchPort.close();
  }

  private limit(): void {
    const { digestRates } = this.options;
    if (digestRates) this.world.switchPort.limit?.(digestRates);
  }

  private beat(): void {
    this.noteStop();
    this.cancelHeartbeat = this.world.clock.after(heartbeatMs, () => this.beat());
  }

  /** Comes before whatever has piled up meanwhile. */
  private noteStop(): void {
    const now = this.world.clock.now();
    const stoppedMs = now - this.ranAt;
    this.ranAt = now;
    if (stoppedMs <= heartbeatMs + longestStopMs) return;
    this.world.log('warn', 'the controller was stopped', { ms: Math.round(stoppedMs) });
    this.isBehindUntil = now + heartbeatMs;
    this.advance({ kind: 'gap', now });
  }

  private handle(event: Event): void {
    this.noteStop();
    if (!this.isOutdated(event)) this.advance(event);
  }

  /**
   * A digest that waited while the process was stopped may tell of a connection that has ended since, and whose 5-tuple has
   * come again. It counts as lost: the gap is known, and a flow that is alive sends again.
   */
  private isOutdated(event: Event): boolean {
    if (event.kind !== 'flow-digest' || event.now >= this.isBehindUntil) return false;
    return event.reason === 'old' || event.reason === 'learn';
  }

  private advance(event: Event): void {
    if (isStreamEvent(event)) {
      this.streamEventsKnown++;
      this.speedometer.forget();
    }
    if (event.kind === 'written') this.speedometer.answer(event.write, this.world.clock.now());
    const { state, effects } = step(this.state, event, this.options);
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
    if (changesBook.has(event.kind)) this.world.onChange?.();
  }

  private carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'write':
        // Meant for a stream that is gone: on the next one it would come after the tables have been read.
        if (this.streamEventsKnown < this.streamEventsTold) break;
        this.speedometer.sent(effect.write, effect.updates.length, this.world.clock.now());
        this.world.switchPort.write(effect.write, effect.updates);
        break;
      case 'wake':
        this.wakeAt(effect.at);
        break;
      case 'solicit':
        this.world.switchPort.solicit(effect);
        break;
      case 'log':
        this.world.log(effect.level, effect.message, effect.fields, effect.topic);
    }
  }

  private wakeAt(at: number): void {
    const { clock } = this.world;
    this.cancelWake();
    const delayMs = Math.max(0, at - clock.now());
    this.cancelWake =
      delayMs > longestTimerMs
        ? clock.after(longestTimerMs, () => this.wakeAt(at))
        : clock.after(delayMs, () => this.queue.push({ kind: 'tick', now: clock.now() }));
  }
}

function isStreamEvent({ kind }: { kind: Event['kind'] }): boolean {
  return kind === 'connected' || kind === 'disconnected';
}
