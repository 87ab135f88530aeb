// SPDX-License-Identifier: Apache-2.0
/** The configuration in a file: replaced in one piece, watched with whatever edits it. */
import { watch } from 'node:fs';
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ConfigStore } from '../../ports/config-store.ts';

/** unreadable, unwritable: the system's reason is the cause. changed: by somebody else, since it was read. */
export type ConfigFileErrorCode = 'unreadable' | 'unwritable' | 'changed';

export class ConfigFileError extends Error {
  readonly code: ConfigFileErrorCode;

  constructor(code: ConfigFileErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConfigFileError';
    this.code = code;
  }
}

/** Editors save in several steps; the last one counts. */
const debounceMs = 100;

export function configFile(path: string): ConfigStore {
  return {
    name: path,

    async read() {
      try {
        return await readFile(path, 'utf8');
      } catch (cause) {
        throw new ConfigFileError('unreadable', `${path} cannot be read: ${reasonOf(cause)}`, cause);
      }
    },

    async replace(expected, text) {
      if ((await this.read()) !== expected)
        throw new ConfigFileError('changed', `${path} was changed by somebody else; try again`);
      try {
        await replaceFile(await realpath(path), text);
      } catch (cause) {
        throw new ConfigFileError('unwritable', `${path} cannot be written: ${reasonOf(cause)}`, cause);
      }
    },

    watch(onChange) {
      let timer: NodeJS.Timeout | undefined;
      // The folder is watched, because a file that is replaced takes its watch with it.
      const watcher = watch(dirname(path), (_, name) => {
        if (name !== null && name !== basename(path)) return;
        clearTimeout(timer);
        timer = setTimeout(onChange, debounceMs);
      });
      // The folder is gone; reading the file will say so.
      watcher.on('error', onChange);
      return () => {
        clearTimeout(timer);
        watcher.close();
      };
    },
  };
}

async function replaceFile(path: string, text: string): Promise<void> {
  const { mode } = await stat(path);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await writeThrough(await open(temporary, 'w', mode & 0o777), text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  // The new name must survive a power cut as well.
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

async function writeThrough(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
