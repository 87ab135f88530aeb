// SPDX-License-Identifier: Apache-2.0
/**
 * The compiler is right as far as the interpreter is: every program here, told anything and sent anything.
 * EVENKEEL_SEED chooses other scripts, EVENKEEL_RUNS multiplies their number.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Oracle, type ScriptStep } from './oracle.ts';

const seed = Number(process.env.EVENKEEL_SEED ?? 1);
const runFactor = Number(process.env.EVENKEEL_RUNS ?? 1);
const scriptsPerProgram = 25;
const stepsMax = 150;

const testdata = join(import.meta.dirname, '..', 'testdata');
const root = join(import.meta.dirname, '..', '..', '..');
const programs = [
  ...readdirSync(testdata)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(testdata, name)),
  join(root, 'p4', 'build', 'evenkeel.json'),
  join(root, 'switch', 'server', 'testdata', 'features.json'),
];

const step: fc.Arbitrary<ScriptStep> = fc.record({
  kind: fc.constantFrom('owner' as const, 'packet' as const),
  seed: fc.nat(),
});

describe('compiled and interpreted, side by side', () => {
  it.each(programs.map((path) => [basename(path, '.json'), path]))('%s', (_, path) => {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' }), (script) => {
        const oracle = new Oracle(json);
        const told: string[] = [];
        for (const each of script) {
          const { what, compiled, interpreted } = oracle.step(each);
          told.push(what);
          expect(interpreted, told.join('\n')).toEqual(compiled);
        }
        const { compiled, interpreted } = oracle.leftovers();
        expect(interpreted, told.join('\n')).toEqual(compiled);
      }),
      { seed, numRuns: scriptsPerProgram * runFactor },
    );
  });
});
