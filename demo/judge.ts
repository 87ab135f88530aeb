// SPDX-License-Identifier: Apache-2.0
/** Who is to blame for a broken connection: the death of its server, or we. */

import { serverPlaces } from './layout.ts';
import type { BrokenConnection } from './traffic.ts';

/** A time in which the servers of a host were dead. */
export interface Outage {
  host: string;
  from: number;
  /** Infinite while it lasts. */
  until: number;
}

/** A process that is being killed may still accept; its kernel closes its connections within this. */
const graceMs = 1_000;
/** A table names the dead until the operator has said so and the switch was told. */
const noticeMs = 2_000;

/**
 * A connection is excused iff its server died in its lifetime. One that was never answered has no known server: it is
 * excused when a host without servers can have refused it, or died on it, and not otherwise.
 */
export function isExcused(broken: BrokenConnection, outages: readonly Outage[]): boolean {
  const { server, openedAt, brokenAt, reason } = broken;
  if (server !== undefined) {
    const host = serverPlaces.find(({ name }) => name === server)?.host;
    return outages.some(
      (outage) => outage.host === host && openedAt <= outage.from && brokenAt >= outage.from,
    );
  }
  if (reason === 'refused') {
    return outages.some(
      ({ from, until }) => openedAt >= from - graceMs && openedAt <= until + noticeMs && brokenAt >= from,
    );
  }
  const isSudden = reason === 'reset' || reason === 'closed';
  return (
    isSudden &&
    outages.some(({ from }) => openedAt <= from + graceMs && brokenAt >= from && brokenAt <= from + graceMs)
  );
}
