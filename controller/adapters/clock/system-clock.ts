// SPDX-License-Identifier: Apache-2.0
/** The clock of this machine. */
import type { Clock } from '../../ports/clock.ts';

export const systemClock: Clock = {
  // Nobody here waits for less than a millisecond, and whole ones read better in a log.
  now: () => Math.round(performance.now()),
  date: () => new Date(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
