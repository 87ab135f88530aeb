// SPDX-License-Identifier: Apache-2.0
/**
 * Reads how loaded backends are, each vip in its own rhythm, and says when weights should follow (core/load-weights.ts).
 *
 *   configuration ──> LoadSteering ──read──> LoadSource ──loads──> core/load-weights ──weights──> onChange
 *                          └──> notes: what who leads next goes on from
 *
 * A vip has one reading under way at most.
 */
import { isDeepStrictEqual } from 'node:util';
import { type FactorKeeper, factorKeeper } from './book/factor-keeper.ts';
import type { Config } from './config/config.ts';
import { loadLimits, type VipLoad } from './config/weights.ts';
import { formatAddress } from './core/address.ts';
import type { DesiredBackend } from './core/desired.ts';
import type { Millis } from './core/event.ts';
import type { LoadQuery } from './core/load-query.ts';
import type { LoadStatus } from './core/load-status.ts';
import {
  adjust,
  configuredWeights,
  createLoadWeights,
  factorsOf,
  type LoadMember,
  type LoadWeights,
  noteLoads,
  restoreFactors,
  weightsOf,
} from './core/load-weights.ts';
import type { Clock } from './ports/clock.ts';
import type { LoadSource } from './ports/load-source.ts';
import type { Log } from './ports/log.ts';
import type { BookStore } from './ports/store.ts';

export interface LoadSteeringWorld {
  clock: Clock;
  log: Log;
  openSource: (vip: string, query: LoadQuery) => LoadSource;
  /** Only who leads steers: the changes of another do not show in the loads. */
  isLeading: () => boolean;
  /** Whether a backend gets new connections. */
  isInUse: (pool: string, backend: DesiredBackend) => boolean;
  /** What `weightOf` says may have changed. */
  onChange: () => void;
  /** Where factors are kept, as whoever leads now may write there. */
  openWeights: () => BookStore;
}

interface SteeredPool {
  config: VipLoad;
  source: LoadSource;
  state: LoadWeights;
  backends: readonly DesiredBackend[];
  weights: ReadonlyMap<string, number>;
  problem: string | undefined;
  cancel: () => void;
}

export class LoadSteering {
  private readonly world: LoadSteeringWorld;
  private pools = new Map<string, SteeredPool>();
  private readonly keeper: FactorKeeper;
  private isClosed = false;

  constructor(world: LoadSteeringWorld) {
    this.world = world;
    this.keeper = factorKeeper({ ...world, openStore: world.openWeights });
  }

  /** We begin to lead, and go on from where who led before has stopped. */
  async takeOver(): Promise<void> {
    const factors = await this.keeper.open();
    if (factors === undefined) return;
    const now = this.world.clock.now();
    for (const [vip, pool] of this.pools) {
      pool.state = createLoadWeights(pool.config.options, now);
      restoreFactors(pool.state, factors.get(vip) ?? new Map());
      pool.weights = weightsOf(pool.state, this.membersOf(pool));
    }
  }

  /** From now on the weights of these vips follow load. Who did before, in the same way, goes on. */
  follow({ desired, load, lifecycle }: Pick<Config, 'desired' | 'load' | 'lifecycle'>): void {
    const before = this.pools;
    this.pools = new Map();
    for (const config of load) {
      const wanted = desired.pools.find(({ name }) => name === config.vip);
      if (wanted === undefined) continue;
      const known = before.get(config.vip);
      before.delete(config.vip);
      const pool =
        known && isDeepStrictEqual(known.config.query, config.query) ? known : this.begin(config, known);
      pool.config = config;
      pool.state.options = config.options;
      pool.backends = wanted.backends;
      inherit(pool.state, lifecycle.find(({ vip }) => vip === config.vip)?.predecessors);
      pool.weights = weightsOf(pool.state, this.membersOf(pool));
      this.pools.set(config.vip, pool);
    }
    for (const { cancel } of before.values()) cancel();
  }

  weightOf(pool: string, backend: string): number | undefined {
    return this.pools.get(pool)?.weights.get(backend);
  }

  status(): LoadStatus[] {
    return [...this.pools.values()].map(({ config, state, problem, backends, weights }) => ({
      pool: config.vip,
      source: config.query.kind,
      problem,
      changes: state.changes,
      backends: [...configuredWeights(state, backends)].map(([backend, configured]) => {
        const { smoothed = Number.NaN } = state.backends.get(backend) ?? {};
        const load = Number.isNaN(smoothed) ? undefined : smoothed;
        return { backend, weight: weights.get(backend) ?? configured, configured, load };
      }),
    }));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const { cancel } of this.pools.values()) cancel();
    await this.keeper.close();
  }

  private begin(config: VipLoad, before: SteeredPool | undefined): SteeredPool {
    before?.cancel();
    const { clock, openSource } = this.world;
    const state = createLoadWeights(config.options, clock.now());
    if (before) restoreFactors(state, factorsOf(before.state));
    const source = openSource(config.vip, config.query);
    const pool: SteeredPool = {
      config,
      source,
      state,
      backends: [],
      weights: new Map(),
      problem: undefined,
      cancel: () => {},
    };
    this.readLater(pool);
    return pool;
  }

  private readLater(pool: SteeredPool): void {
    pool.cancel = this.world.clock.after(pool.config.options.intervalMs, () => void this.read(pool));
  }

  private async read(pool: SteeredPool): Promise<void> {
    const { vip, options } = pool.config;
    if (!this.world.isLeading()) {
      this.readLater(pool);
      return;
    }
    const targets = pool.backends.map(({ name, address, port, weight }) => ({
      name,
      address: formatAddress(address),
      port,
      weight,
    }));
    const timeoutMs = Math.min(loadLimits.readMs, options.intervalMs);
    const { loads, problem } = await pool.source.read(targets, timeoutMs);
    if (this.isClosed || this.pools.get(vip) !== pool) return;
    if (!this.world.isLeading()) {
      this.readLater(pool);
      return;
    }
    if (problem !== undefined && pool.problem === undefined)
      this.world.log('warn', 'the load of backends is not known', { pool: vip, reason: problem });
    pool.problem = problem;
    this.steer(pool, loads, this.world.clock.now());
    this.readLater(pool);
  }

  private steer(pool: SteeredPool, loads: ReadonlyMap<string, number>, now: Millis): void {
    noteLoads(pool.state, loads, now);
    const members = this.membersOf(pool);
    if (!adjust(pool.state, members, now)) return;
    pool.weights = weightsOf(pool.state, members);
    const { log, onChange } = this.world;
    const shown = [...pool.weights].slice(0, shownWeights).map(([name, weight]) => `${name}=${weight}`);
    log('info', 'weights follow load', { pool: pool.config.vip, weights: shown.join(' ') });
    this.keeper.keep(new Map([...this.pools].map(([vip, { state }]) => [vip, factorsOf(state)])));
    onChange();
  }

  private membersOf({ config, backends }: SteeredPool): LoadMember[] {
    return backends.map((backend) => ({
      name: backend.name,
      weight: backend.weight,
      isInUse: this.world.isInUse(config.vip, backend),
    }));
  }
}

/** Who takes a seat is believed to be able to carry what the one before it carried. */
function inherit(state: LoadWeights, predecessors: ReadonlyMap<string, string> = new Map()): void {
  const factors = factorsOf(state);
  for (const [name, predecessor] of predecessors) {
    const factor = factors.get(predecessor);
    if (factor !== undefined && !factors.has(name)) restoreFactors(state, new Map([[name, factor]]));
  }
}

/** In a line of the log. */
const shownWeights = 8;
