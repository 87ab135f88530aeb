// SPDX-License-Identifier: Apache-2.0
/**
 * Many load balancers on one workload: each packet is given to every system, and each system is judged by where it sends it.
 *
 * A flow belongs to the server that its SYN went to. It is *broken* when a later packet goes elsewhere while that server has
 * lived all the time; *lost* when the server has died, which nobody can help; *refused* when its SYN went to no server that is
 * up. In each case the client gets its reset and sends that system nothing more; the others do not notice.
 */

import type { MaglevTables } from '../rivals/maglev-tables.ts';
import type { System, SystemState } from '../rivals/system.ts';
import type { Servers } from '../workload/servers.ts';
import { FIN, SYN, type Traffic } from '../workload/traffic.ts';

export interface RaceOptions {
  durationMs: number;
  sampleMs: number;
  /** The balancer fails then, and another takes over; undefined: never. */
  failAt: number | undefined;
}

export const raceDefaults: Readonly<RaceOptions> = {
  durationMs: 1_000_000,
  sampleMs: 5_000,
  failAt: undefined,
};

/** Plain data. Flows counted are those of the start and all that came. */
export interface Outcome {
  system: string;
  flows: number;
  broken: number;
  /** Of these, because a filter claimed to know the flow and did not. */
  misled: number;
  lost: number;
  refused: number;
  meanHeld: number;
  peakHeld: number;
  meanLive: number;
  peakLive: number;
  meanUnstableSlots: number;
  peakUnstableSlots: number;
  meanFilterMembers: number;
  peakFilterMembers: number;
  writesPerSecond: number;
  /** Of flows that were alive when the balancer failed: how many there were, and how many have broken since. */
  aliveAtFailure: number;
  brokenByFailure: number;
}

export interface RaceResult {
  packets: number;
  flows: number;
  meanFlows: number;
  kills: number;
  returns: number;
  outcomes: Outcome[];
}

const OVER = -1;
/** Of `owner`: the server below, how often it had died above. */
const SERVER_BITS = 16;
const SERVER_MASK = 2 ** SERVER_BITS - 1;

export function race(
  { traffic, servers }: { traffic: Traffic; servers: Servers },
  tables: MaglevTables,
  systems: readonly System[],
  given: Partial<RaceOptions> = {},
): RaceResult {
  const options = { ...raceDefaults, ...given };
  const lanes = systems.map((system) => new Lane(system, traffic, servers));
  let samples = 0;
  let flowSum = 0;
  let kills = 0;
  let returns = 0;

  while (traffic.fillInitial()) for (const lane of lanes) lane.run();

  let sampleAt = 0;
  let failAt = options.failAt ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const nextAt = Math.min(servers.nextAt, sampleAt, failAt, options.durationMs);
    let isFull = true;
    while (isFull) {
      isFull = traffic.fill(nextAt);
      for (const lane of lanes) lane.run();
    }
    if (nextAt === options.durationMs) break;
    if (nextAt === failAt) {
      for (const lane of lanes) lane.failOver(failAt);
      failAt = Number.POSITIVE_INFINITY;
    } else if (nextAt === sampleAt) {
      for (const lane of lanes) lane.sample(sampleAt);
      samples++;
      flowSum += traffic.flows.alive;
      sampleAt += options.sampleMs;
    } else {
      const change = servers.change();
      tables.invalidate();
      if (change?.isUp) returns++;
      else if (change) kills++;
      for (const { system } of lanes) {
        if (change?.isUp) system.serverUp(change.server, change.at);
        else if (change) system.serverDown(change.server, change.at);
      }
    }
  }
  return {
    packets: traffic.packets,
    flows: traffic.opened,
    meanFlows: flowSum / samples,
    kills,
    returns,
    outcomes: lanes.map((lane) => lane.outcome(options.durationMs)),
  };
}

