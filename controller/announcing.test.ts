// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { Announcing } from './announcing.ts';
import type { Servable } from './core/announce.ts';
import type { Address } from './core/desired.ts';
import type { LogLevel } from './core/event.ts';

function start(settings: { isDraining?: boolean; withdrawBelow?: number } = {}) {
  const told: Address[][] = [];
  const logged: string[] = [];
  const shares = new Map<string, number>();
  const announcing = new Announcing(
    { isDraining: false, withdrawBelow: 0, ...settings },
    {
      announcer: {
        announce: (addresses: readonly Address[]) => void told.push([...addresses]),
        status: () => ({ speaker: 'fake', announced: undefined, problem: undefined }),
        close: async () => {},
      },
      log: (level: LogLevel, _message, fields) => void logged.push(`${level} ${JSON.stringify(fields)}`),
      passingShare: (pool) => shares.get(pool),
    },
  );
  const setShare = (pool: string, share: number): void => {
    shares.set(pool, share);
    announcing.look();
  };
  return { told, logged, announcing, setShare };
}

/** A pool at each. */
const at = (...addresses: Address[]): Servable[] =>
  addresses.map((address) => ({ pool: `pool at ${address}`, address }));

describe('announcing', () => {
  it('tells what can be served, once', () => {
    const { told, announcing } = start();
    announcing.note(at(2, 1n, 1));
    announcing.note(at(1n, 1, 2));
    expect(told).toEqual([[1, 2, 1n]]);
  });

  it('leaves everything as it is while nothing is certain', () => {
    const { told, announcing } = start();
    announcing.note(undefined);
    announcing.note(at(1));
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
    announcing.note(at(1));
    announcing.follow({ isDraining: true, withdrawBelow: 0 });
    announcing.note(at(1, 2));
    announcing.follow({ isDraining: false, withdrawBelow: 0 });
    expect(told).toEqual([[1], [], [1, 2]]);
  });

  it('withdraws at once when it starts draining, whatever is known of the switch', () => {
    const { told, announcing } = start({ isDraining: true });
    expect(told).toEqual([[]]);
    expect(announcing.status().isDraining).toBe(true);
  });

  it('announces what fails its checks, unless it is told otherwise', () => {
    const { told, announcing, setShare } = start();
    announcing.note(at(1));
    setShare('pool at 1', 0);
    expect(told).toEqual([[1]]);
  });

  it('withdraws a vip while too few of its backends pass their checks', () => {
    const { told, logged, announcing, setShare } = start({ withdrawBelow: 0.5 });
    announcing.note(at(1, 2));
    setShare('pool at 1', 0.5);
    expect(told).toEqual([[1, 2]]);
    setShare('pool at 1', 0.49);
    expect(announcing.status().refused).toEqual(['pool at 1']);
    setShare('pool at 1', 0.2);
    setShare('pool at 1', 0.5);
    expect(told).toEqual([[1, 2], [2], [1, 2]]);
    expect(logged).toEqual([
      'error {"pool":"pool at 1","passing":"49 %"}',
      'info {"pool":"pool at 1","passing":"50 %"}',
    ]);
    announcing.follow({ isDraining: false, withdrawBelow: 0.6 });
    expect(told.at(-1)).toEqual([2]);
  });

  it('keeps an address while one of the pools that share it is fit to be announced', () => {
    const { told, announcing, setShare } = start({ withdrawBelow: 0.01 });
    announcing.note([
      { pool: 'web', address: 1 },
      { pool: 'dns', address: 1 },
    ]);
    setShare('web', 0);
    expect(told).toEqual([[1]]);
    setShare('dns', 0);
    expect(told).toEqual([[1], []]);
  });
});
