// SPDX-License-Identifier: Apache-2.0
/**
 * Between what the operator wants and what the engine is told: what the checks say of backends, and the weights that follow load.
 *
 *   configuration ──follow──> Steering ──what is wanted, as it stands──> Leadership
 *                             ^   ^   ^
 *        HealthMonitor: verdicts  │   LoadSteering: weights
 *                                 └── Lifecycle: deadlines of drains, parts of weights
 */
import type { Config } from './config/config.ts';
import type { BackendState, Desired, DesiredBackend } from './core/desired.ts';
import type { PoolHealthStatus } from './core/health-status.ts';
import type { PoolLifecycleStatus } from './core/lifecycle-status.ts';
import type { LoadStatus } from './core/load-status.ts';
import { asItStands, stateBy } from './core/standing.ts';
import { HealthMonitor, type HealthMonitorWorld } from './health-monitor.ts';
import { type FillRules, Lifecycle, type LifecycleWorld } from './lifecycle.ts';
import { LoadSteering, type LoadSteeringWorld } from './load-steering.ts';

export type SteeringWorld = Omit<HealthMonitorWorld, 'onChange'> &
  Omit<LoadSteeringWorld, 'onChange' | 'isInUse'> &
  Omit<LifecycleWorld, 'onChange'>;

/** Is told what is wanted, and by which configuration. */
export type Wanting = (desired: Desired, config: Config) => void;

/** What is found at about the same time is told at once. */
const coalesceMs = 5;
/** At the start, first answers are waited for so long at most. */
const firstAnswersMs = 5_000;

export class Steering {
  private readonly world: SteeringWorld;
  private readonly monitor: HealthMonitor;
  private readonly load: LoadSteering;
  private readonly lifecycle: Lifecycle;
  private readonly fillRules: FillRules = {
    isTrusted: (pool, backend) => (this.monitor.verdictOf(pool, backend) ?? 'trusted') === 'trusted',
    mayFill: (pool) => !this.monitor.isPanicking(pool),
  };
  private config: Config;
  private want: Wanting | undefined;
  private cancelTelling: (() => void) | undefined;

  constructor(config: Config, world: SteeringWorld) {
    this.world = world;
    this.config = config;
    this.monitor = new HealthMonitor({ ...world, onChange: () => this.tellSoon() });
    this.lifecycle = new Lifecycle({ ...world, onChange: () => this.tellSoon() });
    this.load = new LoadSteering({
      ...world,
      // Who fills has little to do on purpose.
      isInUse: (pool, backend) =>
        this.stateOf(pool, backend) === 'active' && !this.lifecycle.isFilling(pool, backend.name),
      onChange: () => this.tellSoon(),
    });
  }

  /** Tells what is wanted once the backends have been asked for the first time, and from then on whenever it is another. */
  async start(want: Wanting): Promise<void> {
    this.lifecycle.follow(this.config);
    this.monitor.check(this.config);
    this.load.follow(this.config);
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.world.clock.after(firstAnswersMs, resolve);
    });
    await Promise.race([this.monitor.answeredOnce(), patience]);
    cancel();
    this.want = want;
    this.tell();
  }

  /** We begin to lead: from now on what is wanted goes on from the weights of who led before, and from who filled. */
  async takeOver(): Promise<void> {
    await this.lifecycle.takeOver();
    await this.load.takeOver();
    this.tell();
  }

  /** The operator wants something else. */
  follow(config: Config): void {
    this.config = config;
    this.lifecycle.follow(config);
    this.monitor.check(config);
    this.load.follow(config);
    this.tell();
  }

  /** As HealthMonitor.passingShare. */
  passingShare(pool: string): number | undefined {
    return this.monitor.passingShare(pool);
  }

  health(): PoolHealthStatus[] {
    return this.monitor.status();
  }

  loads(): LoadStatus[] {
    return this.load.status();
  }

  lifecycles(): PoolLifecycleStatus[] {
    return this.lifecycle.status();
  }

  async close(): Promise<void> {
    this.want = undefined;
    this.cancelTelling?.();
    await this.lifecycle.close();
    await this.monitor.close();
    await this.load.close();
  }

  /** What the engine would be told if this were the configuration. Who would begin to fill has the whole weight in it. */
  desiredBy(config: Config): Desired {
    return this.lifecycle.filledAsNow(this.standing(config), this.fillRules);
  }

  private standing(config: Config): Desired {
    return asItStands(config.desired, {
      wishOf: this.lifecycle.wishesOf(config),
      verdictOf: (pool, backend) => this.monitor.verdictOf(pool, backend),
      weightOf: (pool, backend) => this.load.weightOf(pool, backend),
    });
  }

  private stateOf(pool: string, backend: DesiredBackend): BackendState {
    return stateBy(this.lifecycle.wishOf(pool, backend), this.monitor.verdictOf(pool, backend.name));
  }

  private tellSoon(): void {
    this.cancelTelling ??= this.world.clock.after(coalesceMs, () => this.tell());
  }

  private tell(): void {
    this.cancelTelling?.();
    this.cancelTelling = undefined;
    this.want?.(this.lifecycle.filled(this.standing(this.config), this.fillRules), this.config);
  }
}