/** One system's side of the race. */
class Lane {
  readonly system: System;
  readonly #traffic: Traffic;
  readonly #servers: Servers;
  /** Per flow the server it belongs to, or OVER. */
  readonly #owner: Int32Array;
  #broken = 0;
  #misled = 0;
  #lost = 0;
  #refused = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #aliveAtFailure = 0;
  #brokenByFailure = 0;
  readonly #sums = { held: 0, live: 0, unstableSlots: 0, filterMembers: 0 };
  readonly #peaks = { held: 0, live: 0, unstableSlots: 0, filterMembers: 0 };
  #samples = 0;

  constructor(system: System, traffic: Traffic, servers: Servers) {
    this.system = system;
    this.#traffic = traffic;
    this.#servers = servers;
    this.#owner = new Int32Array(traffic.flows.capacity).fill(OVER);
  }

  /** Gives the system the batch. */
  run(): void {
    const { system } = this;
    const owners = this.#owner;
    const { isUp, deaths } = this.#servers;
    const { batch } = this.#traffic;
    const { at, flow: flows, kind: kinds } = batch;
    for (let i = 0; i < batch.count; i++) {
      const flow = flows[i]!;
      const kind = kinds[i] as 0 | 1 | 2;
      const now = at[i]!;
      if (kind === SYN) {
        const server = system.packet(flow, kind, now);
        if (server >= 0 && isUp[server]) {
          owners[flow] = server | (deaths[server]! << SERVER_BITS);
        } else {
          owners[flow] = OVER;
          this.#refused++;
          system.reset(flow, now);
        }
        continue;
      }
      const owner = owners[flow]!;
      if (owner === OVER) continue;
      const server = system.packet(flow, kind, now);
      const belongsTo = owner & SERVER_MASK;
      if (deaths[belongsTo] !== owner >>> SERVER_BITS) this.#lost++;
      else if (server !== belongsTo) this.#break(flow);
      else {
        if (kind === FIN) owners[flow] = OVER;
        continue;
      }
      owners[flow] = OVER;
      if (kind !== FIN) system.reset(flow, now);
    }
  }

  failOver(now: number): void {
    this.system.failOver(now);
    this.#failedAt = now;
    const { deaths } = this.#servers;
    for (const owner of this.#owner) {
      if (owner !== OVER && deaths[owner & SERVER_MASK] === owner >>> SERVER_BITS) this.#aliveAtFailure++;
    }
  }

  sample(now: number): void {
    const state = this.system.state(now);
    this.#samples++;
    for (const key of [
      'held',
      'live',
      'unstableSlots',
      'filterMembers',
    ] as const satisfies (keyof SystemState)[]) {
      this.#sums[key] += state[key];
      this.#peaks[key] = Math.max(this.#peaks[key], state[key]);
    }
  }

  outcome(now: number): Outcome {
    const samples = Math.max(1, this.#samples);
    return {
      system: this.system.name,
      flows: this.#traffic.opened,
      broken: this.#broken,
      misled: this.#misled,
      lost: this.#lost,
      refused: this.#refused,
      meanHeld: this.#sums.held / samples,
      peakHeld: this.#peaks.held,
      meanLive: this.#sums.live / samples,
      peakLive: this.#peaks.live,
      meanUnstableSlots: this.#sums.unstableSlots / samples,
      peakUnstableSlots: this.#peaks.unstableSlots,
      meanFilterMembers: this.#sums.filterMembers / samples,
      peakFilterMembers: this.#peaks.filterMembers,
      writesPerSecond: this.system.state(now).writes / (now / 1000),
      aliveAtFailure: this.#aliveAtFailure,
      brokenByFailure: this.#brokenByFailure,
    };
  }

  #break(flow: number): void {
    this.#broken++;
    if (this.system.isMisled) this.#misled++;
    const { startedAt } = this.#traffic.flows;
    if (startedAt[flow]! < this.#failedAt) this.#brokenByFailure++;
  }
}
