// SPDX-License-Identifier: Apache-2.0
/**
 * GLB's second chance: each row of the table names two servers. The first takes SYNs and the connections it knows, and hands
 * everything else on to the second. So the balancer remembers nothing, and one change to a row at a time is survived.
 *
 * Source: github.com/github/glb-director: docs/development/glb-hashing.md (rendezvous hash per row, 65,536 rows) and
 * src/glb-director/cli/main.c (the two are swapped when the first is not healthy). A failed server can be treated in two ways:
 * `unhealthy` is what its health checker does: the server keeps its place in the ranking, second. `inactive` is what its
 * operator does next: the ranking without it. The limit of 256 servers is lifted.
 */

import type { FlowTable } from '../workload/flow-table.ts';
import type { Servers } from '../workload/servers.ts';
import { type PacketKind, SYN } from '../workload/traffic.ts';
import { rendezvousRanking } from './rendezvous.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

export class Glb implements System {
  readonly name: string;
  readonly #flows: FlowTable;
  readonly #servers: Servers;
  readonly #onFailure: 'unhealthy' | 'inactive';
  readonly #slotCount: number;
  readonly #first: Int16Array;
  readonly #second: Int16Array;
  /** What the servers know of their connections. */
  readonly #owner: Int16Array;

  constructor(flows: FlowTable, servers: Servers, slotCount: number, onFailure: 'unhealthy' | 'inactive') {
    this.name = `GLB, failed is ${onFailure}`;
    this.#flows = flows;
    this.#servers = servers;
    this.#onFailure = onFailure;
    this.#slotCount = slotCount;
    this.#first = new Int16Array(slotCount);
    this.#second = new Int16Array(slotCount);
    this.#owner = new Int16Array(flows.capacity);
    this.#build();
  }

  packet(flow: number, kind: PacketKind): number {
    const slot = this.#flows.slot[flow]!;
    const first = this.#first[slot]!;
    if (kind === SYN) return (this.#owner[flow] = first);
    const second = this.#second[slot]!;
    return this.#owner[flow] === second ? second : first;
  }

  serverDown(): void {
    this.#build();
  }

  serverUp(): void {
    this.#build();
  }

  reset(): void {}

  failOver(): void {}

  state(): SystemState {
    return NO_STATE;
  }

  #build(): void {
    const { isUp, count } = this.#servers;
    const { ranking, ranks } = rendezvousRanking(count, this.#slotCount);
    for (let slot = 0; slot < this.#slotCount; slot++) {
      const row = slot * ranks;
      let a = 0;
      if (this.#onFailure === 'inactive') while (a < ranks - 2 && !isUp[ranking[row + a]!]) a++;
      let b = a + 1;
      if (this.#onFailure === 'inactive') while (b < ranks - 1 && !isUp[ranking[row + b]!]) b++;
      const isSwapped = !isUp[ranking[row + a]!];
      this.#first[slot] = ranking[row + (isSwapped ? b : a)]!;
      this.#second[slot] = ranking[row + (isSwapped ? a : b)]!;
    }
  }
}
