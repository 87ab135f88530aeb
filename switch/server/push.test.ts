// SPDX-License-Identifier: Apache-2.0
/** The ways to bring a program into force, and what becomes of the state that was there. */

import { clone, create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';
import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import { P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Entity } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  EntitySchema,
  ForwardingPipelineConfigSchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { type EntityInit, update } from './testdata/compat-stage.ts';
import { compat, features, startBench, startLoadedBench, type TestProgram } from './testdata/harness.ts';

const { INSERT, MODIFY } = Update_Type;
const { VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT, RECONCILE_AND_COMMIT } = ConfigAction;
const bytes = (...values: number[]) => Uint8Array.from(values);
const exact = (fieldId: number, ...value: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'exact' as const, value: { value: bytes(...value) } },
});

let bench: Awaited<ReturnType<typeof startLoadedBench>>;
afterEach(() => bench.close());

const index = new P4InfoIndex(features.p4info);
const tableId = (name: string) => index.tables.get(name).id;
const call = (name: string, ...param: number[]) => ({
  type: {
    case: 'action' as const,
    value: {
      actionId: index.actions.get(name).id,
      params: param.map((value, at) => ({ paramId: at + 1, value: bytes(value) })),
    },
  },
});
const route = (key: number, port: number): EntityInit => ({
  case: 'tableEntry',
  value: {
    tableId: tableId('routes'),
    match: [{ fieldId: 1, fieldMatchType: { case: 'lpm', value: { value: bytes(key), prefixLen: 48 } } }],
    action: call('forward', port),
    metadata: bytes(9),
  },
});
const small = (key: number): EntityInit => ({
  case: 'tableEntry',
  value: { tableId: tableId('exact_small'), match: [exact(1, key), exact(2, 1)], action: call('forward', 5) },
});
const counter = (name: string, at: bigint, packetCount: bigint): EntityInit => ({
  case: 'counterEntry',
  value: { counterId: index.counters.get(name).id, index: { index: at }, data: { packetCount } },
});
const registerId = features.p4info.registers[0]!.preamble!.id;
const register = (at: bigint, value: number): EntityInit => ({
  case: 'registerEntry',
  value: { registerId, index: { index: at }, data: { data: { case: 'bitstring', value: bytes(value) } } },
});
const digestId = index.digests.get('seen_t').id;
const digest: EntityInit = { case: 'digestEntry', value: { digestId, config: { maxListSize: 1 } } };
const group: EntityInit = {
  case: 'packetReplicationEngineEntry',
  value: {
    type: {
      case: 'multicastGroupEntry',
      value: { multicastGroupId: 5, replicas: [{ portKind: { case: 'egressPort', value: 3 } }] },
    },
  },
};
const keyless: EntityInit = {
  case: 'tableEntry',
  value: { tableId: tableId('keyless'), isDefaultAction: true, action: call('forward', 3) },
};

function frameOf(target: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame[5] = target;
  return frame;
}

async function write(type: Update_Type, ...entities: EntityInit[]): Promise<void> {
  const outcome = await bench.client.write(entities.map((entity) => update(type, entity)));
  expect(outcome).toEqual({ code: 0, message: '', errors: [] });
}

async function readAll(...entities: EntityInit[]): Promise<Entity[]> {
  return bench.client.read(...entities.map((entity) => create(EntitySchema, { entity })));
}

const configOf = (program: TestProgram, spoil: (p4info: P4Info) => void = () => {}) => {
  const p4info = clone(P4InfoSchema, program.p4info);
  spoil(p4info);
  return { config: create(ForwardingPipelineConfigSchema, { p4info, p4DeviceConfig: program.json }) };
};

const everything: EntityInit[] = [
  { case: 'tableEntry', value: { counterData: {}, tableId: tableId('exact_small') } },
  { case: 'tableEntry', value: { tableId: tableId('routes') } },
  { case: 'tableEntry', value: { isDefaultAction: true } },
  { case: 'counterEntry', value: {} },
  { case: 'registerEntry', value: {} },
  { case: 'digestEntry', value: { digestId } },
  { case: 'packetReplicationEngineEntry', value: { type: { case: 'multicastGroupEntry', value: {} } } },
];

