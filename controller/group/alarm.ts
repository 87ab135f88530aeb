// SPDX-License-Identifier: Apache-2.0
/** One thing to do later, at most. */
import type { Millis } from '../core/event.ts';
import type { Clock } from '../ports/clock.ts';

export class Alarm {
  private readonly clock: Clock;
  private readonly ring: () => void;
  private cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.clock = clock;
    this.ring = ring;
  }

  get isSet(): boolean {
    return this.cancelTimer !== undefined;
  }

  /** Replaces an earlier one. */
  setAt(at: Millis): void {
    this.cancel();
    this.cancelTimer = this.clock.after(Math.max(0, at - this.clock.now()), () => {
      this.cancelTimer = undefined;
      this.ring();
    });
  }

  cancel(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
