// SPDX-License-Identifier: Apache-2.0
/** A store of the book in memory, that can be made to fail. */
import { type BookStore, StoreError } from '../ports/store.ts';

export class MemoryBook implements BookStore {
  readonly name = 'memory';
  readonly entries: Map<string, string>;
  /** Names of the entries of each write that was taken. */
  readonly writes: string[][] = [];
  failure: StoreError['code'] | undefined;
  isClosed = false;

  /** @param entries  shared with other stores of the same place */
  constructor(entries = new Map<string, string>()) {
    this.entries = entries;
  }

  async read(): Promise<ReadonlyMap<string, string>> {
    if (this.failure !== undefined) throw new StoreError(this.failure, 'made up');
    return new Map(this.entries);
  }

  async write(changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    if (this.failure !== undefined) throw new StoreError(this.failure, 'made up');
    this.writes.push([...changes.keys()]);
    for (const [name, text] of changes) {
      if (text === undefined) this.entries.delete(name);
      else this.entries.set(name, text);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
