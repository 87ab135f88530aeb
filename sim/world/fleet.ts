// SPDX-License-Identifier: Apache-2.0
/** The pools that are wanted, the servers behind them, and which of those live. */
import {
  type BackendState,
  type Desired,
  type DesiredBackend,
  type DesiredPool,
  PLAIN_POOL,
  type Placement,
  type SlotTable,
} from '../../controller/core/desired.ts';
import type { Millis } from '../../controller/core/event.ts';
import { isOut } from '../../controller/core/model.ts';
import type { Dice } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import { slowSwitchMs, type WorldPlan } from './plan.ts';

/** address:port */
export type Endpoint = string;

/** What moves when a backend of a pool goes and comes, in slots. */
interface Share {
  pool: string;
  backend: string;
  endpoint: Endpoint;
  due: number;
}

/** What the controller is told of what is wanted. */
interface Told {
  sessionTimeoutMs: number;
  weightsAreHidden: boolean;
}

const FIRST_VIP = 0x0a630001;
const FIRST_BACKEND = 0x0a000001;
const MAX_BACKENDS = 6;
/** Few slots are each met often; blocks need a few more to be of many sizes. */
const slotCounts = {
  maglev: { tcp: 16, udp: 8 },
  prefix: { tcp: 64, udp: 32 },
  mixed: { tcp: 32, udp: 16 },
} as const;

export class Fleet {
  pools: DesiredPool[];
  readonly placement: Placement;
  /** Called when something else is wanted; the controllers listen. */
  onChange: (desired: Desired) => void = () => {};
  /** Called when a server dies: nobody can save its flows. */
  onDeath: (endpoint: Endpoint) => void = () => {};
  /** Called when a vip is taken from those who serve it now. */
  onWithdrawal: (vip: DesiredPool['vip']) => void = () => {};
  /** Called when another pool is to serve a vip: until it does, the one before goes on. */
  onSuccession: (vip: DesiredPool['vip']) => void = () => {};
  readonly #clock: SimClock;
  readonly #dice: Dice;
  readonly #plan: WorldPlan;
  readonly #told: Told;
  #vips = 0;
  #servers = 0;
  #poolNames = 0;
  /** Removed, and perhaps to be taken on again. */
  #idle: DesiredBackend[] = [];
  /** Until then, flows that come to a server are not promised anything; infinite while it is dead. */
  #doubtUntil = new Map<Endpoint, Millis>();
  /** What was due to each endpoint, and until when; the last is in force. */
  #dues: { until: Millis; shares: Map<Endpoint, number> }[] = [];

  constructor(plan: WorldPlan, clock: SimClock, dice: Dice, told: Told) {
    this.placement = plan.placement;
    this.#plan = plan;
    this.#clock = clock;
    this.#dice = dice;
    this.#told = told;
    const { tcp, udp } = slotCounts[plan.table];
    this.pools = [this.#newPool('tcp', tcp), this.#newPool('udp', udp)];
    this.#noteDue();
  }

  desired(): Desired {
    const pools = structuredClone(this.pools);
    if (this.#told.weightsAreHidden) for (const pool of pools) for (const b of pool.backends) b.weight = 100;
    return {
      pools,
      interfaces: [{ port: 1, address: 0x0a0000fe, prefixLength: 16, mac: 0x02_00_00_00_00_01, mtu: 0 }],
      routes: [{ prefix: 0x0b000000, prefixLength: 8, nextHop: 0x0a00fffd }],
      neighbours: [],
    };
  }

  isAlive(endpoint: Endpoint | undefined): boolean {
    return endpoint !== undefined && this.#clock.now() >= (this.#doubtUntil.get(endpoint) ?? 0);
  }

  isKnown(endpoint: Endpoint): boolean {
    return this.pools.some((pool) => pool.backends.some((backend) => endpointOf(backend) === endpoint));
  }

  dueShares(): Share[] {
    return this.pools.flatMap((pool) => {
      const total = pool.backends.reduce((sum, backend) => sum + weightOf(backend), 0);
      return pool.backends.map((backend) => ({
        pool: pool.name,
        backend: backend.name,
        endpoint: endpointOf(backend),
        due: total > 0 ? (pool.slotCount * weightOf(backend)) / total : 0,
      }));
    });
  }

  /** Of all that was wanted since the last commit and a while before. Undefined: it was not there, or dead. */
  leastShareOf(endpoint: Endpoint): number | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (const { shares } of this.#dues) {
      const due = shares.get(endpoint);
      if (due === undefined) return undefined;
      least = Math.min(least, due);
    }
    return least;
  }

  /** What was wanted long before has no bearing on the next commit. */
  noteCommitted(): void {
    const since = this.#clock.now() - this.#doubtMs();
    this.#dues = this.#dues.filter(({ until }) => until >= since);
  }

  // What is done to it.

  add(pool: DesiredPool): void {
    if (pool.backends.length >= MAX_BACKENDS) return;
    const isReturning = this.#idle.length > 0 && this.#dice.chance(0.5);
    const backend = isReturning ? this.#idle.shift()! : this.#newBackend();
    this.#setBackends(pool, [...pool.backends, backend]);
  }

  remove(pool: DesiredPool, backend: DesiredBackend): void {
    if (!pool.backends.includes(backend) || pool.backends.length <= 1) return;
    this.#setBackends(
      pool,
      pool.backends.filter((other) => other !== backend),
    );
    if (!isOut(backend)) this.#idle.push({ ...backend, state: 'active' });
  }

