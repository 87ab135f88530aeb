// SPDX-License-Identifier: Apache-2.0
/** Bytes that no client library sends, on every RPC: each gets a status, and the switch goes on. */

import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Code } from '../../switch/server/refusal.ts';
import { type Bench, features, startBench } from '../../switch/server/testdata/harness.ts';
import {
  expectHealthy,
  firstSeed,
  grpcFrame,
  openSockets,
  RawClient,
  randomOf,
  runFactor,
  until,
} from './support.ts';

const methods = [
  '/p4.v1.P4Runtime/Write',
  '/p4.v1.P4Runtime/Read',
  '/p4.v1.P4Runtime/SetForwardingPipelineConfig',
  '/p4.v1.P4Runtime/GetForwardingPipelineConfig',
  '/p4.v1.P4Runtime/StreamChannel',
  '/p4.v1.P4Runtime/Capabilities',
  '/p4.server.v1.ServerConfig/Get',
  '/p4.server.v1.ServerConfig/Set',
  '/p4.v1.P4Runtime/NoSuchMethod',
];

const nothing = new Uint8Array();
const garbage = new Uint8Array(32).fill(0xff);
const gzip = { 'grpc-encoding': 'gzip' };
const mib = 2 ** 20;

interface Attack {
  body: Uint8Array;
  headers?: Record<string, string>;
  isOpenEnded?: boolean;
  /** What a method that takes messages must answer; undefined: any gRPC status will do. */
  code?: number;
}

const attacks: Record<string, Attack> = {
  'a message that is no protobuf': { body: grpcFrame(garbage), code: Code.INTERNAL },
  'an empty message': { body: grpcFrame(nothing) },
  'no message at all': { body: nothing },
  'half a frame header': { body: grpcFrame(nothing).subarray(0, 2) },
  'a message that ends early': { body: grpcFrame(garbage, 0, 100) },
  'a message announced beyond the limit and never sent': {
    body: grpcFrame(nothing, 0, 256 * mib + 1),
    isOpenEnded: true,
    code: Code.RESOURCE_EXHAUSTED,
  },
  'a message announced as 4 GiB': {
    body: grpcFrame(garbage, 0, 2 ** 32 - 1),
    isOpenEnded: true,
    code: Code.RESOURCE_EXHAUSTED,
  },
  'compressed, it says, but with nothing': { body: grpcFrame(garbage, 1), code: Code.INTERNAL },
  'gzip that is none': { body: grpcFrame(garbage, 1), headers: gzip, code: Code.INTERNAL },
  'gzip that ends early': {
    body: grpcFrame(gzipSync(new Uint8Array(1000)).subarray(0, 15), 1),
    headers: gzip,
    code: Code.INTERNAL,
  },
  'an encoding nobody knows': {
    body: grpcFrame(garbage, 1),
    headers: { 'grpc-encoding': 'br' },
    code: Code.UNIMPLEMENTED,
  },
  'flags nobody knows': { body: grpcFrame(nothing, 0xfe) },
  'three messages where there should be one': {
    body: Buffer.concat([grpcFrame(nothing), grpcFrame(nothing), grpcFrame(nothing)]),
  },
  'a timeout that is no number': { body: grpcFrame(nothing), headers: { 'grpc-timeout': 'soon' } },
  'a timeout beyond all clocks': { body: grpcFrame(nothing), headers: { 'grpc-timeout': '99999999H' } },
  'a timeout of a nanosecond': { body: grpcFrame(nothing), headers: { 'grpc-timeout': '1n' } },
  'metadata that is neither ASCII nor base64': {
    body: grpcFrame(nothing),
    headers: { note: '\u00ff\u00fe', 'x-bin': '%%%' },
  },
};

let bench: Bench;
let raw: RawClient;
beforeAll(async () => {
  // Or it says what it thinks of our metadata.
  setLogVerbosity(logVerbosity.NONE);
  bench = await startBench(features, { keepaliveMs: 1_500 });
  raw = new RawClient(bench.running.address);
});
afterAll(async () => {
  raw.close();
  await bench.close();
});

