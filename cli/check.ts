// SPDX-License-Identifier: Apache-2.0
/** Reads a configuration file for a command, and says what is wrong with it. */
import { readFileSync } from 'node:fs';
import type { Config } from '../controller/config/config.ts';
import { parseConfig } from '../controller/config/parse.ts';
import { formatProblem } from '../controller/config/problem.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** `evenkeel check`. @throws CommandError */
export function checkFile(path: string, terminal: Terminal): void {
  const parsed = parseConfig(readText(path));
  const problems = 'problems' in parsed ? parsed.problems : parsed.warnings;
  for (const problem of problems) terminal.err(`${formatProblem(problem, path)}\n`);
  if ('problems' in parsed) {
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    throw new CommandError(
      exitCodes.badConfig,
      `${path} has ${errors === 1 ? 'a problem' : `${errors} problems`}`,
    );
  }
  const { pools } = parsed.config.desired;
  const backends = pools.reduce((sum, pool) => sum + pool.backends.length, 0);
  terminal.out(`${path} is sound: ${plural(pools.length, 'vip')}, ${plural(backends, 'backend')}\n`);
}

/** @throws CommandError with every problem, when there are any */
export function readConfig(path: string): Config {
  return configOf(readText(path), path);
}

/** @throws CommandError as readConfig */
export function configOf(text: string, path: string): Config {
  const parsed = parseConfig(text);
  if ('config' in parsed) return parsed.config;
  const problems = parsed.problems.map((problem) => formatProblem(problem, path));
  throw new CommandError(exitCodes.badConfig, problems.join('\n'));
}

/** @throws CommandError */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(exitCodes.failed, `${path} cannot be read: ${(error as Error).message}`);
  }
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
