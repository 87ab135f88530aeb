// SPDX-License-Identifier: Apache-2.0
/**
 * The users of sim/load/users.ts over real connections: each comes, thinks, asks, waits for the answer and thinks again, until it goes. Every
 * answer is checked for its number and for the server's name, which must never change within a connection.
 */

import type { Dice } from '../../sim/kernel/dice.ts';
import { Latencies } from '../../sim/load/latencies.ts';
import { type LatencyQuantiles, quantilesOf } from '../../sim/load/requests-world.ts';
import { lifeOf, type UsersOptions } from '../../sim/load/users.ts';
import type { Dial, Stream, StreamEnd } from '../stream.ts';
import { type BrokenUser, type ClientSummary, LineReader } from './message.ts';

interface User {
  stream: Stream;
  reader: LineReader;
  costMs: number;
  openedAt: number;
  endsAt: number;
  server: string | undefined;
  number: number;
  /** Undefined while it thinks. */
  askedAt: number | undefined;
  /** Its side is finished; the server's end is outstanding. */
  isFinished: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** When nobody is served they pile up to here, and others stay away. */
const openMax = 20_000;
/** Nobody waits longer for an answer, for a connection, or for its end. */
const patienceMs = 60_000;

export class Users {
  readonly #options: UsersOptions;
  readonly #dial: Dial;
  readonly #dice: Dice;
  readonly #now: () => number;
  readonly #onBroken: (broken: BrokenUser) => void;
  readonly #open = new Set<User>();
  readonly #latencies = new Map<string, Latencies>();
  readonly #totals = { opened: 0, finished: 0, broken: 0, answers: 0 };
  #arrival: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** @param now  milliseconds */
  constructor(
    options: UsersOptions,
    dial: Dial,
    dice: Dice,
    now: () => number,
    onBroken: (broken: BrokenUser) => void,
  ) {
    this.#options = options;
    this.#dial = dial;
    this.#dice = dice;
    this.#now = now;
    this.#onBroken = onBroken;
    this.#arriveFrom(now());
  }

  summary(): ClientSummary {
    return { open: this.#open.size, ...this.#totals };
  }

  /** By server, since the last call. */
  lap(): Record<string, LatencyQuantiles> {
    const lap = Object.fromEntries([...this.#latencies].map(([server, of]) => [server, quantilesOf(of)]));
    this.#latencies.clear();
    return lap;
  }

  /** Nobody comes any more, and who is there goes after the answer that he waits for. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#arrival);
    for (const user of this.#open) {
      user.endsAt = 0;
      if (user.askedAt === undefined && user.server !== undefined) this.#leave(user);
    }
  }

  #arriveFrom(from: number): void {
    const { connections, meanLifeMs } = this.#options;
    let at = from;
    // On a busy machine several may be due at once.
    for (; at <= this.#now(); at += this.#dice.exponential(meanLifeMs / connections))
      if (this.#open.size < openMax) this.#come();
    this.#arrival = setTimeout(() => this.#arriveFrom(at), at - this.#now());
  }

  #come(): void {
    const { lifeMs, costMs } = lifeOf(this.#options, this.#dice);
    const now = this.#now();
    const user = {
      reader: new LineReader(),
      costMs,
      openedAt: now,
      endsAt: now + lifeMs,
      server: undefined,
      number: 0,
      askedAt: undefined,
      isFinished: false,
      timer: undefined,
    } as unknown as User;
    user.stream = this.#dial({
      opened: () => this.#think(user),
      data: (bytes) => this.#hear(user, bytes),
      closed: (how) => this.#closed(user, how),
    });
    user.timer = setTimeout(() => this.#break(user, 'silent'), patienceMs);
    this.#open.add(user);
    this.#totals.opened++;
  }

  #think(user: User): void {
    const { min, max } = this.#options.pauseMs;
    const asksInMs = this.#dice.between(min, max);
    const staysMs = user.endsAt - this.#now();
    clearTimeout(user.timer);
    if (asksInMs < staysMs) user.timer = setTimeout(() => this.#ask(user), asksInMs);
    else user.timer = setTimeout(() => this.#leave(user), Math.max(0, staysMs));
  }

  #ask(user: User): void {
    user.askedAt = this.#now();
    user.stream.write(Buffer.from(`${++user.number} ${user.costMs.toFixed(3)}\n`));
    user.timer = setTimeout(() => this.#break(user, 'silent'), patienceMs);
  }

  #hear(user: User, bytes: Uint8Array): void {
    let lines: string[];
    try {
      lines = user.reader.read(bytes);
    } catch {
      lines = [''];
    }
    for (const line of lines) {
      const [number, server = ''] = line.split(' ');
      if (user.askedAt === undefined || Number(number) !== user.number) {
        this.#break(user, 'answered wrong');
        return;
      }
      if (user.server !== undefined && user.server !== server) {
        this.#break(user, `moved to ${server}`);
        return;
      }
      user.server = server;
      this.#totals.answers++;
      const latencies = this.#latencies.get(server) ?? new Latencies();
      this.#latencies.set(server, latencies);
      latencies.note(this.#now() - user.askedAt);
      user.askedAt = undefined;
      if (this.#isOver) user.endsAt = 0;
      this.#think(user);
    }
  }

  #leave(user: User): void {
    clearTimeout(user.timer);
    user.isFinished = true;
    user.stream.end();
    user.timer = setTimeout(() => this.#break(user, 'never closed'), patienceMs);
  }

  #closed(user: User, how: StreamEnd): void {
    if (!user.isFinished || how !== 'ended') {
      this.#break(user, how);
      return;
    }
    if (!this.#open.delete(user)) return;
    clearTimeout(user.timer);
    this.#totals.finished++;
  }

  #break(user: User, reason: string): void {
    if (!this.#open.delete(user)) return;
    clearTimeout(user.timer);
    user.stream.destroy();
    this.#totals.broken++;
    this.#onBroken({ reason, server: user.server, ageMs: this.#now() - user.openedAt });
  }
}
