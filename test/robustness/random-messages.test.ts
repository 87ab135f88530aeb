// SPDX-License-Identifier: Apache-2.0
/**
 * Random messages, well-formed and not, on every RPC, from a primary that the switch listens to: each is answered, none
 * is our own fault, and the switch goes on.
 */

import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  PacketStreamRequestSchema,
  SetPortOperStatusRequestSchema,
} from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import { GetRequestSchema, SetRequestSchema } from '../../p4runtime/generated/p4/server/v1/config_pb.ts';
import {
  GetForwardingPipelineConfigRequestSchema,
  ReadRequestSchema,
  SetForwardingPipelineConfigRequestSchema,
  StreamMessageRequestSchema,
  Uint128Schema,
  WriteRequestSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type Bench, features, startBench, type TestStream } from '../../switch/server/testdata/harness.ts';
import { randomBytesOf, randomMessage } from './random-message.ts';
import {
  expectHealthy,
  firstSeed,
  frameOf,
  grpcFrame,
  highestElectionId,
  type Random,
  RawClient,
  randomOf,
  runFactor,
} from './support.ts';

const runs = 250 * runFactor;

/** Every id of the P4Info: of tables, actions, counters and all the others. */
const ids = [
  ...JSON.stringify(features.p4info, (_key, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  ).matchAll(/"id":(\d+)/g),
].map((match) => Number(match[1]));
const options = { ids, depthMax: 9 };

/** No other stream can take the lead from this one. */
const electionId = create(Uint128Schema, { high: highestElectionId, low: highestElectionId });

let bench: Bench;
let raw: RawClient;
let dataplane: RawClient;
let stream: TestStream;
beforeEach(async () => {
  bench = await startBench(features, { dataplaneAddress: '127.0.0.1:0' });
  raw = new RawClient(bench.running.address);
  dataplane = new RawClient(bench.running.dataplaneAddress!);
  stream = bench.client.openStream();
  await stream.arbitrate(1n, { electionId });
  await bench.client.push(undefined, { electionId });
});
afterEach(async () => {
  raw.close();
  dataplane.close();
  await bench.close();
});

interface Target {
  client: () => RawClient;
  path: string;
  schema: DescMessage;
  /** Makes a request one that is looked at. */
  prepare?: (request: Message & Record<string, unknown>, random: Random) => void;
  /** Messages in one call. */
  messagesMax?: number;
}

const fromPrimary: Target['prepare'] = (request, random) => {
  if (random.chance(0.95)) Object.assign(request, { deviceId: 0n, role: '', roleId: 0n, electionId });
  if ('atomicity' in request && random.chance(0.9)) request.atomicity = 0;
};

const targets: Record<string, Target> = {
  Write: {
    client: () => raw,
    path: '/p4.v1.P4Runtime/Write',
    schema: WriteRequestSchema,
    prepare: fromPrimary,
  },
  Read: { client: () => raw, path: '/p4.v1.P4Runtime/Read', schema: ReadRequestSchema, prepare: fromPrimary },
  SetForwardingPipelineConfig: {
    client: () => raw,
    path: '/p4.v1.P4Runtime/SetForwardingPipelineConfig',
    schema: SetForwardingPipelineConfigRequestSchema,
    prepare: fromPrimary,
  },
  GetForwardingPipelineConfig: {
    client: () => raw,
    path: '/p4.v1.P4Runtime/GetForwardingPipelineConfig',
    schema: GetForwardingPipelineConfigRequestSchema,
  },
  StreamChannel: {
    client: () => raw,
    path: '/p4.v1.P4Runtime/StreamChannel',
    schema: StreamMessageRequestSchema,
    messagesMax: 8,
  },
  'ServerConfig.Set': { client: () => raw, path: '/p4.server.v1.ServerConfig/Set', schema: SetRequestSchema },
  'ServerConfig.Get': { client: () => raw, path: '/p4.server.v1.ServerConfig/Get', schema: GetRequestSchema },
  PacketStream: {
    client: () => dataplane,
    path: '/p4.bm.DataplaneInterface/PacketStream',
    schema: PacketStreamRequestSchema,
    prepare: (request, random) => {
      if (random.chance(0.9)) Object.assign(request, { deviceId: 0n, port: random.below(600) });
    },
    messagesMax: 20,
  },
  SetPortOperStatus: {
    client: () => dataplane,
    path: '/p4.bm.DataplaneInterface/SetPortOperStatus',
    schema: SetPortOperStatusRequestSchema,
    prepare: fromPrimary,
  },
};

test.each(Object.entries(targets))(
  '%s',
  async (_name, { client, path, schema, prepare, messagesMax = 1 }) => {
    const random = randomOf(firstSeed);
    const codes = new Set<number | undefined>();
    for (let run = 0; run < runs; run++) {
      const frames = Array.from({ length: 1 + random.below(messagesMax) }, () => {
        const message = randomMessage(schema, random, options) as Message & Record<string, unknown>;
        prepare?.(message, random);
        return grpcFrame(randomBytesOf(schema, message, random));
      });
      const { code } = await client().call({ path, body: Buffer.concat(frames) });
      expect(code, `seed ${firstSeed}, run ${run}`).toBeDefined();
      codes.add(code);
      // What was accepted must not have made packets dangerous.
      if (run % 10 === 0) bench.running.inject(random.below(600), frameOf(random.below(4), random.below(4)));
      if (run % 50 === 0) bench.clock.advance(1000);
    }
    expect(codes.size).toBeGreaterThan(1);
    expect(bench.logs.filter((line) => line.includes('by our own fault'))).toEqual([]);
    stream.close();
    await stream.ended;
    await expectHealthy(bench);
  },
);
