// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOBODY, type WeightedBackend } from './maglev.ts';
import { stickyTable } from './sticky.ts';

const empty = (slotCount: number): Uint16Array => new Uint16Array(slotCount).fill(NOBODY);
const fleet = (count: number, weight = 100): WeightedBackend[] =>
  Array.from({ length: count }, (_, i) => ({ address: 0x0a000001 + i, port: 8080, weight }));
const held = (table: Uint16Array, index: number): number => table.filter((owner) => owner === index).length;
const moved = (a: Uint16Array, b: Uint16Array): number => a.filter((owner, slot) => owner !== b[slot]).length;
const without = (table: Uint16Array, index: number): Uint16Array =>
  table.map((owner) => (owner === index ? NOBODY : owner));

const weights = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 12 });
const weighted = (list: readonly number[]): WeightedBackend[] =>
  list.map((weight, i) => ({ address: 0x0a000001 + i, port: 8080, weight }));

describe('the sticky table', () => {
  test('shares follow the weights to within one slot, whatever was in force', () => {
    fc.assert(
      fc.property(weights, fc.infiniteStream(fc.nat(20)), (list, dice) => {
        const backends = weighted(list);
        const inForce = Uint16Array.from({ length: 256 }, () => {
          const owner = dice.next().value;
          return owner < backends.length ? owner : NOBODY;
        });
        const table = stickyTable(backends, inForce, empty(256));
        const total = list.reduce((sum, w) => sum + w, 0);
        list.forEach((weight, i) => {
          const due = total === 0 ? 0 : (256 * weight) / total;
          expect(Math.abs(held(table, i) - due)).toBeLessThan(1);
        });
      }),
    );
  });

  test('no more slots move than the shares ask for, and a right table comes back unchanged', () => {
    fc.assert(
      fc.property(weights, weights, (before, after) => {
        const n = Math.max(before.length, after.length);
        const pad = (list: number[]): WeightedBackend[] =>
          weighted([...list, ...new Array<number>(n - list.length).fill(0)]);
        if (!before.some((w) => w > 0) || !after.some((w) => w > 0)) return;
        const inForce = stickyTable(pad(before), empty(256), empty(256));
        const table = stickyTable(pad(after), inForce, empty(256));
        let needed = 0;
        for (let i = 0; i < n; i++) needed += Math.max(0, held(table, i) - held(inForce, i));
        expect(moved(inForce, table)).toBe(needed);
        expect(stickyTable(pad(after), table, empty(256))).toEqual(table);
      }),
    );
  });

  test('a replacement takes the seat of the backend it replaces', () => {
    const old = stickyTable(fleet(10), empty(1024), empty(1024));
    const seats = [...old.keys()].filter((slot) => old[slot] === 3);
    const replaced = fleet(11).map((b, i) => (i === 3 ? { ...b, weight: 0 } : b));
    const table = stickyTable(replaced, without(old, 3), empty(1024));
    expect([...table.keys()].filter((slot) => table[slot] === 10)).toEqual(seats);
    expect(moved(old, table)).toBe(seats.length);
  });

  test('slots go home when their backend returns', () => {
    const full = stickyTable(fleet(10), empty(1024), empty(1024));
    const drained = fleet(10).map((b, i) => (i === 3 ? { ...b, weight: 0 } : b));
    const away = stickyTable(drained, full, empty(1024));
    expect(held(away, 3)).toBe(0);
    const back = stickyTable(fleet(10), away, full);
    const strangers = [...full.keys()].filter((slot) => full[slot] === 3 && back[slot] !== 3);
    // Rounding may leave one seat with another.
    expect(strangers.length).toBeLessThanOrEqual(1);
  });

  test('no weight, no owner', () => {
    expect(stickyTable(fleet(2, 0), empty(8), empty(8))).toEqual(empty(8));
  });

  test('a table that is no power of two is refused', () => {
    expect(() => stickyTable(fleet(2), empty(6), empty(6))).toThrow(/power of two/);
  });
});
