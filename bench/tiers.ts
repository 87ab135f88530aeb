// SPDX-License-Identifier: Apache-2.0
/**
 * What interpreting the first packets is worth: milliseconds of processor time from the text of a program to its first
 * packet, in a fresh process, for each tier. `node dist/bench/tiers.js PROGRAM.json...`; the median of some runs is
 * printed.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile, type Tier } from '../switch/engine/compile.ts';

const tiers: readonly Tier[] = ['compiled', 'adaptive', 'interpreted'];
const runs = 15;
/** Behind the first packet: enough for an adaptive pipeline to have changed over. */
const packets = 1000;

export interface Start {
  /** From the text to the end of the first packet. */
  firstPacketMs: number;
  /** From then to the end of the last. */
  restMs: number;
}

/** In this process, which should be fresh. */
export function measureStart(json: string, tier: Tier): Start {
  const frame = new Uint8Array(128);
  const start = process.cpuUsage();
  const { pipeline } = compile(JSON.parse(json), {
    tier,
    dropPort: 511,
    sink: { transmit: () => {}, digest: () => {}, diagnostic: () => {} },
  });
  pipeline.process(1, frame, 0);
  const first = process.cpuUsage();
  for (let count = 1; count <= packets; count++) pipeline.process(1, frame, count);
  return { firstPacketMs: between(start, first), restMs: between(first, process.cpuUsage()) };
}

function between(from: NodeJS.CpuUsage, to: NodeJS.CpuUsage): number {
  return (to.user + to.system - from.user - from.system) / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function main(args: readonly string[]): void {
  const [first, tier, path] = args;
  if (first === '--in-this-process') {
    process.stdout.write(JSON.stringify(measureStart(readFileSync(path!, 'utf8'), tier as Tier)));
    return;
  }
  for (const program of args) {
    for (const each of tiers) {
      const starts = Array.from({ length: runs }, (): Start => {
        const own = [fileURLToPath(import.meta.url), '--in-this-process', each, program];
        return JSON.parse(spawnSync(process.execPath, own, { encoding: 'utf8' }).stdout) as Start;
      });
      const [firstMs, restMs] = (['firstPacketMs', 'restMs'] as const).map((key) =>
        median(starts.map((start) => start[key])).toFixed(1),
      );
      console.log(`${program} ${each}: first packet after ${firstMs} ms, ${packets} more in ${restMs} ms`);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
