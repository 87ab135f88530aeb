// SPDX-License-Identifier: Apache-2.0
/**
 * For the robustness tests: seeded dice, calls with bytes no client library would send, what the heap holds, and the
 * question every one of them ends with: is the switch still a switch?
 *
 * EVENKEEL_RUNS=20 does twenty times as much of everything that is counted, EVENKEEL_SEED=7 throws other dice:
 * `EVENKEEL_RUNS=20 EVENKEEL_SEED=7 npx vitest run test/robustness --testTimeout=0`.
 */

import http2 from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { create } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { EntryCodec } from '../../p4runtime/entries.ts';
import type { Entity } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { EntitySchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type EntityInit, update } from '../../switch/server/testdata/compat-stage.ts';
import { type Bench, features, index, TestClient } from '../../switch/server/testdata/harness.ts';

export const runFactor = Number(process.env.EVENKEEL_RUNS ?? 1);
export const firstSeed = Number(process.env.EVENKEEL_SEED ?? 1);

/** Higher than any other election id there can be. */
export const highestElectionId = (1n << 64n) - 1n;

export const codec = new EntryCodec(index);

export const entityOf = (entity: EntityInit): Entity => create(EntitySchema, { entity });
export const digestId = index.digests.get('seen_t').id;
export const configureDigest = (config: object) =>
  update(Update_Type.INSERT, { case: 'digestEntry', value: { digestId, config } });

export const route = (target: number, port: number) => ({
  table: 'routes',
  match: { target: { value: target, prefixLength: 48 } },
  action: { name: 'forward', params: { port } },
});

/** An Ethernet frame of features.p4: 14 bytes of header, then zeros. */
export function frameOf(target: number, source: number, length = 60): Uint8Array {
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  view.setUint32(2, target);
  view.setUint32(8, source);
  view.setUint16(12, 0x1234);
  return frame;
}

/**
 * Asserts that a switch in memory works, whatever was done to it: a controller becomes primary, loads features.p4,
 * writes, reads and sends a packet through.
 */
export async function expectHealthy({ running, sent, logs }: Bench): Promise<void> {
  const client = new TestClient(running.address, features);
  try {
    const stream = client.openStream();
    expect(
      await stream.arbitrate(highestElectionId, {
        electionId: { high: highestElectionId, low: highestElectionId },
      }),
    ).toMatch(/^0 Is primary/);
    const electionId = { high: highestElectionId, low: highestElectionId };
    await client.push(undefined, { electionId });
    const written = await client.write([codec.insert(route(77, 5))], 0n, { electionId });
    expect(written).toEqual({ code: 0, message: '', errors: [] });
    const [read] = await client.read(
      entityOf({ case: 'tableEntry', value: { tableId: index.tables.get('routes').id } }),
    );
    expect(read?.entity.case).toBe('tableEntry');
    sent.length = 0;
    running.inject(1, frameOf(77, 3));
    expect(sent.map(({ port }) => port)).toEqual([5]);
    stream.close();
    await stream.ended;
  } finally {
    client.close();
  }
  expect(logs.filter((line) => line.includes('by our own fault'))).toEqual([]);
}

export type Random = ReturnType<typeof randomOf>;

/** The same numbers for the same seed. Source: mulberry32, public domain, Tommy Ettinger. */
export function randomOf(seed: number) {
  let state = seed >>> 0;
  const word = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number) => Math.floor((word() / 2 ** 32) * limit);
  return {
    /** 0 to limit - 1. */
    below,
    word,
    chance: (probability: number) => word() / 2 ** 32 < probability,
    pick: <Item>(items: readonly Item[]): Item => items[below(items.length)]!,
    bytes: (length: number) => Uint8Array.from({ length }, () => below(256)),
  };
}

/** A gRPC frame: flag, length, message. `announced` may be a lie. */
export function grpcFrame(message: Uint8Array, flag = 0, announced = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

export interface RawAnswer {
  /** grpc-status; undefined when there was none. */
  code: number | undefined;
  message: string;
  httpStatus: number | undefined;
}

export interface RawCall {
  path: string;
  body?: Uint8Array;
  headers?: http2.OutgoingHttpHeaders;
  /** Leave the request open. */
  isOpenEnded?: boolean;
}

/** One HTTP/2 connection on which calls are made byte by byte. */
export class RawClient {
  readonly session: http2.ClientHttp2Session;

  constructor(address: string) {
    this.session = http2.connect(`http://${address}`);
    this.session.on('error', () => {});
  }

  call({ path, body, headers = {}, isOpenEnded = false }: RawCall): Promise<RawAnswer> {
    const answer: RawAnswer = { code: undefined, message: '', httpStatus: undefined };
    const note = (received: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader) => {
      answer.httpStatus ??= received[':status'];
      if (received['grpc-status'] !== undefined) answer.code = Number(received['grpc-status']);
      if (received['grpc-message'] !== undefined)
        answer.message = decodeURI(String(received['grpc-message']));
    };
    return new Promise((resolve) => {
      const request = this.session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      request.on('response', note);
      request.on('trailers', note);
      request.on('error', () => {});
      request.on('end', () => {
        // Only then: a server takes a thousand resets for an attack.
        if (isOpenEnded) request.close();
        resolve(answer);
      });
      request.on('close', () => resolve(answer));
      request.resume();
      if (body !== undefined) request.write(body);
      if (!isOpenEnded) request.end();
    });
  }

  close(): void {
    this.session.destroy();
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What this process holds that is not garbage, heap and buffers, in MiB. */
export async function heldMib(): Promise<number> {
  for (let turn = 0; turn < 4; turn++) {
    // What the event loop holds is let go between two collections.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}

/** TCP connections of this process, of servers and clients. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}

/** Lets the event loop turn until something holds; a test's own timeout is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
