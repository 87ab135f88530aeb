// SPDX-License-Identifier: Apache-2.0
/** Registers and value sets over P4Runtime: read, written, and kept within their bounds. */

import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Entity } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { EntitySchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { Compat } from './compat.ts';
import { Code } from './refusal.ts';
import { type EntityInit, update } from './testdata/compat-stage.ts';
import { compat, startLoadedBench } from './testdata/harness.ts';

const { INSERT, MODIFY, DELETE } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);
const [cells, signedCells] = compat.p4info.registers.map(({ preamble }) => preamble!.id);
const [valueSetId] = compat.p4info.valueSets.map(({ preamble }) => preamble!.id);

let bench: Awaited<ReturnType<typeof startLoadedBench>>;
const start = async (mode: Compat) => {
  bench = await startLoadedBench(compat, { compat: mode });
};
beforeEach(() => start('strict'));
afterEach(() => bench.close());

const register = (registerId: number | undefined, index?: bigint, ...value: number[]): EntityInit => ({
  case: 'registerEntry',
  value: {
    registerId: registerId ?? 0,
    ...(index !== undefined && { index: { index } }),
    ...(value.length > 0 && { data: { data: { case: 'bitstring', value: bytes(...value) } } }),
  },
});

async function codeOf(type: Update_Type, entity: EntityInit): Promise<string> {
  const { code, errors } = await bench.client.write([update(type, entity)]);
  return Code[errors[0]?.canonicalCode ?? code]!;
}

async function valuesOf(entity: EntityInit): Promise<string[]> {
  const read = await bench.client.read(create(EntitySchema, { entity }));
  return read.map(({ entity: { value } }: Entity) => {
    const { index, data } = value as Extract<Entity['entity'], { case: 'registerEntry' }>['value'];
    const bits = data?.data.case === 'bitstring' ? [...data.data.value] : ['?'];
    return `${index?.index}: ${bits}`;
  });
}

/** An Ethernet frame of this type. */
function frameOf(kind: number, ...rest: number[]): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([kind >> 8, kind & 0xff, ...rest], 12);
  return frame;
}

test('a cell, all cells of a register, all registers', async () => {
  expect(await codeOf(MODIFY, register(cells, 2n, 1, 0))).toBe('OK');
  expect(await valuesOf(register(cells, 2n))).toEqual(['2: 1,0']);
  expect(await valuesOf(register(cells))).toEqual(['0: 0', '1: 0', '2: 1,0', '3: 0']);
  expect(await valuesOf(register(undefined))).toHaveLength(6);
  expect(await codeOf(MODIFY, register(cells, undefined, 7))).toBe('OK');
  expect(await valuesOf(register(cells))).toEqual(['0: 7', '1: 7', '2: 7', '3: 7']);
});

test('packets write where the controller reads', async () => {
  bench.running.inject(1, frameOf(0x1234));
  expect(await valuesOf(register(cells, 0n))).toEqual(['0: 18,52']);
  expect(await valuesOf(register(signedCells, 0n))).toEqual(['0: 255']);
});

test.each<[string, number[], string]>([
  ['-1', [0xff], '1: 255'],
  ['-128', [0x80], '1: 128'],
  ['-1 in more bytes', [0xff, 0xff], '1: 255'],
  ['5', [0, 5], '1: 5'],
])('an int<8> of %s', async (_, value, read) => {
  expect(await codeOf(MODIFY, register(signedCells, 1n, ...value))).toBe('OK');
  expect(await valuesOf(register(signedCells, 1n))).toEqual([read]);
});

test.each<[string, Update_Type, EntityInit, string]>([
  ['INSERT', INSERT, register(cells, 0n, 1), 'INVALID_ARGUMENT'],
  ['DELETE', DELETE, register(cells, 0n, 1), 'INVALID_ARGUMENT'],
  ['a register that does not exist', MODIFY, register(1, 0n, 1), 'INVALID_ARGUMENT'],
  ['a negative index', MODIFY, register(cells, -1n, 1), 'INVALID_ARGUMENT'],
  ['an index beyond the array', MODIFY, register(cells, 4n, 1), 'OUT_OF_RANGE'],
  ['no data', MODIFY, register(cells, 0n), 'INVALID_ARGUMENT'],
  ['33 bits', MODIFY, register(cells, 0n, 1, 0, 0, 0, 0), 'INVALID_ARGUMENT'],
  ['128 in an int<8>', MODIFY, register(signedCells, 0n, 0, 0x80), 'INVALID_ARGUMENT'],
])('%s is refused', async (_, type, entity, code) => {
  expect(await codeOf(type, entity)).toBe(code);
  expect(await valuesOf(register(cells))).toEqual(['0: 0', '1: 0', '2: 0', '3: 0']);
});

test('that simple_switch_grpc has no such access is told once', async () => {
  await valuesOf(register(cells));
  await codeOf(MODIFY, register(cells, 0n, 1));
  expect(bench.logs.filter((line) => line.includes('trap register-access'))).toHaveLength(1);
});

test('a value set that is written is what the parser compares with', async () => {
  await bench.close();
  await start('spec');
  const member = (kind: number) => ({
    match: [
      {
        fieldId: 1,
        fieldMatchType: { case: 'exact' as const, value: { value: bytes(kind >> 8, kind & 255) } },
      },
    ],
  });
  const set = (...kinds: number[]): EntityInit => ({
    case: 'valueSetEntry',
    value: { valueSetId: valueSetId!, members: kinds.map(member) },
  });
  const tableId = compat.p4info.tables.find(({ preamble }) => preamble?.alias === 'labels')!.preamble!.id;
  const actionId = compat.p4info.actions.find(({ preamble }) => preamble?.alias === 'forward')!.preamble!.id;
  const label: EntityInit = {
    case: 'tableEntry',
    value: {
      tableId,
      match: [
        { fieldId: 1, fieldMatchType: { case: 'lpm', value: { value: bytes(1, 0x20, 0), prefixLen: 8 } } },
      ],
      action: { type: { case: 'action', value: { actionId, params: [{ paramId: 1, value: bytes(9) }] } } },
    },
  };
  expect(await codeOf(INSERT, label)).toBe('OK');
  const send = () => bench.running.inject(1, frameOf(0x8847, 0x12, 0, 0));
  send();
  expect(await codeOf(MODIFY, set(0x8847, 0x8848))).toBe('OK');
  send();
  expect(await codeOf(MODIFY, set())).toBe('OK');
  send();
  expect(bench.sent.map(({ port }) => port)).toEqual([9]);
  expect(await codeOf(MODIFY, set(1, 2, 3))).toBe('RESOURCE_EXHAUSTED');
  expect(await codeOf(MODIFY, set(1, 1))).toBe('ALREADY_EXISTS');
  expect(await codeOf(INSERT, set(1))).toBe('INVALID_ARGUMENT');
});
