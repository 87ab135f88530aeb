// SPDX-License-Identifier: Apache-2.0
/**
 * `make bench`: the figures of docs/benchmarks.md. Each prints rows for that file, and takes five minutes at most with
 * its defaults. ARGS="--what forwarding" asks for one of them; the other options belong to that one.
 */

import { parseArgs } from 'node:util';
import type { Placement } from '../controller/core/desired.ts';
import type { Target } from '../demo/targets.ts';
import { enterLab } from '../lab/capability.ts';
import { benchCommit, formatCommitBench } from './commit.ts';
import { benchDigests, digestBenchDefaults, formatDigestBench } from './digests.ts';
import { benchForwarding, formatForwarding, forwardingDefaults } from './forwarding.ts';
import {
  benchHealthCost,
  benchKills,
  benchWholeController,
  formatHealthCosts,
  formatKillTimes,
  formatWholeCosts,
  healthBenchDefaults,
} from './health.ts';
import { benchMemory, formatMemoryBench, memoryBenchDefaults } from './memory.ts';
import { benchPipeline, formatPipelineBench, pipelineBenchDefaults } from './pipeline.ts';
import { prefixBenchDefaults } from './prefix.ts';
import { prefixPage } from './prefix-report.ts';
import { balancer } from './programs/balancer.ts';
import { router } from './programs/router.ts';
import { benchScale, formatScale, scaleDefaults } from './scale.ts';
import { benchSim, formatSimBench, simBenchDefaults } from './sim.ts';
import { tablesPage, writeBetweenMarkers } from './table-report.ts';
import { tableBenchDefaults } from './tables.ts';
import { benchTakeover, formatTakeover, takeoverDefaults } from './takeover.ts';
import { type SwitchKind, whyNot } from './traffic/switches.ts';
import { benchWrites, formatWriteBench, writeBenchDefaults } from './writes.ts';

const { values } = parseArgs({
  options: {
    /** One of `benches`. */
    what: { type: 'string', default: 'commit' },
    target: { type: 'string' },
    // commit, prefix
    slots: { type: 'string' },
    placement: { type: 'string' },
    removals: { type: 'string', default: '20' },
    // forwarding: balancer or router
    program: { type: 'string' },
    // also scale: how many
    switches: { type: 'string' },
    'frame-bytes': { type: 'string' },
    // memory
    rows: { type: 'string' },
    // tables, prefix, scale: a page to write them to
    into: { type: 'string' },
    // tables
    seeds: { type: 'string' },
    // several
    rounds: { type: 'string' },
    'duration-ms': { type: 'string' },
    // takeover: leases in milliseconds
    leases: { type: 'string', default: '2000,5000' },
    kills: { type: 'string' },
  },
});

// Whoever interrupts us wants the processes gone; the handlers of 'exit' see to that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const say = (lines: readonly string[]) => console.log(lines.join('\n'));
const numbers = (text: string) => text.split(',').map(Number);

const benches: Readonly<Record<string, () => Promise<void>>> = {
  commit: commitBench,
  forwarding: forwardingBench,
  pipeline: pipelineBench,
  sim: simBench,
  writes: writesBench,
  memory: memoryBench,
  digests: digestsBench,
  tables: tablesBench,
  prefix: prefixBench,
  scale: scaleBench,
  takeover: takeoverBench,
  health: healthBench,
};

const bench = benches[values.what];
if (bench === undefined) throw new Error(`--what is one of ${Object.keys(benches).join(', ')}`);
await bench();

async function commitBench(): Promise<void> {
  const targets = values.target ? [values.target as Target] : (['embedded', 'bmv2'] as const);
  const slotCounts = values.slots ? [Number(values.slots)] : [4_096, 65_536];
  const placements = values.placement ? [values.placement as Placement] : (['pure', 'sticky'] as const);
  for (const target of targets) {
    for (const slots of slotCounts) {
      for (const placement of placements) {
        // 100 slots a backend at least; the pool of 100 does not fit 4,096 slots by that rule, which is a warning only.
        const options = { target, slots, placement, backends: 100, removals: Number(values.removals) };
        const result = await benchCommit(options);
        if ('unavailable' in result) say([`${target}: not measured: ${result.unavailable}`]);
        else say([formatCommitBench(options, result)]);
      }
    }
  }
}

