// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Book } from '../core/book.ts';
import { INITIAL_VERSION } from '../core/model.ts';
import { decodeBook, encodeBook } from './codec.ts';

const filter = fc.record({
  couldAdmit: fc.boolean(),
  restingMs: fc.option(fc.nat(), { nil: undefined }),
});

const pool = fc
  .record({
    id: fc.integer({ min: 1, max: 4_095 }),
    backendIds: fc.uniqueArray(fc.integer({ min: 1, max: 8_191 }), { minLength: 1, maxLength: 20 }),
    bits: fc.integer({ min: 1, max: 10 }),
    seed: fc.nat(),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  })
  .map(({ id, backendIds, bits, seed, protocol }) => ({
    id,
    vip: { address: seed & 1 ? seed >>> 0 : BigInt(seed) << 90n, protocol, port: seed & 0xffff },
    affinity: seed & 2 ? ('source' as const) : ('none' as const),
    backends: backendIds.map((backendId) => {
      const address = backendId + seed;
      return { id: backendId, address: seed & 4 ? address : BigInt(address), port: 80 };
    }),
    owners: Uint16Array.from(
      { length: 2 ** bits },
      (_, slot) => [0, ...backendIds][(slot * 7 + seed) % (backendIds.length + 1)]!,
    ),
  }));

const books: fc.Arbitrary<Book> = fc.record({
  version: fc.constant(INITIAL_VERSION),
  filters: fc.tuple(filter, filter, filter, filter),
  pools: fc.uniqueArray(pool, { selector: ({ id }) => id, maxLength: 4 }),
});

const entriesOf = (book: Book) => new Map(encodeBook(book).map(({ name, text }) => [name, text]));

describe('the entries of a book', () => {
  it('give the book again', () => {
    fc.assert(
      fc.property(books, (book) => {
        expect(decodeBook(entriesOf(book))).toEqual({ book, unreadable: [] });
      }),
    );
  });

  it('say the same when only time has passed', () => {
    const at = (restingMs: number): Book => ({
      version: INITIAL_VERSION,
      filters: Array.from({ length: 4 }, () => ({ couldAdmit: true, restingMs })),
      pools: [],
    });
    expect(encodeBook(at(5))[0]!.content).toBe(encodeBook(at(7))[0]!.content);
    expect(encodeBook(at(5))[0]!.text).not.toBe(encodeBook(at(7))[0]!.text);
  });

  it('stay far below what a store takes, for the largest pool', () => {
    const backends = Array.from({ length: 8_191 }, (_, i) => ({
      id: i + 1,
      address: 0xffff_fff0,
      port: 65_535,
    }));
    const owners = Uint16Array.from({ length: 65_536 }, (_, slot) => (slot % 8_191) + 1);
    const vip = { address: 1, protocol: 'tcp', port: 80 } as const;
    const [, entry] = encodeBook({
      version: INITIAL_VERSION,
      filters: Array.from({ length: 4 }, () => ({ couldAdmit: true, restingMs: 0 })),
      pools: [{ id: 1, vip, affinity: 'none', backends, owners }],
    });
    expect(entry!.text.length).toBeLessThan(700_000);
  });

  it('that make no sense are left out, and the rest counts', () => {
    const [book] = fc.sample(
      books.filter(({ pools }) => pools.length >= 2),
      { numRuns: 1, seed: 5 },
    );
    const entries = entriesOf(book!);
    const [first, ...others] = book!.pools;
    const name = `pool/${first!.id}`;
    const good = JSON.parse(entries.get(name)!) as Record<string, unknown>;
    const bad: string[] = [
      'not JSON',
      '{}',
      JSON.stringify({ ...good, format: 2 }),
      JSON.stringify({ ...good, id: 5_000 }),
      JSON.stringify({ ...good, owners: '%' }),
      JSON.stringify({ ...good, owners: 'AQAC' }),
      JSON.stringify({ ...good, owners: Buffer.from([0xee, 0x1f, 1, 0]).toString('base64') }),
    ];
    for (const text of bad) {
      const decoded = decodeBook(new Map(entries).set(name, text));
      expect(decoded.book?.pools).toEqual(others);
      expect(decoded.unreadable.map((entry) => entry.name)).toEqual([name]);
    }
  });

  it('are no book without the version', () => {
    expect(decodeBook(new Map())).toEqual({ book: undefined, unreadable: [] });
    expect(decodeBook(new Map([['version', '{"format":9}']])).book).toBeUndefined();
  });
});
