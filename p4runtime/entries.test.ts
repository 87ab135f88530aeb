// SPDX-License-Identifier: Apache-2.0
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { entityKey } from './entity-key.ts';
import type { EntryInput } from './entries.ts';
import { EntryCodec } from './entries.ts';
import { P4InfoSchema } from './generated/p4/config/v1/p4info_pb.ts';
import { EntitySchema, TableEntrySchema, Update_Type } from './generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from './p4info.ts';
import { program, programText } from './test/program.ts';
import { parseText } from './text-format.ts';
import { ipv6 } from './values.ts';

const codec = new EntryCodec(new P4InfoIndex(program));
const slot = {
  table: 'slot',
  match: { pool: 1, slot: 7 },
  action: { name: 'set_slot', params: { backend: 3, unstable: 0 } },
};
const rule = (match: EntryInput['match'], priority = 1): EntryInput => ({ table: 'rule', match, priority });

test('an entry by name is an entry by id', () => {
  expect(codec.encode(slot)).toMatchObject({
    tableId: 33554433,
    match: [
      { fieldId: 1, fieldMatchType: { case: 'exact', value: { value: Uint8Array.of(1) } } },
      { fieldId: 2, fieldMatchType: { case: 'exact', value: { value: Uint8Array.of(7) } } },
    ],
    action: {
      type: {
        case: 'action',
        value: {
          actionId: 16777217,
          params: [
            { paramId: 1, value: Uint8Array.of(3) },
            { paramId: 2, value: Uint8Array.of(0) },
          ],
        },
      },
    },
  });
});

test.each([
  [slot],
  [
    {
      table: 'route',
      match: { destination: { value: ipv6('2001:db8::'), prefixLength: 32 } },
      action: { name: 'forward', params: { port: 1, mac: 2n } },
    },
  ],
  [{ table: 'route', match: {}, action: { name: 'forward', params: { port: 1, mac: 2n } } }],
  [
    {
      ...rule({ source: { value: 0x0a000000, mask: 0xff000000 }, port: { low: 80, high: 90 }, flag: 1 }, 5),
      action: { name: 'NoAction', params: {} },
    },
  ],
  [
    {
      table: 'pin',
      match: { flow: 2n ** 103n },
      action: { name: 'set_backend', params: { backend: 9 } },
      idleTimeoutNs: 5_000_000_000n,
    },
  ],
])('an entry survives the wire (case %#)', (input) => {
  const bytes = toBinary(TableEntrySchema, codec.encode(input));
  expect(codec.decode(fromBinary(TableEntrySchema, bytes))).toMatchObject(input);
});

test('do-not-care is left out, as the protocol demands', () => {
  const match = { source: { value: 0, mask: 0 }, port: { low: 0, high: 0xffff } };
  expect(codec.encode(rule(match)).match).toEqual([]);
  expect(
    codec.encode({ table: 'route', match: { destination: { value: '::', prefixLength: 0 } } }).match,
  ).toEqual([]);
});

test('a range 0..255 is sent with all its bytes, lest BMv2 takes it for any value', () => {
  const [range] = codec.encode(rule({ port: { low: 0, high: 255 } })).match;
  expect(range?.fieldMatchType.value).toMatchObject({
    low: Uint8Array.of(0, 0),
    high: Uint8Array.of(0, 255),
  });
});

