// SPDX-License-Identifier: Apache-2.0
/** Each rule that protects connections, switched off, is missed: the checks can fail. */
import { describe, expect, test } from 'vitest';
import { noFaults } from './faults.ts';
import type { Invariant } from './judge.ts';
import { drawPlan, type WorldPlan } from './plan.ts';
import { type RuleName, ruleNames } from './rules.ts';
import { World } from './world.ts';

const drawn = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => drawPlan(seed));
/** Filters fill up only where slots stay unstable while somebody sends SYNs at them. */
const flooded = [1, 2, 3, 4].map((seed) => ({
  ...drawPlan(seed),
  faults: {
    ...noFaults,
    writeDelayMs: 10,
    digestDelayMs: 10,
    aimedFloodPerSecond: 200,
    reweighsPerMinute: 6,
  },
}));

const missed: Record<RuleName, { plans: WorldPlan[]; invariants: Invariant[] }> = {
  versions: { plans: drawn, invariants: ['I1 consistency', 'I4 atomicity'] },
  pins: { plans: drawn, invariants: ['I1 consistency'] },
  filters: { plans: drawn, invariants: ['I1 consistency'] },
  waiting: { plans: drawn, invariants: ['I4 atomicity'] },
  quarantine: { plans: drawn, invariants: ['I1 consistency'] },
  rotation: { plans: flooded, invariants: ['I3 bounded state'] },
  'merge timeout': { plans: drawn, invariants: ['I1 consistency'] },
  settling: { plans: drawn, invariants: ['I1 consistency'] },
  'fail static': { plans: drawn, invariants: ['I5 fail static'] },
  weights: { plans: drawn, invariants: ['I6 balance'] },
};

function broken(plans: readonly WorldPlan[], without: RuleName | undefined): Set<Invariant> {
  const found = new Set<Invariant>();
  for (const plan of plans) {
    for (const { invariant } of new World(plan, { without }).run().violations) found.add(invariant);
  }
  return found;
}

describe('without the rule of', () => {
  test.each(ruleNames)('%s, invariants are broken', (rule) => {
    const { plans, invariants } = missed[rule];
    const found = broken(plans, rule);
    for (const invariant of invariants) expect(found).toContain(invariant);
  });
});

test('with all of them, the same worlds hold', () => {
  expect([...broken([...drawn, ...flooded], undefined)]).toEqual([]);
});
