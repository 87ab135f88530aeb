// SPDX-License-Identifier: Apache-2.0
/**
 * `make sim`: worlds under seeds.
 *
 *   make sim SEED=7                       one world: its fault plan, what went wrong, and the story of the flow concerned
 *   make sim RUNS=10000                   many, on all cores; a world that fails is made smaller and printed
 *   make sim ARGS="--without pins"        without a rule that protects connections (sim/world/rules.ts)
 *   make sim SEED=7 ARGS="--calm --fault killsPerMinute=5"     a plan of one's own
 *
 * Exits with 1 when an invariant is broken.
 */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type FaultName, faultNames, noFaults } from '../world/faults.ts';
import { commandOf, describePlan, drawPlan, placementOf, type WorldPlan } from '../world/plan.ts';
import { type RuleName, ruleNames } from '../world/rules.ts';
import { shrink } from '../world/shrink.ts';
import { runMany } from './run-many.ts';
import type { RunManner, RunResult } from './run-message.ts';
import { runWorld } from './run-world.ts';

interface Options {
  seed?: number;
  runs: number;
  first: number;
  jobs: number;
  without?: RuleName;
  compiled?: true;
  calm?: true;
  fault: Partial<Record<FaultName, number>>;
  turmoil?: number;
  placement?: WorldPlan['placement'];
  table?: WorldPlan['table'];
  switches?: number;
  group?: true;
  shrink: boolean;
}

const shrunkLimit = 3;

const options = new Command('sim')
  .option('--seed <number>', 'replays the world of this seed', number)
  .option('--runs <number>', 'runs so many worlds', number, 200)
  .option('--first <number>', 'from this seed on', number, 1)
  .option('--jobs <number>', 'threads', number, availableParallelism())
  .addOption(new Option('--without <rule>', 'switches a protective rule off').choices(ruleNames))
  .option('--compiled', 'the switches execute p4/build, which takes some thirty times as long')
  .option('--calm', 'no faults but those of --fault')
  .option('--fault <name=value>', 'sets a number of the fault plan; may be repeated', fault, {})
  .option('--turmoil <ms>', 'for how long there are faults', number)
  .addOption(new Option('--placement <kind>', 'instead of what the seed draws').choices(['pure', 'sticky']))
  .addOption(
    new Option('--table <kind>', 'instead of what the seed draws').choices(['maglev', 'prefix', 'mixed']),
  )
  .option('--switches <number>', 'behind ECMP', number)
  .option('--group', 'a single switch, too, is driven as a group')
  .option('--no-shrink', 'prints failing plans as they are')
  .parse()
  .opts<Options>();

const manner: RunManner = { without: options.without, isCompiled: options.compiled ?? false };

process.exitCode = options.seed === undefined ? await many(options) : one(planOf(options.seed, options));

function planOf(
  seed: number,
  { calm, fault, turmoil, placement, table, switches, group }: Options,
): WorldPlan {
  const drawn = drawPlan(seed, table);
  return {
    ...drawn,
    turmoilMs: turmoil ?? drawn.turmoilMs,
    placement: placementOf(drawn.table, placement ?? drawn.placement),
    switchCount: switches ?? drawn.switchCount,
    isGroup: group ?? drawn.isGroup,
    faults: { ...(calm ? noFaults : drawn.faults), ...fault },
  };
}

function one(plan: WorldPlan): number {
  print(...describePlan(plan));
  if (options.without) print(`without ${options.without}`);
  const { violations, thrown, result } = runWorld(plan, manner, true);
  const { flows, packets, digests, commits, maxPins, endedAt } = result.stats;
  print(
    `${flows} flows, ${packets} packets, ${digests} digests, ${commits} commits, ${maxPins} pins at most; ` +
      `all at rest after ${endedAt} ms`,
  );
  for (const { invariant, at, message, trace = [] } of violations) {
    print(`VIOLATED at ${at} ms: ${invariant}: ${message}`, ...trace.map((line) => `    ${line}`));
  }
  if (thrown) print(`VIOLATED: ${thrown.stack}`);
  if (result.broken.length === 0) print('I1-I7 hold, and all has converged.');
  return result.broken.length === 0 ? 0 : 1;
}

async function many({ first, runs, jobs, without }: Options): Promise<number> {
  const startedAt = performance.now();
  const plans = Array.from({ length: runs }, (_, index) => planOf(first + index, options));
  const failed: RunResult[] = [];
  const totals = { worlds: 0, flows: 0, packets: 0, commits: 0, crashes: 0, simulatedMs: 0 };
  const broken = new Map<string, number>();
  await runMany(plans, { jobs, ...manner }, (result) => {
    totals.worlds++;
    totals.flows += result.stats.flows;
    totals.packets += result.stats.packets + result.stats.floodPackets;
    totals.commits += result.stats.commits;
    totals.crashes += result.stats.crashes;
    totals.simulatedMs += result.stats.endedAt;
    for (const invariant of result.broken) broken.set(invariant, (broken.get(invariant) ?? 0) + 1);
    if (result.broken.length > 0) failed.push(result);
    progress(totals.worlds, runs, failed.length, startedAt);
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  print(
    `${totals.worlds} worlds (seeds ${first} to ${first + runs - 1}${without ? `, without ${without}` : ''}) in ` +
      `${seconds.toFixed(1)} s, ${(totals.worlds / seconds).toFixed(1)} worlds/s on ${jobs} threads: ` +
      `${totals.flows} flows, ${totals.packets} packets, ${totals.commits} commits, ${totals.crashes} crashes, ` +
      `${(totals.simulatedMs / 3_600_000).toFixed(1)} hours`,
  );
  if (failed.length === 0) {
    print('I1-I7 hold in all of them, and all have converged.');
    return 0;
  }
  print(`${failed.length} worlds went wrong:`);
  for (const [invariant, count] of broken) print(`  ${invariant} in ${count}`);
  failed.sort((a, b) => a.plan.seed - b.plan.seed);
  print(`  seeds ${failed.map(({ plan }) => plan.seed).join(' ')}`);
  if (!without) for (const result of failed.slice(0, shrunkLimit)) tellSmaller(result);
  return 1;
}

function tellSmaller({ plan, broken }: RunResult): void {
  const isSame = (smaller: WorldPlan): boolean =>
    runWorld(smaller, { ...manner, without: undefined }).result.broken.some((invariant) =>
      broken.includes(invariant),
    );
  const { plan: smaller, attempts } = options.shrink ? shrink(plan, isSame) : { plan, attempts: 0 };
  print('', `seed ${plan.seed} (${broken.join(', ')}), made smaller in ${attempts} worlds:`);
  one(smaller);
  print(`again: ${commandOf(smaller)}`);
}

function progress(done: number, of: number, failed: number, startedAt: number): void {
  const perSecond = done / ((performance.now() - startedAt) / 1_000);
  const text = `${done}/${of} worlds, ${failed} went wrong, ${perSecond.toFixed(1)}/s`;
  if (process.stdout.isTTY) {
    const width = 30;
    const filled = Math.round((done / of) * width);
    process.stdout.write(
      `\r[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${text}${done === of ? '\n' : ''}`,
    );
  } else if (done % Math.ceil(of / 10) === 0) {
    print(text);
  }
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('not a number');
  return value;
}

function fault(text: string, before: Options['fault']): Options['fault'] {
  const [name, value] = text.split('=');
  const known = faultNames.find((other) => other === name);
  if (known === undefined || value === undefined) {
    throw new InvalidArgumentError(`one of ${faultNames.join(', ')}, with =value`);
  }
  return { ...before, [known]: number(value) };
}

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
