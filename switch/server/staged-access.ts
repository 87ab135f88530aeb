// SPDX-License-Identifier: Apache-2.0
/**
 * Stands for the pipeline of a program that is saved but not yet in force: no packet has touched it, so all there is to
 * know of it beside the state of record is what the controller has written into its cells.
 */

import type { CounterCell } from '../engine/pipeline.ts';
import type { HostOperation, PipelineAccess } from './host.ts';

export class StagedAccess implements PipelineAccess {
  /** The last write to each cell, which are as many as the program declares at most. */
  readonly #writes = new Map<string, HostOperation>();

  async apply(operations: readonly HostOperation[]): Promise<void> {
    for (const operation of operations) {
      switch (operation.kind) {
        case 'write-counter':
          this.#writes.set(`counter ${operation.counter} ${operation.index}`, operation);
          break;
        case 'write-register':
          this.#writes.set(`register ${operation.register} ${operation.index}`, operation);
          break;
        case 'write-direct-counter':
          this.#writes.set(`direct ${operation.table} ${operation.handle}`, operation);
          break;
        case 'delete':
          this.#writes.delete(`direct ${operation.table} ${operation.handle}`);
          break;
      }
    }
  }

  /** What the pipeline must be told beside the state of record. */
  operations(): HostOperation[] {
    return [...this.#writes.values()];
  }

  async readCounters(counter: number, firstIndex: number, count: number): Promise<CounterCell[]> {
    return Array.from({ length: count }, (_, offset) =>
      this.#cell(`counter ${counter} ${firstIndex + offset}`),
    );
  }

  async readDirectCounters(table: number, handles: readonly number[]): Promise<CounterCell[]> {
    return handles.map((handle) => this.#cell(`direct ${table} ${handle}`));
  }

  async readRegisters(register: number, firstIndex: number, count: number): Promise<bigint[]> {
    return Array.from({ length: count }, (_, offset) => {
      const write = this.#writes.get(`register ${register} ${firstIndex + offset}`);
      return write?.kind === 'write-register' ? write.value : 0n;
    });
  }

  async readIdleMicros(_table: number, handles: readonly number[]): Promise<number[]> {
    return handles.map(() => 0);
  }

  #cell(key: string): CounterCell {
    const write = this.#writes.get(key);
    return write !== undefined && 'cell' in write ? write.cell : { packets: 0n, bytes: 0n };
  }
}