describe.each(Object.entries(attacks))('%s', (_words, { code, ...attack }) => {
  test('gets a status from every method, and the switch goes on', async () => {
    for (const path of methods) {
      const answer = await raw.call({ path, ...attack });
      expect(answer.code, path).toBeDefined();
      if (path.endsWith('NoSuchMethod')) expect(answer.code).toBe(Code.UNIMPLEMENTED);
      else if (code !== undefined) expect([path, answer.code]).toEqual([path, code]);
    }
    await expectHealthy(bench);
  });
});

test('a small gzip that becomes a large message is cut off at the limit for messages', async () => {
  const body = grpcFrame(gzipSync(new Uint8Array(257 * mib), { level: 1 }), 1);
  expect(await raw.call({ path: methods[0]!, body, headers: gzip })).toMatchObject({
    code: Code.RESOURCE_EXHAUSTED,
  });
  await expectHealthy(bench);
});

test('a stream whose third message is no protobuf gets two answers and a status', async () => {
  const body = Buffer.concat([grpcFrame(nothing), grpcFrame(nothing), grpcFrame(garbage)]);
  const answer = await raw.call({ path: '/p4.v1.P4Runtime/StreamChannel', body });
  expect(answer).toMatchObject({ code: Code.INTERNAL, message: 'Error deserializing request' });
  await expectHealthy(bench);
});

test('a request of more parts than may be decoded is refused without being decoded', async () => {
  // 8 MiB of empty updates, which would be half a GiB of objects.
  const updates = Buffer.alloc(8 * mib + 2);
  for (let at = 0; at < updates.length; at += 2) updates[at] = 0x22;
  for (const path of ['/p4.v1.P4Runtime/Write', '/p4.v1.P4Runtime/StreamChannel']) {
    const answer = await raw.call({ path, body: grpcFrame(updates) });
    expect([path, answer.code]).toEqual([path, Code.RESOURCE_EXHAUSTED]);
  }
  await expectHealthy(bench);
});

test('what is not gRPC is not taken for it', async () => {
  for (const path of methods) {
    const answer = await raw.call({
      path,
      body: grpcFrame(nothing),
      headers: { 'content-type': 'text/html' },
    });
    expect([path, answer.httpStatus]).toEqual([path, 415]);
  }
  await expectHealthy(bench);
});

const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** A frame header as RFC 9113 section 4.1 has it, and that many random bytes. */
function randomHttp2Frame(random: ReturnType<typeof randomOf>): Buffer {
  const payload = random.bytes(random.below(64));
  const head = Buffer.alloc(9);
  // Now and then the length is a lie.
  head.writeUIntBE(random.chance(0.1) ? random.below(2 ** 24) : payload.length, 0, 3);
  head[3] = random.below(12);
  head[4] = random.below(256);
  head.writeUInt32BE(random.below(6), 5);
  return Buffer.concat([head, payload]);
}

test('random bytes and random HTTP/2 frames end their own connection, nobody else’s', async () => {
  const [host, port] = bench.running.address.split(':');
  const random = randomOf(firstSeed);
  const before = openSockets();
  for (let run = 0; run < 150 * runFactor; run++) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), host);
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.resume();
      if (run % 3 > 0) socket.write(http2Preface);
      // An empty SETTINGS frame, without which the rest would not be looked at.
      if (run % 3 > 1) socket.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
      const count = 1 + random.below(20);
      for (let each = 0; each < count; each++) {
        socket.write(run % 3 > 1 ? randomHttp2Frame(random) : random.bytes(random.below(200)));
      }
      socket.end(() => socket.destroy());
    });
  }
  expect((await raw.call({ path: methods[5]!, body: grpcFrame(nothing) })).code).toBe(Code.OK);
  await expectHealthy(bench);
  // Node leaves the socket of a connection open whose HTTP/2 was broken; that we ask whether anybody is there closes it.
  await until(() => openSockets() <= before);
});
