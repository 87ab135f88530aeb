// SPDX-License-Identifier: Apache-2.0
/** What the processes of the kill experiment report, as JSON lines. Times are milliseconds since 1970, of the one machine that has them all. */

/**
 * talking: asks five times a second. quiet: says something every few seconds, as seldom as a session may. A newcomer asks once over a
 * connection of its own, and goes.
 */
export type Sort = 'talking' | 'quiet';

export type ClientReport =
  | { kind: 'ready' }
  /** Twice a second: who has how many connections, by server; and newcomers so far. */
  | { kind: 'summary'; open: Record<Sort, Record<string, number>>; newcomers: number }
  /** A connection that ended before its time. */
  | ({ kind: 'broken' } & Broken)
  /** A newcomer who was refused, cut off, or kept waiting for longer than `lateMs`. `server`: who answered after all. */
  | { kind: 'harmed'; how: string; from: number; at: number; server: string | undefined };

export interface Broken {
  sort: Sort;
  server: string;
  how: string;
  /** When the server was heard last. */
  answeredAt: number;
  at: number;
}

export type ServerReport = { kind: 'ready' };

/** Shorter than the second after which a kernel repeats a SYN, so that a lost one counts; longer than a busy machine dawdles. */
export const lateMs = 800;
