// SPDX-License-Identifier: Apache-2.0
/** The server over gRPC on loopback: arbitration, programs, and who may do what. */

import { create, equals } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EntryCodec } from '../../p4runtime/entries.ts';
import { P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  CapabilitiesRequestSchema,
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  ForwardingPipelineConfigSchema,
  WriteRequest_Atomicity,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code } from './refusal.ts';
import { type Bench, features, index, startBench } from './testdata/harness.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.close());

const codec = new EntryCodec(index);
const keylessDefault = codec.setDefault('keyless');

test('several controllers: the highest id is primary, and nobody is promoted when it leaves', async () => {
  const low = bench.client.openStream();
  const high = bench.client.openStream();
  const none = bench.client.openStream();
  expect(await low.arbitrate(5n)).toBe('0 Is primary 5');
  expect(await high.arbitrate(9n)).toBe('0 Is primary 9');
  expect(await low.nextArbitration()).toBe(`${Code.ALREADY_EXISTS} Is backup 9`);
  expect(await none.arbitrate(undefined)).toBe(`${Code.ALREADY_EXISTS} Is backup 9`);
  expect(await high.arbitrate(9n)).toBe('0 Is primary 9');
  high.close();
  expect(await low.nextArbitration()).toBe(`${Code.NOT_FOUND} No primary 9`);
  expect(await none.nextArbitration()).toBe(`${Code.NOT_FOUND} No primary 9`);
  expect(await low.arbitrate(5n)).toBe(`${Code.NOT_FOUND} No primary 9`);
  expect(await low.arbitrate(9n)).toBe('0 Is primary 9');
});

test('roles have elections of their own', async () => {
  const [one, two] = [bench.client.openStream(), bench.client.openStream()];
  expect(await one.arbitrate(5n)).toBe('0 Is primary 5');
  two.sendArbitration(9n, { role: { name: 'reader' } });
  const answer = await two.next('arbitration');
  expect([answer.status?.message, answer.role?.name]).toEqual(['Is primary', 'reader']);
  expect(one.pending).toBe(0);
});

test.each([
  ['an id in use', { electionId: 5n }, Code.INVALID_ARGUMENT, 'Election id already exists'],
  ['another device', { electionId: 6n, init: { deviceId: 7n } }, Code.NOT_FOUND, 'this is device 0, not 7'],
  [
    'a role with a config',
    { electionId: 6n, init: { role: { name: 'x', config: { typeUrl: 'x' } } } },
    Code.INVALID_ARGUMENT,
    'this switch knows no role.config',
  ],
])('%s ends the stream', async (_, { electionId, ...rest }, code, message) => {
  const first = bench.client.openStream();
  await first.arbitrate(5n);
  const second = bench.client.openStream();
  second.sendArbitration(electionId, 'init' in rest ? rest.init : {});
  expect(await second.ended).toEqual({ code, message });
  expect(await first.arbitrate(5n)).toBe('0 Is primary 5');
});

test('a stream keeps its device and role', async () => {
  for (const init of [{ deviceId: 3n }, { role: { name: 'x' } }]) {
    const stream = bench.client.openStream();
    await stream.arbitrate(undefined);
    stream.sendArbitration(undefined, init);
    expect((await stream.ended).code).toBe(Code.FAILED_PRECONDITION);
  }
});

test('the seventeenth stream is turned away', async () => {
  const streams = Array.from({ length: 16 }, () => bench.client.openStream());
  for (const [id, stream] of streams.entries()) await stream.arbitrate(BigInt(id));
  expect(await bench.client.openStream().ended).toEqual({
    code: Code.RESOURCE_EXHAUSTED,
    message: 'Too many connections',
  });
});

test('checks come in the order device, primary, program, atomicity', async () => {
  const write = (electionId: bigint, init = {}) => bench.client.write([keylessDefault], electionId, init);
  expect(await write(1n, { deviceId: 5n })).toMatchObject({ code: Code.NOT_FOUND });
  expect(await write(1n)).toMatchObject({ code: Code.PERMISSION_DENIED, message: 'Not primary' });
  const stream = bench.client.openStream();
  await stream.arbitrate(1n);
  const rollback = { atomicity: WriteRequest_Atomicity.ROLLBACK_ON_ERROR };
  expect(await write(1n, rollback)).toMatchObject({
    code: Code.FAILED_PRECONDITION,
    message: 'No forwarding pipeline config set for this device',
  });
  await bench.client.push();
  expect(await write(1n, rollback)).toMatchObject({ code: Code.OK });
  expect(await write(1n, { atomicity: 7 })).toMatchObject({ code: Code.INVALID_ARGUMENT });
  expect(await write(2n)).toMatchObject({ code: Code.PERMISSION_DENIED });
  expect(await write(1n)).toEqual({ code: 0, message: '', errors: [] });
  stream.close();
  await expect.poll(async () => (await write(1n)).code).toBe(Code.PERMISSION_DENIED);
  expect(await bench.client.read(codec.all('keyless'))).toEqual([]);
});