async function forwardingBench(): Promise<void> {
  await enterLab();
  const programs = { balancer, router };
  const names = (values.program ?? 'balancer').split(',') as (keyof typeof programs)[];
  const switches = available(forwardingDefaults.switches);
  for (const name of names) {
    const program = programs[name]();
    const results = await benchForwarding({
      program,
      switches,
      frameBytes: values['frame-bytes'] ? numbers(values['frame-bytes']) : forwardingDefaults.frameBytes,
      rounds: Number(values.rounds ?? forwardingDefaults.rounds),
      trialMs: Number(values['duration-ms'] ?? forwardingDefaults.trialMs),
      onProgress: (line) => say([line]),
    });
    say(formatForwarding(program.name, results));
  }
}

async function pipelineBench(): Promise<void> {
  const results = benchPipeline({
    ...pipelineBenchDefaults,
    rounds: Number(values.rounds ?? pipelineBenchDefaults.rounds),
    durationMs: Number(values['duration-ms'] ?? pipelineBenchDefaults.durationMs),
    frameBytes: Number(values['frame-bytes'] ?? pipelineBenchDefaults.frameBytes),
  });
  say(formatPipelineBench(results));
}

async function simBench(): Promise<void> {
  say(
    formatSimBench(
      benchSim({ ...simBenchDefaults, rounds: Number(values.rounds ?? simBenchDefaults.rounds) }),
    ),
  );
}

async function writesBench(): Promise<void> {
  const options = { ...writeBenchDefaults, switches: available(writeBenchDefaults.switches) };
  say(formatWriteBench(await benchWrites({ ...options, rounds: Number(values.rounds ?? options.rounds) })));
}

async function memoryBench(): Promise<void> {
  const options = { ...memoryBenchDefaults, switches: available(memoryBenchDefaults.switches) };
  say(formatMemoryBench(await benchMemory({ ...options, rows: Number(values.rows ?? options.rows) })));
}

async function digestsBench(): Promise<void> {
  await enterLab();
  const options = { ...digestBenchDefaults, switches: available(digestBenchDefaults.switches) };
  say(formatDigestBench(await benchDigests({ ...options, onProgress: (line) => say([line]) })));
}

async function takeoverBench(): Promise<void> {
  for (const leaseMs of numbers(values.leases)) {
    const kills = Number(values.kills ?? takeoverDefaults.kills);
    const options = { ...takeoverDefaults, leaseMs, kills, onProgress: (line: string) => say([line]) };
    const result = await benchTakeover(options);
    if ('unavailable' in result) say([`takeover: not measured: ${result.unavailable}`]);
    else say(formatTakeover(options, result));
  }
}

async function tablesBench(): Promise<void> {
  const lines = tablesPage({
    ...tableBenchDefaults,
    seeds: Number(values.seeds ?? tableBenchDefaults.seeds),
  });
  say(lines);
  if (values.into) writeBetweenMarkers(values.into, 'Evaluation', 'tables', lines);
}

async function prefixBench(): Promise<void> {
  const lines = prefixPage({
    ...prefixBenchDefaults,
    slots: Number(values.slots ?? prefixBenchDefaults.slots),
  });
  say(lines);
  if (values.into) writeBetweenMarkers(values.into, 'Prefix tables', 'figures', lines);
}

async function scaleBench(): Promise<void> {
  const options = { ...scaleDefaults, switches: Number(values.switches ?? scaleDefaults.switches) };
  const lines = [
    '## Scale',
    '',
    `Command: \`make bench ARGS="--what scale --switches ${options.switches}"\`.`,
    '',
    ...formatScale(options, benchScale(options)),
  ];
  say(lines);
  if (values.into) writeBetweenMarkers(values.into, 'Evaluation', 'scale', lines);
}

/** Those that are asked for and can be had here. */
function available<Kind extends SwitchKind>(all: readonly Kind[]): Kind[] {
  const wanted = values.switches?.split(',');
  return all.filter((kind) => {
    if (wanted !== undefined && !wanted.includes(kind)) return false;
    const reason = whyNot(kind);
    if (reason !== undefined) say([`${kind}: not measured: ${reason}`]);
    return reason === undefined;
  });
}

async function healthBench(): Promise<void> {
  const options = { ...healthBenchDefaults, rounds: Number(values.rounds ?? healthBenchDefaults.rounds) };
  say(formatHealthCosts(options, await benchHealthCost(options)));
  say(formatWholeCosts(options, await benchWholeController(options)));
  const kills = Number(values.kills ?? options.kills);
  for (const killIntervalMs of [1_000, 200])
    say(formatKillTimes(await benchKills({ ...options, kills, killIntervalMs })));
}
