// SPDX-License-Identifier: Apache-2.0
/** What a Write may and may not do, over gRPC; the codes are those of simple_switch_grpc. */

import { create, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EntryCodec, type EntryInput } from '../../p4runtime/entries.ts';
import type { Entity, TableEntry, Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  EntitySchema,
  TableEntrySchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code } from './refusal.ts';
import { index, isOtherSwitch, startLoadedBench } from './testdata/harness.ts';

const codec = new EntryCodec(index);
let bench: Awaited<ReturnType<typeof startLoadedBench>>;
beforeAll(async () => {
  bench = await startLoadedBench();
});
beforeEach(() => bench.client.push());
afterAll(() => bench.close());

type EntryInit = NonNullable<Parameters<typeof create<typeof TableEntrySchema>>[1]>;
type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];

const tableId = (name: string) => index.tables.get(name).id;
const actionId = (name: string) => index.actions.get(name).id;
const value = (...bytes: number[]) => Uint8Array.from(bytes);
const exact = (fieldId: number, ...bytes: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'exact' as const, value: { value: value(...bytes) } },
});
const lpm = (fieldId: number, prefixLen: number, ...bytes: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'lpm' as const, value: { value: value(...bytes), prefixLen } },
});
const ternary = (fieldId: number, bytes: number[], mask: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'ternary' as const, value: { value: value(...bytes), mask: value(...mask) } },
});
const range = (fieldId: number, low: number[], high: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'range' as const, value: { low: value(...low), high: value(...high) } },
});
const optional = (fieldId: number, ...bytes: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'optional' as const, value: { value: value(...bytes) } },
});
const action = (name: string, ...params: [paramId: number, ...bytes: number[]][]) => ({
  type: {
    case: 'action' as const,
    value: {
      actionId: actionId(name),
      params: params.map(([paramId, ...bytes]) => ({ paramId, value: value(...bytes) })),
    },
  },
});

const update = (type: Update_Type, entity: EntityInit): Update =>
  create(UpdateSchema, { type, entity: { entity } });
const write = (type: Update_Type, table: string, entry: EntryInit) =>
  update(type, { case: 'tableEntry', value: { tableId: tableId(table), ...entry } });
const insert = (table: string, entry: EntryInit) => write(Update_Type.INSERT, table, entry);
const modify = (table: string, entry: EntryInit) => write(Update_Type.MODIFY, table, entry);
const remove = (table: string, entry: EntryInit) => write(Update_Type.DELETE, table, entry);

/** Entries that are in order; each case below spoils one thing. */
const small = { match: [exact(1, 1), exact(2, 1)], action: action('forward', [1, 5]) };
const route = { match: [lpm(1, 8, 2, 0, 0, 0, 0, 0)], action: action('drop') };
const rule = { match: [ternary(1, [0x10], [0xf0])], priority: 10, action: action('drop') };
const source = { match: [exact(1, 7)], action: action('NoAction') };
const counters = { packetCount: 3n, byteCount: 4n };

async function codes(...updates: Update[]): Promise<string[]> {
  const { code, errors } = await bench.client.write(updates);
  if (code === Code.OK) return updates.map(() => 'OK');
  expect(code).toBe(Code.UNKNOWN);
  return errors.map((error) => Code[error.canonicalCode]!);
}

describe('entries in order are accepted', () => {
  test.each<[string, Update[]]>([
    ['exact', [insert('exact_small', small)]],
    [
      'padded values',
      [insert('exact_small', { ...small, match: [exact(1, 0, 0, 0, 0, 0, 0, 0, 1), exact(2, 0, 1)] })],
    ],
    ['lpm', [insert('routes', route)]],
    ['lpm, everything', [insert('routes', { ...route, match: [] })]],
    ['ternary', [insert('rules', rule)]],
    ['range', [insert('rules', { ...rule, match: [range(2, [0, 0], [0, 255])] })]],
    ['optional', [insert('rules', { ...rule, match: [optional(3, 1)] })]],
    ['the same key at another priority', [insert('rules', rule), insert('rules', { ...rule, priority: 11 })]],
    ['idle timeout', [insert('source_timeout', { ...source, idleTimeoutNs: 5_000_000n })]],
    ['counter data', [insert('exact_small', { ...small, counterData: counters })]],
    ['a default action', [modify('keyless', { isDefaultAction: true, action: action('forward', [1, 2]) })]],
    ['a reset of it', [modify('keyless', { isDefaultAction: true })]],
    [
      'insert, modify, delete',
      [insert('exact_small', small), modify('exact_small', small), remove('exact_small', small)],
    ],
    [
      'delete with a senseless action',
      [
        insert('exact_small', small),
        remove('exact_small', { ...small, action: { type: { case: 'actionProfileMemberId', value: 3 } } }),
      ],
    ],
    ['delete and insert again', [insert('routes', route), remove('routes', route), insert('routes', route)]],
  ])('%s', async (_, updates) => {
    expect(await codes(...updates)).toEqual(updates.map(() => 'OK'));
  });
});

