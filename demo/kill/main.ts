// SPDX-License-Identifier: Apache-2.0
/** `make kill-experiment`: servers that are killed, vanish or hang under traffic, and what everybody sees of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  type ExperimentValues,
  experimentCommand,
  namesAmong,
  runExperiments,
  saveResult,
  wholeNumber,
} from '../experiment-command.ts';
import { withRows } from '../load/report.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { killCases } from './cases.ts';
import { runKills } from './experiment.ts';
import { killRow, killsHead } from './report.ts';

const names = Object.keys(killCases);
const command = experimentCommand('make kill-experiment', 'docs/health.md')
  .option('--cases <names>', `${names.join(',')} or all`, namesAmong(names), names)
  .option('--kills <count>', 'of each', wholeNumber(1, 1_000), 10)
  .parse();

const values = command.opts<ExperimentValues & { cases: string[]; kills: number }>();
await runExperiments(values.cases, values.target, run);

async function run(name: string, program: SwitchProgram, directory: string): Promise<number> {
  const result = await runKills({
    program,
    given: killCases[name]!,
    kills: values.kills,
    directory,
    onProgress: (line) => console.log(line),
  });
  const row = killRow(result);
  console.log(['', ...killsHead, row, ''].join('\n'));
  saveResult(`kill-${name}-${values.target}.json`, `${JSON.stringify(result)}\n`);
  if (values.write) {
    const path = 'docs/health.md';
    const page = readFileSync(path, 'utf8');
    writeFileSync(path, withRows(page, 'kills', command.name(), killsHead, [row]));
  }
  return result.kills.reduce((sum, kill) => sum + kill.othersBroken, 0);
}
