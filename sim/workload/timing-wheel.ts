// SPDX-License-Identifier: Apache-2.0
/**
 * What each of many flows does next, in exact order of time: a wheel of lists, one per tick of simulated time, of which the
 * one at hand is kept sorted. Nothing is allocated once it stands.
 */

/** Ticks of a turn; nothing may be planned further ahead than a turn less one tick. */
const TICKS = 2 ** 20;

export class TimingWheel {
  readonly #tickMs: number;
  readonly #dueAt: Float64Array;
  /** Per tick the first flow of its list, or -1; per flow the next one. */
  readonly #first = new Int32Array(TICKS).fill(-1);
  readonly #next: Int32Array;
  /** The tick at hand, latest flow first, so that the earliest is taken off the end. */
  readonly #hand: Int32Array;
  #handCount = 0;
  #tick: number;
  #size = 0;

  /** @param flows  indexes are below this; each is planned at most once at a time */
  constructor(flows: number, tickMs = 1, startAt = 0) {
    this.#tickMs = tickMs;
    this.#dueAt = new Float64Array(flows);
    this.#next = new Int32Array(flows);
    this.#hand = new Int32Array(flows);
    this.#tick = Math.floor(startAt / tickMs);
  }

  plan(flow: number, at: number): void {
    const tick = Math.floor(at / this.#tickMs);
    this.#dueAt[flow] = at;
    this.#size++;
    if (tick <= this.#tick) {
      this.#insert(flow, at);
      return;
    }
    if (tick - this.#tick >= TICKS) throw new RangeError('planned further ahead than the wheel turns');
    const place = tick & (TICKS - 1);
    this.#next[flow] = this.#first[place]!;
    this.#first[place] = flow;
  }

  /** @returns the flow whose time comes first, if that is before `end`; -1 otherwise */
  take(end: number): number {
    if (this.#handCount === 0 && !this.#advance(end)) return -1;
    const flow = this.#hand[this.#handCount - 1]!;
    if (this.#dueAt[flow]! >= end) return -1;
    this.#handCount--;
    this.#size--;
    return flow;
  }

  dueAt(flow: number): number {
    return this.#dueAt[flow]!;
  }

  /** Moves on to the next tick that has flows, but not beyond `end`. */
  #advance(end: number): boolean {
    if (this.#size === 0) return false;
    const endTick = Math.floor(end / this.#tickMs);
    while (this.#tick < endTick) {
      const place = ++this.#tick & (TICKS - 1);
      let flow = this.#first[place]!;
      if (flow < 0) continue;
      this.#first[place] = -1;
      while (flow >= 0) {
        const next = this.#next[flow]!;
        this.#insert(flow, this.#dueAt[flow]!);
        flow = next;
      }
      return true;
    }
    return false;
  }

  #insert(flow: number, at: number): void {
    const hand = this.#hand;
    let place = this.#handCount++;
    while (place > 0 && this.#dueAt[hand[place - 1]!]! <= at) {
      hand[place] = hand[place - 1]!;
      place--;
    }
    hand[place] = flow;
  }
}
