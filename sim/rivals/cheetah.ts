// SPDX-License-Identifier: Apache-2.0
/**
 * Cheetah without state: the first answer carries a cookie that names the server, every later packet brings it back. Nothing
 * is remembered and nothing breaks; what it takes is servers and clients that echo the cookie (it travels in TCP's
 * timestamps), and that the first packet after the SYN has it already.
 *
 * Source: Barbette et al., "A High-Speed Load-Balancer Design with Guaranteed Per-Connection-Consistency", NSDI 2020,
 * section 3.1. The server of a SYN is chosen by the Maglev table here, so that it is the one others choose.
 */

import type { FlowTable } from '../workload/flow-table.ts';
import { type PacketKind, SYN } from '../workload/traffic.ts';
import type { MaglevTables } from './maglev-tables.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

export class Cheetah implements System {
  readonly name = 'Cheetah, stateless';
  readonly #flows: FlowTable;
  readonly #tables: MaglevTables;
  #table: Uint16Array;
  /** What the client holds, not the balancer. */
  readonly #cookie: Int16Array;

  constructor(flows: FlowTable, tables: MaglevTables) {
    this.#flows = flows;
    this.#tables = tables;
    this.#table = tables.current;
    this.#cookie = new Int16Array(flows.capacity);
  }

  packet(flow: number, kind: PacketKind): number {
    if (kind === SYN) this.#cookie[flow] = this.#table[this.#flows.slot[flow]!]!;
    return this.#cookie[flow]!;
  }

  serverDown(): void {
    this.#table = this.#tables.current;
  }

  serverUp(): void {
    this.#table = this.#tables.current;
  }

  reset(): void {}

  failOver(): void {}

  state(): SystemState {
    return NO_STATE;
  }
}
