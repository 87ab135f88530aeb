// SPDX-License-Identifier: Apache-2.0
/** What people and health checks do to the fleet, each at its own rate and with dice of its own. */
import type { DesiredBackend, DesiredPool } from '../../controller/core/desired.ts';
import { isOut } from '../../controller/core/model.ts';
import { type Dice, diceOf } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { FaultName, Faults } from './faults.ts';
import type { Fleet } from './fleet.ts';

const minuteMs = 60_000;
const weights = [0, 1, 50, 99, 100, 200];
/** As core/filling.ts makes them, in the shorter times of a world. */
const fillShares = [0.1, 0.4, 0.7, 1];
const fillStepMs = 3_000;

export class Operator {
  readonly #seed: number;
  readonly #clock: SimClock;
  readonly #fleet: Fleet;
  readonly #faults: () => Faults;

  constructor(seed: number, clock: SimClock, fleet: Fleet, faults: () => Faults) {
    this.#seed = seed;
    this.#clock = clock;
    this.#fleet = fleet;
    this.#faults = faults;
  }

  start(): void {
    const fleet = this.#fleet;
    this.#often('addsPerMinute', (dice) => fleet.add(this.#pool(dice)));
    this.#often('removesPerMinute', (dice) => {
      const pool = this.#pool(dice);
      fleet.remove(pool, dice.pick(pool.backends));
    });
    this.#often('drainsPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      if (!isOut(backend)) {
        fleet.setState(pool, backend, backend.state === 'active' ? 'draining' : 'active');
      }
    });
    this.#often('killsPerMinute', (dice) => this.#kill(...this.#backend(dice)));
    this.#often('revivalsPerMinute', () => {
      for (const pool of fleet.pools) {
        const dead = pool.backends.find((backend) => backend.state === 'down');
        if (dead) fleet.setState(pool, dead, 'active');
      }
    });
    this.#often('healthFlapsPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      const downMs = dice.between(1, 2_000);
      if (this.#kill(pool, backend)) {
        this.#clock.after(downMs, () => {
          if (backend.state === 'down') fleet.setState(pool, backend, 'active');
        });
      }
    });
    this.#often('reweighsPerMinute', (dice) => this.#reweigh(dice));
    this.#often('flapsPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      fleet.setWeight(pool, backend, 0);
      this.#clock.after(dice.between(1, 3_000), () => fleet.setWeight(pool, backend, 100));
    });
    this.#often('stormsPerMinute', (dice) => {
      for (let i = 0; i < 8; i++) this.#clock.after(dice.between(0, 300), () => this.#reweigh(dice));
    });
    this.#often('disablesPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      const outMs = dice.between(1, 5_000);
      if (this.#takeOut(pool, backend, 'disabled')) this.#restoreAfter(outMs, pool, backend);
    });
    this.#often('deadlinesPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      const deadlineMs = dice.between(500, 20_000);
      const outMs = dice.between(100, 10_000);
      if (backend.state !== 'active') return;
      fleet.setState(pool, backend, 'draining');
      this.#clock.after(deadlineMs, () => {
        if (backend.state === 'draining' && this.#takeOut(pool, backend, 'disabled'))
          this.#restoreAfter(outMs, pool, backend);
      });
    });
    this.#often('handoversPerMinute', (dice) => {
      const [pool, backend] = this.#backend(dice);
      const isInSteps = dice.chance(0.5);
      const deadlineMs = dice.between(500, 20_000);
      const whole = backend.weight;
      const successor = fleet.handOver(pool, backend, isInSteps ? Math.ceil(whole / 10) : whole);
      if (successor === undefined) return;
      const afterMs = isInSteps ? this.#fill(pool, successor, whole, backend) : 0;
      this.#clock.after(afterMs, () => {
        if (backend.state === 'active') fleet.setState(pool, backend, 'draining');
      });
      this.#clock.after(afterMs + deadlineMs, () => {
        if (backend.state === 'draining') this.#takeOut(pool, backend, 'disabled');
        fleet.remove(pool, backend);
      });
    });
    this.#often('slowStartsPerMinute', (dice) => {
      const pool = this.#pool(dice);
      fleet.add(pool);
      this.#fill(pool, pool.backends.at(-1)!, 100);
    });
    this.#often('rollingReplacementsPerMinute', (dice) => {
      const pool = this.#pool(dice);
      let afterMs = 0;
      for (const backend of pool.backends) {
        this.#clock.after(afterMs, () => fleet.replace(pool, backend));
        afterMs += dice.between(100, 3_000);
      }
    });
    this.#often('poolReplacementsPerMinute', () => fleet.replacePool());
  }

  #kill(pool: DesiredPool, backend: DesiredBackend): boolean {
    return this.#takeOut(pool, backend, 'down');
  }

  /** @returns whether others are left for its clients */
  #takeOut(pool: DesiredPool, backend: DesiredBackend, state: 'down' | 'disabled'): boolean {
    const isLast = pool.backends.filter((other) => other.state === 'active' && other.weight > 0).length <= 1;
    if (isLast || isOut(backend) || !pool.backends.includes(backend)) return false;
    this.#fleet.setState(pool, backend, state);
    return true;
  }

  #restoreAfter(ms: number, pool: DesiredPool, backend: DesiredBackend): void {
    this.#clock.after(ms, () => {
      if (backend.state === 'disabled') this.#fleet.setState(pool, backend, 'active');
    });
  }

  /** In four steps; what is missing to the whole stays with the predecessor. @returns how long it takes */
  #fill(pool: DesiredPool, backend: DesiredBackend, whole: number, predecessor?: DesiredBackend): number {
    for (const [i, share] of fillShares.entries()) {
      const weight = Math.ceil(whole * share);
      const rest = predecessor === undefined || share === 1 ? [] : [[predecessor, whole - weight] as const];
      const weights = new Map([[backend, weight] as const, ...rest]);
      this.#clock.after(i * fillStepMs, () => this.#fleet.setWeights(pool, weights));
    }
    return (fillShares.length - 1) * fillStepMs;
  }

  #reweigh(dice: Dice): void {
    const [pool, backend] = this.#backend(dice);
    this.#fleet.setWeight(pool, backend, dice.pick(weights));
  }

  #pool(dice: Dice): DesiredPool {
    return dice.pick(this.#fleet.pools);
  }

  #backend(dice: Dice): [DesiredPool, DesiredBackend] {
    const pool = this.#pool(dice);
    return [pool, dice.pick(pool.backends)];
  }

  #often(name: FaultName, act: (dice: Dice) => void): void {
    repeat(this.#seed, name, this.#clock, this.#faults, act);
  }
}

/** Acts at random times, `faults[name]` a minute, for as long as that is not 0. */
export function repeat(
  seed: number,
  name: FaultName,
  clock: SimClock,
  faults: () => Faults,
  act: (dice: Dice) => void,
): void {
  const dice = diceOf(seed, name);
  const next = (): void => {
    const perMinute = faults()[name];
    if (perMinute === 0) return;
    clock.after(dice.exponential(minuteMs / perMinute), () => {
      if (faults()[name] === 0) return;
      act(dice);
      next();
    });
  };
  next();
}
