// SPDX-License-Identifier: Apache-2.0
/**
 * What time does to backends: a drain whose deadline has passed ends as disabled, and who joins others fills in steps.
 *
 *   configuration ──follow──> Lifecycle ──wishOf──> standing ──filled──> what is wanted
 *                                 └── a timer for the next deadline or step ──> onChange
 *
 * Deadlines are times of day, in the configuration: whoever reads it next goes by the same. Who fills, and since when, is kept for
 * who leads next (book/filling-keeper.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import { type FillingKeeper, fillingKeeper } from './book/filling-keeper.ts';
import type { Config } from './config/config.ts';
import type { VipLifecycle } from './config/lifecycle.ts';
import type { BackendState, Desired, DesiredBackend, DesiredPool } from './core/desired.ts';
import type { Millis } from './core/event.ts';
import {
  createFilling,
  type Filling,
  filledBackends,
  nextStepAt,
  noteOf,
  noteUse,
  restoreFilling,
  shareOf,
} from './core/filling.ts';
import type { PoolLifecycleStatus } from './core/lifecycle-status.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { BookStore } from './ports/store.ts';

export interface LifecycleWorld {
  clock: Clock;
  log: Log;
  /** What `wishOf` or `filled` say may have changed. */
  onChange: () => void;
  /** Only who leads keeps who fills: the others tell nobody of their weights. */
  isLeading: () => boolean;
  /** Where it is kept, as whoever leads now may write there. */
  openFilling: () => BookStore;
}

export interface FillRules {
  /** As far as the checks go. */
  isTrusted: (pool: string, backend: string) => boolean;
  /** Whoever comes back because the checks are not trusted is needed as a whole. */
  mayFill: (pool: string) => boolean;
}

interface FollowedPool {
  config: VipLifecycle;
  backends: readonly DesiredBackend[];
  /** By name: the deadline of its drain has passed. */
  overdue: ReadonlySet<string>;
  filling: Filling | undefined;
}

/** The time of day may be set anew at any moment: a timer for it is no longer than this. */
const timerMs = 30_000;
/** In a line of the log. */
const namesShown = 8;

export class Lifecycle {
  private readonly world: LifecycleWorld;
  private readonly keeper: FillingKeeper;
  /** Between the clock, which only goes on, and the time of day, by which controllers that follow each other count. */
  private readonly dayMs: Millis;
  private pools = new Map<string, FollowedPool>();
  private cancel = () => {};

  constructor(world: LifecycleWorld) {
    this.world = world;
    this.keeper = fillingKeeper({ ...world, openStore: world.openFilling });
    this.dayMs = world.clock.date().getTime() - world.clock.now();
  }

  /** We begin to lead: whoever fills goes on from where it was. What was wanted before is to be asked for again. */
  async takeOver(): Promise<void> {
    const notes = await this.keeper.open();
    for (const [vip, { filling }] of this.pools) {
      const note = notes?.get(vip);
      const goOn = filling && note && restoreFilling(filling, note, this.time());
      if (goOn !== undefined && goOn.length > 0)
        this.world.log(
          'info',
          'backends go on filling where they were',
          { pool: vip, backends: goOn.slice(0, namesShown).join(' '), count: goOn.length },
          'backend',
        );
    }
  }

  /** From now on these are followed. Who was followed before goes on where it was. */
  follow({ desired, lifecycle }: Pick<Config, 'desired' | 'lifecycle'>): void {
    const before = this.pools;
    this.pools = new Map();
    for (const config of lifecycle) {
      const known = before.get(config.vip);
      const backends = desired.pools.find(({ name }) => name === config.vip)?.backends ?? [];
      const { slowStart } = config;
      const isSame = isDeepStrictEqual(known?.config.slowStart, slowStart);
      const filling = isSame ? known?.filling : slowStart && createFilling(slowStart);
      const overdue = this.overdueOf(config);
      if (known) this.tellOverdue(config.vip, known.overdue, overdue);
      this.pools.set(config.vip, {
        config,
        backends,
        overdue,
        filling: filling ?? (slowStart && createFilling(slowStart)),
      });
    }
    this.setTimer();
  }

  wishOf(pool: string, { name, state }: DesiredBackend): BackendState {
    return state === 'draining' && this.pools.get(pool)?.overdue.has(name) ? 'disabled' : state;
  }

  /** The same by another configuration, or this one. */
  wishesOf({
    lifecycle,
  }: Pick<Config, 'lifecycle'>): (pool: string, backend: DesiredBackend) => BackendState {
    const overdue = new Map(lifecycle.map((config) => [config.vip, this.overdueOf(config)]));
    return (pool, { name, state }) =>
      state === 'draining' && overdue.get(pool)?.has(name) ? 'disabled' : state;
  }

  isFilling(pool: string, backend: string): boolean {
    const filling = this.pools.get(pool)?.filling;
    return filling !== undefined && shareOf(filling, backend, this.time()) < 1;
  }

