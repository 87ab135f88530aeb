// SPDX-License-Identifier: Apache-2.0
/** How fast the switch takes what is written, as seen from here: updates for the time in which some were unanswered. */

import type { Millis } from './core/event.ts';
import type { WriteSpeed } from './core/plan.ts';

/** Of simple_switch_grpc on a machine of today; until there is something to measure. */
const assumedPerSecond = 5_000;
/** Spells of fewer updates tell of the way to the switch, not of its speed. */
const leastUpdates = 200;
/** What was measured when so many more had been written counts half. */
const halfLifeUpdates = 20_000;

export class WriteSpeedometer {
  private readonly unanswered = new Map<number, number>();
  private since: Millis = 0;
  private answered = 0;
  private updates = 0;
  private ms = 0;

  sent(write: number, updates: number, now: Millis): void {
    if (this.unanswered.size === 0) {
      this.since = now;
      this.answered = 0;
    }
    this.unanswered.set(write, updates);
  }

  /** Writes that were never sent, or are forgotten, do not count. */
  answer(write: number, now: Millis): void {
    this.answered += this.unanswered.get(write) ?? 0;
    if (!this.unanswered.delete(write) || this.unanswered.size > 0) return;
    if (this.answered < leastUpdates) return;
    const kept = 0.5 ** (this.answered / halfLifeUpdates);
    this.updates = this.updates * kept + this.answered;
    this.ms = this.ms * kept + Math.max(1, now - this.since);
  }

  /** Nothing that was sent will be answered. */
  forget(): void {
    this.unanswered.clear();
  }

  speed(): WriteSpeed {
    if (this.ms === 0) return { updatesPerSecond: assumedPerSecond, isMeasured: false };
    return { updatesPerSecond: Math.round((1_000 * this.updates) / this.ms), isMeasured: true };
  }
}
