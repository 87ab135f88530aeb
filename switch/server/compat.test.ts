// SPDX-License-Identifier: Apache-2.0
/**
 * Every row of compat-table.ts, put to the test in each mode, and on a real simple_switch_grpc when BMV2_SWITCH_EXE
 * names one.
 */

import { describe, expect, test } from 'vitest';
import { compatModes } from './compat.ts';
import { type BehaviourName, behaviours } from './compat-table.ts';
import { cases } from './testdata/compat-cases.ts';
import { embeddedStage, realStage } from './testdata/compat-stage.ts';

const names = Object.keys(behaviours) as BehaviourName[];

describe.each(compatModes)('mode %s', (mode) => {
  test.each(names)('%s', async (name) => {
    const { program, run } = cases[name];
    const stage = await embeddedStage(mode, program);
    try {
      expect(await run(stage)).toBe(behaviours[name][mode]);
    } finally {
      await stage.close();
    }
  });
});

const executable = process.env.BMV2_SWITCH_EXE;

describe.skipIf(executable === undefined)('a real simple_switch_grpc (BMV2_SWITCH_EXE)', () => {
  test.each(names.map((name, number) => ({ name, number })))(
    '$name',
    async ({ name, number }) => {
      const { program, run } = cases[name];
      const row: { bmv2: string; real?: string } = behaviours[name];
      const stage = await realStage(executable!, number, program);
      try {
        expect(await run(stage)).toBe(row.real ?? row.bmv2);
      } finally {
        await stage.close();
      }
    },
    20_000,
  );
});

test('every row says something different somewhere', () => {
  const same = names.filter((name) => {
    const { strict, bmv2, spec, real }: { strict: string; bmv2: string; spec: string; real?: string } =
      behaviours[name];
    return strict === bmv2 && bmv2 === spec && (real ?? bmv2) === bmv2;
  });
  expect(same).toEqual([]);
});
