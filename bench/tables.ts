// SPDX-License-Identifier: Apache-2.0
/**
 * How good the tables are, ours beside those of others: how many slots move when the set of backends changes, how even the
 * shares are, what a change of a weight costs. Tables only: no switch, no flows.
 */

import type { WeightedBackend } from '../controller/core/maglev.ts';
import { type Random, seededRandom } from '../demo/random.ts';
import {
  identityOf,
  ipvsDefault,
  ipvsLarge,
  katran,
  oneTry,
  owners,
  type Placed,
  paper,
  pure,
  sticky,
  type TableRule,
} from './table-rules.ts';

export interface TableBenchOptions {
  /** Each brings other backends. */
  seeds: number;
  sizes: readonly TableSize[];
  backendCounts: readonly number[];
  /** Of 100 backends, one gets this weight. */
  weights: readonly number[];
  /** So many of 100 backends are replaced, one after the other. */
  replacements: readonly number[];
}

export interface TableSize {
  slots: number;
  /** The prime beside it, for those who need one. */
  prime: number;
}

export const tableBenchDefaults: Readonly<TableBenchOptions> = {
  seeds: 10,
  sizes: [
    { slots: 4_096, prime: 4_093 },
    { slots: 16_384, prime: 16_381 },
    { slots: 65_536, prime: 65_537 },
  ],
  backendCounts: [100, 468, 1_000],
  weights: [99, 50, 10, 1, 200],
  replacements: [10, 50, 100],
};

/** Mean and standard deviation over the seeds, in percent unless said otherwise. */
export interface Figure {
  mean: number;
  deviation: number;
}

export interface RemovalResult {
  rule: string;
  slots: number;
  backends: number;
  removed: number;
  /** Slots that have another owner. */
  moved: Figure;
  /** Those among them whose old owner is still there. */
  collateral: Figure;
  /** Most slots of a backend over the average, before the removal; a ratio. */
  mostOverAverage: Figure;
}

/** Some of the backends leave at once. */
export function benchRemovals(options: TableBenchOptions): RemovalResult[] {
  const results: RemovalResult[] = [];
  for (const size of options.sizes) {
    for (const rule of [paper, oneTry, pure, sticky]) {
      for (const backends of options.backendCounts) {
        for (const removed of [Math.max(1, Math.floor(backends / 1_000) * 10), backends / 10]) {
          const runs = overSeeds(options.seeds, (dice) =>
            removal(rule, size, backends, Math.round(removed), dice),
          );
          results.push({
            rule: rule.name,
            slots: slotsOf(rule, size),
            backends,
            removed: Math.round(removed),
            moved: figureOf(runs.map(({ moved }) => moved)),
            collateral: figureOf(runs.map(({ collateral }) => collateral)),
            mostOverAverage: figureOf(runs.map(({ mostOverAverage }) => mostOverAverage)),
          });
        }
      }
    }
  }
  return results;
}

function removal(rule: TableRule, size: TableSize, count: number, removed: number, dice: Random) {
  const backends = fleet(count, dice);
  const gone = new Set(shuffled(backends, dice).slice(0, removed).map(identityOf));
  const left = backends.filter((backend) => !gone.has(identityOf(backend)));
  const before = rule.place(backends, slotsOf(rule, size));
  const [old, now] = [owners(before), owners(rule.place(left, slotsOf(rule, size), before))];
  const held = new Map<number, number>();
  let moved = 0;
  let collateral = 0;
  old.forEach((owner, slot) => {
    held.set(owner, (held.get(owner) ?? 0) + 1);
    if (owner === now[slot]) return;
    moved++;
    if (!gone.has(owner)) collateral++;
  });
  return {
    moved: (100 * moved) / old.length,
    collateral: (100 * collateral) / old.length,
    mostOverAverage: (Math.max(...held.values()) * count) / old.length,
  };
}

export interface WeightResult {
  rule: string;
  weight: number;
  moved: Figure;
}

/** One of 100 backends of weight 100 gets another weight, in a table of the largest size. */
export function benchWeights(options: TableBenchOptions): WeightResult[] {
  const size = options.sizes.at(-1)!;
  return [ipvsDefault, ipvsLarge, katran, oneTry, pure, sticky].flatMap((rule) =>
    options.weights.map((weight) => {
      const moved = overSeeds(options.seeds, (dice) => {
        const before = rule.place(fleet(100, dice), slotsOf(rule, size));
        const chosen = dice.between(0, 99);
        const after = before.backends.map((backend, i) => (i === chosen ? { ...backend, weight } : backend));
        return movedPercent(before, rule.place(after, slotsOf(rule, size), before));
      });
      return { rule: rule.name, weight, moved: figureOf(moved) };
    }),
  );
}

export interface OrderResult {
  rule: string;
  backends: number;
  moved: Figure;
}

