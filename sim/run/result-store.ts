// SPDX-License-Identifier: Apache-2.0
/** What cases have come to, on disk, as long as the code that made it is the same. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Case, Row, Scale } from '../evaluate/experiment.ts';

export interface Task {
  experiment: string;
  given: Case;
  scale: Scale;
}

export interface Kept {
  commit: string;
  seconds: number;
  rows: Row[];
}

const dist = resolve(import.meta.dirname, '../..');
export const root = resolve(dist, '..');

/** Rows on disk, one file a case. */
export class ResultStore {
  readonly #folder: string;

  constructor(scale: Scale) {
    this.#folder = join(root, 'out/evaluate', codeHash(), scale.name);
  }

  has(task: Task): boolean {
    return existsSync(this.#pathOf(task));
  }

  get(task: Task): Kept {
    return JSON.parse(readFileSync(this.#pathOf(task), 'utf8'));
  }

  /** Whole or not at all. */
  keep(task: Task, kept: Kept): void {
    const path = this.#pathOf(task);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.part`, JSON.stringify(kept));
    renameSync(`${path}.part`, path);
  }

  #pathOf({ experiment, given }: Task): string {
    return join(this.#folder, experiment, `${textOf(given)}.json`);
  }
}

/** "seed 1, updatesPerMinute 10" */
export function textOf(given: Case): string {
  return Object.entries(given)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/** Of everything that a case can depend on. */
function codeHash(): string {
  const hash = createHash('sha256');
  for (const folder of ['controller', 'sim', 'switch', 'wire']) {
    for (const path of sourcesBelow(join(dist, folder)))
      hash.update(path).update(readFileSync(join(dist, path)));
  }
  return hash.digest('hex').slice(0, 16);
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => relative(dist, join(folder, path)))
    .sort();
}

/** The commit; with a + when there is code that it does not have. */
export function checkedOut(): string {
  const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--', 'controller', 'sim', 'switch', 'wire') !== '';
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '');
  } catch {
    return 'unknown';
  }
}
