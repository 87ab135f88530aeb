// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps the factors by which weights follow load where whoever leads next finds them. Only who leads may keep any: it opens
 * the store at the beginning of its term.
 */
import type { Log } from './ports/log.ts';
import type { BookStore } from './ports/store.ts';

/** ln(factor) by backend. */
export type Factors = ReadonlyMap<string, number>;

export interface FactorKeeperWorld {
  log: Log;
  /** The store as whoever leads now may write it. */
  openStore: () => BookStore;
}

export class FactorKeeper {
  private readonly world: FactorKeeperWorld;
  private store: BookStore | undefined;
  /** What the store holds, by vip. */
  private held = new Map<string, string>();
  private wanted: ReadonlyMap<string, Factors> | undefined;
  private writing: Promise<void> | undefined;
  private hasFailed = false;

  constructor(world: FactorKeeperWorld) {
    this.world = world;
  }

  /** To be called when we begin to lead. @returns by vip, what who led before has left; undefined: nobody knows */
  async open(): Promise<ReadonlyMap<string, Factors> | undefined> {
    const store = this.world.openStore();
    await this.close();
    this.store = store;
    this.wanted = undefined;
    try {
      this.held = new Map(await store.read());
      return new Map([...this.held].map(([vip, text]) => [vip, factorsIn(text)]));
    } catch (error) {
      this.held = new Map();
      this.world.log('warn', 'weights by load do not go on from those of before', {
        store: store.name,
        reason: (error as Error).message,
      });
      return undefined;
    }
  }

  /** These are the factors of all vips now. What could not be written is written with the next change. */
  keep(factors: ReadonlyMap<string, Factors>): void {
    this.wanted = factors;
    this.writing ??= this.save().finally(() => {
      this.writing = undefined;
    });
  }

  /** Once what is under way is written, or is not. */
  async close(): Promise<void> {
    await this.writing;
    await this.store?.close();
    this.store = undefined;
  }

  private async save(): Promise<void> {
    const { log } = this.world;
    for (let { store, wanted } = this; store && wanted; { store, wanted } = this) {
      this.wanted = undefined;
      const texts = new Map([...wanted].map(([vip, of]) => [vip, JSON.stringify(Object.fromEntries(of))]));
      const changes = new Map<string, string | undefined>();
      for (const [vip, text] of texts) if (this.held.get(vip) !== text) changes.set(vip, text);
      for (const vip of this.held.keys()) if (!texts.has(vip)) changes.set(vip, undefined);
      if (changes.size === 0) continue;
      try {
        await store.write(changes);
        this.held = texts;
        this.hasFailed = false;
      } catch (error) {
        if (!this.hasFailed)
          log('warn', 'weights by load are not kept', {
            store: store.name,
            reason: (error as Error).message,
          });
        this.hasFailed = true;
      }
    }
  }
}

/** @throws Error when it is something else */
function factorsIn(text: string): Factors {
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return new Map(
    entries.filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]),
    ),
  );
}
