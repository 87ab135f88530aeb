// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps small things by name (of a vip, of a switch) where whoever leads next finds them. Only who leads may keep any: it opens
 * the store at the beginning of its term.
 *
 *   open ──> what who led before has left          keep ──at once, or writeEveryMs after the last write──> the store
 */
import type { Millis } from '../core/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type BookStore, StoreError } from '../ports/store.ts';

export const noteKeeperLimits = {
  /** What changes more often is written no more often. */
  writeEveryMs: 1_000,
  /** After a write that failed. */
  retryMs: 2_000,
} as const;

export interface NoteKeeperWorld {
  clock: Pick<Clock, 'now' | 'after'>;
  log: Log;
  /** The store as whoever leads now may write it. */
  openStore: () => BookStore;
}

export interface NoteCodec<T> {
  encode: (note: T) => string;
  /** @throws Error when it is something else */
  decode: (text: string) => T;
  /** What the log says when notes of before cannot be read, and when ours cannot be written. */
  unreadable: string;
  unwritable: string;
}

export class NoteKeeper<T> {
  private readonly world: NoteKeeperWorld;
  private readonly codec: NoteCodec<T>;
  private store: BookStore | undefined;
  /** Counts the calls of `open`: only the last one is of this term. */
  private terms = 0;
  /** What the store holds. */
  private held: ReadonlyMap<string, string> = new Map();
  private wanted: ReadonlyMap<string, string> | undefined;
  private writing: Promise<void> | undefined;
  private writableAt: Millis = Number.NEGATIVE_INFINITY;
  private cancelTimer: (() => void) | undefined;
  private problem: string | undefined;

  constructor(world: NoteKeeperWorld, codec: NoteCodec<T>) {
    this.world = world;
    this.codec = codec;
  }

  /** To be called when we begin to lead. @returns what who led before has left; undefined: nobody knows */
  async open(): Promise<ReadonlyMap<string, T> | undefined> {
    const term = ++this.terms;
    const store = this.world.openStore();
    await this.close();
    let texts: ReadonlyMap<string, string> | undefined;
    try {
      texts = await store.read();
    } catch (error) {
      this.tellUnreadable(store, error);
    }
    if (term !== this.terms) {
      await store.close();
      return undefined;
    }
    this.store = store;
    this.held = texts ?? new Map();
    this.problem = undefined;
    return texts && this.decoded(store, texts);
  }

  /** These are all the notes now. Before `open` there is nowhere to keep them. */
  keep(notes: ReadonlyMap<string, T>): void {
    if (this.store === undefined) return;
    this.wanted = new Map([...notes].map(([name, note]) => [name, this.codec.encode(note)]));
    this.saveSoon();
  }

  /** Writes at once what is not yet written. @returns why it is not kept, if it is not */
  async flush(): Promise<string | undefined> {
    this.cancel();
    await this.writing;
    // The end of that one may have set the timer again, or begun.
    this.cancel();
    if (this.writing === undefined) this.begin();
    await this.writing;
    return this.store === undefined ? 'this controller does not lead' : this.problem;
  }

  /** Once what is under way is written, or is not. */
  async close(): Promise<void> {
    await this.flush();
    this.cancel();
    this.wanted = undefined;
    await this.store?.close();
    this.store = undefined;
  }

  private decoded(store: BookStore, texts: ReadonlyMap<string, string>): ReadonlyMap<string, T> {
    const notes = new Map<string, T>();
    for (const [name, text] of texts) {
      try {
        notes.set(name, this.codec.decode(text));
      } catch (error) {
        this.tellUnreadable(store, error, name);
      }
    }
    return notes;
  }

  private tellUnreadable({ name: store }: BookStore, error: unknown, name?: string): void {
    const reason = (error as Error).message.slice(0, 200);
    this.world.log('warn', this.codec.unreadable, { store, ...(name !== undefined && { name }), reason });
  }

  private saveSoon(): void {
    if (this.wanted === undefined || this.writing !== undefined || this.cancelTimer !== undefined) return;
    const { clock } = this.world;
    const delayMs = this.writableAt - clock.now();
    if (delayMs > 0) this.cancelTimer = clock.after(delayMs, () => this.begin());
    else this.begin();
  }

  private begin(): void {
    this.cancelTimer = undefined;
    this.writing = this.save().finally(() => {
      this.writing = undefined;
      this.saveSoon();
    });
  }

  private cancel(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private async save(): Promise<void> {
    const { store, wanted, held } = this;
    this.wanted = undefined;
    if (store === undefined || wanted === undefined) return;
    const changes = new Map<string, string | undefined>();
    for (const [name, text] of wanted) if (held.get(name) !== text) changes.set(name, text);
    for (const name of held.keys()) if (!wanted.has(name)) changes.set(name, undefined);
    if (changes.size === 0) return;
    const { clock, log } = this.world;
    this.writableAt = clock.now() + noteKeeperLimits.writeEveryMs;
    try {
      await store.write(changes);
      this.held = wanted;
      this.problem = undefined;
    } catch (error) {
      const reason = (error as Error).message;
      if (this.problem === undefined) log('warn', this.codec.unwritable, { store: store.name, reason });
      this.problem = reason;
      this.writableAt = clock.now() + noteKeeperLimits.retryMs;
      const isOver = error instanceof StoreError && error.code === 'deposed';
      if (!isOver) this.wanted ??= wanted;
    }
  }
}
