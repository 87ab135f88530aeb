// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashFile, type Manifest } from '../../p4/manifest.ts';
import { hashProgramSources, ownProgramNames, programsFolder } from './programs.ts';

const build = join(programsFolder, 'build');
const manifest: Manifest = JSON.parse(readFileSync(join(build, 'manifest.json'), 'utf8'));

describe('test/differential/programs/build', () => {
  it('was compiled from the programs as they are (otherwise: see compile.ts)', () => {
    expect(manifest.sources).toEqual(hashProgramSources());
  });

  it('has every program', () => {
    const files = ownProgramNames.flatMap((name) => [`${name}.json`, `${name}.p4info.txtpb`]);
    expect(Object.keys(manifest.outputs).sort()).toEqual(files.sort());
  });

  it.each(Object.keys(manifest.outputs))('%s is what came out of the compiler', (name) => {
    expect(hashFile(join(build, name))).toBe(manifest.outputs[name]);
  });
});
