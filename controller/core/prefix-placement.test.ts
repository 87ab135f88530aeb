// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOBODY, type WeightedBackend } from './maglev.ts';
import { fewestRows } from './prefix-cover.ts';
import { prefixTable } from './prefix-placement.ts';
import { Dice } from './testing/dice.ts';

const backends = (weights: readonly number[]): WeightedBackend[] =>
  weights.map((weight, index) => ({ address: 0x0a00_0001 + index, port: 80, weight }));
const nobody = (slotCount: number) => new Uint16Array(slotCount).fill(NOBODY);
const counts = (table: Uint16Array, count: number) => {
  const owned = new Array<number>(count).fill(0);
  for (const owner of table) if (owner !== NOBODY) owned[owner]!++;
  return owned;
};
const rowsOf = (table: Uint16Array) =>
  fewestRows(table.map((owner) => (owner === NOBODY ? 0 : owner + 1))).size;

const weightLists = fc.array(fc.nat(20), { minLength: 1, maxLength: 8 });

describe('prefix placement', () => {
  it('gives equal backends of a power of two one block each', () => {
    const table = prefixTable(backends(Array(8).fill(1)), nobody(65_536), nobody(65_536));
    expect(rowsOf(table)).toBe(8);
    expect(counts(table, 8)).toEqual(Array(8).fill(8_192));
  });

  it('I6 balance, I7 disruption: shares are within a slot of the weights, and only what must move moves', () => {
    fc.assert(
      fc.property(
        weightLists,
        weightLists,
        fc.constantFrom(16, 64, 1_024),
        fc.array(fc.nat(3)),
        (before, after, slotCount, willing) => {
          const all = Math.max(before.length, after.length);
          const padded = (weights: readonly number[]) =>
            backends([...weights, ...Array(all).fill(0)].slice(0, all));
          const willingness = Uint32Array.from({ length: slotCount }, (_, slot) => willing[slot] ?? 0);
          const first = prefixTable(padded(before), nobody(slotCount), nobody(slotCount));
          const second = prefixTable(padded(after), first, nobody(slotCount), willingness);
          const total = after.reduce((sum, weight) => sum + weight, 0);
          const had = counts(first, all);
          const has = counts(second, all);
          if (total === 0) {
            expect(second.every((owner) => owner === NOBODY)).toBe(true);
            return;
          }
          has.forEach((slots, index) => {
            expect(Math.abs(slots - (slotCount * (after[index] ?? 0)) / total)).toBeLessThan(1);
          });
          const mustMove =
            had.reduce((sum, slots, index) => sum + Math.max(0, slots - has[index]!), 0) +
            first.filter((owner) => owner === NOBODY).length;
          expect(second.filter((owner, slot) => owner !== first[slot]).length).toBe(mustMove);
          expect(prefixTable(padded(after), second, nobody(slotCount))).toEqual(second);
        },
      ),
      { seed: 1 },
    );
  });

  it('gives up the most willing slots first', () => {
    const inForce = new Uint16Array(16);
    const willing = new Uint32Array(16).fill(1, 3, 6);
    const table = prefixTable(backends([13, 3]), inForce, nobody(16), willing);
    expect([...table].flatMap((owner, slot) => (owner === 1 ? [slot] : []))).toEqual([3, 4, 5]);
  });

  it('sends slots home to those who lack them', () => {
    const home = nobody(16).fill(1, 8, 12);
    const table = prefixTable(backends([3, 1]), new Uint16Array(16), home);
    expect([...table.subarray(8, 12)]).toEqual([1, 1, 1, 1]);
    expect(counts(table, 2)).toEqual([12, 4]);
  });

  it('stays near n log W rows through a hundred random weights', () => {
    const dice = new Dice(1);
    const weights = Array.from({ length: 8 }, () => 100);
    let table = prefixTable(backends(weights), nobody(65_536), nobody(65_536));
    let most = 0;
    for (let change = 0; change < 100; change++) {
      weights[dice.integer(0, 7)] = dice.integer(1, 200);
      table = prefixTable(backends(weights), table, nobody(65_536));
      most = Math.max(most, rowsOf(table));
    }
    expect(most).toBeLessThan(2 * 8 * 16);
  });
});
