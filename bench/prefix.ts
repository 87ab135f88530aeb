// SPDX-License-Identifier: Apache-2.0
/**
 * What prefix tables take, beside Maglev tables of the same slots: rows at rest; rows and writes of a change, as the
 * shipping engine carries it out (prefix-world.ts); what many changes make of them; and how long their computation takes.
 */

import { type Desired, type DesiredBackend, PLAIN_POOL, type SlotTable } from '../controller/core/desired.ts';
import { NOBODY, type WeightedBackend } from '../controller/core/maglev.ts';
import { fewestRows } from '../controller/core/prefix-cover.ts';
import { prefixTable } from '../controller/core/prefix-placement.ts';
import { seededRandom } from '../demo/random.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { PrefixWorld, type WriteCounts } from './prefix-world.ts';

export interface PrefixBenchOptions {
  slots: number;
  backendCounts: readonly number[];
  /** Of each history. */
  historyChanges: number;
}

export const prefixBenchDefaults: Readonly<PrefixBenchOptions> = {
  slots: 65_536,
  backendCounts: [8, 100, 1_000],
  historyChanges: 1_000,
};

/** A load-aware pool counts so finely; docs/load-aware.md. */
const WEIGHT = 4_096;
/** A load-aware step changes each weight by this share at most. */
const LOAD_STEP = 0.05;
const RANGE = 16;
const seed = 1;

export const changeNames = ['one removed', 'one added', 'one +1 %', 'one +50 %', 'load-aware step'] as const;
export type ChangeName = (typeof changeNames)[number];

export interface PrefixChange {
  table: SlotTable;
  backends: number;
  change: ChangeName;
  /** Of slots and columns: before, at most at once, and at rest again. */
  rowsBefore: number;
  mostRows: number;
  rowsAfter: number;
  writes: WriteCounts;
  movedSlots: number;
  /** What those backends have to give up that had more than they have then. */
  leastMoved: number;
  /** After the change. Most slots of a backend over its due by weight; and the largest difference of both, in slots. */
  mostOverDue: number;
  worstError: number;
  /** The longest turn of the event loop, processor time. */
  longestTurnMs: number;
}

/** Each from a fresh pool of equal weights. */
export function benchPrefixChanges(options: PrefixBenchOptions): PrefixChange[] {
  return options.backendCounts.flatMap((backends) =>
    changeNames.flatMap((change) =>
      (['maglev', 'prefix'] as const).map((table) => carryOut(options.slots, table, backends, change)),
    ),
  );
}

function carryOut(slots: number, table: SlotTable, count: number, change: ChangeName): PrefixChange {
  const before = fleet(count);
  const after = changed(before, change);
  const world = new PrefixWorld(desired(slots, table, before));
  const { target } = world;
  const rowsBefore = target.rows;
  const old = target.owners(slots);
  const longestTurnMs = world.change(desired(slots, table, after));
  const now = target.owners(slots);
  const [had, has] = [countsOf(old), countsOf(now)];
  let leastMoved = 0;
  had.forEach((slotsBefore, id) => {
    leastMoved += Math.max(0, slotsBefore - has[id]!);
  });
  const ids = world.backendIds(poolName);
  const total = after.reduce((sum, { weight }) => sum + weight, 0);
  const dues = after.map(({ name, weight }) => ({
    held: has[ids.get(name)!]!,
    due: (slots * weight) / total,
  }));
  return {
    table,
    backends: count,
    change,
    rowsBefore,
    mostRows: target.mostRows,
    rowsAfter: target.rows,
    writes: target.counts,
    movedSlots: now.filter((owner, slot) => owner !== old[slot]).length,
    leastMoved,
    mostOverDue: Math.max(...dues.map(({ held, due }) => held / due)),
    worstError: Math.max(...dues.map(({ held, due }) => Math.abs(held - due))),
    longestTurnMs,
  };
}

export interface PrefixHistory {
  backends: number;
  history: 'random weights' | 'load-aware steps';
  changes: number;
  rowsAtFirst: number;
  rowsAfter: number;
  mostRows: number;
  /** Processor time of one computation, milliseconds. */
  placementMs: Distribution;
  coverMs: Distribution;
}

