// SPDX-License-Identifier: Apache-2.0
/** Time that is simulated, and work that is measured: every callback is a turn of the event loop. */

import { ManualClock } from '../controller/group/testing/manual-clock.ts';
import type { Clock } from '../controller/ports/clock.ts';

export class Turns {
  /** Of the world around: its timers are nobody's work. */
  readonly time = new ManualClock();
  /** Timers only note that they are due; their work is a task like any other. */
  readonly clock: Clock = {
    now: () => this.time.now(),
    date: () => this.time.date(),
    after: (delayMs, callback) => {
      let isCancelled = false;
      const cancel = this.time.after(delayMs, () =>
        this.later(() => {
          if (!isCancelled) callback();
        }),
      );
      return () => {
        isCancelled = true;
        cancel();
      };
    },
  };
  /** Processor time of the process, the collection of garbage included. */
  cpuMs = 0;
  /** Of one turn; whoever asks sets it to 0 before. */
  longestMs = 0;
  readonly #tasks: (() => void)[] = [];

  readonly later = (task: () => void): void => {
    this.#tasks.push(task);
  };

  pass(ms: number): void {
    this.time.pass(ms, () => this.drain());
    this.drain();
  }

  drain(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) this.#run(task);
  }

  #run(task: () => void): void {
    const before = process.cpuUsage();
    task();
    const { user, system } = process.cpuUsage(before);
    const turnMs = (user + system) / 1000;
    this.cpuMs += turnMs;
    this.longestMs = Math.max(this.longestMs, turnMs);
  }
}
