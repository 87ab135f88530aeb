// SPDX-License-Identifier: Apache-2.0
/** The time as a switch sees it: microseconds since it started, and timers. Tests turn the hands themselves. */

export interface Clock {
  nowMicros(): number;
  /** Runs `work` once, `delayMs` from now; the function it returns calls that off. */
  after(delayMs: number, work: () => void): () => void;
}

/** Node takes a longer delay for none at all. */
const delayMsMax = 2 ** 31 - 1;

export function systemClock(): Clock {
  const start = performance.now();
  return {
    nowMicros: () => Math.floor((performance.now() - start) * 1000),
    after(delayMs, work) {
      const timer = setTimeout(work, Math.min(delayMs, delayMsMax));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** Stands still until it is told to advance; timers then run in the order they are due. */
export class ManualClock implements Clock {
  #nowMicros = 0;
  #timers: { dueMicros: number; work: () => void }[] = [];

  nowMicros(): number {
    return this.#nowMicros;
  }

  after(delayMs: number, work: () => void): () => void {
    const timer = { dueMicros: this.#nowMicros + delayMs * 1000, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(delayMs: number): void {
    const endMicros = this.#nowMicros + delayMs * 1000;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.dueMicros <= endMicros);
      const next = due.sort((a, b) => a.dueMicros - b.dueMicros)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMicros = next.dueMicros;
      next.work();
    }
    this.#nowMicros = endMicros;
  }
}
