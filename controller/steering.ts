// SPDX-License-Identifier: Apache-2.0
/**
 * Between what the operator wants and what the engine is told: what the checks say of backends.
 *
 *   configuration ──follow──> Steering ──what is wanted, as it stands──> Leadership
 *                               ^
 *                        HealthMonitor: verdicts
 */
import type { Config } from './config/config.ts';
import type { Desired } from './core/desired.ts';
import type { PoolHealthStatus } from './core/health-status.ts';
import { asItStands } from './core/standing.ts';
import { HealthMonitor, type HealthMonitorWorld } from './health-monitor.ts';

export type SteeringWorld = Omit<HealthMonitorWorld, 'onChange'>;

/** Is told what is wanted, and by which configuration. */
export type Wanting = (desired: Desired, config: Config) => void;

/** What is found at about the same time is told at once. */
const coalesceMs = 5;
/** At the start, first answers are waited for so long at most. */
const firstAnswersMs = 5_000;

export class Steering {
  private readonly world: SteeringWorld;
  private readonly monitor: HealthMonitor;
  private config: Config;
  private want: Wanting | undefined;
  private cancelTelling: (() => void) | undefined;

  constructor(config: Config, world: SteeringWorld) {
    this.world = world;
    this.config = config;
    this.monitor = new HealthMonitor({ ...world, onChange: () => this.tellSoon() });
  }

  /** Tells what is wanted once the backends have been asked for the first time, and from then on whenever it is another. */
  async start(want: Wanting): Promise<void> {
    this.monitor.check(this.config);
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.world.clock.after(firstAnswersMs, resolve);
    });
    await Promise.race([this.monitor.answeredOnce(), patience]);
    cancel();
    this.want = want;
    this.tell();
  }

  /** The operator wants something else. */
  follow(config: Config): void {
    this.config = config;
    this.monitor.check(config);
    this.tell();
  }

  health(): PoolHealthStatus[] {
    return this.monitor.status();
  }

  async close(): Promise<void> {
    this.want = undefined;
    this.cancelTelling?.();
    await this.monitor.close();
  }

  private desired(): Desired {
    return asItStands(this.config.desired, {
      verdictOf: (pool, backend) => this.monitor.verdictOf(pool, backend),
      weightOf: () => undefined,
    });
  }

  private tellSoon(): void {
    this.cancelTelling ??= this.world.clock.after(coalesceMs, () => this.tell());
  }

  private tell(): void {
    this.cancelTelling?.();
    this.cancelTelling = undefined;
    this.want?.(this.desired(), this.config);
  }
}
