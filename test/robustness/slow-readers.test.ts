// SPDX-License-Identifier: Apache-2.0
/**
 * Clients that do not read: what waits for them is bounded, what is dropped is counted and told, and nobody else
 * notices.
 */

import type http2 from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PacketStreamRequestSchema } from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import {
  type Entity,
  ReadRequestSchema,
  StreamMessageRequestSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { controllerLimits } from '../../switch/server/controllers.ts';
import { dataplaneLimits } from '../../switch/server/dataplane.ts';
import { Code } from '../../switch/server/refusal.ts';
import {
  type Bench,
  features,
  index,
  startLoadedBench,
  type TestStream,
} from '../../switch/server/testdata/harness.ts';
import {
  codec,
  configureDigest,
  entityOf,
  frameOf,
  grpcFrame,
  heldMib,
  RawClient,
  route,
  runFactor,
  until,
} from './support.ts';

const mib = 2 ** 20;

let bench: Bench & { stream: TestStream };
let raw: RawClient;
let dataplane: RawClient;
beforeEach(async () => {
  bench = await startLoadedBench(features, { dataplaneAddress: '127.0.0.1:0', onTransmit: () => {} });
  raw = new RawClient(bench.running.address);
  dataplane = new RawClient(bench.running.dataplaneAddress!);
});
afterEach(async () => {
  raw.close();
  dataplane.close();
  await bench.close();
});

/** Opens a call, sends these messages, and reads nothing beyond the headers. */
function stalled(client: RawClient, path: string, messages: readonly Uint8Array[]): http2.ClientHttp2Stream {
  const request = client.session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  request.on('error', () => {});
  request.pause();
  request.write(Buffer.concat(messages.map((message) => grpcFrame(message))));
  return request;
}

type StreamInit = NonNullable<Parameters<typeof create<typeof StreamMessageRequestSchema>>[1]>['update'];
const streamMessage = (update: StreamInit) =>
  toBinary(StreamMessageRequestSchema, create(StreamMessageRequestSchema, { update }));
const arbitration = (low: bigint) => streamMessage({ case: 'arbitration', value: { electionId: { low } } });

/** Opens a stream that becomes primary and then does not read. */
async function stalledPrimary(electionId: bigint): Promise<http2.ClientHttp2Stream> {
  const request = stalled(raw, '/p4.v1.P4Runtime/StreamChannel', [arbitration(electionId)]);
  // The primary of before is told, and so knows when.
  expect(await bench.stream.nextArbitration()).toMatch(/^6 Is backup/);
  return request;
}

const toController = codec.insert({
  table: 'exact_small',
  match: { target: 9, port: 1 },
  action: { name: 'to_controller', params: { reason: 1 } },
});

const floods: Record<string, { frames: number; length: number; atMostMib: number }> = {
  'small packets': { frames: 40_000, length: 60, atMostMib: 40 },
  'large packets': { frames: 2_000, length: 60_000, atMostMib: controllerLimits.backlog.bytesMax / mib + 16 },
};

test.each(Object.entries(floods))(
  'a primary that does not read misses packets beyond its backlog: %s',
  async (_words, { frames, length, atMostMib }) => {
    expect(await bench.client.write([codec.insert(route(9, 1)), toController])).toMatchObject({ code: 0 });
    await stalledPrimary(2n);
    const before = await heldMib();
    const frame = frameOf(9, 3, length);
    for (let count = 0; count < frames * runFactor; count++) bench.running.inject(1, frame);
    expect((await heldMib()) - before).toBeLessThan(atMostMib);
    expect(bench.logs).toContainEqual(expect.stringMatching(/^warn: controller \d+ is too slow/));
    // Somebody else takes over as if nothing had happened, and gets what the other one missed.
    await bench.stream.arbitrate(3n);
    bench.running.inject(1, frame);
    expect((await bench.stream.next('packet')).payload).toHaveLength(length);
    // What is left of the slow one goes with its connection.
    raw.close();
    await until(async () => (await heldMib()) - before < 10);
  },
);

test('so it is with digests', async () => {
  expect(await bench.client.write([configureDigest({ maxListSize: 1 })])).toMatchObject({ code: 0 });
  await stalledPrimary(2n);
  const before = await heldMib();
  for (let source = 0; source < 30_000 * runFactor; source++) bench.running.inject(1, frameOf(9, source));
  expect((await heldMib()) - before).toBeLessThan(controllerLimits.backlog.bytesMax / mib + 16);
  expect(bench.logs).toContainEqual(expect.stringMatching(/^warn: controller \d+ is too slow/));
  await bench.stream.arbitrate(3n);
  bench.running.inject(1, frameOf(9, 2 ** 31));
  expect((await bench.stream.next('digest')).data).toHaveLength(1);
});

test('a controller that asks who is primary and does not read the answers costs no more than its backlog', async () => {
  const request = stalled(raw, '/p4.v1.P4Runtime/StreamChannel', []);
  const questions = Buffer.concat(new Array(1000).fill(grpcFrame(arbitration(5n))));
  const before = await heldMib();
  for (let round = 0; round < 30 * runFactor; round++) {
    await new Promise((resolve) => request.write(questions, resolve));
  }
  // Another connection is served, so all of that has been taken.
  const backup = bench.client.openStream();
  await backup.arbitrate(0n);
  expect((await heldMib()) - before).toBeLessThan(64);
  // When it reads at last, the newest outcome is there.
  let last = new Uint8Array();
  request.on('data', (data: Uint8Array<ArrayBuffer>) => {
    last = data;
  });
  request.resume();
  await bench.stream.arbitrate(6n);
  await until(() => Buffer.from(last).includes('Is backup'));
});

test('the streams that may be open include those that were ended and have not been read', async () => {
  expect(await bench.client.write([codec.insert(route(9, 1)), toController])).toMatchObject({ code: 0 });
  const flood = () => {
    for (let count = 0; count < 400; count++) bench.running.inject(1, frameOf(9, 3, 60_000));
  };
  const before = await heldMib();
  for (let electionId = 2n; electionId < 2n + BigInt(controllerLimits.streamsMax) - 1n; electionId++) {
    const request = await stalledPrimary(electionId);
    flood();
    // It may not change its role, so the switch ends it; but it still holds what it has not read.
    request.write(
      grpcFrame(
        streamMessage({ case: 'arbitration', value: { electionId: { low: 1n }, role: { name: 'other' } } }),
      ),
    );
    expect(await bench.stream.nextArbitration()).toMatch(/^5 No primary/);
  }
  const backup = bench.client.openStream();
  backup.sendArbitration(0n);
  expect(await backup.ended).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
  expect((await heldMib()) - before).toBeLessThan(controllerLimits.streamsMax * 26);
  raw.close();
  await until(async () => (await heldMib()) - before < 20);
  await bench.stream.arbitrate(100n);
  bench.stream.close();
  await bench.stream.ended;
  await bench.client.write([]);
});

test('a dataplane client that does not read misses frames beyond its backlog', async () => {
  expect(await bench.client.write([codec.insert(route(9, 7))])).toMatchObject({ code: 0 });
  const request = create(PacketStreamRequestSchema, { port: 1, packet: frameOf(9, 3) });
  const call = stalled(dataplane, '/p4.bm.DataplaneInterface/PacketStream', [
    toBinary(PacketStreamRequestSchema, request),
  ]);
  await until(() => call.readableLength > 0);
  const before = await heldMib();
  for (let count = 0; count < 2000 * runFactor; count++) bench.running.inject(1, frameOf(9, 3, 60_000));
  expect((await heldMib()) - before).toBeLessThan(dataplaneLimits.backlog.bytesMax / mib + 16);
  expect(bench.logs).toContain('warn: the dataplane client is too slow: frames are dropped');
  dataplane.close();
  await until(() => bench.logs.some((line) => /the dataplane client missed \d+ frames/.test(line)));
});

test('many reads of a large table by clients that do not read cost a piece each', async () => {
  const entries = 12_000;
  const writes = Array.from({ length: entries }, (_, target) => codec.insert(route(target + 1, 2)));
  expect(await bench.client.write(writes)).toMatchObject({ code: 0 });
  const wanted: Entity = entityOf({
    case: 'tableEntry',
    value: { tableId: index.tables.get('routes').id },
  });
  const request = toBinary(ReadRequestSchema, create(ReadRequestSchema, { entities: [wanted] }));
  const before = await heldMib();
  const count = 20 * runFactor;
  const calls = Array.from({ length: count }, () => {
    const call = stalled(raw, '/p4.v1.P4Runtime/Read', [request]);
    call.end();
    return call;
  });
  // The window of the connection is for all of its calls, so only the first of them get anything at all.
  await until(() => calls[0]!.readableLength > 0);
  // Answered behind them, on another connection.
  expect(await bench.client.read(wanted)).toHaveLength(entries);
  expect(((await heldMib()) - before) / count).toBeLessThan(8);
  raw.close();
  await until(async () => (await heldMib()) - before < 10);
  bench.stream.close();
  await bench.stream.ended;
});
