// SPDX-License-Identifier: Apache-2.0
/**
 * The event log as server-sent events: what is remembered after a number, then every line as it comes. The id of an event
 * names the controller's life, too: who comes back after a restart is told from the beginning.
 */
import { randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Admin } from './admin.ts';
import { refuse } from './answers.ts';
import { adminLimits } from './limits.ts';

/** Keeps proxies from taking a quiet stream for a dead one. */
const heartbeatMs = 15_000;

export class EventStreams {
  private readonly admin: Pick<Admin, 'events' | 'onEvent'>;
  private readonly life = randomBytes(4).toString('hex');
  private open = 0;

  constructor(admin: Pick<Admin, 'events' | 'onEvent'>) {
    this.admin = admin;
  }

  /** Who reads slowly is not waited for: he misses the lines that are forgotten meanwhile. */
  respond(context: Context, from: number): Response {
    const [life, number] = (context.req.header('last-event-id') ?? '').split('-');
    // Without an id it is the first time; with one of another life, nothing has been heard of this one.
    const after =
      number === undefined ? from : life === this.life && /^\d{1,15}$/.test(number) ? Number(number) : 0;
    if (this.open >= adminLimits.eventStreams)
      return refuse(context, {
        code: 'busy',
        wrong: `${this.open} event streams are open already`,
        right: 'one of them to be closed first',
      });
    this.open++;
    return streamSSE(context, async (stream) => {
      let wake = (): void => {};
      const end = this.admin.onEvent(() => wake());
      stream.onAbort(() => wake());
      try {
        for (let last = after; !stream.aborted && !stream.closed; ) {
          // Before the lines are asked for: one that comes while they are written is not slept through.
          const woken = new Promise<'woken' | 'quiet'>((resolve) => {
            const timer = setTimeout(() => resolve('quiet'), heartbeatMs);
            wake = () => {
              clearTimeout(timer);
              resolve('woken');
            };
          });
          for (const entry of this.admin.events(last)) {
            await stream.writeSSE({ id: `${this.life}-${entry.number}`, data: JSON.stringify(entry) });
            last = entry.number;
          }
          if (stream.aborted) wake();
          if ((await woken) === 'quiet') await stream.write(': nothing new\n\n');
        }
      } finally {
        wake();
        end();
        this.open--;
      }
    });
  }
}