async function fill(): Promise<void> {
  await write(INSERT, route(1, 4), route(2, 5), small(1), small(2), digest, group);
  await write(MODIFY, keyless, counter('by_kind', 2n, 7n), register(3n, 8));
}

test('a saved program is written and read while the one in force goes on, and comes into force as it was written', async () => {
  bench = await startLoadedBench();
  await write(INSERT, route(1, 4));
  await bench.client.push(VERIFY_AND_SAVE);
  expect(await readAll(everything[1]!)).toEqual([]);
  await fill();
  const saved = await readAll(...everything);
  bench.running.inject(2, frameOf(1));
  bench.running.inject(2, frameOf(2));
  expect(bench.sent.map(({ port }) => port)).toEqual([4]);
  // A VERIFY in between changes nothing.
  await bench.client.push(VERIFY, configOf(features));
  await bench.client.push(COMMIT);
  expect(await readAll(...everything)).toEqual(saved);
  bench.running.inject(2, frameOf(2));
  // The changed default action of `keyless` comes after the route, and exact_small is for port 1.
  expect(bench.sent.map(({ port }) => port)).toEqual([4, 3]);
});

test('RECONCILE_AND_COMMIT keeps all that was written and counted', async () => {
  bench = await startLoadedBench();
  await fill();
  bench.running.inject(2, frameOf(1));
  const before = await readAll(...everything);
  await bench.client.push(RECONCILE_AND_COMMIT);
  expect(await readAll(...everything)).toEqual(before);
  bench.sent.length = 0;
  bench.running.inject(2, frameOf(1));
  expect(bench.sent.map(({ port }) => port)).toEqual([3]);
  expect((await bench.stream.next('digest')).data).toHaveLength(1);
  // Handles are given out as if nothing had happened.
  await write(INSERT, small(3), small(4));
  expect((await bench.client.write([update(INSERT, small(5))])).errors[0]?.message).toMatch(/full/);
});

test('RECONCILE_AND_COMMIT keeps members and groups, and who serves which flow', async () => {
  bench = await startLoadedBench(compat);
  const names = new P4InfoIndex(compat.p4info);
  const actionProfileId = names.actionProfiles.get('spread_members').id;
  const forward = (port: number) => ({
    actionId: names.actions.get('forward').id,
    params: [{ paramId: 1, value: bytes(port) }],
  });
  const member = (memberId: number): EntityInit => ({
    case: 'actionProfileMember',
    value: { actionProfileId, memberId, action: forward(memberId) },
  });
  const groupOf = (groupId: number, ...members: number[]): EntityInit => ({
    case: 'actionProfileGroup',
    value: {
      actionProfileId,
      groupId,
      maxSize: 4,
      members: members.map((memberId) => ({ memberId, weight: 1 })),
    },
  });
  const spread: EntityInit = {
    case: 'tableEntry',
    value: {
      tableId: names.tables.get('spread').id,
      match: [exact(1, 1)],
      action: { type: { case: 'actionProfileGroupId', value: 1 } },
    },
  };
  // Handles that are not in the order of ids.
  await write(INSERT, member(1), member(2), member(3));
  await write(Update_Type.DELETE, member(1));
  await write(INSERT, member(4), groupOf(1, 2, 3, 4), spread);
  const ports = () => {
    bench.sent.length = 0;
    for (let source = 0; source < 40; source++) {
      const frame = frameOf(1);
      frame[11] = source;
      bench.running.inject(1, frame);
    }
    return bench.sent.map(({ port }) => port);
  };
  const before = ports();
  expect(new Set(before).size).toBe(3);
  const wanted: EntityInit[] = [
    { case: 'actionProfileMember', value: {} },
    { case: 'actionProfileGroup', value: {} },
    { case: 'tableEntry', value: { tableId: names.tables.get('spread').id } },
  ];
  const read = await readAll(...wanted);
  await bench.client.push(RECONCILE_AND_COMMIT);
  expect(ports()).toEqual(before);
  expect(await readAll(...wanted)).toEqual(read);
  expect((await bench.client.write([update(Update_Type.DELETE, member(2))])).errors[0]?.message).toMatch(
    /in use/,
  );
});

