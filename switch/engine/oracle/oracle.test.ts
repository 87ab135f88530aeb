// SPDX-License-Identifier: Apache-2.0
/**
 * The compiler is right as far as the interpreter is: every program here, told anything and sent anything.
 * EVENKEEL_SEED chooses other scripts, EVENKEEL_RUNS multiplies their number, EVENKEEL_PROGRAMS names a folder of
 * more programs.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Oracle, type ScriptStep } from './oracle.ts';

const seed = Number(process.env.EVENKEEL_SEED ?? 1);
const runFactor = Number(process.env.EVENKEEL_RUNS ?? 1);
const scriptsPerProgram = 12;
const stepsMax = 150;

const root = join(import.meta.dirname, '..', '..', '..');
const folders = [
  'switch/engine/testdata',
  'switch/server/testdata',
  'test/differential/programs/build',
  'p4/build',
].map((folder) => join(root, folder));
if (process.env.EVENKEEL_PROGRAMS) folders.push(process.env.EVENKEEL_PROGRAMS);

const programs = folders
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.json'))
  .flatMap((path) => {
    const json = JSON.parse(readFileSync(path, 'utf8')) as { pipelines?: unknown };
    return json.pipelines === undefined ? [] : [{ name: basename(path, '.json'), json }];
  });

const step: fc.Arbitrary<ScriptStep> = fc.record({
  kind: fc.constantFrom('owner' as const, 'packet' as const),
  seed: fc.nat(),
});

describe('compiled and interpreted, side by side', () => {
  it.each(programs)('$name', ({ json }) => {
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