describe('what is refused, and with which code', () => {
  const param = (name: string) => ({
    type: { case: 'action' as const, value: { actionId: actionId(name) } },
  });
  test.each<[string, string, Update[]]>([
    [
      'unknown table',
      'INVALID_ARGUMENT',
      [update(Update_Type.INSERT, { case: 'tableEntry', value: { tableId: 1 } })],
    ],
    ['no update type', 'INVALID_ARGUMENT', [write(Update_Type.UNSPECIFIED, 'exact_small', small)]],
    ['no entity', 'UNKNOWN', [create(UpdateSchema, { type: Update_Type.INSERT })]],
    [
      'insert of an existing key',
      'ALREADY_EXISTS',
      [insert('exact_small', small), insert('exact_small', small)],
    ],
    [
      '... in padded form',
      'ALREADY_EXISTS',
      [
        insert('exact_small', small),
        insert('exact_small', { ...small, match: [exact(1, 0, 1), exact(2, 0, 1)] }),
      ],
    ],
    [
      '... with its fields in another order',
      'ALREADY_EXISTS',
      [insert('exact_small', small), insert('exact_small', { ...small, match: [exact(2, 1), exact(1, 1)] })],
    ],
    ['modify of a missing key', 'NOT_FOUND', [modify('exact_small', small)]],
    ['delete of a missing key', 'NOT_FOUND', [remove('exact_small', small)]],
    [
      'delete twice',
      'NOT_FOUND',
      [insert('routes', route), remove('routes', route), remove('routes', route)],
    ],
    [
      'delete at another priority',
      'NOT_FOUND',
      [insert('rules', rule), remove('rules', { ...rule, priority: 11 })],
    ],
    [
      'a full table',
      'UNKNOWN',
      [1, 2, 3, 4, 5].map((key) => insert('exact_small', { ...small, match: [exact(1, key), exact(2, 1)] })),
    ],
    [
      'insert into a const table',
      'UNKNOWN',
      [insert('fixed', { match: [exact(1, 9)], action: action('drop') })],
    ],
    [
      'modify in a const table',
      'NOT_FOUND',
      [modify('fixed', { match: [exact(1, 8, 0)], action: action('drop') })],
    ],
    ['delete in a const table', 'NOT_FOUND', [remove('fixed', { match: [exact(1, 8, 0)] })]],
    ['insert into a keyless table', 'UNKNOWN', [insert('keyless', { action: action('NoAction') })]],
    [
      'insert of a default',
      'INVALID_ARGUMENT',
      [insert('keyless', { isDefaultAction: true, action: action('NoAction') })],
    ],
    ['delete of a default', 'INVALID_ARGUMENT', [remove('keyless', { isDefaultAction: true })]],
    [
      'default with a match',
      'INVALID_ARGUMENT',
      [modify('exact_small', { ...small, isDefaultAction: true })],
    ],
    [
      'default with a priority',
      'INVALID_ARGUMENT',
      [modify('rules', { isDefaultAction: true, priority: 1, action: action('drop') })],
    ],
    [
      'default with counter data',
      'UNIMPLEMENTED',
      [modify('exact_small', { isDefaultAction: true, counterData: counters })],
    ],
    [
      'const default',
      'PERMISSION_DENIED',
      [modify('routes', { isDefaultAction: true, action: action('drop') })],
    ],
    [
      'modify without action',
      'INVALID_ARGUMENT',
      [insert('exact_small', small), modify('exact_small', { match: small.match })],
    ],
    ['insert without action', 'INVALID_ARGUMENT', [insert('exact_small', { match: small.match })]],
    ['an empty action', 'INVALID_ARGUMENT', [insert('exact_small', { match: small.match, action: {} })]],
    [
      'an action of another table',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('learn') })],
    ],
    [
      'a @defaultonly action in an entry',
      'PERMISSION_DENIED',
      [insert('exact_small', { ...small, action: action('NoAction') })],
    ],
    [
      'a @tableonly action as default',
      'PERMISSION_DENIED',
      [modify('exact_small', { isDefaultAction: true, action: action('drop') })],
    ],
    [
      'too few parameters',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: param('forward') })],
    ],
    [
      'too many parameters',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('forward', [1, 1], [2, 1]) })],
    ],
    [
      'an unknown parameter',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('forward', [9, 1]) })],
    ],
    [
      'a repeated parameter',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('rewrite', [1, 1], [1, 1], [3, 1]) })],
    ],
    [
      'a parameter too wide',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('forward', [1, 2, 0]) })],
    ],
    [
      'an empty parameter',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: action('forward', [1]) })],
    ],
    [
      'an action profile member',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: { type: { case: 'actionProfileMemberId', value: 1 } } })],
    ],
    [
      'an action set',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, action: { type: { case: 'actionProfileActionSet', value: {} } } })],
    ],
    [
      'a missing exact field',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [exact(1, 1)] })],
    ],
    [
      'an unknown field',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [...small.match, exact(3, 1)] })],
    ],
    [
      'a repeated field',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [exact(1, 1), exact(1, 1)] })],
    ],
    [
      'another kind of match',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [lpm(1, 8, 1), exact(2, 1)] })],
    ],
    [
      'a field without match',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [{ fieldId: 1 }, exact(2, 1)] })],
    ],
    [
      'a key too wide',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [exact(1, 1), exact(2, 2, 0)] })],
    ],
    [
      'an empty key',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, match: [exact(1), exact(2, 1)] })],
    ],
    ['a prefix of 0', 'INVALID_ARGUMENT', [insert('routes', { ...route, match: [lpm(1, 0, 0)] })]],
    ['a prefix too long', 'INVALID_ARGUMENT', [insert('routes', { ...route, match: [lpm(1, 49, 0)] })]],
    ['a negative prefix', 'INVALID_ARGUMENT', [insert('routes', { ...route, match: [lpm(1, -1, 0)] })]],
    [
      'bits after the prefix',
      'INVALID_ARGUMENT',
      [insert('routes', { ...route, match: [lpm(1, 8, 2, 0, 0, 0, 0, 1)] })],
    ],
    ['a mask of 0', 'INVALID_ARGUMENT', [insert('rules', { ...rule, match: [ternary(1, [0], [0])] })]],
    [
      'bits outside the mask',
      'INVALID_ARGUMENT',
      [insert('rules', { ...rule, match: [ternary(1, [1], [2])] })],
    ],
    ['an empty range', 'INVALID_ARGUMENT', [insert('rules', { ...rule, match: [range(2, [2], [1])] })]],
    [
      'the full range',
      'INVALID_ARGUMENT',
      [insert('rules', { ...rule, match: [range(2, [0], [255, 255])] })],
    ],
    [
      'a range simple_switch_grpc mistakes for it',
      'INVALID_ARGUMENT',
      [insert('rules', { ...rule, match: [range(2, [0], [255])] })],
    ],
    ['no priority where one is needed', 'INVALID_ARGUMENT', [insert('rules', { ...rule, priority: 0 })]],
    ['a negative priority', 'INVALID_ARGUMENT', [insert('rules', { ...rule, priority: -1 })]],
    ['a priority where none is', 'INVALID_ARGUMENT', [insert('exact_small', { ...small, priority: 1 })]],
    [
      'idle timeout where there is none',
      'INVALID_ARGUMENT',
      [insert('exact_small', { ...small, idleTimeoutNs: 5_000_000n })],
    ],
    [
      'a negative idle timeout',
      'INVALID_ARGUMENT',
      [insert('source_timeout', { ...source, idleTimeoutNs: -1n })],
    ],
    [
      'an idle timeout below 1 ms',
      'INVALID_ARGUMENT',
      [insert('source_timeout', { ...source, idleTimeoutNs: 999_999n })],
    ],
    [
      'time since last hit',
      'INVALID_ARGUMENT',
      [insert('source_timeout', { ...source, timeSinceLastHit: {} })],
    ],
    ['is_const', 'INVALID_ARGUMENT', [insert('exact_small', { ...small, isConst: true })]],
    [
      'counter data without counter',
      'INVALID_ARGUMENT',
      [insert('routes', { ...route, counterData: counters })],
    ],
    ['a meter config', 'INVALID_ARGUMENT', [insert('exact_small', { ...small, meterConfig: {} })]],
    [
      'a counter that does not exist',
      'INVALID_ARGUMENT',
      [update(Update_Type.MODIFY, { case: 'counterEntry', value: { counterId: 1, index: {}, data: {} } })],
    ],
    [
      'a register that does not exist',
      'INVALID_ARGUMENT',
      [update(Update_Type.MODIFY, { case: 'registerEntry', value: { registerId: 1 } })],
    ],
    ['a value set', 'UNIMPLEMENTED', [update(Update_Type.MODIFY, { case: 'valueSetEntry', value: {} })]],
    ['a meter', 'INVALID_ARGUMENT', [update(Update_Type.MODIFY, { case: 'meterEntry', value: {} })]],
    [
      'an unknown digest',
      'NOT_FOUND',
      [update(Update_Type.INSERT, { case: 'digestEntry', value: { digestId: 1 } })],
    ],
  ])('%s: %s', async (_, code, updates) => {
    const before = updates.slice(0, -1).map(() => 'OK');
    expect(await codes(...updates)).toEqual([...before, code]);
  });
});