test.each<[string, (p4info: P4Info) => void, RegExp]>([
  [
    'a table that is gone',
    (p4info) =>
      void p4info.tables.splice(
        p4info.tables.findIndex((each) => each.preamble?.alias === 'routes'),
        1,
      ),
    /table 'TestIngress.routes' is gone/,
  ],
  [
    'a counter that is gone and has counted',
    (p4info) => void p4info.counters.splice(1, 1),
    /counter 'TestIngress.by_kind' is gone or smaller, and has counted/,
  ],
  [
    'a register that is gone and in use',
    (p4info) => void p4info.registers.splice(0, 1),
    /register 'TestIngress.cells' is gone/,
  ],
  ['a digest that is gone', (p4info) => void p4info.digests.splice(0, 1), /digest 'seen_t' is gone/],
  [
    'an action its entries have',
    (p4info) => {
      const routes = p4info.tables.find((each) => each.preamble?.alias === 'routes')!;
      routes.actionRefs = routes.actionRefs.filter(({ id }) => id !== index.actions.get('forward').id);
    },
    /table 'TestIngress.routes' has entries with action 'TestIngress.forward'/,
  ],
  [
    'a direct counter',
    (p4info) => void p4info.directCounters.splice(0, 1),
    /table 'TestIngress.exact_small' has no direct counter any more/,
  ],
])('RECONCILE_AND_COMMIT without %s is refused, and changes nothing', async (_, spoil, message) => {
  bench = await startLoadedBench();
  await fill();
  const before = await readAll(...everything);
  await expect(bench.client.push(RECONCILE_AND_COMMIT, configOf(features, spoil))).rejects.toMatchObject({
    details: expect.stringMatching(message),
  });
  expect(await readAll(...everything)).toEqual(before);
  bench.running.inject(2, frameOf(1));
  expect(bench.sent.map(({ port }) => port)).toEqual([3]);
});

test('what is not in use may go', async () => {
  bench = await startLoadedBench();
  await bench.client.push(
    RECONCILE_AND_COMMIT,
    configOf(features, (p4info) => {
      p4info.counters = [];
      p4info.registers = [];
      p4info.digests = [];
    }),
  );
  expect(await readAll({ case: 'counterEntry', value: {} })).toEqual([]);
});

/** A length-delimited field of protobuf. */
function field(number: number, value: Uint8Array): number[] {
  const length: number[] = [];
  for (let rest = value.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) break;
  }
  return [number * 8 + 2, ...length, ...value];
}

test('the JSON may come in a p4.tmp.P4DeviceConfig', async () => {
  bench = { ...(await startBench()), stream: undefined as never };
  await bench.client.openStream().arbitrate(1n);
  const reassign = [8, 1];
  const extras = field(2, bytes(10, 0));
  const wrapped = Uint8Array.from([...reassign, ...extras, ...field(3, features.json)]);
  const config = (p4DeviceConfig: Uint8Array) => ({
    config: create(ForwardingPipelineConfigSchema, { p4info: features.p4info, p4DeviceConfig }),
  });
  await bench.client.push(VERIFY_AND_COMMIT, config(wrapped));
  expect((await bench.client.getConfig()).config?.p4DeviceConfig.length).toBe(wrapped.length);
  for (const bad of [wrapped.subarray(0, 1000), bytes(8), bytes(26, 5, 1), bytes(34, 1, 1)]) {
    await expect(bench.client.push(VERIFY_AND_COMMIT, config(bad))).rejects.toMatchObject({
      details: expect.stringMatching(/not the JSON/),
    });
  }
});
