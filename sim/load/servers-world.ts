// SPDX-License-Identifier: Apache-2.0
/**
 * Servers of different sizes behind one vip, on whom load is: connections come (Poisson), each goes where the table sends its slot, stays
 * there until it ends, and takes a part of a CPU meanwhile. A reading of each server reaches the weight controller late and noisy; new weights
 * become a table, and the table is committed a while later. The table and the controller are those that ship.
 */
import type { LoadOptions } from '../../controller/core/load-weights.ts';
import { maglevTable } from '../../controller/core/maglev.ts';
import { stickyTable } from '../../controller/core/sticky.ts';
import { diceOf } from '../kernel/dice.ts';
import { EventHeap } from '../kernel/event-heap.ts';
import { type Steersman, shippedSteersman } from './steersmen.ts';
import { type LoadSample, medianOf, type SteeringSummary, summaryOf, variationOf } from './summary.ts';

export interface ServersOptions {
  seed: number;
  /** CPUs of each server. */
  cpus: readonly number[];
  /** Demand in all over CPUs in all. */
  utilisation: number;
  /** Alive at a time, on average. */
  connections: number;
  meanLifeMs: number;
  placement: 'sticky' | 'pure';
  slots: number;
  /** From a server's load to its reading. */
  readingDelayMs: number;
  /** Each reading is off by a normal error of this share. */
  readingNoise: number;
  /** From new weights to the commit. */
  commitMs: number;
  /** With the configured weights, all equal; then the steersman takes over. */
  beforeMs: number;
  steeredMs: number;
  load: LoadOptions;
  steersman: (load: LoadOptions) => Steersman;
}

/** Her servers of 1, 2, 4 and 8 CPUs, at a load that the small one could not carry without help. */
export const serversDefaults: Omit<ServersOptions, 'load'> = {
  seed: 1,
  cpus: [1, 2, 4, 8],
  utilisation: 0.5,
  connections: 4_000,
  meanLifeMs: 30_000,
  placement: 'sticky',
  slots: 4_096,
  readingDelayMs: 5_000,
  readingNoise: 0.05,
  commitMs: 1_500,
  beforeMs: 300_000,
  steeredMs: 1_500_000,
  steersman: shippedSteersman,
};

export interface ServersResult extends SteeringSummary {
  /** The variation if each connection went to a server with a chance in proportion to its CPUs: the noise that nobody can steer away. */
  floor: number;
  /** Every second, the demand over CPUs of each server. */
  series: LoadSample[];
}

type Happening =
  | { kind: 'arrival' }
  | { kind: 'end'; server: number; demand: number }
  | { kind: 'sample' }
  | { kind: 'read' }
  | { kind: 'reading'; loads: Map<string, number> }
  | { kind: 'commit'; table: Uint16Array };

const sampleMs = 1_000;

