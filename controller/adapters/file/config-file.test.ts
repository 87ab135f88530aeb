// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configFile } from './config-file.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-config-'));
  path = join(folder, 'evenkeel.yaml');
  await writeFile(path, 'before');
});
afterEach(() => rm(folder, { recursive: true }));

describe('a configuration file', () => {
  it('is replaced whole, keeps its mode and leaves nothing behind', async () => {
    await chmod(path, 0o640);
    await configFile(path).replace('before', 'after');
    expect(await readFile(path, 'utf8')).toBe('after');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['evenkeel.yaml']);
  });

  it('is not replaced when somebody else has changed it', async () => {
    await expect(configFile(path).replace('long ago', 'after')).rejects.toMatchObject({ code: 'changed' });
    expect(await readFile(path, 'utf8')).toBe('before');
  });

  it('stays a link when it is one', async () => {
    const link = join(folder, 'link.yaml');
    await symlink(path, link);
    await configFile(link).replace('before', 'after');
    expect(await readFile(path, 'utf8')).toBe('after');
    expect(await readdir(folder)).toEqual(['evenkeel.yaml', 'link.yaml']);
  });

  it('says why it cannot be read', async () => {
    await expect(configFile(join(folder, 'none')).read()).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('ENOENT'),
    });
  });

  it('tells of a change, in place or by replacement', async () => {
    const file = configFile(path);
    let told = () => {};
    const unwatch = file.watch(() => told());
    try {
      await new Promise<void>((resolve, reject) => {
        told = resolve;
        writeFile(path, 'in place').catch(reject);
      });
      await new Promise<void>((resolve, reject) => {
        told = resolve;
        file.replace('in place', 'by replacement').catch(reject);
      });
    } finally {
      unwatch();
    }
    expect(await file.read()).toBe('by replacement');
  });
});