/** The same set in another order. */
export function benchOrder(options: TableBenchOptions): OrderResult[] {
  const size = options.sizes.at(-1)!;
  return [paper, oneTry, pure, sticky].flatMap((rule) =>
    [options.backendCounts[0]!, options.backendCounts.at(-1)!].map((backends) => {
      const moved = overSeeds(options.seeds, (dice) => {
        const before = rule.place(fleet(backends, dice), slotsOf(rule, size));
        return movedPercent(before, rule.place(shuffled(before.backends, dice), slotsOf(rule, size), before));
      });
      return { rule: rule.name, backends, moved: figureOf(moved) };
    }),
  );
}

export interface ReplacementResult {
  rule: string;
  replaced: number;
  /** Slots that have had another owner than at first. */
  touched: Figure;
}

/**
 * Backends are replaced by new ones, one after the other, all within one session timeout: a slot that has changed its owner
 * once is unstable until the end of it.
 */
export function benchReplacements(options: TableBenchOptions): ReplacementResult[] {
  const size = options.sizes.at(-1)!;
  const most = Math.max(...options.replacements);
  return [paper, oneTry, pure, sticky].flatMap((rule) => {
    const runs = overSeeds(options.seeds, (dice) => {
      let placed = rule.place(fleet(100, dice), slotsOf(rule, size));
      const first = owners(placed);
      const order = shuffled(placed.backends, dice);
      const isTouched = new Uint8Array(first.length);
      return Array.from({ length: most }, (_, round) => {
        const leaving = identityOf(order[round]!);
        const [newcomer] = fleet(1, dice);
        const backends = placed.backends.map((b) => (identityOf(b) === leaving ? newcomer! : b));
        placed = rule.place(backends, slotsOf(rule, size), placed);
        owners(placed).forEach((owner, slot) => {
          if (owner !== first[slot]) isTouched[slot] = 1;
        });
        return (100 * isTouched.reduce((sum, bit) => sum + bit, 0)) / first.length;
      });
    });
    return options.replacements.map((replaced) => ({
      rule: rule.name,
      replaced,
      touched: figureOf(runs.map((shares) => shares[replaced - 1]!)),
    }));
  });
}

export interface ShareResult {
  rule: string;
  slots: number;
  backends: number;
  /** Slots held less slots due, the largest of all backends and seeds. */
  worstError: number;
  /** Over a random change of weights: slots moved over slots that had to move. */
  movedOverNeeded: Figure;
}

/** Random weights from 1 to 100, and then a tenth of them drawn anew. */
export function benchShares(options: TableBenchOptions): ShareResult[] {
  const results: ShareResult[] = [];
  for (const size of options.sizes) {
    for (const rule of [oneTry, pure, sticky]) {
      for (const count of options.backendCounts) {
        const runs = overSeeds(options.seeds, (dice) => {
          const backends = fleet(count, dice).map((backend) => ({
            ...backend,
            weight: dice.between(1, 100),
          }));
          const changed = backends.map((backend) =>
            dice.between(1, 10) === 1 ? { ...backend, weight: dice.between(1, 100) } : backend,
          );
          const before = rule.place(backends, size.slots);
          const after = rule.place(changed, size.slots, before);
          const [held, then] = [slotsHeld(before), slotsHeld(after)];
          let needed = 0;
          held.forEach((slots, index) => {
            needed += Math.max(0, slots - then[index]!);
          });
          const moved = (movedPercent(before, after) * size.slots) / 100;
          return { worstError: worstError(before), movedOverNeeded: moved / Math.max(1, needed) };
        });
        results.push({
          rule: rule.name,
          slots: size.slots,
          backends: count,
          worstError: Math.max(...runs.map((run) => run.worstError)),
          movedOverNeeded: figureOf(runs.map((run) => run.movedOverNeeded)),
        });
      }
    }
  }
  return results;
}

function worstError(placed: Placed): number {
  const total = placed.backends.reduce((sum, { weight }) => sum + weight, 0);
  const errors = slotsHeld(placed).map((held, index) => {
    return Math.abs(held - (placed.table.length * placed.backends[index]!.weight) / total);
  });
  return Math.max(...errors);
}

function slotsHeld({ backends, table }: Placed): number[] {
  const held = new Array<number>(backends.length).fill(0);
  for (const index of table) held[index]!++;
  return held;
}

function movedPercent(before: Placed, after: Placed): number {
  const [old, now] = [owners(before), owners(after)];
  return (100 * old.filter((owner, slot) => owner !== now[slot]).length) / old.length;
}

function slotsOf(rule: TableRule, size: TableSize): number {
  return rule.hasPrimeSize ? size.prime : size.slots;
}

/** Backends of weight 100 at random addresses, sorted: who sorts his list does so before any change. */
function fleet(count: number, dice: Random): WeightedBackend[] {
  const addresses = new Set<number>();
  while (addresses.size < count) addresses.add(0x0a000000 + (dice.next() & 0xffffff));
  return [...addresses].sort((a, b) => a - b).map((address) => ({ address, port: 8080, weight: 100 }));
}

function shuffled<T>(list: readonly T[], dice: Random): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = dice.between(0, i);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function overSeeds<T>(seeds: number, run: (dice: Random) => T): T[] {
  return Array.from({ length: seeds }, (_, i) => run(seededRandom(i + 1)));
}

function figureOf(values: readonly number[]): Figure {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
