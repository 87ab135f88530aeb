// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps the book of the engine in a store: what has changed, soon after it has, and nothing that only grows older. The
 * engine never waits for it; a controller that cannot keep its book works on, and says so.
 */
import type { Book } from '../core/book.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type BookStore, StoreError } from '../ports/store.ts';
import { decodeBook, encodeBook } from './codec.ts';

export interface BookKeeperOptions {
  /** Changes are collected for so long. */
  delayMs: number;
  /** After a write that failed. */
  retryMs: number;
}

export const bookKeeperDefaults: Readonly<BookKeeperOptions> = { delayMs: 200, retryMs: 2_000 };

export interface BookKeeperWorld {
  store: BookStore;
  clock: Clock;
  log: Log;
  /** The book as it is now; undefined: the engine knows nothing certain. */
  book: () => Book | undefined;
}

/** Plain JSON-able data. */
export interface BookStatus {
  store: string;
  /** Entries written and deleted since the start. */
  written: number;
  /** Why the book is not kept; undefined: it is. */
  problem: string | undefined;
}

/** What a controller before us has left. Trouble is logged, and the rest is of use all the same. */
export async function readBook(store: BookStore, log: Log): Promise<Book | undefined> {
  try {
    const { book, unreadable } = decodeBook(await store.read());
    for (const { name, reason } of unreadable)
      log('warn', 'an entry of the book cannot be read; it is left out', { store: store.name, name, reason });
    return book;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log('warn', `there is no book: ${error.message}`, { store: store.name });
    return undefined;
  }
}

export class BookKeeper {
  private readonly world: BookKeeperWorld;
  private readonly options: BookKeeperOptions;
  /** By name: the content of what the store holds. Undefined until we have read the names of what others left. */
  private held: Map<string, string> | undefined;
  private written = 0;
  private problem: string | undefined;
  private cancelTimer: (() => void) | undefined;
  private writing: Promise<void> | undefined;
  private isDirty = false;
  private isOver = false;

  constructor(world: BookKeeperWorld, options: Partial<BookKeeperOptions> = {}) {
    this.world = world;
    this.options = { ...bookKeeperDefaults, ...options };
  }

  /** The book may have changed. */
  note(): void {
    this.isDirty = true;
    this.wait(this.options.delayMs);
  }

  status(): BookStatus {
    return { store: this.world.store.name, written: this.written, problem: this.problem };
  }

  /** Writes what is not yet written, once. */
  async close(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    await this.writing;
    if (!this.isOver) await this.save();
    this.isOver = true;
    await this.world.store.close();
  }

  /** Writes nothing any more: another controller may be in charge. */
  stop(): void {
    this.isOver = true;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private wait(delayMs: number): void {
    if (this.isOver || this.cancelTimer !== undefined || this.writing !== undefined) return;
    this.cancelTimer = this.world.clock.after(delayMs, () => {
      this.cancelTimer = undefined;
      this.writing = this.save().finally(() => {
        this.writing = undefined;
        const hasFailed = this.problem !== undefined;
        if (this.isDirty || hasFailed) this.wait(hasFailed ? this.options.retryMs : this.options.delayMs);
      });
    });
  }

  private async save(): Promise<void> {
    const { store, log } = this.world;
    this.isDirty = false;
    try {
      this.held ??= await this.unknownContents();
      const book = this.isOver ? undefined : this.world.book();
      if (book === undefined) return;
      await this.saveEntries(book, this.held);
      if (this.problem !== undefined) log('info', 'the book is kept again', { store: store.name });
      this.problem = undefined;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (this.problem !== error.message)
        log('warn', `the book is not kept: ${error.message}`, { store: store.name });
      this.problem = error.message;
      if (error.code === 'deposed') this.stop();
    }
  }

  private async saveEntries(book: Book, held: Map<string, string>): Promise<void> {
    const entries = encodeBook(book);
    const changes = new Map<string, string | undefined>();
    for (const { name, content, text } of entries) if (held.get(name) !== content) changes.set(name, text);
    const names = new Set(entries.map(({ name }) => name));
    for (const name of held.keys()) if (!names.has(name)) changes.set(name, undefined);
    if (changes.size === 0) return;
    await this.world.store.write(changes);
    this.written += changes.size;
    for (const { name, content } of entries) held.set(name, content);
    for (const name of held.keys()) if (!names.has(name)) held.delete(name);
  }

  /** Everything that is there is written anew, or deleted. */
  private async unknownContents(): Promise<Map<string, string>> {
    const names = [...(await this.world.store.read()).keys()];
    return new Map(names.map((name) => [name, '']));
  }
}
