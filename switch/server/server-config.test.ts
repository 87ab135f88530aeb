// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  GetRequestSchema,
  StreamConfig_ErrorReportingLevel as Level,
  ServerConfig,
  SetRequestSchema,
} from '../../p4runtime/generated/p4/server/v1/config_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import { Code } from './refusal.ts';
import { type Bench, startLoadedBench, type TestStream } from './testdata/harness.ts';

const methods = serviceDefinition(ServerConfig);
let bench: Bench & { stream: TestStream };
let client: Client;

beforeEach(async () => {
  bench = await startLoadedBench();
  client = new Client(bench.running.address, credentials.createInsecure());
});

afterEach(async () => {
  client.close();
  await bench.close();
});

/** @returns the code of the refusal, 0 when there was none */
function set(init: MessageInitShape<typeof SetRequestSchema>): Promise<number> {
  const { path, requestSerialize, responseDeserialize } = methods.set;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve(error?.code ?? 0);
    const request = create(SetRequestSchema, init);
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done);
  });
}

/** @returns the level; or the code of the refusal, negative */
function get(deviceId = 0n): Promise<number | undefined> {
  const { path, requestSerialize, responseDeserialize } = methods.get;
  return new Promise((resolve) => {
    const request = create(GetRequestSchema, { deviceId });
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) =>
      resolve(error ? -error.code : response!.config?.stream?.errorReporting),
    );
  });
}

const setLevel = (errorReporting: number) =>
  set({ config: { stream: { errorReporting: errorReporting as 0 } } });

/** Sends a packet-out that lacks its metadata. */
function provoke(): void {
  bench.stream.send({ case: 'packet', value: { payload: Uint8Array.of(1) } });
}

test('everything is reported at first', async () => {
  expect(await get()).toBe(Level.DETAILED);
  provoke();
  expect(await bench.stream.next('error')).toMatchObject({
    details: { case: 'packetOut', value: { packetOut: { payload: Buffer.of(1) } } },
  });
});

test('an error can be reported without the message that caused it', async () => {
  expect(await setLevel(Level.ENABLED)).toBe(0);
  expect(await get()).toBe(Level.ENABLED);
  provoke();
  const { message, details } = await bench.stream.next('error');
  expect(message).toBe("packet_out metadata 'egress_port' is missing");
  expect(details.case).toBe('packetOut');
  expect(details.value).not.toHaveProperty('packetOut.payload');
});

test('errors are not reported when that is disabled', async () => {
  expect(await setLevel(Level.DISABLED)).toBe(0);
  provoke();
  // An answer to a later message shows that nothing came before it.
  expect(await bench.stream.arbitrate(2n)).toBe('0 Is primary 2');
});

test('no stream section is the same as disabled', async () => {
  expect(await set({ config: {} })).toBe(0);
  provoke();
  expect(await bench.stream.arbitrate(2n)).toBe('0 Is primary 2');
});

test('another device and a level that is none are refused', async () => {
  expect(await get(4n)).toBe(-Code.NOT_FOUND);
  expect(await set({ deviceId: 4n })).toBe(Code.NOT_FOUND);
  expect(await setLevel(3)).toBe(Code.INVALID_ARGUMENT);
  expect(await get()).toBe(Level.DETAILED);
});
