// SPDX-License-Identifier: Apache-2.0
/** `make load-experiment`: servers of 1, 2, 4 and 8 CPUs, real connections, and weights that follow load or do not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plotLoads } from '../../sim/load/plot.ts';
import { experimentOptions, runExperiments, saveResult } from '../experiment-command.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { runExperiment } from './experiment.ts';
import { cpusOfServers } from './parameters.ts';
import { caseRows, casesHead, serversTable, simulate, withRows } from './report.ts';
import { type SteeringName, steeringCases } from './steering.ts';

const names = Object.keys(steeringCases) as SteeringName[];
const command = 'make load-experiment';
const usage = `usage: make load-experiment [ARGS="..."]

  --who NAMES          who steers, one run each: ${names.join(', ')}, or all (ours)
  --target TARGET      embedded (default), or bmv2: a real simple_switch_grpc, from BMV2_SWITCH_EXE or PATH
  --connections COUNT  at a time (1000); BMv2 carries about 300
  --before SECONDS     with equal weights (120)
  --steered SECONDS    after that (600)
  --seed NUMBER        of the users (1)
  --write              puts the figures into docs/load-aware.md, and the picture of ours beside it
`;

const { values } = parseArgs({
  options: {
    ...experimentOptions,
    who: { type: 'string', default: 'ours' },
    connections: { type: 'string', default: '1000' },
    before: { type: 'string', default: '120' },
    steered: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
  },
});
const wanted = values.who === 'all' ? names.join(',') : values.who;
await runExperiments({ usage, values, option: 'who', wanted, names, run });

async function run(name: SteeringName, program: SwitchProgram, directory: string): Promise<number> {
  const steering = steeringCases[name]();
  const result = await runExperiment({
    program,
    steering,
    connections: Number(values.connections),
    seed: Number(values.seed),
    beforeMs: Number(values.before) * 1_000,
    steeredMs: Number(values.steered) * 1_000,
    directory,
    onProgress: (line) => console.log(line),
  });
  const foretold = simulate(result, steering);
  const rows = caseRows(result, foretold);
  const servers = serversTable(result, foretold);
  console.log(['', ...casesHead, ...rows, '', ...servers, ''].join('\n'));
  for (const { reason, server, ageMs } of result.broken)
    console.log(`broken: ${reason}, at ${server ?? 'nobody yet'}, ${ageMs.toFixed(0)} ms old`);
  saveResult(`load-${name}-${values.target}.json`, `${JSON.stringify(result)}\n`);
  const picture = plotLoads(result.series, cpusOfServers, result.beforeMs, 'logarithmic');
  saveResult(`load-${name}-${values.target}.svg`, picture);
  if (values.write) {
    const path = 'docs/load-aware.md';
    const isOurs = name === 'ours' && values.target === 'embedded';
    let page = withRows(readFileSync(path, 'utf8'), 'experiment', command, casesHead, rows);
    if (isOurs) page = withRows(page, 'servers', command, servers.slice(0, 2), servers.slice(2), true);
    writeFileSync(path, page);
    if (isOurs) writeFileSync('docs/load-experiment.svg', picture);
  }
  return result.users.broken;
}