test('every update has its own status, in order', async () => {
  const { code, message, errors } = await bench.client.write([
    insert('exact_small', small),
    insert('exact_small', small),
    modify('routes', route),
    insert('routes', route),
  ]);
  expect([code, message]).toEqual([Code.UNKNOWN, '']);
  expect(errors.map((error) => error.canonicalCode)).toEqual([0, Code.ALREADY_EXISTS, Code.NOT_FOUND, 0]);
  expect(errors[1]).toMatchObject({
    message: 'Match entry exists, use MODIFY if you wish to change action',
    space: 'ALL-sswitch-p4org',
    code: 0,
  });
  expect(await bench.client.read(codec.all('routes'))).toHaveLength(1);
});

const failing = (count: number) => Array.from({ length: count }, () => modify('routes', route));

test('600 errors arrive in one answer', async () => {
  expect((await bench.client.write(failing(600))).errors).toHaveLength(600);
});

// The C++ server never answers this one.
test.skipIf(isOtherSwitch)(
  'when there are too many errors to list, their number and the first are told',
  async () => {
    const many = await bench.client.write(failing(5000));
    expect(many).toMatchObject({ code: Code.UNKNOWN, errors: [] });
    expect(many.message).toMatch(/^5000 of 5000 updates failed/);
  },
);

