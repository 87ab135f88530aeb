// SPDX-License-Identifier: Apache-2.0
/** Watching a running switch: by method and over gRPC. */

import { create } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  Tracing,
  WatchRequestSchema,
  type WatchResponse,
} from '../../p4runtime/generated/evenkeel/switch/v1/trace_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import type { WatchReport } from '../engine/trace/watching.ts';
import { watchLive } from '../trace/live.ts';
import { Code } from './refusal.ts';
import { type Bench, meters, startBench, startLoadedBench, TestClient } from './testdata/harness.ts';
import { traceLimits } from './trace-desk.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await startLoadedBench();
});
afterEach(() => bench.close());

const frame = (target: number): Uint8Array => {
  const bytes = new Uint8Array(60);
  bytes[5] = target;
  bytes.set([0x12, 0x34], 12);
  return bytes;
};

const inject = (target: number, port = 1) => bench.running.inject(port, frame(target));

test('a packet that fits is told, step by step; others are not', async () => {
  const reports: Omit<WatchReport, 'watch'>[] = [];
  const watching = await bench.running.watch({ filter: 'frame.target == 7' }, (report) =>
    reports.push(report),
  );
  inject(7);
  inject(8);
  expect(reports.map(({ trace }) => trace!.frame.slice(0, 12))).toEqual(['000000000007']);
  if ('stop' in watching) watching.stop();
  inject(7);
  expect(reports).toHaveLength(1);
});

test('a filter that is wrong is refused with its column, also over gRPC', async () => {
  expect(await bench.running.watch({ filter: 'frame.targte == 7' }, () => {})).toMatchObject({
    problem: { column: 1, message: expect.stringContaining('did you mean frame.target') },
  });
  const never = new AbortController().signal;
  const request = { filter: 'frame.target = 7', perSecond: 0, total: 0 };
  await expect(watchLive(bench.running.address, request, () => {}, never)).rejects.toMatchObject({
    code: Code.INVALID_ARGUMENT,
    details: "column 14: '=' means nothing here",
  });
});

/** Packets until one is told: the watch begins when the switch has heard of it. */
async function injectUntil(isTold: () => boolean): Promise<void> {
  await expect
    .poll(() => {
      if (!isTold()) inject(7);
      return isTold();
    })
    .toBe(true);
}

test('over gRPC a packet comes as text and as data, and the watch ends with the last one asked for', async () => {
  const told: WatchResponse[] = [];
  const { address } = bench.running;
  const request = { filter: 'frame.target == 7', perSecond: 100, total: 2 };
  const over = watchLive(address, request, (response) => told.push(response), new AbortController().signal);
  await injectUntil(() => told.length >= 2);
  await over;
  expect(told.map(({ ended }) => ended !== '')).toEqual([false, true]);
  expect(told[0]!.text).toContain('60 bytes on port 1');
  expect(JSON.parse(told[0]!.json)).toMatchObject({ port: 1, parts: [{ kind: 'ingress' }] });
});

test('a client that leaves is not watched for any more', async () => {
  const told: WatchResponse[] = [];
  const stop = new AbortController();
  const request = { filter: 'ingress_port == 1', perSecond: 1000, total: 0 };
  const over = watchLive(bench.running.address, request, (response) => told.push(response), stop.signal);
  await injectUntil(() => told.length > 0);
  stop.abort();
  await over;
  // All watches there may be are free again.
  await expect
    .poll(async () => {
      const watches = await Promise.all(
        Array.from({ length: 8 }, () => bench.running.watch({ filter: 'ingress_port == 1' }, () => {})),
      );
      for (const watch of watches) if ('stop' in watch) watch.stop();
      return watches.every((watch) => 'stop' in watch);
    })
    .toBe(true);
});

test('a reader that does not read loses packets and hears how many', async () => {
  const client = new Client(bench.running.address, credentials.createInsecure());
  const { watch } = serviceDefinition(Tracing);
  const request = create(WatchRequestSchema, {
    filter: 'ingress_port == 1',
    perSecond: 1000,
    total: 100_000n,
  });
  const call = client.makeServerStreamRequest(
    watch.path,
    watch.requestSerialize,
    watch.responseDeserialize,
    request,
  );
  const told: WatchResponse[] = [];
  call.on('data', (response: WatchResponse) => told.push(response));
  call.on('error', () => {});
  await injectUntil(() => told.length > 0);
  // All in one turn of the event loop: none of it can be sent meanwhile.
  const before = told.length;
  const burst = 3 * traceLimits.backlogMax;
  for (let count = 0; count < burst; count++) inject(7);
  await expect.poll(() => told.length).toBeGreaterThan(before);
  await expect
    .poll(() => {
      inject(7);
      return told.some(({ skipped }) => skipped >= BigInt(burst - 2 * traceLimits.backlogMax));
    })
    .toBe(true);
  call.cancel();
  client.close();
});

test('a watch goes on under a new program if its filter means something there, and else says why it ends', async () => {
  const reports: Record<string, Omit<WatchReport, 'watch'>[]> = { port: [], field: [] };
  await bench.running.watch({ filter: 'ingress_port == 1' }, (report) => reports.port!.push(report));
  await bench.running.watch({ filter: 'packet_in.reason == 1' }, (report) => reports.field!.push(report));
  const client = new TestClient(bench.running.address, meters);
  await client.push();
  client.close();
  inject(7);
  expect(reports.port!.map(({ ended }) => ended)).toEqual([undefined]);
  expect(reports.field!.map(({ trace, ended }) => [trace, ended])).toEqual([
    [undefined, expect.stringContaining('the program was replaced, and the filter does not fit the new one')],
  ]);
});

test('without a program nothing can be watched for', async () => {
  const empty = await startBench();
  try {
    expect(await empty.running.watch({ filter: 'ingress_port == 1' }, () => {})).toEqual({
      problem: { column: 0, message: 'there is no program yet' },
    });
  } finally {
    await empty.close();
  }
});
