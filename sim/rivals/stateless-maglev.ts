// SPDX-License-Identifier: Apache-2.0
/** Maglev's table and nothing else: what a change of the table moves is broken. Source: "Maglev", NSDI 2016, section 3.4. */

import type { FlowTable } from '../workload/flow-table.ts';
import type { MaglevTables } from './maglev-tables.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

export class StatelessMaglev implements System {
  readonly name = 'Maglev, stateless';
  readonly #flows: FlowTable;
  readonly #tables: MaglevTables;
  #table: Uint16Array;

  constructor(flows: FlowTable, tables: MaglevTables) {
    this.#flows = flows;
    this.#tables = tables;
    this.#table = tables.current;
  }

  packet(flow: number): number {
    return this.#table[this.#flows.slot[flow]!]!;
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
