// SPDX-License-Identifier: Apache-2.0
/** Servers that are killed at random moments and return after their downtime. */

import { type Dice, diceOf } from '../kernel/dice.ts';
import { EventHeap } from '../kernel/event-heap.ts';
import type { StepCdf } from './step-cdf.ts';

export interface ServerChange {
  at: number;
  server: number;
  isUp: boolean;
}

export interface ServerOptions {
  seed: number;
  servers: number;
  /** Kills; each is followed by a return. 0: none. */
  updatesPerMinute: number;
  downtimeSeconds: Pick<StepCdf, 'draw'>;
}

export class Servers {
  readonly count: number;
  readonly isUp: Uint8Array;
  /** How often a server has been killed: what it knew of flows before is lost. */
  readonly deaths: Uint16Array;
  upCount: number;
  readonly #dice: Dice;
  readonly #options: ServerOptions;
  readonly #returns = new EventHeap<number>();
  #nextKillAt: number;

  constructor(options: ServerOptions) {
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

  /** Lets the next change happen. The last server that is up is spared. */
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
