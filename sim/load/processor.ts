// SPDX-License-Identifier: Apache-2.0
/**
 * A server's CPUs: requests that are here share them, each getting one at most (processor sharing). So a server with more requests than
 * CPUs is slow for all of them. Knows no clock: the simulation and the servers of the demo tell it the time.
 */
import type { Millis } from '../../controller/core/event.ts';
import { EventHeap } from '../kernel/event-heap.ts';

export interface Done<Job> {
  job: Job;
  at: Millis;
}

export class Processor<Job> {
  readonly cpus: number;
  readonly #dampedOverMs: number;
  /** By the virtual time of their end: what a request that was here from the start would have been given until then. */
  readonly #jobs = new EventHeap<Job>();
  #virtual = 0;
  #now: Millis;
  #busyMs = 0;
  #damped = 0;

  /** @param dampedOverMs  time constant of `load` */
  constructor(cpus: number, dampedOverMs: number, now: Millis) {
    this.cpus = cpus;
    this.#dampedOverMs = dampedOverMs;
    this.#now = now;
  }

  /** Requests here, given a CPU or waiting for one. The one who brings them bounds them. */
  get runnable(): number {
    return this.#jobs.size;
  }

  /** Runnable requests over CPUs, exponentially damped, as the load average of a Unix is; it does not end at 1. */
  get load(): number {
    return this.#damped / this.cpus;
  }

  /** Milliseconds that CPUs were busy, in all. */
  get busyMs(): number {
    return this.#busyMs;
  }

  /** Infinity when nothing is under way. Later if something arrives before. */
  get nextDoneAt(): Millis {
    return this.#now + (this.#jobs.nextAt - this.#virtual) / this.#rate();
  }

  /** To be called after `advance` to the same time. */
  arrive(costMs: number, job: Job): void {
    this.#jobs.push(this.#virtual + costMs, job);
  }

  /** @returns what is done by `now`, each with its own time */
  advance(now: Millis): Done<Job>[] {
    const done: Done<Job>[] = [];
    while (this.#jobs.size > 0) {
      const at = this.nextDoneAt;
      if (at > now) break;
      const end = this.#jobs.nextAt;
      this.#pass(at);
      this.#virtual = end;
      done.push({ job: this.#jobs.pop()!.value, at });
    }
    this.#pass(now);
    return done;
  }

  #rate(): number {
    return Math.min(1, this.cpus / this.#jobs.size);
  }

  #pass(until: Millis): void {
    const ms = until - this.#now;
    if (ms <= 0) return;
    const count = this.#jobs.size;
    if (count > 0) this.#virtual += ms * this.#rate();
    this.#busyMs += ms * Math.min(count, this.cpus);
    this.#damped += (count - this.#damped) * (1 - Math.exp(-ms / this.#dampedOverMs));
    this.#now = until;
  }
}
