// SPDX-License-Identifier: Apache-2.0
/** What `npm run generate` would write is what is checked in. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

function filesUnder(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

test('the generated code is current', { timeout: 240_000 }, async () => {
  const output = mkdtempSync(join(tmpdir(), 'evenkeel-generated-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    const template = join(root, 'p4runtime', 'buf.gen.yaml');
    await promisify(execFile)(
      join(bin, 'buf'),
      ['generate', 'p4runtime/proto', '--template', template, '-o', output],
      {
        cwd: root,
        env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
      },
    );
    const fresh = filesUnder(join(output, 'p4runtime', 'generated'));
    expect(Object.keys(fresh)).toHaveLength(9);
    expect(filesUnder(join(root, 'p4runtime', 'generated'))).toEqual(fresh);
  } finally {
    rmSync(output, { recursive: true });
  }
});
