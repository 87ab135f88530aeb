// SPDX-License-Identifier: Apache-2.0
/**
 * The experiment with real connections (demo/load), simulated with the same parameters: servers of different sizes behind one vip, and users
 * who ask, wait for the answer, think, and ask again, until they go. An overloaded server is slow, and its users ask less. The
 * tables, the weight controller and the CPUs of the servers are those of the experiment; the network between them takes no time.
 */
import type { LoadOptions } from '../../controller/core/load-weights.ts';
import { maglevTable } from '../../controller/core/maglev.ts';
import { stickyTable } from '../../controller/core/sticky.ts';
import { diceOf } from '../kernel/dice.ts';
import { EventHeap } from '../kernel/event-heap.ts';
import { Latencies } from './latencies.ts';
import { Processor } from './processor.ts';
import type { Steersman } from './steersmen.ts';
import { type LoadSample, type SteeringSummary, summaryOf, variationOf } from './summary.ts';
import { lifeOf, type UsersOptions } from './users.ts';

export interface RequestsOptions {
  users: UsersOptions;
  /** CPUs of each server. */
  cpus: readonly number[];
  slots: number;
  /** Time constant of the load that a server tells. */
  toldOverMs: number;
  /** From new weights to the commit. */
  commitMs: number;
  /** With equal weights; then the steersman takes over. */
  beforeMs: number;
  steeredMs: number;
  load: LoadOptions;
  steersman: (load: LoadOptions) => Steersman;
}

export interface LatencyQuantiles {
  p50: number;
  p99: number;
  count: number;
}

export interface RequestsResult extends SteeringSummary {
  /** By server, in milliseconds, of the last half of each part. */
  latencies: { before: LatencyQuantiles[]; after: LatencyQuantiles[] };
  /** Every second, the load that each server tells. */
  series: LoadSample[];
}

interface User {
  server: number;
  costMs: number;
  endsAt: number;
  askedAt: number;
}

type Happening =
  | { kind: 'arrival' }
  | { kind: 'ask'; user: User }
  /** A request may be done; it is not if others have come since. */
  | { kind: 'work'; server: number }
  | { kind: 'sample' }
  | { kind: 'read' }
  | { kind: 'commit'; table: Uint16Array };

const sampleMs = 1_000;

export function runRequests(options: RequestsOptions): RequestsResult {
  const { users, cpus, slots, load, beforeMs, steeredMs } = options;
  const dice = diceOf(users.seed, 'users');
  const slotDice = diceOf(users.seed, 'slots');
  const backends = cpus.map((_, i) => ({ address: 0x0a00_0201 + i, port: 8_080, weight: 1 }));
  const names = cpus.map((_, i) => `s${i}`);
  const members = names.map((name) => ({ name, weight: 1, isInUse: true }));
  const processors = cpus.map((count) => new Processor<User>(count, options.toldOverMs, 0));
  const series: LoadSample[] = [];
  const changes: { atMs: number; moved: number }[] = [];
  const shares: { atMs: number; share: number }[] = [];
  const largest = cpus.indexOf(Math.max(...cpus));
  const latencies = { before: cpus.map(() => new Latencies()), after: cpus.map(() => new Latencies()) };
  const lastHalf = beforeMs + steeredMs / 2;
  const happenings = new EventHeap<Happening>();

  let table = maglevTable(backends, slots);
  // What the next change starts from: the last table computed, committed or not.
  let newest = table;
  let steersman: Steersman | undefined;
  happenings.push(0, { kind: 'arrival' });
  happenings.push(sampleMs, { kind: 'sample' });
  happenings.push(0, { kind: 'read' });

  const advance = (server: number, now: number): void => {
    for (const { job: user, at } of processors[server]!.advance(now)) {
      const part = at >= lastHalf ? latencies.after : at < beforeMs && at >= beforeMs / 2 && latencies.before;
      if (part) part[server]!.note(at - user.askedAt);
      const asksAt = at + dice.between(users.pauseMs.min, users.pauseMs.max);
      if (asksAt < user.endsAt) happenings.push(asksAt, { kind: 'ask', user });
    }
  };
  const workLater = (server: number): void => {
    const at = processors[server]!.nextDoneAt;
    if (Number.isFinite(at)) happenings.push(at, { kind: 'work', server });
  };

  for (let next = happenings.pop(); next !== undefined; next = happenings.pop()) {
    const { at: now, value } = next;
    if (now > beforeMs + steeredMs) break;
    switch (value.kind) {
      case 'arrival': {
        const { lifeMs, costMs } = lifeOf(users, dice);
        const server = table[slotDice.integer(0, slots - 1)]!;
        const user = { server, costMs, endsAt: now + lifeMs, askedAt: 0 };
        const asksAt = now + dice.between(users.pauseMs.min, users.pauseMs.max);
        if (asksAt < user.endsAt) happenings.push(asksAt, { kind: 'ask', user });
        happenings.push(now + dice.exponential(users.meanLifeMs / users.connections), { kind: 'arrival' });
        break;
      }
      case 'ask': {
        const { user } = value;
        advance(user.server, now);
        user.askedAt = now;
        processors[user.server]!.arrive(user.costMs, user);
        workLater(user.server);
        break;
      }
      case 'work': {
        const before = processors[value.server]!.runnable;
        advance(value.server, now);
        // The one whose time this was has another by now.
        if (processors[value.server]!.runnable < before) workLater(value.server);
        break;
      }
      case 'sample': {
        for (const server of processors.keys()) advance(server, now);
        for (const server of processors.keys()) workLater(server);
        const loads = processors.map((processor) => processor.load);
        series.push({ atMs: now, variation: variationOf(loads), loads });
        happenings.push(now + sampleMs, { kind: 'sample' });
        break;
      }
      case 'read': {
        happenings.push(now + load.intervalMs, { kind: 'read' });
        if (now < beforeMs) break;
        for (const server of processors.keys()) advance(server, now);
        for (const server of processors.keys()) workLater(server);
        steersman ??= options.steersman(load);
        const loads = new Map(names.map((name, i) => [name, processors[i]!.load]));
        const weights = steersman(loads, members, now);
        if (weights === undefined) break;
        const weighted = backends.map((backend, i) => ({ ...backend, weight: weights.get(names[i]!)! }));
        const wanted = stickyTable(weighted, newest, newest);
        let moved = 0;
        let ofLargest = 0;
        for (let slot = 0; slot < slots; slot++) {
          if (wanted[slot] !== newest[slot]) moved++;
          if (wanted[slot] === largest) ofLargest++;
        }
        newest = wanted;
        changes.push({ atMs: now, moved });
        shares.push({ atMs: now, share: ofLargest / slots });
        happenings.push(now + options.commitMs, { kind: 'commit', table: wanted });
        break;
      }
      case 'commit':
        table = value.table;
        break;
    }
  }
  return {
    ...summaryOf({ beforeMs, steeredMs, slots, series, changes, shares }),
    latencies: {
      before: latencies.before.map(quantilesOf),
      after: latencies.after.map(quantilesOf),
    },
    series,
  };
}

export function quantilesOf(latencies: Latencies): LatencyQuantiles {
  return { p50: latencies.quantile(0.5), p99: latencies.quantile(0.99), count: latencies.count };
}