  /** With the parts of their weights for those who fill. To be asked whenever something is wanted: it notes who is in use. */
  filled(standing: Desired, rules: FillRules): Desired {
    const desired = { ...standing, pools: standing.pools.map((pool) => this.filledPool(pool, rules)) };
    this.setTimer();
    if (this.world.isLeading()) this.keep();
    return desired;
  }

  /** The same with those who fill already, and nobody is the wiser. */
  filledAsNow(standing: Desired, rules: FillRules): Desired {
    return { ...standing, pools: standing.pools.map((pool) => this.withShares(pool, rules)) };
  }

  status(): PoolLifecycleStatus[] {
    const now = this.time();
    const date = this.world.clock.date().getTime();
    return [...this.pools.values()].map(({ config, backends, filling }) => ({
      pool: config.vip,
      backends: backends.map(({ name, state, weight }) => {
        const deadline = config.deadlines.get(name);
        const share = filling === undefined ? 1 : shareOf(filling, name, now);
        const since = filling?.fills.get(name)?.since;
        const endsAt = since === undefined || filling === undefined ? now : since + filling.options.windowMs;
        return {
          backend: name,
          wish: state,
          weight,
          deadlineMs: deadline === undefined ? undefined : Math.max(0, deadline - date),
          share,
          fillMs: share === 1 ? 0 : Math.max(0, Math.round(endsAt - now)),
          replaces: config.predecessors.get(name),
        };
      }),
    }));
  }

  async close(): Promise<void> {
    this.cancel();
    await this.keeper.close();
  }

  private keep(): void {
    const notes = [...this.pools].flatMap(([vip, { filling }]) => {
      const note = filling && noteOf(filling);
      return note === undefined ? [] : [[vip, note] as const];
    });
    this.keeper.keep(new Map(notes));
  }

  private time(): Millis {
    return this.dayMs + this.world.clock.now();
  }

  private filledPool(pool: DesiredPool, rules: FillRules): DesiredPool {
    const known = this.pools.get(pool.name);
    if (known?.filling === undefined) return pool;
    const { log } = this.world;
    const { filling, config } = known;
    const now = this.time();
    const members = pool.backends.map(({ name, state, weight }) => {
      const predecessor = config.predecessors.get(name);
      return { name, isInUse: state === 'active' && weight > 0, predecessor };
    });
    const { begun, ended } = noteUse(filling, members, now);
    if (!rules.mayFill(pool.name)) filling.fills.clear();
    else
      for (const backend of begun)
        log(
          'info',
          'a backend fills: it gets a part of its weight at first',
          { pool: pool.name, backend },
          'backend',
        );
    for (const backend of ended)
      log('info', 'a backend has its whole weight', { pool: pool.name, backend }, 'backend');
    return this.withShares(pool, rules);
  }

  private withShares(pool: DesiredPool, { isTrusted }: FillRules): DesiredPool {
    const known = this.pools.get(pool.name);
    if (known?.filling === undefined) return pool;
    const goesOn = (name: string): boolean =>
      isTrusted(pool.name, name) &&
      !known.overdue.has(name) &&
      known.backends.some((wish) => wish.name === name && wish.state === 'draining');
    const backends = filledBackends(known.filling, pool.backends, this.time(), goesOn);
    return backends === pool.backends ? pool : { ...pool, backends };
  }

  private overdueOf({ deadlines }: VipLifecycle): ReadonlySet<string> {
    const date = this.world.clock.date().getTime();
    return new Set([...deadlines].filter(([, deadline]) => deadline <= date).map(([name]) => name));
  }

  private tellOverdue(pool: string, before: ReadonlySet<string>, now: ReadonlySet<string>): void {
    for (const backend of now)
      if (!before.has(backend))
        this.world.log(
          'warn',
          'the deadline of a drain has passed: what is left is given up',
          { pool, backend },
          'backend',
        );
  }

  private setTimer(): void {
    this.cancel();
    const { clock } = this.world;
    const date = clock.date().getTime();
    const now = this.time();
    let delayMs = Number.POSITIVE_INFINITY;
    for (const { config, overdue, filling } of this.pools.values()) {
      for (const [name, deadline] of config.deadlines)
        if (!overdue.has(name)) delayMs = Math.min(delayMs, timerMs, Math.max(0, deadline - date));
      if (filling) delayMs = Math.min(delayMs, nextStepAt(filling, now) - now);
    }
    this.cancel = delayMs === Number.POSITIVE_INFINITY ? () => {} : clock.after(delayMs, () => this.look());
  }

  private look(): void {
    let isNews = false;
    for (const pool of this.pools.values()) {
      const overdue = this.overdueOf(pool.config);
      this.tellOverdue(pool.config.vip, pool.overdue, overdue);
      isNews ||= !isDeepStrictEqual(pool.overdue, overdue) || (pool.filling?.fills.size ?? 0) > 0;
      pool.overdue = overdue;
    }
    this.setTimer();
    if (isNews) this.world.onChange();
  }
}
