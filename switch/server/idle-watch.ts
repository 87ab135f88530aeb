// SPDX-License-Identifier: Apache-2.0
/**
 * Decides which idle entries to report. simple_switch_grpc sweeps every second and passes over what the sweep before
 * has reported, so an entry that stays idle is reported about every two seconds; so do we.
 */

import type { Entry } from './table-entry.ts';
import type { TableState } from './table-state.ts';

export interface IdleEntry {
  table: TableState;
  entry: Entry;
}

export class IdleWatch {
  #reported: ReadonlySet<Entry> = new Set();

  /**
   * @param idle  what the pipeline found, by its own ids
   * @param applied  batches the pipeline knew of; entries newer than that have only taken over the handle
   */
  sweep(
    tableByProgramId: ReadonlyMap<number, TableState>,
    idle: readonly (readonly [table: number, handle: number])[],
    applied: number,
  ): IdleEntry[] {
    const due: IdleEntry[] = [];
    for (const [tableId, handle] of idle) {
      const table = tableByProgramId.get(tableId);
      const entry = table?.findHandle(handle);
      if (table === undefined || entry === undefined || entry.batch > applied) continue;
      if (!this.#reported.has(entry)) due.push({ table, entry });
    }
    this.#reported = new Set(due.map(({ entry }) => entry));
    return due;
  }
}
