// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PrefixTrie } from './prefix-trie.ts';

interface Prefix {
  bits: number;
  length: number;
}

const maskOf = (length: number) => (length === 0 ? 0 : (-1 << (32 - length)) >>> 0);
const covers = ({ bits, length }: Prefix, address: number) => (address & maskOf(length)) >>> 0 === bits;

/** Addresses from few, so that prefixes nest and meet. */
const address = fc.oneof(
  fc.nat(7).map((low) => (0x0a00_0000 + low) >>> 0),
  fc.nat(15).map((high) => (high << 28) >>> 0),
  fc.constantFrom(0, 0xffff_ffff, 0x0a00_00ff, 0x0a00_0100, 0x0a0f_ffff),
  fc.nat(0xffff_ffff),
);
const prefix = fc
  .tuple(address, fc.integer({ min: 0, max: 32 }))
  .map(([bits, length]): Prefix => ({ bits: (bits & maskOf(length)) >>> 0, length }));

/** By the book. */
function longest(rows: ReadonlyMap<number, Prefix>, wanted: number, lengthMax = 32): number {
  let best = 0;
  for (const [row, candidate] of rows) {
    if (candidate.length > lengthMax || !covers(candidate, wanted)) continue;
    const bestLength = rows.get(best)?.length ?? -1;
    if (candidate.length > bestLength || (candidate.length === bestLength && row < best)) best = row;
  }
  return best;
}

it('finds the longest prefix, whatever was inserted and removed before', () => {
  const change = fc.oneof(
    { weight: 3, arbitrary: prefix.map((added) => ({ added })) },
    { weight: 2, arbitrary: fc.nat().map((removedAt) => ({ removedAt })) },
  );
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 80 }),
      fc.array(address, { minLength: 10, maxLength: 10 }),
      (changes, addresses) => {
        const rows = new Map<number, Prefix>();
        const lengths = new Map<number, number>();
        const trie = new PrefixTrie((row) => lengths.get(row)!);
        let nextRow = 1;
        for (const step of changes) {
          if ('added' in step) {
            const row = nextRow++;
            rows.set(row, step.added);
            lengths.set(row, step.added.length);
            trie.insert(step.added.bits, step.added.length, row);
          } else if (rows.size > 0) {
            const row = [...rows.keys()][step.removedAt % rows.size]!;
            const { bits, length } = rows.get(row)!;
            rows.delete(row);
            trie.remove(bits, length, row, longest(rows, bits, length));
          }
        }
        const asked = [...addresses, ...[...rows.values()].map(({ bits }) => bits)];
        for (const wanted of asked) expect(trie.find(wanted)).toBe(longest(rows, wanted));
      },
    ),
    { numRuns: 500 },
  );
});

it('gives the memory of prefixes back', () => {
  const lengths = new Map<number, number>();
  const trie = new PrefixTrie((row) => lengths.get(row)!);
  const fill = () => {
    for (let row = 1; row <= 5_000; row++) {
      lengths.set(row, 24 + (row % 9));
      trie.insert(Math.imul(row, 0x9e3779b1) & maskOf(24 + (row % 9)), 24 + (row % 9), row);
    }
  };
  fill();
  const { length } = trie.cells;
  for (let round = 0; round < 3; round++) {
    for (let row = 1; row <= 5_000; row++) {
      trie.remove(Math.imul(row, 0x9e3779b1) & maskOf(lengths.get(row)!), lengths.get(row)!, row, 0);
    }
    expect(trie.cells.subarray(0, 4096).every((cell) => cell === 0)).toBe(true);
    fill();
  }
  expect(trie.cells).toHaveLength(length);
});
