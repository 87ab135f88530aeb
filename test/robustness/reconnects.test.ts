// SPDX-License-Identifier: Apache-2.0
/** Clients that come and go, or come and say nothing: nothing of them stays. */

import { connect, createServer, type Socket } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StreamMessageRequestSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { controllerLimits } from '../../switch/server/controllers.ts';
import { Code } from '../../switch/server/refusal.ts';
import {
  type Bench,
  features,
  startLoadedBench,
  TestClient,
  type TestStream,
} from '../../switch/server/testdata/harness.ts';
import { expectHealthy, grpcFrame, heldMib, openSockets, RawClient, runFactor, until } from './support.ts';

const arbitration = (low: bigint) =>
  toBinary(
    StreamMessageRequestSchema,
    create(StreamMessageRequestSchema, {
      update: { case: 'arbitration', value: { electionId: { low } } },
    }),
  );

let bench: Bench & { stream: TestStream };
beforeEach(async () => {
  bench = await startLoadedBench(features);
});
afterEach(() => bench.close());

/** So long may a peer of this process say nothing; whoever is alive is to answer in it, on a machine with much else to do. */
const keepaliveMs = 1_500;
async function soonCutOff(): Promise<void> {
  await bench.close();
  bench = await startLoadedBench(features, { keepaliveMs });
}

/** A connection that sends this and then nothing. */
function openSocket(hello: string): Promise<Socket> {
  const [host, port] = bench.running.address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => resolve(socket));
    socket.on('error', () => {});
    socket.write(hello);
  });
}

test('controllers by the hundred, one after the other, each gone without goodbye', async () => {
  let electionId = 1n;
  const visit = async () => {
    const raw = new RawClient(bench.running.address);
    const stream = raw.session.request({
      ':method': 'POST',
      ':path': '/p4.v1.P4Runtime/StreamChannel',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    electionId += 1n;
    stream.write(grpcFrame(arbitration(electionId)));
    await new Promise((resolve) => stream.once('data', resolve));
    raw.close();
  };
  for (let warmUp = 0; warmUp < 50; warmUp++) await visit();
  const [before, sockets] = [await heldMib(), openSockets()];
  for (let round = 0; round < 150 * runFactor; round++) await visit();
  await until(() => openSockets() <= sockets);
  expect((await heldMib()) - before).toBeLessThan(8);
  bench.stream.close();
  await bench.stream.ended;
  await expectHealthy(bench);
});

test('streams by the hundred on one connection, one after the other', async () => {
  const rounds = async (count: number) => {
    for (let round = 0; round < count; round++) {
      const stream = bench.client.openStream();
      await stream.arbitrate(2n);
      stream.close();
      await stream.ended;
    }
  };
  await rounds(50);
  const before = await heldMib();
  await rounds(300 * runFactor);
  expect((await heldMib()) - before).toBeLessThan(8);
  expect(await bench.stream.nextArbitration()).toBeDefined();
});

test('connections that say nothing, or no more than hello, are cut off; who answers is not', async () => {
  await soonCutOff();
  const before = openSockets();
  const opened = await Promise.all(
    Array.from({ length: 200 }, (_, count) =>
      openSocket(count % 2 === 0 ? '' : 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    ),
  );
  const ended = opened.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
  for (const socket of opened) socket.resume();
  await Promise.all(ended);
  await until(() => openSockets() <= before);
  // The controller of before is on the same connection as ever.
  expect(await bench.stream.arbitrate(1n)).toMatch(/^0 Is primary/);
});

test('the seventeenth stream is turned away, until one of the others has gone', async () => {
  const others = Array.from({ length: controllerLimits.streamsMax - 1 }, () => bench.client.openStream());
  for (const stream of others) expect(await stream.arbitrate(undefined)).toMatch(/^6 Is backup/);
  const tooMany = bench.client.openStream();
  expect(await tooMany.ended).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
  others[3]!.close();
  await others[3]!.ended;
  const successor = bench.client.openStream();
  expect(await successor.arbitrate(2n)).toMatch(/^0 Is primary/);
});

test('a primary whose cable was cut makes room for others', async () => {
  await soonCutOff();
  // A proxy that stops passing anything on, without closing.
  const [host, port] = bench.running.address.split(':');
  const pairs: Socket[] = [];
  const proxy = createServer((near) => {
    const far = connect(Number(port), host);
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far).pipe(near);
    pairs.push(near, far);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const client = new TestClient(`127.0.0.1:${(proxy.address() as { port: number }).port}`);
  const stream = client.openStream();
  expect(await stream.arbitrate(5n)).toMatch(/^0 Is primary/);
  expect(await bench.stream.nextArbitration()).toMatch(/^6 Is backup/);
  for (const socket of pairs) {
    socket.unpipe();
    socket.pause();
  }
  expect(await bench.stream.nextArbitration()).toMatch(/^5 No primary/);
  client.close();
  for (const socket of pairs) socket.destroy();
  proxy.close();
});
