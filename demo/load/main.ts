// SPDX-License-Identifier: Apache-2.0
/** `make load-experiment`: servers of 1, 2, 4 and 8 CPUs, real connections, and weights that follow load or do not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { plotLoads } from '../../sim/load/plot.ts';
import {
  type ExperimentValues,
  experimentCommand,
  namesAmong,
  runExperiments,
  saveResult,
  wholeNumber,
} from '../experiment-command.ts';
import type { SwitchProgram } from '../namespace-network.ts';
import { runExperiment } from './experiment.ts';
import { cpusOfServers } from './parameters.ts';
import { caseRows, casesHead, serversTable, simulate, withRows } from './report.ts';
import { type SteeringName, steeringCases } from './steering.ts';

const names = Object.keys(steeringCases) as SteeringName[];
const command = experimentCommand(
  'make load-experiment',
  'docs/load-aware.md, and the picture of ours beside it',
)
  .option('--who <names>', `who steers, one run each: ${names.join(',')} or all`, namesAmong(names), ['ours'])
  .option('--connections <count>', 'at a time; BMv2 carries about 300', wholeNumber(1, 10_000), 1_000)
  .option('--before <seconds>', 'with equal weights', wholeNumber(10, 86_400), 120)
  .option('--steered <seconds>', 'after that', wholeNumber(10, 86_400), 600)
  .option('--seed <number>', 'of the users', wholeNumber(0, 0xffff_ffff), 1)
  .parse();

interface Values extends ExperimentValues {
  who: SteeringName[];
  connections: number;
  before: number;
  steered: number;
  seed: number;
}

const values = command.opts<Values>();
await runExperiments(values.who, values.target, run);

async function run(name: SteeringName, program: SwitchProgram, directory: string): Promise<number> {
  const steering = steeringCases[name]();
  const result = await runExperiment({
    program,
    steering,
    connections: values.connections,
    seed: values.seed,
    beforeMs: values.before * 1_000,
    steeredMs: values.steered * 1_000,
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
    let page = withRows(readFileSync(path, 'utf8'), 'experiment', command.name(), casesHead, rows);
    if (isOurs) page = withRows(page, 'servers', command.name(), servers.slice(0, 2), servers.slice(2), true);
    writeFileSync(path, page);
    if (isOurs) writeFileSync('docs/load-experiment.svg', picture);
  }
  return result.users.broken;
}
