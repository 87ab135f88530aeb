// SPDX-License-Identifier: Apache-2.0
/** The Maglev table of the servers that are up, built once for all who look servers up in it. */

import { maglevTable } from '../../controller/core/maglev.ts';
import type { Servers } from '../workload/servers.ts';
import { addressOf, SERVER_PORT } from '../workload/workload.ts';

export class MaglevTables {
  readonly slotCount: number;
  readonly #servers: Servers;
  #table: Uint16Array | undefined;

  constructor(servers: Servers, slotCount: number) {
    this.#servers = servers;
    this.slotCount = slotCount;
  }

  /** To be called after a server has left or returned. */
  invalidate(): void {
    this.#table = undefined;
  }

  /** Per slot the server. Not to be changed; a new one takes its place. */
  get current(): Uint16Array {
    this.#table ??= maglevTable(
      Array.from(this.#servers.isUp, (isUp, server) => ({
        address: addressOf(server),
        port: SERVER_PORT,
        weight: isUp,
      })),
      this.slotCount,
    );
    return this.#table;
  }
}
