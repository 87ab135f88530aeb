// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fewestRows, NO_VALUE, nodeOf, type PrefixRows } from './prefix-cover.ts';

/** What a longest-prefix table makes of each slot. */
function lookUp(rows: PrefixRows, slotCount: number): number[] {
  return Array.from({ length: slotCount }, (_, slot) => {
    for (let node = nodeOf(slot, 1); node >= 1; node >>= 1) if (rows.has(node)) return rows.get(node)!;
    return NO_VALUE;
  });
}

const tables = fc
  .tuple(fc.constantFrom(1, 2, 8, 16), fc.nat(3))
  .chain(([slotCount, most]) => fc.array(fc.nat(most), { minLength: slotCount, maxLength: slotCount }));

/** By trying: rows for a block under an inherited value. */
function fewestByTrying(values: readonly number[], inherited: number): number {
  if (values.every((value) => value === inherited)) return 0;
  const half = values.length / 2;
  const halves = (value: number): number =>
    values.length === 1
      ? Number(values[0] !== value) * 1_000
      : fewestByTrying(values.slice(0, half), value) + fewestByTrying(values.slice(half), value);
  const withRow = [...new Set(values)]
    .filter((value) => value !== NO_VALUE)
    .map((value) => 1 + halves(value));
  return Math.min(...withRow, values.length === 1 ? 1_000 : halves(inherited));
}

describe('the rows of a prefix table', () => {
  it('give every slot its value, and those without one none', () => {
    fc.assert(
      fc.property(tables, (values) => {
        expect(lookUp(fewestRows(Uint16Array.from(values)), values.length)).toEqual(values);
      }),
      { seed: 1 },
    );
  });

  it('are as few as can be', () => {
    fc.assert(
      fc.property(tables, (values) => {
        expect(fewestRows(Uint16Array.from(values)).size).toBe(fewestByTrying(values, NO_VALUE));
      }),
      { seed: 1 },
    );
  });

  it('are one for a slot that differs within a large block', () => {
    const values = new Uint16Array(65_536).fill(7);
    values[12_345] = 9;
    expect([...fewestRows(values)]).toEqual([
      [1, 7],
      [nodeOf(12_345, 1), 9],
    ]);
  });
});
