// SPDX-License-Identifier: Apache-2.0
/**
 * `make evaluate`: runs the experiments of sim/evaluate on all cores and writes their tables into docs/evaluation.md.
 *
 * The rows of every case are kept under out/evaluate, by a hash of the code that made them, so that a run which was
 * interrupted goes on where it was. The figures of an experiment are written when all its cases are there.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Command } from 'commander';
import { type Experiment, fullScale, quickScale, type Row, type Scale } from '../evaluate/experiment.ts';
import { experiments } from '../evaluate/experiments.ts';
import { withBlock } from '../evaluate/page.ts';
import { checkedOut, ResultStore, root, type Task, textOf } from './result-store.ts';

const pagePath = join(root, 'docs/evaluation.md');
const PAGE_START = '# Evaluation\n';

if (isMainThread) await main();
else work();

async function main(): Promise<void> {
  const program = new Command('evaluate')
    .description('Measures evenkeel against its rivals in simulation and writes docs/evaluation.md.')
    .option('--only <name...>', `these experiments: ${experiments.map(({ name }) => name).join(', ')}`)
    .option('--quick', 'a small copy of everything, in minutes; prints the tables and writes nothing')
    .option('--seeds <number>', 'fewer seeds, or more')
    .option('--jobs <number>', 'threads', String(availableParallelism()))
    .parse();
  const { only, quick, seeds, jobs } = program.opts<{
    only?: string[];
    quick?: true;
    seeds?: string;
    jobs: string;
  }>();
  const unknown = only?.find((name) => !experiments.some((experiment) => experiment.name === name));
  if (unknown !== undefined) program.error(`no experiment is called ${unknown}`);
  const whole = quick ? quickScale : fullScale;
  const scale = { ...whole, seeds: Number(seeds ?? whole.seeds) };
  if (!(scale.seeds >= 1)) program.error(`${seeds} is not a number of seeds`);
  const chosen = experiments.filter(({ name }) => only?.includes(name) ?? true);

  const store = new ResultStore(scale);
  const tasks = chosen.flatMap((experiment) =>
    experiment.cases(scale).map((given) => ({ experiment: experiment.name, given, scale })),
  );
  await runAll(tasks, store, Number(jobs));
  for (const experiment of chosen) {
    const text = blockOf(experiment, store, scale);
    if (quick) console.log(`\n## ${experiment.title}\n\n${text}`);
    else writeBlock(experiment, text);
  }
}

/** Runs what the store lacks, and says how far it is. */
async function runAll(all: readonly Task[], store: ResultStore, jobs: number): Promise<void> {
  const tasks = all.filter((task) => !store.has(task));
  if (tasks.length < all.length)
    console.log(`${all.length - tasks.length} of ${all.length} cases are there already`);
  const commit = checkedOut();
  const startedAt = performance.now();
  let next = 0;
  let done = 0;
  const runOne = (worker: Worker, task: Task): Promise<void> =>
    new Promise((fulfil, reject) => {
      const from = performance.now();
      worker.once('error', reject);
      worker.once('message', (rows: Row[]) => {
        worker.off('error', reject);
        const seconds = (performance.now() - from) / 1000;
        store.keep(task, { commit, seconds, rows });
        done++;
        const leftMinutes = ((performance.now() - startedAt) / done / 60_000) * (tasks.length - done);
        console.log(
          `${done} of ${tasks.length}: ${task.experiment} ${textOf(task.given)}: ${seconds.toFixed(1)} s; about ${leftMinutes.toFixed(0)} min left`,
        );
        fulfil();
      });
      worker.postMessage(task);
    });
  const drain = async (): Promise<void> => {
    if (next >= tasks.length) return;
    const worker = new Worker(new URL(import.meta.url));
    try {
      while (next < tasks.length) await runOne(worker, tasks[next++]!);
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, drain));
}

/** A thread's life: one case after the other. */
function work(): void {
  parentPort!.on('message', ({ experiment, given, scale }: Task) => {
    const { run } = experiments.find(({ name }) => name === experiment)!;
    parentPort!.postMessage(run(given, scale));
  });
}

function blockOf(experiment: Experiment, store: ResultStore, scale: Scale): string {
  const cases = experiment.cases(scale);
  const kept = cases.map((given) => store.get({ experiment: experiment.name, given, scale }));
  const seeds = new Set(cases.map(({ seed }) => seed));
  const commits = [...new Set(kept.map((one) => one.commit))];
  const minutes = kept.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const origin = [
    `\`make evaluate ARGS="--only ${experiment.name}"\``,
    `seeds ${Math.min(...seeds)}..${Math.max(...seeds)}`,
    'median (min..max)',
    `commit ${commits.join(', ')}`,
    `${minutes.toFixed(0)} minutes of one core`,
  ].join('; ');
  return `${origin}\n\n${experiment.report(kept.flatMap(({ rows }) => rows))}`;
}

function writeBlock(experiment: Experiment, text: string): void {
  const page = existsSync(pagePath) ? readFileSync(pagePath, 'utf8') : PAGE_START;
  writeFileSync(pagePath, withBlock(page, experiment, text));
  console.log(`${relative(root, pagePath)}: ${experiment.name} is written`);
}
