// SPDX-License-Identifier: Apache-2.0
/** `make demo`: five hundred connections, thirty changes, one murdered controller, and nobody may notice. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SlotTable } from '../controller/core/desired.ts';
import { enterLab, labCapability } from '../lab/capability.ts';
import { formatReport, hasPassed, type Report } from './report.ts';
import { run, runDefaults } from './run.ts';
import { demoScenario, floodScenario, shortScenario } from './scenario.ts';
import { openNetwork, type Target } from './targets.ts';
import { trafficDefaults } from './traffic.ts';
import { openView } from './view.ts';

const usage = `usage: make demo [ARGS="..."]

  --target TARGET      embedded (default), or bmv2: a real simple_switch_grpc, from BMV2_SWITCH_EXE or PATH
  --table KIND         maglev (default), or prefix: the switch holds prefixes of slots
  --naive              without versions, filters and pins: shows that breakage is seen
  --in-memory          hosts in memory even where network namespaces can be had (embedded only)
  --scenario NAME      demo (default), flood (100,000 SYNs at unstable slots) or short
  --connections COUNT  long-lived connections (${trafficDefaults.longConnections})
  --seed NUMBER        of the traffic (${trafficDefaults.seed})
  --help

Exit code: 0 all is well, 1 something was broken, 2 it could not run.
`;

const reportPath = join('out', 'demo.json');
const scenarios = { demo: demoScenario, flood: floodScenario, short: shortScenario };

/** For a network in memory. */
const gentle = {
  slots: 4_096,
  traffic: { steadyMs: { min: 2_000, max: 6_000 }, shortPerSecond: 15 },
};

interface Arguments {
  target: Target;
  table: SlotTable;
  naive: boolean;
  inMemory: boolean;
  scenario: keyof typeof scenarios;
  connections: number;
  seed: number;
}

// Whoever interrupts us wants the namespaces and processes gone; the handlers of 'exit' see to that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const parsed = parseArguments(process.argv.slice(2));
if ('help' in parsed) process.stdout.write(usage);
else if ('problem' in parsed) {
  process.stderr.write(`${parsed.problem}\n\n${usage}`);
  process.exitCode = 2;
} else process.exitCode = await main(parsed);
// Sockets of a run that failed half-way must not keep us.
process.exit();

async function main({
  target,
  table,
  naive,
  inMemory,
  scenario,
  connections,
  seed,
}: Arguments): Promise<number> {
  if (!inMemory && labCapability() === 'unshare') await enterLab();
  const network = await openNetwork(target, inMemory).catch((error: Error) => {
    return { unavailable: error.message };
  });
  if ('unavailable' in network) {
    process.stderr.write(`cannot run: ${network.unavailable}\n`);
    return 2;
  }
  process.stdout.write(`${network.description}\n`);
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-demo-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const view = openView(process.stdout);
  try {
    const report = await run(network, {
      ...runDefaults,
      ...(network.isInMemory && { slots: gentle.slots }),
      table,
      naive,
      scenario: scenarios[scenario],
      traffic: {
        ...trafficDefaults,
        ...(network.isInMemory && gentle.traffic),
        longConnections: connections,
        seed,
      },
      directory,
      onProgress: (progress) => view.show(progress),
    });
    view.close();
    process.stdout.write(`${formatReport(report)}\n\n${verdict(report)}\n`);
    save(report);
    return hasPassed(report) ? 0 : 1;
  } catch (error) {
    view.close();
    process.stderr.write(`the run was cut short: ${(error as Error).message}\n`);
    return 2;
  } finally {
    await network.close();
  }
}

function save(report: Report): void {
  try {
    mkdirSync(dirname(reportPath), { recursive: true });
    writeFileSync(reportPath, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    process.stderr.write(`${reportPath} could not be written: ${(error as Error).message}\n`);
  }
}

function verdict(report: Report): string {
  const where = `details in ${reportPath}`;
  if (hasPassed(report)) return `All is well; ${where}`;
  const hint = report.naive && report.brokenCount > 0 ? ' This is what a naive table change does.' : '';
  return `NOT WELL.${hint} ${where}`;
}

function parseArguments(argv: string[]): Arguments | { help: true } | { problem: string } {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        target: { type: 'string', default: 'embedded' },
        table: { type: 'string', default: 'maglev' },
        naive: { type: 'boolean', default: false },
        'in-memory': { type: 'boolean', default: false },
        scenario: { type: 'string', default: 'demo' },
        connections: { type: 'string', default: String(trafficDefaults.longConnections) },
        seed: { type: 'string', default: String(trafficDefaults.seed) },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { target, table, naive, scenario } = values;
    if (values.help) return { help: true };
    if (target !== 'embedded' && target !== 'bmv2')
      return { problem: `--target ${target}: embedded or bmv2` };
    if (table !== 'maglev' && table !== 'prefix') return { problem: `--table ${table}: maglev or prefix` };
    if (scenario !== 'demo' && scenario !== 'flood' && scenario !== 'short')
      return { problem: `--scenario ${scenario}: demo, flood or short` };
    const connections = Number(values.connections);
    if (!(Number.isInteger(connections) && connections >= 1 && connections <= 5_000)) {
      return { problem: `--connections ${values.connections}: a number from 1 to 5000` };
    }
    const seed = Number(values.seed);
    if (!Number.isSafeInteger(seed)) return { problem: `--seed ${values.seed}: an integer` };
    return { target, table, naive, inMemory: values['in-memory'], scenario, connections, seed };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
