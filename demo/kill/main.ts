// SPDX-License-Identifier: Apache-2.0
/** `make kill-experiment`: servers that are killed, vanish or hang under traffic, and what everybody sees of it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { enterOwnNetwork } from '../../lab/own-network.ts';
import { withRows } from '../load/report.ts';
import { embeddedSwitch, findBmv2 } from '../targets.ts';
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

// Whoever interrupts us wants the namespaces and processes gone; the handlers of 'exit' see to that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: names.join(',') },
    kills: { type: 'string', default: '10' },
    target: { type: 'string', default: 'embedded' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const wanted = values.cases.split(',');
if (values.help) process.stdout.write(usage);
else if (wanted.some((name) => !names.includes(name))) {
  process.stderr.write(`--cases ${values.cases}: of ${names.join(', ')}\n\n${usage}`);
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
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-kill-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let othersBroken = 0;
  for (const name of wanted) {
    const result = await runKills({
      program,
      given: killCases[name]!,
      kills: Number(values.kills),
      directory: join(directory, name),
      onProgress: (line) => console.log(line),
    });
    const row = killRow(result);
    console.log(['', ...killsHead, row, ''].join('\n'));
    othersBroken += result.kills.reduce((sum, kill) => sum + kill.othersBroken, 0);
    mkdirSync('out', { recursive: true });
    writeFileSync(join('out', `kill-${name}-${values.target}.json`), `${JSON.stringify(result)}\n`);
    if (!values.write) continue;
    const path = 'docs/health.md';
    writeFileSync(
      path,
      withRows(readFileSync(path, 'utf8'), 'kills', 'make kill-experiment', killsHead, [row]),
    );
  }
  return othersBroken === 0 ? 0 : 1;
}
