// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import type { Book } from '../core/book.ts';
import { INITIAL_VERSION } from '../core/model.ts';
import type { Clock } from '../ports/clock.ts';
import { MemoryBook } from '../testing/memory-book.ts';
import { BookKeeper, readBook } from './book-keeper.ts';

/** Timers go off when told to. */
class HandClock implements Clock {
  private timers: { at: number; callback: () => void }[] = [];
  private time = 0;

  now = (): number => this.time;
  date = (): Date => new Date(0);
  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Lets time pass, and what it sets off come to its end. */
  async pass(ms: number): Promise<void> {
    this.time += ms;
    for (const { at, callback } of this.timers.splice(0)) {
      if (at <= this.time) callback();
      else this.timers.push({ at, callback });
    }
    await new Promise(setImmediate);
  }

  get waiting(): number {
    return this.timers.length;
  }
}

const bookWith = (...owners: number[]): Book => ({
  version: INITIAL_VERSION,
  filters: Array.from({ length: 4 }, (_, i) => ({ couldAdmit: false, restingMs: i === 0 ? undefined : 7 })),
  pools: owners.map((owner, i) => ({
    id: i + 1,
    vip: { address: i, protocol: 'tcp', port: 80 },
    affinity: 'none',
    backends: [{ id: owner, address: owner, port: 80 }],
    owners: Uint16Array.of(owner, owner),
  })),
});

function kept(book: Book | undefined, entries?: Map<string, string>) {
  const clock = new HandClock();
  const store = new MemoryBook(entries);
  const world = { book, logged: [] as string[] };
  const log = (_level: string, message: string) => void world.logged.push(message);
  const keeper = new BookKeeper({ store, clock, log, book: () => world.book }, { delayMs: 10, retryMs: 100 });
  return { clock, store, world, keeper, log };
}

it('writes all of it once, and then what has changed', async () => {
  const { clock, store, world, keeper } = kept(bookWith(5, 6));
  keeper.note();
  keeper.note();
  await clock.pass(10);
  expect(store.writes).toEqual([['version', 'pool/1', 'pool/2']]);
  keeper.note();
  await clock.pass(10);
  expect(store.writes).toHaveLength(1);
  world.book = bookWith(5, 7);
  keeper.note();
  await clock.pass(10);
  expect(store.writes.slice(1)).toEqual([['pool/2']]);
  world.book = bookWith(5);
  keeper.note();
  await clock.pass(10);
  expect(store.writes.slice(2)).toEqual([['pool/2']]);
  expect([...store.entries.keys()]).toEqual(['version', 'pool/1']);
  expect(clock.waiting).toBe(0);
  expect(await readBook(store, () => {})).toEqual(world.book);
});

it('deletes what others have left and nobody needs', async () => {
  const { clock, store, keeper } = kept(bookWith(5), new Map([['pool/9', 'old']]));
  keeper.note();
  await clock.pass(10);
  expect([...store.entries.keys()].sort()).toEqual(['pool/1', 'version']);
});

it('leaves what is there alone while nothing is known', async () => {
  const { clock, store, keeper } = kept(undefined, new Map([['pool/9', 'old']]));
  keeper.note();
  await clock.pass(10);
  await keeper.close();
  expect([...store.entries]).toEqual([['pool/9', 'old']]);
});

it('tries again after a failure, and says so once', async () => {
  const { clock, store, world, keeper } = kept(bookWith(5));
  store.failure = 'unavailable';
  keeper.note();
  await clock.pass(10);
  await clock.pass(100);
  expect(keeper.status().problem).toBe('made up');
  store.failure = undefined;
  await clock.pass(100);
  expect(keeper.status()).toEqual({ store: 'memory', written: 2, problem: undefined });
  expect(world.logged).toEqual(['the book is not kept: made up', 'the book is kept again']);
  expect(clock.waiting).toBe(0);
});

it('gives up when another controller keeps it', async () => {
  const { clock, store, keeper } = kept(bookWith(5));
  store.failure = 'deposed';
  keeper.note();
  await clock.pass(10);
  store.failure = undefined;
  keeper.note();
  await clock.pass(1_000);
  await keeper.close();
  expect(store.writes).toEqual([]);
  expect(store.isClosed).toBe(true);
});

it('writes what is not yet written when it is closed, unless it was stopped', async () => {
  const first = kept(bookWith(5));
  first.keeper.note();
  await first.keeper.close();
  expect(first.store.writes).toHaveLength(1);
  const second = kept(bookWith(5));
  second.keeper.note();
  second.keeper.stop();
  await second.keeper.close();
  expect(second.store.writes).toEqual([]);
  expect(second.store.isClosed).toBe(true);
});

it('is no book when it cannot be read', async () => {
  const { store, world, log } = kept(undefined);
  store.failure = 'unreadable';
  expect(await readBook(store, log)).toBeUndefined();
  expect(world.logged).toEqual(['there is no book: made up']);
});
