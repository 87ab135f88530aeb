// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityHash } from './identity-hash.ts';
import { maglevTable, NOBODY, permutationOf, turnOrder, type WeightedBackend } from './maglev.ts';

const SLOTS = 65_536;
const fleet = (count: number, weight = 100): WeightedBackend[] =>
  Array.from({ length: count }, (_, i) => ({ address: 0x0a000001 + i, port: 8080, weight }));
/** Weights from 1 to `heaviest`, mixed. */
const weighed = (count: number, heaviest: number): WeightedBackend[] =>
  fleet(count).map((b, i) => ({ ...b, weight: 1 + ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % heaviest) }));
const oneHeavy = (count: number): WeightedBackend[] =>
  fleet(count, 1).map((b, i) => (i === 0 ? { ...b, weight: 100 } : b));
const counts = (table: Uint16Array, of: number): number[] => {
  const result = new Array<number>(of).fill(0);
  for (const owner of table) if (owner !== NOBODY) result[owner]!++;
  return result;
};
/** The table by identity, so that tables over different lists can be compared. */
const owners = (backends: readonly WeightedBackend[], table: Uint16Array): string[] =>
  Array.from(table, (i) => (i === NOBODY ? '-' : `${backends[i]!.address}:${backends[i]!.port}`));
const movedShare = (before: string[], after: string[]): number =>
  before.filter((owner, slot) => owner !== after[slot]).length / before.length;
/** FNV-1a over the indexes: a table in one number. */
const digest = (table: Uint16Array): string =>
  (table.reduce((hash, index) => Math.imul(hash ^ index, 0x01000193), 0x811c9dc5) >>> 0).toString(16);

const someBackends = fc
  .uniqueArray(
    fc.record({
      address: fc.integer({ min: 1, max: 0xffffffff }),
      port: fc.integer({ min: 1, max: 65_535 }),
      weight: fc.integer({ min: 0, max: 200 }),
    }),
    { minLength: 1, maxLength: 40, selector: (b) => `${b.address}:${b.port}` },
  )
  .filter((backends) => backends.some((b) => b.weight > 0));
const someSlotCount = fc.constantFrom(2, 64, 1024, 4096);

