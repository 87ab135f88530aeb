// SPDX-License-Identifier: Apache-2.0
/**
 * Asks the backends of checked vips how they are, each in its own rhythm, and says when what follows from it has changed.
 *
 *   configuration ──> HealthMonitor ──probe──> Prober ──outcome──> core/pool-health ──verdict──> onChange
 *
 * A backend has one probe under way at most, and at most one timer: the backends of a configuration bound both.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config/config.ts';
import type { VipHealth } from './config/health.ts';
import { formatAddress } from './core/address.ts';
import type { DesiredBackend } from './core/desired.ts';
import type { Millis } from './core/event.ts';
import { nextProbeIn, type ProbeOutcome, type Verdict } from './core/health.ts';
import { backendHealth, type PoolHealthStatus, reasonOf } from './core/health-status.ts';
import {
  createPoolHealth,
  forgetMember,
  type HealthChange,
  noteOutcome,
  type PoolHealth,
  setMembers,
} from './core/pool-health.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { Prober, ProbeTarget } from './ports/prober.ts';

export interface HealthMonitorWorld {
  clock: Clock;
  prober: Prober;
  log: Log;
  /** 0 <= x < 1. */
  dice: () => number;
  /** What `verdictOf` says may have changed. */
  onChange: () => void;
  /** What `passingShare` says may have changed. */
  onShareChange?: () => void;
}

interface CheckedPool {
  config: VipHealth;
  health: PoolHealth;
  backends: Map<string, CheckedBackend>;
}

interface CheckedBackend {
  target: ProbeTarget;
  /** Cancels its timer or its probe. */
  cancel: () => void;
  askedAt: Millis;
  isAnswered: boolean;
  problem: string | undefined;
}

export class HealthMonitor {
  private readonly world: HealthMonitorWorld;
  private pools = new Map<string, CheckedPool>();
  private waitingForFirst: (() => void)[] = [];
  private isClosed = false;

  constructor(world: HealthMonitorWorld) {
    this.world = world;
  }

  /** From now on these are checked. Who was checked before, in the same way, keeps its health and its rhythm. */
  check({ desired, health }: Pick<Config, 'desired' | 'health'>): void {
    const before = this.pools;
    this.pools = new Map();
    for (const config of health) {
      const wanted = desired.pools.find(({ name }) => name === config.vip);
      if (wanted === undefined) continue;
      const pool = before.get(config.vip) ?? newPool(config);
      before.delete(config.vip);
      this.pools.set(config.vip, pool);
      this.adopt(pool, config, wanted.backends);
    }
    for (const pool of before.values()) for (const { cancel } of pool.backends.values()) cancel();
    this.noteFirst();
    this.world.onShareChange?.();
  }

  /** Resolves when every backend has answered once, or has been waited for: until then nothing is known. */
  answeredOnce(): Promise<void> {
    return new Promise((resolve) => {
      this.waitingForFirst.push(resolve);
      this.noteFirst();
    });
  }

  verdictOf(pool: string, backend: string): Verdict | undefined {
    return this.pools.get(pool)?.health.members.get(backend)?.verdict;
  }

  /** Of the backends that count, the share that passes its checks, whatever the floor makes of them. Undefined: nobody is checked. */
  passingShare(pool: string): number | undefined {
    const { trusted = 0, counted = 0 } = this.pools.get(pool)?.health ?? {};
    return counted === 0 ? undefined : trusted / counted;
  }

  /** None of the pool's checks is trusted. */
  isPanicking(pool: string): boolean {
    return this.pools.get(pool)?.health.isPanicking ?? false;
  }

