// SPDX-License-Identifier: Apache-2.0
/** Whose deed is it that a connection has ended? */
import type { Broken } from './message.ts';

/** A server was made to go. Milliseconds since 1970. */
export interface Deed {
  victim: string;
  at: number;
  /** When it was given back; undefined while it is away. */
  backAt: number | undefined;
}

/**
 * The deed that cost this connection its server, or undefined: then it should have lived.
 *
 * It need not be the last deed: a client may learn of it by a repetition of its kernel's, half a minute later and more where a busy machine
 * has made its timeouts long, when its server is back and the next one gone. But one that has heard its server since it came back had survived.
 *
 * @param deeds  in their order
 */
export function deedBehind<D extends Deed>(broken: Broken, deeds: readonly D[]): D | undefined {
  const last = deeds.findLast(({ victim, at }) => victim === broken.server && at <= broken.at);
  const wasHeardSince = last?.backAt !== undefined && broken.answeredAt >= last.backAt;
  return wasHeardSince ? undefined : last;
}
