// SPDX-License-Identifier: Apache-2.0
/** A table of connections: flow -> server, with what stays in it for a while after a flow has ended. */

import type { Millis } from '../../controller/core/event.ts';

const NONE = -1;

export interface EntryTimeouts {
  /** Without a packet. */
  idleMs: number;
  /** After the FIN. */
  finMs: number;
  /** After a reset. */
  resetMs: number;
}

export class Entries {
  live = 0;
  readonly #timeouts: EntryTimeouts;
  readonly #server: Int16Array;
  /** In whole seconds: small, because it is looked up for every packet. */
  readonly #usedAt: Uint16Array;
  readonly #lingering = new Lingering();

  constructor(flows: number, timeouts: EntryTimeouts) {
    this.#timeouts = timeouts;
    this.#server = new Int16Array(flows).fill(NONE);
    this.#usedAt = new Uint16Array(flows);
  }

  /** @returns the flow's server, whose idle time begins anew; undefined when there is no entry or it has expired */
  use(flow: number, now: Millis): number | undefined {
    const server = this.#server[flow]!;
    if (server === NONE) return undefined;
    const second = Math.floor(now / 1000);
    if ((second - this.#usedAt[flow]!) * 1000 >= this.#timeouts.idleMs) {
      this.#remove(flow);
      return undefined;
    }
    this.#usedAt[flow] = second;
    return server;
  }

  add(flow: number, server: number, now: Millis): void {
    if (this.#server[flow] === NONE) this.live++;
    this.#server[flow] = server;
    this.#usedAt[flow] = Math.floor(now / 1000);
  }

  /** The flow has sent its FIN. */
  finish(flow: number, now: Millis): void {
    this.#end(flow, now, this.#timeouts.finMs);
  }

  reset(flow: number, now: Millis): void {
    this.#end(flow, now, this.#timeouts.resetMs);
  }

  clear(): void {
    this.#server.fill(NONE);
    this.#lingering.clear();
    this.live = 0;
  }

  held(now: Millis): number {
    return this.live + this.#lingering.count(now);
  }

  #end(flow: number, now: Millis, lingerMs: number): void {
    if (this.#server[flow] === NONE) return;
    this.#remove(flow);
    if (lingerMs > 0) this.#lingering.add(now, lingerMs);
  }

  #remove(flow: number): void {
    this.#server[flow] = NONE;
    this.live--;
  }
}

const LINGER_SECONDS = 1_024;

/** Counts what goes away by itself after a time of up to LINGER_SECONDS, to the second. */
class Lingering {
  #total = 0;
  readonly #until = new Int32Array(LINGER_SECONDS);
  #second = 0;

  add(now: Millis, ms: number): void {
    this.#advance(now);
    const seconds = Math.min(LINGER_SECONDS - 1, Math.ceil(ms / 1000));
    this.#until[(this.#second + seconds) % LINGER_SECONDS]!++;
    this.#total++;
  }

  count(now: Millis): number {
    this.#advance(now);
    return this.#total;
  }

  clear(): void {
    this.#until.fill(0);
    this.#total = 0;
  }

  #advance(now: Millis): void {
    const second = Math.floor(now / 1000);
    while (this.#second < second) {
      this.#second++;
      const place = this.#second % LINGER_SECONDS;
      this.#total -= this.#until[place]!;
      this.#until[place] = 0;
    }
  }
}