describe('the maglev table', () => {
  test('the identity hash and the permutations are part of the contract and never change', () => {
    expect(identityHash(0x0a000001, 8080, 0)).toMatchInlineSnapshot(`1983580396`);
    expect(identityHash(0xffffffff, 65_535, 0x6576656e)).toMatchInlineSnapshot(`949601066`);
    expect(permutationOf({ address: 0x0a000001, port: 8080, weight: 1 }, SLOTS)).toMatchInlineSnapshot(`
      {
        "offset": 7852,
        "skip": 27927,
      }
    `);
    expect(Array.from(maglevTable(fleet(4), 16)).join(' ')).toMatchInlineSnapshot(
      `"1 0 2 0 3 2 0 2 2 3 3 1 0 1 1 3"`,
    );
  });

  test.each([
    { name: '500 equal', backends: fleet(500), slotCount: SLOTS, expected: '7d790a23' },
    { name: '500 of weight 1 to 100', backends: weighed(500, 100), slotCount: SLOTS, expected: '3579ea4f' },
    {
      name: '40 of weight 1 to 65535',
      backends: weighed(40, 65_535),
      slotCount: SLOTS,
      expected: '632ba588',
    },
    { name: 'one of 100, 499 of 1', backends: oneHeavy(500), slotCount: SLOTS, expected: 'b9cb7e86' },
    { name: '3 equal', backends: fleet(3), slotCount: 4_096, expected: '71e0fb1c' },
    { name: '90 in 64 slots', backends: weighed(90, 7), slotCount: 64, expected: '437281f8' },
    { name: '3 in one slot', backends: fleet(3), slotCount: 1, expected: '50c5d1f' },
  ])('a table is part of the contract and never changes: $name', ({ backends, slotCount, expected }) => {
    expect(digest(maglevTable(backends, slotCount))).toBe(expected);
  });

  test('10,000 backends fill 2^20 slots, and nobody holds more than one slot more than another', () => {
    const held = counts(maglevTable(fleet(10_000), 1 << 20), 10_000);
    expect(Math.min(...held)).toBe(104);
    expect(Math.max(...held)).toBe(105);
  });

  test('backends whose identity hash is the same take turns by address, whatever the order of the list', () => {
    const first: WeightedBackend = { address: 0x0a000001, port: 8080, weight: 1 };
    const second: WeightedBackend = { address: 0xd825d96a, port: 8081, weight: 1 };
    expect(identityHash(first.address, first.port, 0)).toBe(identityHash(second.address, second.port, 0));
    expect(turnOrder([first, second])).toEqual([0, 1]);
    expect(turnOrder([second, first])).toEqual([1, 0]);
  });

  test('every slot has an owner with weight', () => {
    fc.assert(
      fc.property(someBackends, someSlotCount, (backends, slotCount) => {
        const table = maglevTable(backends, slotCount);
        expect(table.length).toBe(slotCount);
        expect(table.every((owner) => backends[owner]!.weight > 0)).toBe(true);
      }),
    );
  });

  test('it does not depend on the order of the list', () => {
    fc.assert(
      fc.property(someBackends, someSlotCount, fc.infiniteStream(fc.nat()), (backends, slotCount, dice) => {
        const shuffled = backends
          .map((b) => ({ b, key: dice.next().value }))
          .sort((x, y) => x.key - y.key)
          .map(({ b }) => b);
        expect(owners(shuffled, maglevTable(shuffled, slotCount))).toEqual(
          owners(backends, maglevTable(backends, slotCount)),
        );
      }),
    );
  });

  test('nobody holds more than one turn too many or too few for its weight', () => {
    fc.assert(
      fc.property(someBackends, someSlotCount, (backends, slotCount) => {
        const held = counts(maglevTable(backends, slotCount), backends.length);
        const total = backends.reduce((sum, b) => sum + b.weight, 0);
        const heaviest = Math.max(...backends.map((b) => b.weight));
        // r rounds give floor(r * w / heaviest) turns; the last round is cut short.
        const rounds = (slotCount * heaviest) / total;
        const slack = 2 + backends.filter((b) => b.weight > 0).length / (total / heaviest);
        held.forEach((slots, i) => {
          expect(Math.abs(slots - (rounds * backends[i]!.weight) / heaviest)).toBeLessThanOrEqual(slack);
        });
      }),
    );
  });

  test('100 equal backends differ by one slot at most', () => {
    const held = counts(maglevTable(fleet(100), SLOTS), 100);
    expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(1);
  });

  test('no weight, no owner', () => {
    expect(maglevTable([], 8).every((owner) => owner === NOBODY)).toBe(true);
    expect(maglevTable(fleet(3, 0), 8).every((owner) => owner === NOBODY)).toBe(true);
  });

  // Published figures for 65,537 slots (IPVS; Katran V2): to 99: 6.8 %; 0.09 %, to 50: 1.07; 0.95, to 10: 2.66; 1.40,
  // to 1: 7.56; 1.54, to 200: 1.54; 1.57.
  test.each([
    { weight: 99, movedAtMost: 0.001 },
    { weight: 50, movedAtMost: 0.01 },
    { weight: 10, movedAtMost: 0.0145 },
    { weight: 1, movedAtMost: 0.0158 },
    { weight: 200, movedAtMost: 0.0158 },
  ])('one of 100 backends goes from weight 100 to $weight: few slots move', ({ weight, movedAtMost }) => {
    const before = fleet(100);
    const after = before.map((b, i) => (i === 37 ? { ...b, weight } : b));
    const tables = [maglevTable(before, SLOTS), maglevTable(after, SLOTS)] as const;
    expect(movedShare(owners(before, tables[0]), owners(after, tables[1]))).toBeLessThan(movedAtMost);
    const due = (SLOTS * weight) / (9900 + weight);
    expect(Math.abs(counts(tables[1], 100)[37]! - due)).toBeLessThanOrEqual(2);
  });

  test('one of 100 backends leaves: under 1 % of slots move between backends that stay', () => {
    const before = fleet(100);
    const after = before.filter((_, i) => i !== 5);
    const old = owners(before, maglevTable(before, SLOTS));
    const now = owners(after, maglevTable(after, SLOTS));
    const gone = `${before[5]!.address}:8080`;
    const collateral = old.filter((owner, slot) => owner !== gone && owner !== now[slot]).length;
    expect(collateral / SLOTS).toBeLessThan(0.01);
  });

  test.each([0, 3, 100, 2_097_152, 1.5])('%d slots are refused', (slotCount) => {
    expect(() => maglevTable(fleet(2), slotCount)).toThrow(/power of two/);
  });
});