  status(): PoolHealthStatus[] {
    const now = this.world.clock.now();
    return [...this.pools.values()].map(({ config, health, backends }) => ({
      pool: config.vip,
      check: config.check.kind,
      isPanicking: health.isPanicking,
      backends: [...health.members.values()].map((member) =>
        backendHealth(member, health, backends.get(member.wish.name)?.problem, now),
      ),
    }));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const pool of this.pools.values()) for (const { cancel } of pool.backends.values()) cancel();
    await this.world.prober.close();
    for (const resolve of this.waitingForFirst.splice(0)) resolve();
  }

  private adopt(pool: CheckedPool, config: VipHealth, backends: readonly DesiredBackend[]): void {
    const { clock } = this.world;
    const isOtherCheck = !isDeepStrictEqual(pool.config.check, config.check);
    const checked = backends.filter(({ state }) => state !== 'down' && state !== 'disabled');
    const before = pool.backends;
    pool.config = config;
    pool.backends = new Map();
    const begun: CheckedBackend[] = [];
    for (const { name, address, port } of checked) {
      const target = {
        pool: config.vip,
        backend: name,
        address: formatAddress(address),
        port: config.port ?? port,
      };
      let backend = before.get(name);
      if (backend === undefined || isOtherCheck || !isDeepStrictEqual(backend.target, target)) {
        forgetMember(pool.health, name);
        backend?.cancel();
        backend = { target, cancel: () => {}, askedAt: clock.now(), isAnswered: false, problem: undefined };
        begun.push(backend);
      }
      before.delete(name);
      pool.backends.set(name, backend);
    }
    for (const { cancel } of before.values()) cancel();
    const wishes = checked.map(({ name, state, weight }) => ({
      name,
      weight,
      isDraining: state === 'draining',
    }));
    this.tell(pool, setMembers(pool.health, wishes, config.options, clock.now()));
    for (const backend of begun) this.ask(pool, backend);
  }

  private ask(pool: CheckedPool, backend: CheckedBackend): void {
    const { check, options } = pool.config;
    backend.askedAt = this.world.clock.now();
    const probe = { target: backend.target, check, timeoutMs: options.timeoutMs };
    backend.cancel = this.world.prober.probe(probe, (outcome) => this.hear(pool, backend, outcome));
  }

  private hear(pool: CheckedPool, backend: CheckedBackend, outcome: ProbeOutcome): void {
    const { clock, dice } = this.world;
    if (this.isClosed) return;
    const isFirst = !backend.isAnswered;
    backend.isAnswered = true;
    this.noteProblem(backend, outcome.kind === 'void' ? outcome.detail : undefined);
    const { trusted } = pool.health;
    this.tell(pool, noteOutcome(pool.health, backend.target.backend, outcome, clock.now()));
    if (pool.health.trusted !== trusted) this.world.onShareChange?.();
    // All begin at once; with the second probe each has a time of its own.
    const { options } = pool.config;
    const nextInMs = isFirst ? options.intervalMs * dice() : nextProbeIn(options, dice());
    // From one question to the next: who does not answer is asked no more seldom, and is found out no later.
    const delayMs = Math.max(0, nextInMs - (clock.now() - backend.askedAt));
    backend.cancel = clock.after(delayMs, () => this.ask(pool, backend));
    if (isFirst) this.noteFirst();
  }

  private noteProblem(backend: CheckedBackend, problem: string | undefined): void {
    const isNews = problem !== undefined && problem !== backend.problem;
    backend.problem = problem;
    const { pool, backend: name } = backend.target;
    if (isNews)
      this.world.log('warn', 'a backend could not be checked', { pool, backend: name, reason: problem });
  }

  private noteFirst(): void {
    if (this.waitingForFirst.length === 0) return;
    for (const { backends } of this.pools.values())
      for (const { isAnswered } of backends.values()) if (!isAnswered) return;
    for (const resolve of this.waitingForFirst.splice(0)) resolve();
  }

  private tell(pool: CheckedPool, changes: readonly HealthChange[]): void {
    const { log, onChange } = this.world;
    for (const change of changes) {
      if (change.kind === 'panic') {
        const { trusted, counted } = change;
        if (change.isPanicking)
          log('error', 'too few backends would be left: none of the checks is trusted', {
            pool: pool.config.vip,
            well: trusted,
            of: counted,
          });
        else
          log('info', 'the checks are trusted again', { pool: pool.config.vip, well: trusted, of: counted });
        continue;
      }
      const { member, before } = change;
      const fields = { pool: pool.config.vip, backend: member.wish.name, was: before };
      if (member.verdict === 'trusted') log('info', 'a backend is trusted again', fields);
      else {
        const reason = reasonOf(member);
        const message =
          member.verdict === 'dead'
            ? 'a backend is dead: its connections are given up'
            : 'a backend is avoided: no new connections';
        log('warn', message, { ...fields, reason });
      }
    }
    if (changes.some(({ kind }) => kind === 'verdict')) onChange();
  }
}

function newPool(config: VipHealth): CheckedPool {
  return { config, health: createPoolHealth(config.options), backends: new Map() };
}