  /** One goes and another comes, in one change. */
  replace(pool: DesiredPool, backend: DesiredBackend): void {
    if (!pool.backends.includes(backend)) return;
    const successor = this.#newBackend();
    this.#setBackends(
      pool,
      pool.backends.map((other) => (other === backend ? successor : other)),
    );
  }

  /** A backend comes for another, which drains in the same change. @returns undefined: there is no room for it */
  handOver(pool: DesiredPool, backend: DesiredBackend, weight: number): DesiredBackend | undefined {
    const isThere = pool.backends.includes(backend) && backend.state === 'active';
    if (!isThere || pool.backends.length >= MAX_BACKENDS) return undefined;
    const successor = { ...this.#newBackend(), weight };
    if (weight < backend.weight) backend.weight -= weight;
    else backend.state = 'draining';
    this.#setBackends(pool, [...pool.backends, successor]);
    return successor;
  }

  /** Weights of several, in one change. */
  setWeights(pool: DesiredPool, weights: ReadonlyMap<DesiredBackend, number>): void {
    for (const [backend, weight] of weights) if (pool.backends.includes(backend)) backend.weight = weight;
    this.#changed();
  }

  setState(pool: DesiredPool, backend: DesiredBackend, state: BackendState): void {
    if (!pool.backends.includes(backend) || backend.state === state) return;
    const endpoint = endpointOf(backend);
    // The last row that names the dead may be rewritten only now: who connects meanwhile takes a chance.
    if (isOut(backend)) this.#doubtUntil.set(endpoint, this.#clock.now() + this.#doubtMs());
    backend.state = state;
    if (isOut(backend)) {
      this.#doubtUntil.set(endpoint, Number.POSITIVE_INFINITY);
      this.onDeath(endpoint);
    }
    this.#changed();
  }

  setWeight(pool: DesiredPool, backend: DesiredBackend, weight: number): void {
    if (!pool.backends.includes(backend)) return;
    backend.weight = weight;
    this.#changed();
  }

  /** A pool leaves and another comes, at the same address or not. Its connections are cut. */
  replacePool(): void {
    const old = this.pools[0]!;
    this.onWithdrawal(old.vip);
    const pool = this.#newPool('tcp', this.#dice.pick([8, 16, 32]));
    if (this.#dice.chance(0.5)) pool.vip = old.vip;
    // Of the same size it is the same pool with other backends.
    if (pool.vip === old.vip && pool.slotCount !== old.slotCount) this.onSuccession(old.vip);
    this.pools = [pool, ...this.pools.slice(1)];
    this.#changed();
  }

  #setBackends(pool: DesiredPool, backends: DesiredBackend[]): void {
    pool.backends = backends;
    this.#changed();
  }

  #changed(): void {
    this.#noteDue();
    this.onChange(this.desired());
  }

  #noteDue(): void {
    const last = this.#dues.at(-1);
    if (last) last.until = this.#clock.now();
    const shares = new Map<Endpoint, number>();
    for (const { endpoint, due } of this.dueShares()) if (this.isAlive(endpoint)) shares.set(endpoint, due);
    this.#dues.push({ until: Number.POSITIVE_INFINITY, shares });
  }

  /** By then the controller has heard of the return, and every write it began before is answered. */
  #doubtMs(): number {
    const { outageMs, stallMs, writeDelayMs } = this.#plan.faults;
    return 3_000 + outageMs + stallMs + 4 * writeDelayMs + slowSwitchMs(this.#plan);
  }

  #newPool(protocol: 'tcp' | 'udp', slotCount: number): DesiredPool {
    return {
      name: `${protocol} ${++this.#poolNames}`,
      vip: { address: FIRST_VIP + this.#vips++, protocol, port: protocol === 'tcp' ? 80 : 53 },
      ...PLAIN_POOL,
      slotCount,
      table: this.#tableOfNext(),
      sessionTimeoutMs: this.#told.sessionTimeoutMs,
      placement: this.placement,
      backends: [this.#newBackend(), this.#newBackend(), this.#newBackend()],
    };
  }

  #tableOfNext(): SlotTable {
    const { table } = this.#plan;
    if (table !== 'mixed') return table;
    return this.#poolNames % 2 === 0 ? 'prefix' : 'maglev';
  }

  #newBackend(): DesiredBackend {
    const number = this.#servers++;
    return { name: `b${number}`, address: FIRST_BACKEND + number, port: 8080, weight: 100, state: 'active' };
  }
}

export function endpointOf(backend: DesiredBackend): Endpoint {
  return `${backend.address}:${backend.port}`;
}

function weightOf(backend: DesiredBackend): number {
  return backend.state === 'active' ? backend.weight : 0;
}
