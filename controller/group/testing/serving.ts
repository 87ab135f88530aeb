// SPDX-License-Identifier: Apache-2.0
/** A group that serves, and whether its switches hold the same. */
import { expect } from 'vitest';
import { Bench, servingPool } from './bench.ts';

/** A group whose switches serve a pool. */
export function serving(count: number, options: ConstructorParameters<typeof Bench>[1] = {}): Bench {
  const bench = new Bench(
    Array.from({ length: count }, () => ({})),
    options,
  );
  bench.connectAll();
  bench.write(1, servingPool());
  expect(bench.heard()).toEqual(['connected with 1 rows', 'written 1']);
  return bench;
}

export function expectEqual(bench: Bench): void {
  const [first, ...others] = bench.switches;
  for (const other of others) {
    expect(other.rows()).toEqual(first!.rows());
    expect(other.era()).toBe(first!.era());
  }
}
