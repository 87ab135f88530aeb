// SPDX-License-Identifier: Apache-2.0
/**
 * How many table entries per second a switch takes over P4Runtime: INSERT, MODIFY and DELETE of rows of our table `slot`,
 * in requests of several sizes, one request after the other. The client shares the machine.
 */

import { EntryCodec, type EntryInput } from '../p4runtime/entries.ts';
import type { Update } from '../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../p4runtime/p4info.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { balancer, pool } from './programs/balancer.ts';
import { type SwitchKind, startP4RuntimeSwitch } from './traffic/switches.ts';

export type P4RuntimeSwitchKind = Exclude<SwitchKind, 'pass-through'>;

export interface WriteBenchOptions {
  switches: readonly P4RuntimeSwitchKind[];
  /** Updates of a request. */
  batchSizes: readonly number[];
  /** Rows that are inserted, modified and deleted again with each batch size, at most. */
  rows: number;
  /** Requests with each batch size, at most. */
  requests: number;
  rounds: number;
}

export const writeBenchDefaults: Readonly<WriteBenchOptions> = {
  switches: ['embedded', 'bmv2'],
  batchSizes: [1, 100, 1_000],
  rows: 50_000,
  requests: 2_000,
  rounds: 3,
};

const warmUpRows = 4_000;
const warmUpBatchSize = 10;

const operations = ['insert', 'modify', 'remove'] as const;
export type WriteOperation = (typeof operations)[number];

export interface WriteBenchResult {
  switchKind: P4RuntimeSwitchKind;
  operation: WriteOperation;
  batchSize: number;
  /** Updates per second, one per round. */
  perSecond: Distribution;
}

/** @throws Error when a switch refuses an update */
export async function benchWrites(options: WriteBenchOptions): Promise<WriteBenchResult[]> {
  const rates = new Map<
    string,
    { switchKind: P4RuntimeSwitchKind; operation: WriteOperation; batchSize: number; perSecond: number[] }
  >();
  const program = balancer({ slots: 2, backends: 1 });
  const codec = new EntryCodec(new P4InfoIndex(program.p4info));
  for (let round = 0; round < options.rounds; round++) {
    for (const switchKind of options.switches) {
      const running = await startP4RuntimeSwitch(switchKind);
      try {
        await running.client.setPipeline(program);
        // Nobody measures a switch in its first second.
        for (const operation of operations) {
          const updates = Array.from({ length: warmUpRows }, (_, slot) => codec[operation](slotRow(slot, 1)));
          await write(running.client, updates, warmUpBatchSize);
        }
        for (const batchSize of options.batchSizes) {
          const rows = Math.min(options.rows, options.requests * batchSize);
          for (const operation of operations) {
            const backend = operation === 'modify' ? 2 : 1;
            const updates = Array.from({ length: rows }, (_, slot) =>
              codec[operation](slotRow(slot, backend)),
            );
            const perSecond = await write(running.client, updates, batchSize);
            const key = `${switchKind} ${operation} ${batchSize}`;
            const row = rates.get(key) ?? { switchKind, operation, batchSize, perSecond: [] };
            rates.set(key, row);
            row.perSecond.push(perSecond);
          }
        }
      } finally {
        await running.close();
      }
    }
  }
  return [...rates.values()].map(({ perSecond, ...row }) => ({
    ...row,
    perSecond: distributionOf(perSecond),
  }));
}

/** Rows of a table for docs/benchmarks.md; the ratio is of medians. */
export function formatWriteBench(results: readonly WriteBenchResult[]): string[] {
  const number = (value: number) => Math.round(value).toLocaleString('en');
  return [
    '| operation | updates a request | switch | updates/s, median | least to most | times BMv2 |',
    '|---|---|---|---|---|---|',
    ...results.map(({ operation, batchSize, switchKind, perSecond: { p50, least, most } }) => {
      const peer = results.find((result) => {
        return (
          result.switchKind === 'bmv2' && result.operation === operation && result.batchSize === batchSize
        );
      });
      const ratio = peer === undefined ? '-' : (p50 / peer.perSecond.p50).toFixed(2);
      return `| ${operation} | ${batchSize} | ${switchKind} | ${number(p50)} | ${number(least)} to ${number(most)} | ${ratio} |`;
    }),
  ];
}

export function slotRow(slot: number, backend: number): EntryInput {
  return {
    table: 'slot',
    // More rows than slots of one pool.
    match: { pool: pool + Math.floor(slot / 65_536), slot: slot % 65_536 },
    action: { name: 'set_slot', params: { unstable: 0, pin_base: 0, backend } },
  };
}

/** @returns updates per second */
async function write(
  client: { write(updates: readonly Update[]): Promise<readonly { ok: boolean }[]> },
  updates: readonly Update[],
  batchSize: number,
): Promise<number> {
  const startMs = performance.now();
  for (let from = 0; from < updates.length; from += batchSize) {
    const results = await client.write(updates.slice(from, from + batchSize));
    if (!results.every(({ ok }) => ok))
      throw new Error(`an update was refused: ${JSON.stringify(results.find(({ ok }) => !ok))}`);
  }
  return (updates.length / (performance.now() - startMs)) * 1000;
}
