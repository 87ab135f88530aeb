// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Processor } from './processor.ts';

describe('the CPUs of a server', () => {
  it('give each request one, as long as there are enough', () => {
    const processor = new Processor<string>(2, 5_000, 0);
    processor.arrive(10, 'a');
    processor.arrive(30, 'b');
    expect(processor.advance(40)).toEqual([
      { job: 'a', at: 10 },
      { job: 'b', at: 30 },
    ]);
    expect(processor.busyMs).toBe(40);
    expect(processor.nextDoneAt).toBe(Number.POSITIVE_INFINITY);
  });

  it('are shared by more requests than that', () => {
    const processor = new Processor<string>(1, 5_000, 0);
    processor.arrive(10, 'a');
    processor.arrive(20, 'b');
    processor.advance(15);
    processor.arrive(10, 'c');
    // Until 15 each had 7.5. Then a third each: a's last 2.5 take 7.5; then halves: c's last 7.5 take 15.
    expect(processor.advance(100)).toEqual([
      { job: 'a', at: 22.5 },
      { job: 'c', at: 37.5 },
      { job: 'b', at: 40 },
    ]);
    expect(processor.busyMs).toBe(40);
  });

  it('do all the work that is brought and no more, however often somebody looks', () => {
    const request = fc.record({
      afterMs: fc.integer({ min: 0, max: 50 }),
      costMs: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        (requests, cpus) => {
          const processor = new Processor<number>(cpus, 5_000, 0);
          const arrivedAt: number[] = [];
          const done: { job: number; at: number }[] = [];
          let now = 0;
          requests.forEach(({ afterMs, costMs }, job) => {
            now += afterMs;
            done.push(...processor.advance(now));
            arrivedAt.push(now);
            processor.arrive(costMs, job);
          });
          done.push(...processor.advance(1_000_000));
          expect(new Set(done.map(({ job }) => job)).size).toBe(requests.length);
          for (const { job, at } of done)
            expect(at).toBeGreaterThanOrEqual(arrivedAt[job]! + requests[job]!.costMs - 1e-6);
          const work = requests.reduce((sum, { costMs }) => sum + costMs, 0);
          expect(processor.busyMs).toBeCloseTo(work, 6);
        },
      ),
    );
  });

  it('tell a load that follows what is there, and does not end at 1', () => {
    const processor = new Processor<number>(2, 1_000, 0);
    for (let i = 0; i < 10; i++) processor.arrive(1_000_000, i);
    processor.advance(1_000);
    expect(processor.load).toBeCloseTo(5 * (1 - Math.exp(-1)), 9);
    processor.advance(60_000);
    expect(processor.load).toBeCloseTo(5, 9);
  });
});
