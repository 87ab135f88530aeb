// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { knownSeeds, planOf } from '../seeds.ts';
import { World } from './world.ts';

test.each(knownSeeds.map((known) => [known.seed, known.why, known] as const))(
  'the world of seed %i went wrong because %s',
  (_seed, _why, known) => {
    expect(new World(planOf(known)).run().violations).toEqual([]);
  },
);
