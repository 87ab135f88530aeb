// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { Announcing } from './announcing.ts';
import type { Address } from './core/desired.ts';

function start(isDraining = false) {
  const told: Address[][] = [];
  const announcer = {
    announce: (addresses: readonly Address[]) => void told.push([...addresses]),
    status: () => ({ speaker: 'fake', announced: undefined, problem: undefined }),
    close: async () => {},
  };
  return { told, announcing: new Announcing(announcer, { isDraining }) };
}

describe('announcing', () => {
  it('tells what can be served, once', () => {
    const { told, announcing } = start();
    announcing.note([2, 1n, 1]);
    announcing.note([1n, 1, 2]);
    expect(told).toEqual([[1, 2, 1n]]);
  });

  it('leaves everything as it is while nothing is certain', () => {
    const { told, announcing } = start();
    announcing.note(undefined);
    announcing.note([1]);
    announcing.note(undefined);
    expect(told).toEqual([[1]]);
  });

  it('tells that nothing can be served', () => {
    const { told, announcing } = start();
    announcing.note([]);
    expect(told).toEqual([[]]);
  });

  it('withdraws all to drain, and announces what is servable by then', () => {
    const { told, announcing } = start();
    announcing.note([1]);
    announcing.drain(true);
    announcing.note([1, 2]);
    announcing.drain(false);
    expect(told).toEqual([[1], [], [1, 2]]);
  });

  it('withdraws at once when it starts draining, whatever is known of the switch', () => {
    const { told, announcing } = start(true);
    expect(told).toEqual([[]]);
    expect(announcing.status().isDraining).toBe(true);
  });
});
