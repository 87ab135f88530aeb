// SPDX-License-Identifier: Apache-2.0
/** `make load-experiment`: servers of 1, 2, 4 and 8 CPUs, real connections, and weights that follow load or do not. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { enterOwnNetwork } from '../../lab/own-network.ts';
import { plotLoads } from '../../sim/load/plot.ts';
import { embeddedSwitch, findBmv2 } from '../targets.ts';
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

// Whoever interrupts us wants the namespaces and processes gone; the handlers of 'exit' see to that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const { values } = parseArgs({
  options: {
    who: { type: 'string', default: 'ours' },
    target: { type: 'string', default: 'embedded' },
    connections: { type: 'string', default: '1000' },
    before: { type: 'string', default: '120' },
    steered: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const wanted = values.who === 'all' ? names : (values.who.split(',') as SteeringName[]);
if (values.help) process.stdout.write(usage);
else if (wanted.some((name) => !names.includes(name))) {
  process.stderr.write(`--who ${values.who}: of ${names.join(', ')}\n\n${usage}`);
  process.exitCode = 2;
} else process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  await enterOwnNetwork();
  const program = values.target === 'bmv2' ? findBmv2() : embeddedSwitch();
  if ('unavailable' in program) {
    process.stderr.write(`cannot run: ${program.unavailable}\n`);
    return 2;
  }
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-load-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let broken = 0;
  for (const name of wanted) {
    const steering = steeringCases[name]();
    const result = await runExperiment({
      program,
      steering,
      connections: Number(values.connections),
      seed: Number(values.seed),
      beforeMs: Number(values.before) * 1_000,
      steeredMs: Number(values.steered) * 1_000,
      directory: join(directory, name),
      onProgress: (line) => console.log(line),
    });
    broken += result.users.broken;
    const foretold = simulate(result, steering);
    const rows = caseRows(result, foretold);
    const servers = serversTable(result, foretold);
    console.log(['', ...casesHead, ...rows, '', ...servers, ''].join('\n'));
    for (const { reason, server, ageMs } of result.broken)
      console.log(`broken: ${reason}, at ${server ?? 'nobody yet'}, ${ageMs.toFixed(0)} ms old`);
    mkdirSync('out', { recursive: true });
    writeFileSync(join('out', `load-${name}-${values.target}.json`), `${JSON.stringify(result)}\n`);
    const picture = plotLoads(result.series, cpusOfServers, result.beforeMs, 'logarithmic');
    writeFileSync(join('out', `load-${name}-${values.target}.svg`), picture);
    if (!values.write) continue;
    const path = 'docs/load-aware.md';
    const isOurs = name === 'ours' && values.target === 'embedded';
    let page = withRows(readFileSync(path, 'utf8'), 'experiment', command, casesHead, rows);
    if (isOurs) page = withRows(page, 'servers', command, servers.slice(0, 2), servers.slice(2), true);
    writeFileSync(path, page);
    if (isOurs) writeFileSync('docs/load-experiment.svg', picture);
  }
  return broken === 0 ? 0 : 1;
}
