// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFilling, type FillMember, filledBackends, nextStepAt, noteUse, shareOf } from './filling.ts';
import { stickyTable } from './sticky.ts';
import { backend } from './testing/rig.ts';

const half = { windowMs: 30_000, from: 0.1 };

/** 'a b' are in use, '-c' is not, 'd<a' takes the seat of a. */
function members(words: string): FillMember[] {
  return words
    .split(' ')
    .filter(Boolean)
    .map((word) => {
      const [, out, name, predecessor] = /^(-?)(\w+)(?:<(\w+))?$/.exec(word)!;
      return { name: name!, isInUse: out === '', predecessor };
    });
}

/** Looks at these, 100 s apart. @returns who began to fill at the last look */
function begun(...looks: string[]): string[] {
  const filling = createFilling(half);
  return looks.map((words, i) => noteUse(filling, members(words), i * 100_000).begun).at(-1)!;
}

describe('slow start', () => {
  it.each<[what: string, looks: string[], fills: string[]]>([
    ['one that joins', ['a b', 'a b c'], ['c']],
    ['one that comes back', ['a b', 'a -b', 'a b'], ['b']],
    ['several that join', ['a', 'a b c'], ['b', 'c']],
  ])('is for %s', (_, looks, fills) => {
    expect(begun(...looks)).toEqual(fills);
  });

  it.each<[what: string, looks: string[]]>([
    ['those of the first look: a controller that was started anew', ['a b c']],
    ['the first of a pool, and all who come with it', ['', 'a b c']],
    ['a pool that comes back as a whole', ['a b', '-a -b', 'a b']],
    ['others than before, all of them', ['a b', 'c d']],
    ['who goes', ['a b', 'a -b']],
    ['who was there all the time', ['a b', 'b a']],
  ])('is not for %s', (_, looks) => {
    expect(begun(...looks)).toEqual([]);
  });

  it('is not for who comes a moment after the first of a pool', () => {
    const filling = createFilling(half);
    noteUse(filling, members('-a -b'), 0);
    expect(noteUse(filling, members('a -b'), 1_000).begun).toEqual([]);
    expect(noteUse(filling, members('a b'), 20_000).begun).toEqual([]);
    expect(noteUse(filling, members('a b c'), 31_000).begun).toEqual(['c']);
  });

  it('grows in few steps, at times that others share, to the whole', () => {
    const filling = createFilling(half);
    noteUse(filling, members('a'), 0);
    noteUse(filling, members('a b'), 12_000);
    const shares: string[] = [];
    for (let now = 12_000; nextStepAt(filling, now) < Number.POSITIVE_INFINITY; ) {
      shares.push(`${now} ${shareOf(filling, 'b', now).toFixed(2)}`);
      now = nextStepAt(filling, now);
      noteUse(filling, members('a b'), now);
    }
    expect(shares).toEqual(['12000 0.10', '20000 0.40', '30000 0.70']);
    expect(shareOf(filling, 'b', 40_000)).toBe(1);
  });

  it('has eight steps at most, however long it lasts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 3_600_000 }), fc.nat(1_000_000), (windowMs, since) => {
        const filling = createFilling({ windowMs, from: 0.1 });
        noteUse(filling, members('a'), since);
        noteUse(filling, members('a b'), since + 1);
        let steps = 0;
        let before = 0;
        for (let now = since + 1; filling.fills.size > 0; now = nextStepAt(filling, now), steps++) {
          const share = shareOf(filling, 'b', now);
          expect(share).toBeGreaterThanOrEqual(before);
          before = share;
          noteUse(filling, members('a b'), now);
        }
        expect(steps).toBeLessThanOrEqual(10);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('leaves the ratios of the others as they are, and one with weight 0 without any', () => {
    const filling = createFilling(half);
    const wished = [backend(1, { weight: 1 }), backend(2, { weight: 3 }), backend(3, { weight: 0 })];
    noteUse(filling, members('b1'), 0);
    expect(filledBackends(filling, wished, 0, () => false)).toBe(wished);
    noteUse(filling, members('b1 b2'), 100);
    const weights = () => filledBackends(filling, wished, 100, () => false).map(({ weight }) => weight);
    expect(weights()).toEqual([256, 77, 0]);
  });

  // Where shares are no whole slots, the part of one that is left over may be another's.
  it('hands a seat over step by step: I7, where shares are whole not a slot of the others moves', () => {
    const filling = createFilling({ windowMs: 80_000, from: 0.1 });
    const others = [backend(2, { weight: 200 }), backend(3)];
    const before = [backend(1), ...others];
    const after = [backend(1, { state: 'draining' }), ...others, backend(4)];
    noteUse(filling, members('b1 b2 b3'), 0);
    let table = tableOf([...before, backend(4, { weight: 0 })], new Uint16Array(4_096).fill(0xffff));
    const first = table;
    noteUse(filling, members('-b1 b2 b3 b4<b1'), 5_000);
    const taken: number[] = [];
    for (let now = 5_000; filling.fills.size > 0; now = nextStepAt(filling, now)) {
      noteUse(filling, members('-b1 b2 b3 b4<b1'), now);
      const next = tableOf(
        filledBackends(filling, after, now, () => true),
        table,
      );
      for (let slot = 0; slot < table.length; slot++)
        if (next[slot] !== table[slot]) expect([table[slot], next[slot]]).toEqual([0, 3]);
      table = next;
      taken.push(table.filter((owner) => owner === 3).length);
    }
    expect([...table]).toEqual([...first].map((owner) => (owner === 0 ? 3 : owner)));
    expect(taken[0]).toBe(Math.round(first.filter((owner) => owner === 0).length * 0.1));
    expect(taken).toEqual(taken.toSorted((a, b) => a - b));
  });

  it('leaves nothing with a predecessor that cannot go on', () => {
    const filling = createFilling(half);
    const wished = [backend(1, { state: 'draining' }), backend(2), backend(3)];
    noteUse(filling, members('b1 b2'), 0);
    noteUse(filling, members('-b1 b2 b3<b1'), 100);
    const states = (goesOn: boolean) => filledBackends(filling, wished, 100, () => goesOn)[0];
    expect(states(true)).toMatchObject({ state: 'active', weight: 23_040 });
    expect(states(false)).toMatchObject({ state: 'draining' });
  });
});

function tableOf(backends: readonly ReturnType<typeof backend>[], inForce: Uint16Array): Uint16Array {
  const shares = backends.map((one) => ({ ...one, weight: one.state === 'active' ? one.weight : 0 }));
  return stickyTable(shares, inForce, new Uint16Array(inForce.length).fill(0xffff));
}
