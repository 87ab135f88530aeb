// SPDX-License-Identifier: Apache-2.0
/** A store in memory, of which each term opens its own view. */
import { describe, expect, it } from 'vitest';
import type { LogLevel } from './core/event.ts';
import { FactorKeeper, type Factors } from './factor-keeper.ts';
import { MemoryBook } from './testing/memory-book.ts';

function create(entries = new Map<string, string>()) {
  const opened: MemoryBook[] = [];
  const warnings: string[] = [];
  const keeper = new FactorKeeper({
    log: (level: LogLevel, message) => level === 'warn' && warnings.push(message),
    openStore() {
      const store = new MemoryBook(entries);
      opened.push(store);
      return store;
    },
  });
  return { keeper, opened, warnings, entries };
}

const factors = (of: Record<string, Record<string, number>>): ReadonlyMap<string, Factors> =>
  new Map(Object.entries(of).map(([vip, byBackend]) => [vip, new Map(Object.entries(byBackend))]));

describe('factors of weights by load', () => {
  it('are found by who leads next', async () => {
    const first = create();
    expect(await first.keeper.open()).toEqual(factors({}));
    first.keeper.keep(factors({ web: { a: 0.5, b: -0.5 }, dns: { c: 0 } }));
    await first.keeper.close();
    expect(first.opened[0]!.isClosed).toBe(true);
    const second = create(first.entries);
    expect(await second.keeper.open()).toEqual(factors({ web: { a: 0.5, b: -0.5 }, dns: { c: 0 } }));
  });

  it('are written where they are others, and those of a vip that is gone are deleted', async () => {
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

  it('are written with the next change when they could not be, and trouble is told once', async () => {
    const { keeper, opened, warnings, entries } = create();
    await keeper.open();
    opened[0]!.failure = 'unavailable';
    for (const a of [1, 2]) {
      keeper.keep(factors({ web: { a }, dns: { c: 7 } }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(warnings).toEqual(['weights by load are not kept']);
    opened[0]!.failure = undefined;
    keeper.keep(factors({ web: { a: 2 }, dns: { c: 7 } }));
    await keeper.close();
    expect([...entries]).toEqual([
      ['web', '{"a":2}'],
      ['dns', '{"c":7}'],
    ]);
  });

  it('are of each term anew', async () => {
    const { keeper, opened, entries } = create();
    await keeper.open();
    keeper.keep(factors({ web: { a: 1 } }));
    const again = await keeper.open();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(again).toEqual(factors({ web: { a: 1 } }));
    entries.set('web', '{"a":9}');
    keeper.keep(factors({ web: { a: 2 } }));
    await keeper.close();
    expect([...entries]).toEqual([['web', '{"a":2}']]);
  });

  it('are not known when they cannot be read, or are something else', async () => {
    const torn = create(new Map([['web', '{"a":']]));
    expect(await torn.keeper.open()).toBeUndefined();
    expect(torn.warnings).toEqual(['weights by load do not go on from those of before']);
    // They are replaced by what is known.
    torn.keeper.keep(factors({ web: { a: 1 } }));
    await torn.keeper.close();
    expect([...torn.entries]).toEqual([['web', '{"a":1}']]);
  });
});
