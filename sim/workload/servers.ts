// SPDX-License-Identifier: Apache-2.0
/** Servers that come and go: killed at random moments until their downtime is over, or flapping for ever. */

import { type Dice, diceOf } from '../kernel/dice.ts';
import { EventHeap } from '../kernel/event-heap.ts';
import type { StepCdf } from './step-cdf.ts';

export interface ServerChange {
  at: number;
  server: number;
  isUp: boolean;
}

export interface Servers {
  readonly count: number;
  readonly isUp: Uint8Array;
  /** How often a server has been killed: what it knew of flows before is lost. */
  readonly deaths: Uint16Array;
  readonly upCount: number;
  /** When the next change happens; Infinity: never. */
  readonly nextAt: number;
  /** Lets it happen. @returns undefined when it could not */
  change(): ServerChange | undefined;
}

export interface KilledServersOptions {
  seed: number;
  servers: number;
  /** Kills; each is followed by a return. 0: none. */
  updatesPerMinute: number;
  downtimeSeconds: Pick<StepCdf, 'draw'>;
}

export class KilledServers implements Servers {
  readonly count: number;
  readonly isUp: Uint8Array;
  readonly deaths: Uint16Array;
  upCount: number;
  readonly #dice: Dice;
  readonly #options: KilledServersOptions;
  readonly #returns = new EventHeap<number>();
  #nextKillAt: number;

  constructor(options: KilledServersOptions) {
    this.#options = options;
    this.count = options.servers;
    this.isUp = new Uint8Array(options.servers).fill(1);
    this.deaths = new Uint16Array(options.servers);
    this.upCount = options.servers;
    this.#dice = diceOf(options.seed, 'servers');
    this.#nextKillAt = this.#untilKill();
  }

  get nextAt(): number {
    return Math.min(this.#nextKillAt, this.#returns.nextAt);
  }

  /** The last server that is up is spared. */
  change(): ServerChange | undefined {
    if (this.#returns.nextAt <= this.#nextKillAt) {
      const { at, value: server } = this.#returns.pop()!;
      this.isUp[server] = 1;
      this.upCount++;
      return { at, server, isUp: true };
    }
    const at = this.#nextKillAt;
    this.#nextKillAt += this.#untilKill();
    const server = this.#pickUp();
    const downMs = 1000 * this.#options.downtimeSeconds.draw(this.#dice);
    if (this.upCount === 1) return undefined;
    this.#returns.push(at + downMs, server);
    this.isUp[server] = 0;
    this.deaths[server]!++;
    this.upCount--;
    return { at, server, isUp: false };
  }

  #untilKill(): number {
    const { updatesPerMinute } = this.#options;
    return updatesPerMinute > 0
      ? this.#dice.exponential(60_000 / updatesPerMinute)
      : Number.POSITIVE_INFINITY;
  }

  #pickUp(): number {
    let nth = this.#dice.integer(0, this.upCount - 1);
    let server = 0;
    while (!this.isUp[server] || nth-- > 0) server++;
    return server;
  }
}

export interface FlappingServersOptions {
  servers: number;
  /** How many of them flap; the others stay. */
  flapping: number;
  halfPeriodMs: number;
  /** When each of them goes first. */
  dice: Dice;
}

export class FlappingServers implements Servers {
  readonly count: number;
  readonly isUp: Uint8Array;
  readonly deaths: Uint16Array;
  upCount: number;
  readonly #halfPeriodMs: number;
  readonly #changes = new EventHeap<number>();

  constructor({ servers, flapping, halfPeriodMs, dice }: FlappingServersOptions) {
    this.count = servers;
    this.isUp = new Uint8Array(servers).fill(1);
    this.deaths = new Uint16Array(servers);
    this.upCount = servers;
    this.#halfPeriodMs = halfPeriodMs;
    for (let i = 0; i < flapping; i++) {
      const server = Math.floor((i * servers) / flapping);
      this.#changes.push(dice.between(0, 2 * halfPeriodMs), server);
    }
  }

  get nextAt(): number {
    return this.#changes.nextAt;
  }

  change(): ServerChange | undefined {
    const change = this.#changes.pop();
    if (change === undefined) return undefined;
    const { at, value: server } = change;
    const isUp = this.isUp[server] === 0;
    this.isUp[server] = isUp ? 1 : 0;
    this.upCount += isUp ? 1 : -1;
    if (!isUp) this.deaths[server]!++;
    this.#changes.push(at + this.#halfPeriodMs, server);
    return { at, server, isUp };
  }
}
