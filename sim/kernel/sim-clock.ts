// SPDX-License-Identifier: Apache-2.0
/** Time that passes only when somebody runs it, and stands still while anything happens. */
import type { Millis } from '../../controller/core/event.ts';
import type { Clock } from '../../controller/ports/clock.ts';
import { EventHeap } from './event-heap.ts';

interface Planned {
  /** Undefined: cancelled. */
  run: (() => void) | undefined;
}

export class SimClock implements Clock {
  #now: Millis;
  readonly #planned = new EventHeap<Planned>();

  constructor(now: Millis = 0) {
    this.#now = now;
  }

  now(): Millis {
    return this.#now;
  }

  /** Simulated time since 1970. */
  date(): Date {
    return new Date(this.#now);
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.at(this.#now + delayMs, callback);
  }

  /** Calls back once at this time, or at once (though not from within this call) if it has passed. */
  at(at: Millis, callback: () => void): () => void {
    const planned: Planned = { run: callback };
    this.#planned.push(Math.max(at, this.#now), planned);
    return () => {
      planned.run = undefined;
    };
  }

  /** What an `EventQueue` takes for setImmediate: now, behind everything that is planned for now already. */
  readonly later = (callback: () => void): void => {
    this.#planned.push(this.#now, { run: callback });
  };

  /** Lets time pass until `end`, with all that was planned up to then, `end` included. */
  runUntil(end: Millis): void {
    while (this.#planned.nextAt <= end) this.#runNext();
    this.#now = Math.max(this.#now, end);
  }

  /** Runs until nothing is planned any more; for worlds without anything that repeats itself. */
  runAll(): void {
    while (this.#planned.size > 0) this.#runNext();
  }

  #runNext(): void {
    const { at, value } = this.#planned.pop()!;
    this.#now = at;
    value.run?.();
  }
}
