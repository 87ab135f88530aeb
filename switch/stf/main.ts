// SPDX-License-Identifier: Apache-2.0
/** `node dist/switch/stf/main.js program.json file.stf ...`: runs STF files, each on a fresh switch in memory. */

import { readFileSync } from 'node:fs';
import { runStf, type StfResult } from './runner.ts';

const [programPath, ...stfPaths] = process.argv.slice(2);
if (programPath === undefined || stfPaths.length === 0) {
  process.stderr.write('usage: main.js program.json file.stf ...\n');
  process.exitCode = 2;
} else process.exitCode = runAll(programPath, stfPaths);

/** @returns the exit code: 0 when all passed, 1 when any did not, 2 when a file cannot be read */
function runAll(programPath: string, stfPaths: readonly string[]): number {
  try {
    const json: unknown = JSON.parse(readFileSync(programPath, 'utf8'));
    let exitCode = 0;
    for (const path of stfPaths) {
      const result = runStf(json, readFileSync(path, 'utf8'));
      process.stdout.write(`${report(path, result)}\n`);
      if (result.outcome !== 'passed') exitCode = 1;
    }
    return exitCode;
  } catch (cause) {
    process.stderr.write(`${(cause as Error).message}\n`);
    return 2;
  }
}

function report(path: string, result: StfResult): string {
  const lines = [`${result.outcome} ${path}${summary(result)}`];
  if ('differences' in result) lines.push(...result.differences);
  if ('problems' in result) lines.push(...result.problems);
  if ('diagnostics' in result) lines.push(...result.diagnostics.map((what) => `note: ${what}`));
  return lines.join('\n').replaceAll('\n', '\n  ');
}

function summary(result: StfResult): string {
  if (result.outcome !== 'passed') return '';
  return ` (${result.packets} packets in, ${result.expected} out)`;
}
