// SPDX-License-Identifier: Apache-2.0
/** What a table entry costs a switch in memory: its resident set before and after very many rows of our table `slot`. */

import { readFileSync } from 'node:fs';
import { pause } from '../demo/programs.ts';
import { EntryCodec } from '../p4runtime/entries.ts';
import { P4InfoIndex } from '../p4runtime/p4info.ts';
import { Writer } from '../p4runtime/writer.ts';
import { balancer } from './programs/balancer.ts';
import { startP4RuntimeSwitch } from './traffic/switches.ts';
import { type P4RuntimeSwitchKind, slotRow } from './writes.ts';

export interface MemoryBenchOptions {
  switches: readonly P4RuntimeSwitchKind[];
  /** The table holds 1,048,576. */
  rows: number;
  /** For the switch to put itself in order, before each look. */
  settleMs: number;
}

export const memoryBenchDefaults: Readonly<MemoryBenchOptions> = {
  switches: ['embedded', 'bmv2'],
  rows: 1_000_000,
  settleMs: 10_000,
};

export interface MemoryBenchResult {
  switchKind: P4RuntimeSwitchKind;
  rows: number;
  beforeBytes: number;
  afterBytes: number;
  /** From the first row to the last. */
  fillMs: number;
}

const rowsPerChunk = 50_000;
const batchSize = 1_000;

/** @throws Error when a switch refuses a row */
export async function benchMemory(options: MemoryBenchOptions): Promise<MemoryBenchResult[]> {
  const program = balancer({ slots: 2, backends: 1 });
  const codec = new EntryCodec(new P4InfoIndex(program.p4info));
  const results: MemoryBenchResult[] = [];
  for (const switchKind of options.switches) {
    const running = await startP4RuntimeSwitch(switchKind);
    try {
      await running.client.setPipeline(program);
      await pause(options.settleMs);
      const beforeBytes = residentBytes(running.pid);
      const startMs = performance.now();
      const writer = new Writer((batch) => running.client.write(batch), { batchSize });
      for (let from = 0; from < options.rows; from += rowsPerChunk) {
        const count = Math.min(rowsPerChunk, options.rows - from);
        const updates = Array.from({ length: count }, (_, index) => codec.insert(slotRow(from + index, 1)));
        const results = await writer.writeAll(updates);
        const failure = results.find(({ ok }) => !ok);
        if (failure !== undefined) throw new Error(`a row was refused: ${JSON.stringify(failure)}`);
      }
      const fillMs = performance.now() - startMs;
      await pause(options.settleMs);
      results.push({
        switchKind,
        rows: options.rows,
        beforeBytes,
        afterBytes: residentBytes(running.pid),
        fillMs,
      });
    } finally {
      await running.close();
    }
  }
  return results;
}

/** Rows of a table for docs/benchmarks.md. */
export function formatMemoryBench(results: readonly MemoryBenchResult[]): string[] {
  const megabytes = (bytes: number) => Math.round(bytes / 1e6).toLocaleString('en');
  return [
    '| switch | entries | before, MB | after, MB | bytes an entry | filled in, s |',
    '|---|---|---|---|---|---|',
    ...results.map(({ switchKind, rows, beforeBytes, afterBytes, fillMs }) => {
      const perRow = Math.round((afterBytes - beforeBytes) / rows);
      const cells = [
        switchKind,
        rows.toLocaleString('en'),
        megabytes(beforeBytes),
        megabytes(afterBytes),
        perRow,
        (fillMs / 1000).toFixed(1),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