export function runServers(options: ServersOptions): ServersResult {
  const { cpus, seed, connections, meanLifeMs, load } = options;
  const dice = {
    arrivals: diceOf(seed, 'arrivals'),
    lives: diceOf(seed, 'lives'),
    demands: diceOf(seed, 'demands'),
    slots: diceOf(seed, 'slots'),
    noise: diceOf(seed, 'noise'),
    ideal: diceOf(seed, 'ideal'),
  };
  const allCpus = cpus.reduce((sum, count) => sum + count, 0);
  const meanDemand = (options.utilisation * allCpus) / connections;
  const backends = cpus.map((_, i) => ({ address: 0x0a00_0201 + i, port: 8_080, weight: 1 }));
  const names = cpus.map((_, i) => `s${i}`);
  const members = names.map((name) => ({ name, weight: 1, isInUse: true }));
  const happenings = new EventHeap<Happening>();
  const endMs = options.beforeMs + options.steeredMs;
  const demands = new Float64Array(cpus.length);
  const idealDemands = new Float64Array(cpus.length);
  const series: ServersResult['series'] = [];
  const floors: number[] = [];
  const changes: { atMs: number; moved: number }[] = [];
  const shares: { atMs: number; share: number }[] = [];
  const largest = cpus.indexOf(Math.max(...cpus));

  let table = maglevTable(backends, options.slots);
  // What the next change starts from: the last table computed, committed or not.
  let newest = table;
  let steersman: Steersman | undefined;
  happenings.push(0, { kind: 'arrival' });
  happenings.push(sampleMs, { kind: 'sample' });
  happenings.push(0, { kind: 'read' });

  for (let next = happenings.pop(); next !== undefined && next.at <= endMs; next = happenings.pop()) {
    const { at: now, value } = next;
    switch (value.kind) {
      case 'arrival': {
        const demand = dice.demands.exponential(meanDemand);
        const server = table[dice.slots.integer(0, options.slots - 1)]!;
        const endsAt = now + dice.lives.exponential(meanLifeMs);
        demands[server]! += demand;
        const ideal = serverByCpus(cpus, allCpus, dice.ideal.next());
        idealDemands[ideal]! += demand;
        happenings.push(endsAt, { kind: 'end', server: server * cpus.length + ideal, demand });
        happenings.push(now + dice.arrivals.exponential(meanLifeMs / connections), { kind: 'arrival' });
        break;
      }
      case 'end': {
        demands[Math.floor(value.server / cpus.length)]! -= value.demand;
        idealDemands[value.server % cpus.length]! -= value.demand;
        break;
      }
      case 'sample': {
        const loads = [...demands].map((demand, i) => demand / cpus[i]!);
        series.push({ atMs: now, variation: variationOf(loads), loads });
        floors.push(variationOf([...idealDemands].map((demand, i) => demand / cpus[i]!)));
        happenings.push(now + sampleMs, { kind: 'sample' });
        break;
      }
      case 'read': {
        const loads = new Map(
          names.map((name, i) => {
            const noise = 1 + options.readingNoise * normal(dice.noise.next(), dice.noise.next());
            return [name, Math.max(0, (demands[i]! / cpus[i]!) * noise)];
          }),
        );
        happenings.push(now + options.readingDelayMs, { kind: 'reading', loads });
        happenings.push(now + load.intervalMs, { kind: 'read' });
        break;
      }
      case 'reading': {
        if (now < options.beforeMs) break;
        steersman ??= options.steersman(load);
        const weights = steersman(value.loads, members, now);
        if (weights === undefined) break;
        const weighted = backends.map((backend, i) => ({ ...backend, weight: weights.get(names[i]!)! }));
        const wanted =
          options.placement === 'sticky'
            ? stickyTable(weighted, newest, newest)
            : maglevTable(weighted, options.slots);
        let moved = 0;
        let ofLargest = 0;
        for (let slot = 0; slot < wanted.length; slot++) {
          if (wanted[slot] !== newest[slot]) moved++;
          if (wanted[slot] === largest) ofLargest++;
        }
        newest = wanted;
        changes.push({ atMs: now, moved });
        shares.push({ atMs: now, share: ofLargest / options.slots });
        happenings.push(now + options.commitMs, { kind: 'commit', table: wanted });
        break;
      }
      case 'commit':
        table = value.table;
        break;
    }
  }
  const { beforeMs, steeredMs, slots } = options;
  const floor = medianOf(floors.slice(floors.length >> 1));
  return { ...summaryOf({ beforeMs, steeredMs, slots, series, changes, shares }), floor, series };
}

function serverByCpus(cpus: readonly number[], allCpus: number, dice: number): number {
  let left = dice * allCpus;
  for (let i = 0; i < cpus.length - 1; i++) {
    left -= cpus[i]!;
    if (left < 0) return i;
  }
  return cpus.length - 1;
}

/** Box and Muller. */
function normal(one: number, other: number): number {
  return Math.sqrt(-2 * Math.log(1 - one)) * Math.cos(2 * Math.PI * other);
}
