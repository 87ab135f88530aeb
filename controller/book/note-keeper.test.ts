// SPDX-License-Identifier: Apache-2.0
/** A store in memory, of which each term opens its own view; the notes are factors of weights by load. */
import { describe, expect, it } from 'vitest';
import type { LogLevel } from '../core/event.ts';
import { ManualClock } from '../group/testing/manual-clock.ts';
import { MemoryBook } from '../testing/memory-book.ts';
import { type Factors, factorKeeper } from './factor-keeper.ts';
import { noteKeeperLimits } from './note-keeper.ts';

function create(entries = new Map<string, string>()) {
  const opened: MemoryBook[] = [];
  const warnings: string[] = [];
  const clock = new ManualClock();
  const keeper = factorKeeper({
    clock,
    log: (level: LogLevel, message) => level === 'warn' && warnings.push(message),
    openStore() {
      const store = new MemoryBook(entries);
      opened.push(store);
      return store;
    },
  });
  /** Time passes, and what it sets off comes to its end. */
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { keeper, opened, warnings, entries, pass };
}

const factors = (of: Record<string, Record<string, number>>): ReadonlyMap<string, Factors> =>
  new Map(Object.entries(of).map(([vip, byBackend]) => [vip, new Map(Object.entries(byBackend))]));

describe('notes', () => {
  it('are found by who leads next', async () => {
    const first = create();
    expect(await first.keeper.open()).toEqual(factors({}));
    first.keeper.keep(factors({ web: { a: 0.5, b: -0.5 }, dns: { c: 0 } }));
    await first.keeper.close();
    expect(first.opened[0]!.isClosed).toBe(true);
    const second = create(first.entries);
    expect(await second.keeper.open()).toEqual(factors({ web: { a: 0.5, b: -0.5 }, dns: { c: 0 } }));
  });

  it('are written where they are others, and those of a name that is gone are deleted', async () => {
    const { keeper, opened, entries } = create();
    await keeper.open();
    keeper.keep(factors({ web: { a: 1 }, dns: { c: 0 } }));
    keeper.keep(factors({ web: { a: 2 }, dns: { c: 0 } }));
    keeper.keep(factors({ web: { a: 3 } }));
    await keeper.close();
    expect(opened[0]!.writes).toEqual([
      ['web', 'dns'],
      ['web', 'dns'],
    ]);
    expect([...entries]).toEqual([['web', '{"a":3}']]);
  });

  it('are written at once, and then no more often than the limit says', async () => {
    const { keeper, opened, entries, pass } = create();
    await keeper.open();
    for (let a = 0; a < 100; a++) {
      keeper.keep(factors({ web: { a } }));
      await pass(noteKeeperLimits.writeEveryMs / 20);
    }
    // Five seconds, and both ends.
    expect(opened[0]!.writes).toHaveLength(6);
    expect([...entries]).toEqual([['web', '{"a":99}']]);
    keeper.keep(factors({ web: { a: 99 } }));
    await pass(noteKeeperLimits.writeEveryMs);
    expect(opened[0]!.writes).toHaveLength(6);
  });

  it('are written when they can be again, and trouble is told once', async () => {
    const { keeper, opened, warnings, entries, pass } = create();
    await keeper.open();
    opened[0]!.failure = 'unavailable';
    for (const a of [1, 2]) {
      keeper.keep(factors({ web: { a }, dns: { c: 7 } }));
      await pass(noteKeeperLimits.retryMs);
    }
    expect(await keeper.flush()).toBe('made up');
    expect(warnings).toEqual(['weights by load are not kept']);
    opened[0]!.failure = undefined;
    await pass(noteKeeperLimits.retryMs);
    expect([...entries]).toEqual([
      ['web', '{"a":2}'],
      ['dns', '{"c":7}'],
    ]);
    expect(await keeper.flush()).toBeUndefined();
  });

  it('are not written any more by who was deposed', async () => {
    const { keeper, opened, entries, pass } = create();
    await keeper.open();
    opened[0]!.failure = 'deposed';
    keeper.keep(factors({ web: { a: 1 } }));
    await pass(0);
    opened[0]!.failure = undefined;
    await pass(60_000);
    expect([...entries]).toEqual([]);
  });

  it('are of each term anew', async () => {
    const { keeper, opened, entries, pass } = create();
    keeper.keep(factors({ web: { a: 0 } }));
    expect(await keeper.open()).toEqual(factors({}));
    keeper.keep(factors({ web: { a: 1 } }));
    await pass(0);
    const again = await keeper.open();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(again).toEqual(factors({ web: { a: 1 } }));
    entries.set('web', '{"a":9}');
    keeper.keep(factors({ web: { a: 2 } }));
    await keeper.close();
    expect([...entries]).toEqual([['web', '{"a":2}']]);
    // A term that was over before its notes were read leaves no store open.
    const terms = await Promise.all([keeper.open(), keeper.open()]);
    expect(terms).toEqual([undefined, factors({ web: { a: 2 } })]);
    expect(opened.slice(2).map(({ isClosed }) => isClosed)).toEqual([true, false]);
  });

  it('that are something else are left out, and replaced by what is known', async () => {
    const torn = create(
      new Map([
        ['web', '{"a":'],
        ['dns', '{"c":7}'],
      ]),
    );
    expect(await torn.keeper.open()).toEqual(factors({ dns: { c: 7 } }));
    expect(torn.warnings).toEqual(['weights by load do not go on from those of before']);
    torn.keeper.keep(factors({ web: { a: 1 } }));
    await torn.keeper.close();
    expect([...torn.entries]).toEqual([['web', '{"a":1}']]);
  });
});
