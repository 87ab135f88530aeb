// SPDX-License-Identifier: Apache-2.0
/**
 * Digests of our load balancer: how many per second reach a client that acknowledges each, at several rates of packets
 * that raise one each; and how long one takes from the wire to the client when there is nothing else to do.
 */

import { pause } from '../demo/programs.ts';
import type { P4RuntimeClient } from '../p4runtime/client.ts';
import { enableDigest } from '../p4runtime/digests.ts';
import type { DigestList } from '../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../p4runtime/p4info.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { unknownFlows } from './programs/balancer.ts';
import { startBenchSwitch } from './traffic/switches.ts';
import { Testbed } from './traffic/testbed.ts';
import type { P4RuntimeSwitchKind } from './writes.ts';

export interface DigestBenchOptions {
  switches: readonly P4RuntimeSwitchKind[];
  /** Samples of a list, at most; 1 sends each at once. */
  listSizes: readonly number[];
  /** Of packets. */
  perSecond: readonly number[];
  durationMs: number;
  /** Packets of which the delay is measured. */
  delays: number;
  onProgress: (line: string) => void;
}

export const digestBenchDefaults = {
  switches: ['embedded', 'bmv2'],
  listSizes: [1, 100],
  perSecond: [2_000, 5_000, 10_000, 20_000, 50_000, 100_000],
  durationMs: 2_000,
  delays: 1_000,
} as const;

export interface DigestBenchResult {
  switchKind: P4RuntimeSwitchKind;
  listSize: number;
  /** The highest rate of packets of which no more than 0.5 % gave no digest; 0 when there is none. */
  sustainedPerSecond: number;
  /** At the highest rate offered. */
  mostPerSecond: number;
  /** From the frame on the wire to the client, in milliseconds; only of lists of one. */
  delayMs: Distribution | undefined;
}

const digestName = 'flow_digest_t';
const listTimeoutMs = 10;
const lossMax = 0.005;
const drainMs = 300;
const drainMsMax = 20_000;
const delayIntervalMs = 5;
const delayMsMax = 2_000;
const frameBytes = 60;
/** Beyond this loss higher rates are not tried: an overloaded switch takes long to recover. */
const hopelessLoss = 0.5;

export async function benchDigests(options: DigestBenchOptions): Promise<DigestBenchResult[]> {
  const results: DigestBenchResult[] = [];
  const program = unknownFlows();
  const index = new P4InfoIndex(program.p4info);
  const testbed = new Testbed('digests');
  try {
    for (const switchKind of options.switches) {
      for (const listSize of options.listSizes) {
        const running = await startBenchSwitch(switchKind, testbed.ports, program);
        try {
          const client = running.client!;
          const list = listSize === 1 ? {} : { listSizeMax: listSize, timeoutMs: listTimeoutMs };
          const [enabled] = await client.write([enableDigest(index, digestName, list)]);
          if (!enabled?.ok) throw new Error(`${switchKind} refuses the digest: ${enabled?.message}`);
          await testbed.setFlows(program.flows(frameBytes));
          const delayMs = listSize === 1 ? await delays(testbed, client, options.delays) : undefined;
          const rates = await throughput(testbed, client, options);
          results.push({ switchKind, listSize, ...rates, delayMs });
          options.onProgress(
            `${switchKind}, lists of ${listSize}: ${Math.round(rates.sustainedPerSecond)} digests/s`,
          );
        } finally {
          await running.close();
        }
      }
    }
  } finally {
    testbed.close();
  }
  return results;
}

/** Rows of a table for docs/benchmarks.md. */
export function formatDigestBench(results: readonly DigestBenchResult[]): string[] {
  const number = (value: number) => Math.round(value).toLocaleString('en');
  return [
    '| switch | samples a list, at most | digests/s without loss | digests/s at most | delay, ms p50 / p99 |',
    '|---|---|---|---|---|',
    ...results.map(({ switchKind, listSize, sustainedPerSecond, mostPerSecond, delayMs }) => {
      const delay = delayMs === undefined ? '-' : `${delayMs.p50.toFixed(2)} / ${delayMs.p99.toFixed(2)}`;
      return `| ${switchKind} | ${listSize} | ${number(sustainedPerSecond)} | ${number(mostPerSecond)} | ${delay} |`;
    }),
  ];
}

async function throughput(
  testbed: Testbed,
  client: P4RuntimeClient,
  { perSecond, durationMs }: DigestBenchOptions,
): Promise<Pick<DigestBenchResult, 'sustainedPerSecond' | 'mostPerSecond'>> {
  let received = 0;
  let lastMs = 0;
  const stop = onLists(client, (list) => {
    received += list.data.length;
    lastMs = performance.now();
    client.ack(list);
  });
  let sustainedPerSecond = 0;
  let mostPerSecond = 0;
  for (const rate of perSecond) {
    received = 0;
    const startMs = performance.now();
    const { offered, offeredPerSecond } = await testbed.run(rate, durationMs);
    for (let waitedMs = 0, before = -1; before !== received && waitedMs < drainMsMax; waitedMs += drainMs) {
      before = received;
      await pause(drainMs);
    }
    const loss = 1 - received / offered;
    if (loss <= lossMax) sustainedPerSecond = Math.max(sustainedPerSecond, offeredPerSecond);
    mostPerSecond = Math.max(mostPerSecond, (received / Math.max(durationMs, lastMs - startMs)) * 1000);
    if (loss > hopelessLoss) break;
  }
  stop();
  return { sustainedPerSecond, mostPerSecond };
}

/** One packet at a time, and its digest. */
async function delays(testbed: Testbed, client: P4RuntimeClient, count: number): Promise<Distribution> {
  const sender = testbed.openSender(unknownFlows().flows(frameBytes));
  const values: number[] = [];
  let onDigest = () => {};
  const stop = onLists(client, (list) => {
    client.ack(list);
    onDigest();
  });
  try {
    while (values.length < count) {
      await pause(delayIntervalMs);
      const arrived = new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('a packet gave no digest')), delayMsMax);
        onDigest = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      const startMs = performance.now();
      sender.burst(1);
      await arrived;
      values.push(performance.now() - startMs);
    }
    return distributionOf(values);
  } finally {
    stop();
    sender.close();
  }
}

function onLists(client: P4RuntimeClient, receive: (list: DigestList) => void): () => void {
  return client.onEvent((event) => {
    if (event.kind === 'digest') receive(event.list);
  });
}
