// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandlePool } from './handle-pool.ts';

describe('a pool of handles', () => {
  it('gives out the lowest free one, whatever was released and taken again before', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ do: 'take' as const, which: 0 }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('retake' as const), which: fc.nat(40) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pool = new HandlePool();
        const taken = new Set<number>();
        for (const { do: what, which } of steps) {
          if (what === 'take') {
            let lowest = 0;
            while (taken.has(lowest)) lowest += 1;
            expect(pool.take()).toBe(lowest);
            taken.add(lowest);
          } else if (what === 'release' && taken.size > 0) {
            const handle = [...taken][which % taken.size]!;
            pool.release(handle);
            taken.delete(handle);
          } else if (what === 'retake' && !taken.has(which)) {
            pool.retake(which);
            taken.add(which);
          }
        }
      }),
    );
  });
});