describe('reading back', () => {
  const inputs: EntryInput[] = [
    {
      table: 'exact_small',
      match: { target: '02:00:00:00:00:01', port: 1 },
      action: { name: 'rewrite', params: { target: 1, source: '02:00:00:00:00:09', port: 3 } },
    },
    {
      table: 'routes',
      match: { target: { value: '02:00:00:00:00:00', prefixLength: 8 } },
      action: { name: 'forward', params: { port: 0 } },
    },
    { table: 'routes', match: {}, action: { name: 'drop' } },
    {
      table: 'rules',
      match: { source: { value: 16, mask: 240 }, kind: { low: 5, high: 600 }, port: 3 },
      priority: 7,
      action: { name: 'forward', params: { port: 511 } },
    },
    { table: 'rules', match: {}, priority: 7, action: { name: 'drop' } },
    {
      table: 'source_timeout',
      match: { source: 7 },
      idleTimeoutNs: 5_000_000n,
      metadata: value(1, 2, 3),
      action: { name: 'NoAction' },
    },
  ];

  test('what was written is read, in canonical form', async () => {
    expect(await codes(...inputs.map((input) => codec.insert(input)))).toEqual(inputs.map(() => 'OK'));
    const read = await bench.client.read(
      ...['exact_small', 'routes', 'rules', 'source_timeout'].map((name) => codec.all(name)),
    );
    const written = inputs.map((input) => jsonOf(codec.encode(input)));
    expect(read.map(tableEntryOf).map(jsonOf)).toEqual(written);
    for (const input of inputs) {
      if (Object.keys(input.match ?? {}).length === 0) continue;
      expect((await bench.client.read(codec.one(input))).map(tableEntryOf).map(jsonOf)).toEqual(
        [codec.encode(input)].map(jsonOf),
      );
    }
  });

  test('const entries and default actions are there from the start', async () => {
    const fixed = (await bench.client.read(codec.all('fixed'))).map(tableEntryOf);
    expect(fixed.map((entry) => [codec.decode(entry).match, entry.isConst])).toEqual([
      [{ kind: 0x800 }, true],
      [{ kind: 0xdead }, true],
    ]);
    const defaults = await bench.client.read(entityOf({ isDefaultAction: true }));
    expect(
      defaults
        .map(tableEntryOf)
        .map((entry) => [codec.decode(entry).table, codec.decode(entry).action?.name]),
    ).toEqual([
      ['exact_small', 'NoAction'],
      ['source_timeout', 'learn'],
      ['routes', 'drop'],
      ['rules', 'NoAction'],
      ['fixed', 'NoAction'],
      ['keyless', 'NoAction'],
    ]);
  });

  test('a default action is changed, and reset', async () => {
    await codes(codec.setDefault('keyless', { name: 'forward', params: { port: 9 } }));
    const read = async () =>
      codec.decode(
        tableEntryOf(
          (await bench.client.read(entityOf({ tableId: tableId('keyless'), isDefaultAction: true })))[0]!,
        ),
      ).action;
    expect(await read()).toEqual({ name: 'forward', params: { port: 9 } });
    await codes(codec.setDefault('keyless'));
    expect(await read()).toEqual({ name: 'NoAction', params: {} });
  });

  test('filters: priority and metadata', async () => {
    await codes(
      ...inputs.map((input) => codec.insert(input)),
      insert('rules', { ...rule, controllerMetadata: 5n }),
    );
    const count = async (entry: EntryInit) => (await bench.client.read(entityOf(entry))).length;
    expect(await count({ tableId: tableId('rules') })).toBe(3);
    expect(await count({ tableId: tableId('rules'), priority: 7 })).toBe(2);
    expect(await count({ tableId: tableId('rules'), controllerMetadata: 5n })).toBe(1);
    expect(await count({ metadata: value(1, 2, 3) })).toBe(1);
    expect(await count({})).toBe(inputs.length + 1 + 2);
    expect(await count({ tableId: tableId('routes'), match: [lpm(1, 8, 9, 0, 0, 0, 0, 0)] })).toBe(0);
  });

  test.each<[string, Code, EntityInit]>([
    ['an unknown table', Code.INVALID_ARGUMENT, { case: 'tableEntry', value: { tableId: 1 } }],
    ['nothing', Code.UNKNOWN, { case: undefined }],
    ['an unknown register', Code.INVALID_ARGUMENT, { case: 'registerEntry', value: { registerId: 1 } }],
    [
      'direct counters of all tables',
      Code.UNIMPLEMENTED,
      { case: 'directCounterEntry', value: { tableEntry: {} } },
    ],
    [
      'a cell beyond the counter',
      Code.UNKNOWN,
      { case: 'counterEntry', value: { counterId: index.counters.get('by_port').id, index: { index: 8n } } },
    ],
    ['all digests', Code.UNIMPLEMENTED, { case: 'digestEntry', value: {} }],
    [
      'a digest nobody configured',
      Code.NOT_FOUND,
      { case: 'digestEntry', value: { digestId: index.digests.get('seen_t').id } },
    ],
    [
      'a counter where there is none',
      Code.INVALID_ARGUMENT,
      { case: 'tableEntry', value: { tableId: tableId('routes'), counterData: {} } },
    ],
    [
      'a last hit where there is none',
      Code.INVALID_ARGUMENT,
      { case: 'tableEntry', value: { tableId: tableId('routes'), timeSinceLastHit: {} } },
    ],
  ])('%s cannot be read', async (_, code, entity) => {
    await expect(bench.client.read(create(EntitySchema, { entity }))).rejects.toMatchObject({ code });
  });

  test('a controller that clears everything may ask for what the program does not have', async () => {
    const wildcards: EntityInit[] = [
      { case: 'actionProfileGroup', value: {} },
      { case: 'actionProfileMember', value: {} },
      { case: 'meterEntry', value: {} },
      { case: 'packetReplicationEngineEntry', value: { type: { case: 'multicastGroupEntry', value: {} } } },
      { case: 'packetReplicationEngineEntry', value: { type: { case: 'cloneSessionEntry', value: {} } } },
    ];
    expect(await bench.client.read(...wildcards.map((entity) => create(EntitySchema, { entity })))).toEqual(
      [],
    );
    const meter = create(EntitySchema, { entity: { case: 'meterEntry', value: { meterId: 5 } } });
    await expect(bench.client.read(meter)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  test('a large table comes in pieces that fit the 4 MiB of ordinary clients', async () => {
    const updates = Array.from({ length: 10_000 }, (_, key) =>
      codec.insert({
        table: 'routes',
        match: { target: { value: key, prefixLength: 48 } },
        action: { name: 'drop' },
      }),
    );
    expect((await bench.client.write(updates)).code).toBe(0);
    const pieces = await bench.client.readPieces([codec.all('routes')]);
    expect(pieces.map((piece) => piece.length)).toEqual([4096, 4096, 1808]);
  });
});

const entityOf = (entry: EntryInit): Entity =>
  create(EntitySchema, { entity: { case: 'tableEntry', value: create(TableEntrySchema, entry) } });

const jsonOf = (entry: TableEntry) => toJson(TableEntrySchema, entry);

function tableEntryOf({ entity }: Entity): TableEntry {
  if (entity.case !== 'tableEntry') throw new Error(`not a table entry: ${entity.case}`);
  return entity.value;
}

test('whatever is written, every update is answered, the server lives, and reads what it accepted', async () => {
  const bytesOf = fc.uint8Array({ maxLength: 8 });
  const matchOf = fc.record({
    fieldId: fc.integer({ min: 0, max: 4 }),
    fieldMatchType: fc.oneof(
      fc.record({ case: fc.constant('exact' as const), value: fc.record({ value: bytesOf }) }),
      fc.record({ case: fc.constant('optional' as const), value: fc.record({ value: bytesOf }) }),
      fc.record({
        case: fc.constant('lpm' as const),
        value: fc.record({ value: bytesOf, prefixLen: fc.integer({ min: -1, max: 50 }) }),
      }),
      fc.record({
        case: fc.constant('ternary' as const),
        value: fc.record({ value: bytesOf, mask: bytesOf }),
      }),
      fc.record({ case: fc.constant('range' as const), value: fc.record({ low: bytesOf, high: bytesOf }) }),
      fc.constant({ case: undefined }),
    ),
  });
  const actionOf = fc.record({
    type: fc.record({
      case: fc.constant('action' as const),
      value: fc.record({
        actionId: fc.constantFrom(0, ...['forward', 'drop', 'rewrite', 'NoAction', 'learn'].map(actionId)),
        params: fc.array(fc.record({ paramId: fc.integer({ min: 0, max: 4 }), value: bytesOf }), {
          maxLength: 4,
        }),
      }),
    }),
  });
  const entryOf = fc.record(
    {
      tableId: fc.constantFrom(0, 1, ...index.p4info.tables.map((table) => table.preamble!.id)),
      match: fc.array(matchOf, { maxLength: 4 }),
      action: actionOf,
      priority: fc.integer({ min: -1, max: 3 }),
      isDefaultAction: fc.boolean(),
      idleTimeoutNs: fc.bigInt(-1n, 10_000_000n),
    },
    { requiredKeys: [] },
  );
  const updateOf = fc
    .record({ type: fc.constantFrom(0, 1, 2, 3), entry: entryOf })
    .map(({ type, entry }) => update(type as Update_Type, { case: 'tableEntry', value: entry as EntryInit }));
  await fc.assert(
    fc.asyncProperty(fc.array(updateOf, { minLength: 1, maxLength: 30 }), async (updates) => {
      const { code, errors } = await bench.client.write(updates);
      if (code !== Code.OK) {
        expect(code).toBe(Code.UNKNOWN);
        expect(errors).toHaveLength(updates.length);
        expect(errors.map((error) => error.canonicalCode)).not.toContain(Code.INTERNAL);
      }
      for (const entry of (await bench.client.read(entityOf({}))).map(tableEntryOf)) {
        if (entry.isConst) continue;
        const again = update(Update_Type.MODIFY, { case: 'tableEntry', value: entry });
        expect((await bench.client.write([again])).code).toBe(Code.OK);
      }
    }),
    { numRuns: 60 },
  );
  expect(bench.logs.filter((line) => line.startsWith('error'))).toEqual([]);
});
