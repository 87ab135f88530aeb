// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diceOf } from './dice.ts';
import { EventHeap } from './event-heap.ts';
import { SimClock } from './sim-clock.ts';

describe('an event heap', () => {
  it('gives back by time, and what is planned for the same time in the order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
        const heap = new EventHeap<number>();
        times.forEach((at, order) => {
          heap.push(at, order);
        });
        const popped: [number, number][] = [];
        for (let next = heap.pop(); next; next = heap.pop()) popped.push([next.at, next.value]);
        const expected = times.map((at, order): [number, number] => [at, order]);
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(popped).toEqual(expected);
        expect(heap.nextAt).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });
});

describe('a simulated clock', () => {
  it('runs what is planned, in order, and stands at the end', () => {
    const clock = new SimClock();
    const told: string[] = [];
    const tell = (what: string) => () => {
      told.push(`${what} at ${clock.now()}`);
      if (what === 'b') clock.later(() => told.push(`later at ${clock.now()}`));
    };
    clock.after(20, tell('c'));
    clock.after(10, tell('b'));
    clock.after(10, tell('same'));
    clock.after(30, tell('beyond'));
    clock.after(5, tell('cancelled'))();
    clock.runUntil(25);
    expect(told).toEqual(['b at 10', 'same at 10', 'later at 10', 'c at 20']);
    expect(clock.now()).toBe(25);
  });

  it('never goes back, whatever is asked', () => {
    const clock = new SimClock(100);
    const times: number[] = [];
    clock.at(50, () => times.push(clock.now()));
    clock.runUntil(60);
    clock.runUntil(100);
    expect(times).toEqual([100]);
  });
});

describe('dice', () => {
  it('are the same for the same seed and name, and others for another', () => {
    const throws = (seed: number, name: string) =>
      Array.from(
        { length: 5 },
        (
          (dice) => () =>
            dice.integer(0, 999)
        )(diceOf(seed, name)),
      );
    expect(throws(1, 'writes')).toEqual(throws(1, 'writes'));
    expect(throws(1, 'writes')).not.toEqual(throws(1, 'digests'));
    expect(throws(1, 'writes')).not.toEqual(throws(2, 'writes'));
  });

  it('fall evenly', () => {
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 4_000; seed++) counts[diceOf(seed, 'x').integer(0, 3)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });
});
