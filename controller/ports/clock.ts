// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of time. */
import type { Millis } from '../core/event.ts';

export interface Clock {
  /** Monotonic; its zero means nothing. */
  now(): Millis;
  /** Wall-clock time, for people. */
  date(): Date;
  /** Calls back once after the delay, unless the function it returns is called first. */
  after(delayMs: number, callback: () => void): () => void;
}
