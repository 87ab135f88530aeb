// SPDX-License-Identifier: Apache-2.0
/**
 * Events on their way to `step`. What the switch tells unasked (digests, idle pins) comes again by itself, so under a storm
 * it is dropped beyond a limit and counted. Nothing else is ever dropped; it is bounded by what we asked for. Counts least of
 * all: how full a filter slot is must be known in a flood.
 */
import type { Event } from './core/event.ts';

export interface EventQueueOptions {
  /** Unasked events that may wait. */
  noticeLimit: number;
  /** Events handled before the process looks at its sockets again. */
  batch: number;
}

export const eventQueueDefaults: Readonly<EventQueueOptions> = { noticeLimit: 10_000, batch: 256 };

const notices: ReadonlySet<Event['kind']> = new Set(['flow-digest', 'neighbour-digest', 'pin-idle']);

export class EventQueue {
  /** Notices that found the queue full, in all. */
  dropped = 0;
  private readonly options: EventQueueOptions;
  private readonly handle: (event: Event) => void;
  private readonly later: (callback: () => void) => void;
  private waiting: Event[] = [];
  private waitingNotices = 0;
  private isScheduled = false;
  private isClosed = false;

  /**
   * @param handle  is called for one event at a time, never from within `push`
   * @param later  calls back after sockets and timers had their turn
   */
  constructor(
    handle: (event: Event) => void,
    options: Partial<EventQueueOptions> = {},
    later: (callback: () => void) => void = setImmediate,
  ) {
    this.handle = handle;
    this.options = { ...eventQueueDefaults, ...options };
    this.later = later;
  }

  push(event: Event): void {
    if (this.isClosed) return;
    if (notices.has(event.kind)) {
      if (this.waitingNotices >= this.options.noticeLimit) {
        this.dropped++;
        return;
      }
      this.waitingNotices++;
    }
    this.waiting.push(event);
    this.schedule();
  }

  get length(): number {
    return this.waiting.length;
  }

  /** What still waits is forgotten. */
  close(): void {
    this.isClosed = true;
    this.waiting = [];
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0) return;
    this.isScheduled = true;
    this.later(() => {
      this.isScheduled = false;
      const events = this.waiting.splice(0, this.options.batch);
      for (const event of events) {
        if (notices.has(event.kind)) this.waitingNotices--;
        if (!this.isClosed) this.handle(event);
      }
      this.schedule();
    });
  }
}