test.each<[EntryInput, string]>([
  [{ ...slot, table: 'slto' }, "there is no table 'slto'; did you mean slot"],
  [
    { ...slot, match: { pool: 1, slto: 7 } },
    "there is no match field 'slto' in table SwitchIngress.slots.slot; did you mean slot?",
  ],
  [{ ...slot, match: { pool: 1 } }, 'the entry lacks slot, which must be matched exactly'],
  [{ ...slot, match: { pool: 65536, slot: 7 } }, 'slot.pool: 65536 does not fit in 16 bits (at most 65535)'],
  [
    { ...slot, match: { pool: { value: 1, mask: 1 }, slot: 7 } },
    'slot.pool: an exact field is matched by a value',
  ],
  [{ ...slot, priority: 1 }, 'has priority 1, but must be left out'],
  [{ ...slot, idleTimeoutNs: 1n }, 'has an idle timeout, but the program does not declare support_timeout'],
  [
    { ...slot, action: { name: 'forward' } },
    "there is no action 'forward' in table SwitchIngress.slots.slot",
  ],
  [
    { ...slot, action: { name: 'set_slot', params: { backend: 1 } } },
    'calls SwitchIngress.slots.set_slot without unstable',
  ],
  [
    { ...slot, action: { name: 'set_slot', params: { backend: 8192, unstable: 0 } } },
    'set_slot(backend): 8192 does not fit in 13 bits',
  ],
  [{ table: 'version' }, 'has no key, hence only a default entry; use setDefault'],
  [rule({}, 0), 'has priority 0, but must be a whole number above 0'],
  [rule({ source: { value: 1, mask: 2 } }), 'rule.source: bits are set outside of the mask'],
  [rule({ source: 1 }), 'rule.source: a ternary field is matched by { value, mask }'],
  [rule({ port: { low: 2, high: 1 } }), 'rule.port: low 2 is above high 1'],
  [
    { table: 'route', match: { destination: { value: '::1', prefixLength: 64 } } },
    'bits are set after the prefix /64',
  ],
  [
    { table: 'route', match: { destination: { value: 0, prefixLength: 129 } } },
    'prefix length 129 is not between 0 and 128',
  ],
  [{ table: 'route', action: { name: 'NoAction' } }, 'has action NoAction, which may only be its default'],
])('a bad entry is refused (case %#)', (input, message) => {
  expect(() => codec.encode(input)).toThrow(message);
});

test('updates: removal carries no action, defaults are modified and reset', () => {
  const removal = codec.remove(slot);
  expect(removal).toMatchObject({
    type: Update_Type.DELETE,
    entity: { entity: { value: { tableId: 33554433 } } },
  });
  expect(removal.entity?.entity.value).not.toHaveProperty('action');
  expect(
    codec.setDefault('version', { name: 'set_version', params: { epoch: 4 } }).entity?.entity.value,
  ).toMatchObject({
    isDefaultAction: true,
    action: { type: { value: { params: [{ value: Uint8Array.of(4) }] } } },
  });
  expect(codec.setDefault('version').entity?.entity.value).toMatchObject({ isDefaultAction: true });
});

test('a read pattern asks for counters only when told to', () => {
  expect(codec.all('slot').entity.value).not.toHaveProperty('counterData');
  expect(codec.all('slot', { counters: true }).entity.value).toHaveProperty('counterData');
  const entry = {
    ...codec.encode(slot),
    counterData: { $typeName: 'p4.v1.CounterData', packetCount: 2n, byteCount: -1n },
  } as const;
  expect(codec.decode(entry).counter).toEqual({ packets: 2n, bytes: 2n ** 64n - 1n });
});

test('const tables are for reading', () => {
  const text = programText.replace('size: 64\n', 'size: 64 is_const_table: true\n');
  const constant = new EntryCodec(new P4InfoIndex(parseText(P4InfoSchema, text)));
  expect(() => constant.remove(rule({ flag: 1 }))).toThrow('cannot be written');
  expect(constant.decode(constant.encode(rule({ flag: 1 }))).match).toEqual({ flag: 1 });
});

test('an entry of another program is refused', () => {
  expect(() => codec.decode({ ...codec.encode(slot), tableId: 5 })).toThrow(
    'there is no table with id 5 in the P4Info',
  );
});

test('keys are equal iff the entity is the same', () => {
  const keyOf = (input: EntryInput) => entityKey(codec.insert(input).entity);
  expect(keyOf(slot)).toBe(entityKey(codec.remove(slot).entity));
  expect(keyOf(slot)).not.toBe(keyOf({ ...slot, match: { pool: 7, slot: 1 } }));
  expect(keyOf(rule({ flag: 1 }, 1))).not.toBe(keyOf(rule({ flag: 1 }, 2)));
  expect(entityKey(codec.setDefault('slot').entity)).not.toBe(keyOf(slot));

  const entity = codec.one(slot);
  const padded = fromBinary(EntitySchema, toBinary(EntitySchema, entity));
  if (padded.entity.case !== 'tableEntry') throw new Error('not a table entry');
  const [first] = padded.entity.value.match;
  first!.fieldMatchType = {
    case: 'exact',
    value: { $typeName: 'p4.v1.FieldMatch.Exact', value: Uint8Array.of(0, 1) },
  };
  padded.entity.value.match.reverse();
  expect(entityKey(padded)).toBe(entityKey(entity));
});