/** Placement and cover alone. */
export function benchPrefixHistories(options: PrefixBenchOptions): PrefixHistory[] {
  return options.backendCounts.flatMap((count) =>
    (['random weights', 'load-aware steps'] as const).map((history) => live(options, count, history)),
  );
}

function live(options: PrefixBenchOptions, count: number, history: PrefixHistory['history']): PrefixHistory {
  const dice = seededRandom(seed);
  const nobody = new Uint16Array(options.slots).fill(NOBODY);
  const factors = new Float64Array(count);
  const weights = new Array<number>(count).fill(history === 'random weights' ? 100 : WEIGHT);
  const place = (inForce: Uint16Array) => prefixTable(weighted(weights), inForce, nobody);
  const cover = (table: Uint16Array) => fewestRows(table.map((owner) => (owner === NOBODY ? 0 : owner + 1)));
  let table = place(nobody);
  const rowsAtFirst = cover(table).size;
  const rows: number[] = [];
  const [placementMs, coverMs]: [number[], number[]] = [[], []];
  for (let change = 0; change < options.historyChanges; change++) {
    if (history === 'random weights') weights[dice.between(0, count - 1)] = dice.between(0, 200);
    else {
      for (let i = 0; i < count; i++) {
        const step = Math.log1p(LOAD_STEP) * (dice.between(-1_000, 1_000) / 1_000);
        factors[i] = Math.min(Math.log(RANGE), Math.max(-Math.log(RANGE), factors[i]! + step));
        weights[i] = Math.round(WEIGHT * Math.exp(factors[i]!));
      }
    }
    table = timed(placementMs, () => place(table));
    rows.push(timed(coverMs, () => cover(table)).size);
  }
  return {
    backends: count,
    history,
    changes: options.historyChanges,
    rowsAtFirst,
    rowsAfter: rows.at(-1)!,
    mostRows: Math.max(...rows),
    placementMs: distributionOf(placementMs),
    coverMs: distributionOf(coverMs),
  };
}

function timed<Result>(times: number[], work: () => Result): Result {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  times.push((user + system) / 1000);
  return result;
}

function weighted(weights: readonly number[]): WeightedBackend[] {
  return weights.map((weight, index) => ({ address: 0x0b00_0001 + index, port: 8080, weight }));
}

const poolName = 'pool';

function fleet(count: number): DesiredBackend[] {
  return weighted(new Array<number>(count).fill(WEIGHT)).map((backend, index) => ({
    name: `b${index}`,
    ...backend,
    state: 'active',
  }));
}

function changed(backends: readonly DesiredBackend[], change: ChangeName): DesiredBackend[] {
  const chosen = Math.floor(backends.length / 3);
  const withWeight = (factor: number) =>
    backends.map((backend, i) =>
      i === chosen ? { ...backend, weight: Math.round(WEIGHT * factor) } : backend,
    );
  switch (change) {
    case 'one removed':
      return backends.filter((_, i) => i !== chosen);
    case 'one added':
      return fleet(backends.length + 1);
    case 'one +1 %':
      return withWeight(1.01);
    case 'one +50 %':
      return withWeight(1.5);
    case 'load-aware step': {
      const dice = seededRandom(seed);
      const factor = () => 1 + (LOAD_STEP * dice.between(-1_000, 1_000)) / 1_000;
      return backends.map((backend) => ({ ...backend, weight: Math.round(WEIGHT * factor()) }));
    }
  }
}

function desired(slotCount: number, table: SlotTable, backends: readonly DesiredBackend[]): Desired {
  return {
    pools: [
      {
        name: poolName,
        vip: { address: 0x0a01_0001, protocol: 'tcp', port: 80 },
        ...PLAIN_POOL,
        table,
        slotCount,
        sessionTimeoutMs: 10_000,
        placement: 'sticky',
        backends,
      },
    ],
    interfaces: [],
    routes: [],
    neighbours: [],
  };
}

function countsOf(owners: Uint16Array): Uint32Array {
  const counts = new Uint32Array(65_536);
  for (const owner of owners) counts[owner]!++;
  return counts;
}
