// SPDX-License-Identifier: Apache-2.0
/**
 * How many packets per second the engine processes on one core when frames cost nothing: our load balancer on each of
 * its paths, and a small router, without ports and without a server. Paths and engines take turns, round after round.
 */

import { execFileSync } from 'node:child_process';
import { programPath } from '../demo/programs.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { type Engine, engines, pathsOf } from './pipeline-paths.ts';
import type { PathJob, PathOutcome } from './pipeline-process.ts';

export interface PipelineBenchOptions {
  rounds: number;
  /** Of one measurement. */
  durationMs: number;
  frameBytes: number;
  /** Names of paths; all when left out. */
  paths?: readonly string[];
}

export const pipelineBenchDefaults: Readonly<PipelineBenchOptions> = {
  rounds: 5,
  durationMs: 1_000,
  frameBytes: 60,
};

export interface PipelineBenchResult {
  path: string;
  engine: Engine;
  perSecond: Distribution;
}

/** @throws Error when packets do not take the path they should */
export function benchPipeline(options: PipelineBenchOptions): PipelineBenchResult[] {
  const { frameBytes, durationMs, rounds } = options;
  const names = options.paths ?? pathsOf(frameBytes).map(({ name }) => name);
  const runs = names.flatMap((path) =>
    (Object.keys(engines) as Engine[]).map((engine) => ({ path, engine, rates: [] as number[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { path, engine, rates } of runs) {
      rates.push(measure({ path, engine, frameBytes, durationMs }));
    }
  }
  return runs.map(({ path, engine, rates }) => ({ path, engine, perSecond: distributionOf(rates) }));
}

function measure(job: PathJob): number {
  const program = programPath('bench/pipeline-process.js');
  const text = execFileSync(process.execPath, [program, JSON.stringify(job)], { encoding: 'utf8' });
  return (JSON.parse(text) as PathOutcome).perSecond;
}

/** Rows of a table for docs/benchmarks.md; the ratio is of medians, to the slowest engine on the same path. */
export function formatPipelineBench(results: readonly PipelineBenchResult[]): string[] {
  const number = (value: number) => Math.round(value).toLocaleString('en');
  const slowest = (path: string) =>
    Math.min(...results.filter((result) => result.path === path).map(({ perSecond }) => perSecond.p50));
  return [
    '| path | engine | packets/s, median | least to most | ratio |',
    '|---|---|---|---|---|',
    ...results.map(({ path, engine, perSecond: { p50, least, most } }) => {
      const ratio = (p50 / slowest(path)).toFixed(1);
      return `| ${path} | ${engine} | ${number(p50)} | ${number(least)} to ${number(most)} | ${ratio} |`;
    }),
  ];
}
