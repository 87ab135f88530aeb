// SPDX-License-Identifier: Apache-2.0
/** A clock that a test moves. */
import type { Clock } from '../../ports/clock.ts';

export class ManualClock implements Clock {
  private time = 0;
  private timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  date(): Date {
    return new Date(this.time);
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Everything due until then happens in its order, and `between` after each of it. */
  pass(ms: number, between: () => void = () => {}): void {
    const end = this.time + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.time = Math.max(this.time, due.at);
      due.callback();
      between();
    }
    this.time = end;
  }
}
