// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashFile, hashSources, type Manifest } from './manifest.ts';

const p4Folder = import.meta.dirname;
const build = join(p4Folder, 'build');
const manifest: Manifest = JSON.parse(readFileSync(join(build, 'manifest.json'), 'utf8'));

describe('p4/build', () => {
  it('was compiled from the sources as they are (otherwise: make p4)', () => {
    expect(manifest.sources).toEqual(hashSources(p4Folder));
  });

  it.each(Object.keys(manifest.outputs))('%s is what came out of the compiler', (name) => {
    expect(hashFile(join(build, name))).toBe(manifest.outputs[name]);
  });

  it('names no folder of the machine that compiled it', () => {
    for (const name of Object.keys(manifest.outputs)) {
      expect(readFileSync(join(build, name), 'utf8')).not.toMatch(/"\/(home|root|tmp|usr|work)\//);
    }
  });
});
