// SPDX-License-Identifier: Apache-2.0
/** Lets so many through at once, and so many a second in the long run. */
import type { Millis } from '../../core/event.ts';

export class TokenBucket {
  private readonly perSecond: number;
  private readonly size: number;
  private readonly now: () => Millis;
  private tokens: number;
  private filledAt: Millis;

  constructor(perSecond: number, size: number, now: () => Millis) {
    this.perSecond = perSecond;
    this.size = size;
    this.now = now;
    this.tokens = size;
    this.filledAt = now();
  }

  /** @returns whether one more may pass */
  take(): boolean {
    const now = this.now();
    this.tokens = Math.min(this.size, this.tokens + ((now - this.filledAt) / 1_000) * this.perSecond);
    this.filledAt = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
