// SPDX-License-Identifier: Apache-2.0
/** `make kill-experiment`: servers that are killed, vanish or hang under traffic, and what everybody sees of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { experimentOptions, runExperiments, saveResult } from '../experiment-command.ts';
import { withRows } from '../load/report.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { killCases } from './cases.ts';
import { runKills } from './experiment.ts';
import { killRow, killsHead } from './report.ts';

const names = Object.keys(killCases);
const usage = `usage: make kill-experiment [ARGS="..."]

  --cases NAMES    of ${names.join(', ')} (all)
  --kills COUNT    of each (10)
  --target TARGET  embedded (default), or bmv2: a real simple_switch_grpc, from BMV2_SWITCH_EXE or PATH
  --write          puts the figures into docs/health.md
`;

const { values } = parseArgs({
  options: {
    ...experimentOptions,
    cases: { type: 'string', default: names.join(',') },
    kills: { type: 'string', default: '10' },
  },
});
await runExperiments({ usage, values, option: 'cases', wanted: values.cases, names, run });

async function run(name: string, program: SwitchProgram, directory: string): Promise<number> {
  const result = await runKills({
    program,
    given: killCases[name]!,
    kills: Number(values.kills),
    directory,
    onProgress: (line) => console.log(line),
  });
  const row = killRow(result);
  console.log(['', ...killsHead, row, ''].join('\n'));
  saveResult(`kill-${name}-${values.target}.json`, `${JSON.stringify(result)}\n`);
  if (values.write) {
    const path = 'docs/health.md';
    const page = readFileSync(path, 'utf8');
    writeFileSync(path, withRows(page, 'kills', 'make kill-experiment', killsHead, [row]));
  }
  return result.kills.reduce((sum, kill) => sum + kill.othersBroken, 0);
}
