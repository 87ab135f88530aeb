// SPDX-License-Identifier: Apache-2.0
/** The sections of the JSON, read item by item: what fails is noted, and the rest goes on without it. */

import { Misfit, type Reader } from './reader.ts';

/** Runs a piece of work and notes its problem, if any. */
export type Attempt = <T>(work: () => T) => T | undefined;

/** Problems beyond this many are only counted. */
const problemsMax = 100;

export class Sections {
  readonly root: Reader;
  private readonly noted: string[] = [];
  private left = 0;

  constructor(root: Reader) {
    this.root = root;
  }

  get problems(): readonly string[] {
    return this.left === 0 ? this.noted : [...this.noted, `and ${this.left} more problems`];
  }

  readonly attempt: Attempt = (work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      // Several parts of the program may stumble over the same thing.
      if (this.noted.includes(error.message)) return undefined;
      if (this.noted.length < problemsMax) this.noted.push(error.message);
      else this.left += 1;
      return undefined;
    }
  };

  /** The items of a section that may be left out. Names and ids must be unique in it. */
  read<T extends { name: string; id?: number }>(
    key: string,
    read: (node: Reader) => T,
    firstId = 0,
    repeat: 'names are unique' | 'names may repeat' = 'names are unique',
  ): T[] {
    const items: T[] = [];
    const names = new Set<string>();
    const ids = new Set<number>();
    for (const node of this.attempt(() => this.root.get(key).optionalArray()) ?? []) {
      this.attempt(() => {
        const item = read(node);
        if (repeat === 'names are unique' && names.has(item.name))
          node.refuse(`the name ${item.name} is used twice`);
        const id = node.has('id') ? node.get('id').integer() : undefined;
        if (id !== undefined && ids.has(id)) node.refuse(`the id ${id} is used twice`);
        if (id !== undefined && id < firstId) node.refuse(`ids start at ${firstId}`);
        names.add(item.name);
        if (id !== undefined) ids.add(id);
        items.push(item);
      });
    }
    return items;
  }
}

export function byName<T extends { name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}
