// SPDX-License-Identifier: Apache-2.0
/** Who is to blame for a broken connection: the death of its server, or we. */

import { client, serverPlaces } from './layout.ts';
import type { Peer } from './stream.ts';
import type { BrokenConnection } from './traffic.ts';

/** A time in which the servers of a host were dead. */
export interface Outage {
  host: string;
  /** When they were told to die. */
  from: number;
  /** When they had: until then they, or their kernel, may have accepted. Infinite before. */
  deadAt: number;
  /** Infinite while it lasts. */
  until: number;
}

/** What a server says of a connection that has reached it, whether or not its answers come through. */
export interface Acceptance {
  server: string;
  peer: Peer;
  at: number;
}

/** A client's port is used again only after tens of thousands of connections. */
const acceptancesPerPortMax = 4;

/** Whose the clients' connections are, by the servers' own word. The oldest of a port are forgotten. */
export class Acceptances {
  readonly #byPort = new Map<number, Acceptance[]>();

  add(accepted: Acceptance): void {
    const { address, port } = accepted.peer;
    // A flood is none of the clients'.
    if (address !== client.address) return;
    const ofPort = this.#byPort.get(port) ?? [];
    ofPort.push(accepted);
    if (ofPort.length > acceptancesPerPortMax) ofPort.shift();
    this.#byPort.set(port, ofPort);
  }

  /** The first of a connection: no other server may ever hear of it. Undefined while nobody has said so. */
  of({ localPort, openedAt }: Pick<BrokenConnection, 'localPort' | 'openedAt'>): Acceptance | undefined {
    return this.#byPort.get(localPort)?.find(({ at }) => at >= openedAt);
  }
}

/**
 * A connection is excused iff its server died in its lifetime. One that was neither answered nor accepted has no known server: it
 * is excused when a host without servers can have refused it, or died on it, and not otherwise. When the client learns of that says
 * nothing: a busy machine may hold up its SYN and the reset for many seconds.
 *
 * @param accepted  the first acceptance of it that is known
 */
export function isExcused(
  broken: BrokenConnection,
  outages: readonly Outage[],
  accepted: Acceptance | undefined,
): boolean {
  const { openedAt, brokenAt, reason } = broken;
  const hostOf = (server: string) => serverPlaces.find(({ name }) => name === server)?.host;
  if (broken.server === undefined && reason === 'refused') {
    // The dead may have refused the first copy of a SYN, and the living have accepted the next: but not the other way round.
    const mayHaveMet = ({ host, from }: Outage) =>
      accepted === undefined || accepted.at >= from || hostOf(accepted.server) === host;
    return outages.some(
      (outage) => openedAt <= outage.until && brokenAt >= outage.from && mayHaveMet(outage),
    );
  }
  const server = broken.server ?? accepted?.server;
  const isSudden = reason === 'reset' || reason === 'closed';
  if (server === undefined && !isSudden) return false;
  return outages.some(
    ({ host, from, deadAt }) =>
      (server === undefined || hostOf(server) === host) && openedAt <= deadAt && brokenAt >= from,
  );
}