test('a program is returned exactly as it was pushed', async () => {
  await expect(bench.client.getConfig()).rejects.toMatchObject({
    code: Code.FAILED_PRECONDITION,
    details: 'No forwarding pipeline config set for this device',
  });
  await bench.client.openStream().arbitrate(1n);
  await bench.client.push();
  const parts = await Promise.all([0, 1, 2, 3].map((type) => bench.client.getConfig(type)));
  const pushed = {
    p4info: features.p4info,
    p4DeviceConfig: features.json,
    cookie: { cookie: 0xfedcba9876543210n },
  };
  const { p4info, p4DeviceConfig, cookie } = pushed;
  const expected = [pushed, { cookie }, { p4info, cookie }, { p4DeviceConfig, cookie }];
  for (const [type, want] of expected.entries()) {
    expect(
      equals(
        ForwardingPipelineConfigSchema,
        parts[type]!.config!,
        create(ForwardingPipelineConfigSchema, want),
      ),
    ).toBe(true);
  }
  await expect(bench.client.getConfig(9)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
});

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ['text that is not JSON', { p4info: features.p4info, p4DeviceConfig: bytes('hello') }, 'not the JSON'],
  ['broken JSON', { p4info: features.p4info, p4DeviceConfig: bytes('{"a":') }, 'not JSON'],
  [
    'JSON of something else',
    { p4info: features.p4info, p4DeviceConfig: bytes('{"a":1}') },
    'cannot be loaded',
  ],
  ['no device config', { p4info: features.p4info }, 'no p4_device_config'],
  ['no P4Info', { p4DeviceConfig: features.json }, 'no P4Info'],
  [
    'a P4Info of another program',
    {
      p4info: create(P4InfoSchema, { tables: [{ preamble: { id: 1, name: 'elsewhere' } }] }),
      p4DeviceConfig: features.json,
    },
    "table 'elsewhere' is in the P4Info, but not in the JSON",
  ],
])('%s is refused, and the program in force stays', async (_, config, message) => {
  await bench.client.openStream().arbitrate(1n);
  await bench.client.push();
  for (const action of [ConfigAction.VERIFY, ConfigAction.VERIFY_AND_SAVE, ConfigAction.VERIFY_AND_COMMIT]) {
    const bad = create(ForwardingPipelineConfigSchema, config);
    await expect(bench.client.push(action, { config: bad })).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      details: expect.stringContaining(message),
    });
  }
  expect((await bench.client.getConfig(1)).config?.cookie?.cookie).toBe(0xfedcba9876543210n);
  expect(await bench.client.write([keylessDefault])).toMatchObject({ code: 0 });
});

test('every way to push a program', async () => {
  await bench.client.openStream().arbitrate(1n);
  const push = (action: ConfigAction) =>
    bench.client.push(action).then(
      () => 'OK',
      (error) => Code[error.code],
    );
  expect(await push(ConfigAction.COMMIT)).toBe('NOT_FOUND');
  expect(await push(ConfigAction.VERIFY)).toBe('OK');
  await expect(bench.client.getConfig()).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  expect(await push(ConfigAction.VERIFY_AND_SAVE)).toBe('OK');
  expect((await bench.client.getConfig()).config).toBeDefined();
  expect(await push(ConfigAction.VERIFY)).toBe('OK');
  expect(await push(ConfigAction.COMMIT)).toBe('OK');
  expect(await push(ConfigAction.COMMIT)).toBe('NOT_FOUND');
  expect(await push(ConfigAction.RECONCILE_AND_COMMIT)).toBe('OK');
  expect(await push(ConfigAction.UNSPECIFIED)).toBe('INVALID_ARGUMENT');
  await expect(bench.client.push(ConfigAction.VERIFY, { electionId: { low: 2n } })).rejects.toMatchObject({
    code: Code.PERMISSION_DENIED,
  });
});

test('a push empties every table', async () => {
  await bench.client.openStream().arbitrate(1n);
  await bench.client.push();
  const route = { table: 'routes', match: { target: { value: '02:00:00:00:00:00', prefixLength: 8 } } };
  const insert = codec.insert({ ...route, action: { name: 'drop' } });
  expect((await bench.client.write([insert])).code).toBe(0);
  expect(await bench.client.read(codec.all('routes'))).toHaveLength(1);
  await bench.client.push();
  expect(await bench.client.read(codec.all('routes'))).toHaveLength(0);
  expect((await bench.client.write([insert])).code).toBe(0);
});

test('capabilities tell the version of the protocol', async () => {
  const { p4runtimeApiVersion } = await bench.client.call('capabilities', create(CapabilitiesRequestSchema));
  expect(p4runtimeApiVersion).toMatch(/^1\.\d+\.\d+$/);
});
