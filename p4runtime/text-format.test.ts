// SPDX-License-Identifier: Apache-2.0
import { create, createRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  MatchField_MatchType,
  P4IdsSchema,
  P4InfoSchema,
  TableSchema,
} from './generated/p4/config/v1/p4info_pb.ts';
import { P4TypeInfoSchema } from './generated/p4/config/v1/p4types_pb.ts';
import { P4DataSchema } from './generated/p4/v1/p4data_pb.ts';
import { ErrorSchema, TableEntrySchema } from './generated/p4/v1/p4runtime_pb.ts';
import { parseText } from './text-format.ts';

test('a P4Info as p4c writes it', () => {
  const text = `
    # proto-file: p4/config/v1/p4info.proto
    pkg_info { name: "lb" arch: 'v1model' }
    tables {
      preamble { id: 0x02000001, name: "SwitchIngress.slot"; alias: "slot" }
      match_fields: < id: 1 name: "pool" bitwidth: 16 match_type: EXACT >
      match_fields { id: 2 name: "slot" bitwidth: 32 match_type: 2 }
      action_refs { id: 16777217 scope: TABLE_ONLY }
      direct_resource_ids: [318767105, 318767106]
      direct_resource_ids: 318767107
      size: 65536
      is_const_table: false
    }`;
  const info = parseText(P4InfoSchema, text);
  const [table] = info.tables;
  expect(table?.preamble?.id).toBe(0x02000001);
  expect(table?.matchFields.map((field) => field.match)).toEqual([
    { case: 'matchType', value: MatchField_MatchType.EXACT },
    { case: 'matchType', value: MatchField_MatchType.EXACT },
  ]);
  expect(table?.directResourceIds).toEqual([318767105, 318767106, 318767107]);
  expect(table?.size).toBe(65536n);
  expect(info.pkgInfo?.arch).toBe('v1model');
});

test('maps, oneofs with messages, empty messages', () => {
  const info = parseText(
    P4TypeInfoSchema,
    'structs { key: "d" value { members { name: "v" type_spec { bitstring { bit { bitwidth: 8 } } } } } } error {}',
  );
  expect(toJson(P4TypeInfoSchema, info)).toEqual({
    structs: { d: { members: [{ name: 'v', typeSpec: { bitstring: { bit: { bitwidth: 8 } } } }] } },
    error: {},
  });
});

test('strings: escapes, concatenation, bytes that are no text', () => {
  const data = parseText(P4DataSchema, String.raw`bitstring: "\000\xff" 'a\n\'' "\u00e9\101"`);
  expect(data.data).toEqual({ case: 'bitstring', value: Uint8Array.of(0, 255, 97, 10, 39, 0xc3, 0xa9, 65) });
});

test('integers: octal, hexadecimal, negative, 64 bits', () => {
  const entry = parseText(
    TableEntrySchema,
    'table_id: 010 priority: -0x10 idle_timeout_ns: -9223372036854775808',
  );
  expect(entry).toMatchObject({ tableId: 8, priority: -16, idleTimeoutNs: -(2n ** 63n) });
});

test('an expanded Any is packed', () => {
  const table = parseText(
    TableSchema,
    'other_properties { [type.googleapis.com/p4.v1.Error] { canonical_code: 5 message: "no" } }',
    { registry: createRegistry(ErrorSchema) },
  );
  expect(table.otherProperties?.typeUrl).toBe('type.googleapis.com/p4.v1.Error');
  expect(fromBinary(ErrorSchema, table.otherProperties!.value)).toEqual(
    create(ErrorSchema, { canonicalCode: 5, message: 'no' }),
  );
});

test.each([
  ['tables {\n  sise: 1 }', "2:3: p4.config.v1.Table has no field 'sise'; it has preamble, match_fields"],
  ['tables { size 1 }', "1:15: ':' is missing after 'size'"],
  ['tables { size: x }', "1:16: expected an integer, not 'x'"],
  ['tables { size: 1.5 }', "1:16: '1.5' is not an integer"],
  ['tables { size: 08 }', "1:16: '08' is not an octal number"],
  ['tables { size: 12ab }', "1:16: did not expect '1'"],
  ['tables { size: 9223372036854775808 }', '1:16: 9223372036854775808 is not between'],
  ['tables { size: 1 size: 2 }', '1:18: size is set twice'],
  ['tables { is_const_table: yes }', "1:26: 'yes' is not true or false"],
  ['tables { size: 1', "1:17: the text ends inside p4.config.v1.Table; '}' is missing"],
  ['tables < size: 1 }', "expected a field of p4.config.v1.Table, not '}'"],
  ['tables { match_fields { match_type: EXACT other_match_type: "x" } }', '1:43: oneof match is set twice'],
  ['tables { match_fields { match_type: EXCT } }', "p4.config.v1.MatchField.MatchType has no value 'EXCT'"],
  ['pkg_info { name: "lb\n" }', '1:18: did not expect a string that does not end on its line'],
  ['pkg_info { name: "\\q" }', '1:19: \\q is not an escape'],
  ['pkg_info { name: "\\377" }', '1:18: the string is not UTF-8'],
  ['pkg_info { name: lb }', "1:18: 'lb' is not a string in quotes"],
  ['pkg_info: 5', "1:11: expected '{', not '5'"],
  ['type_info { structs { value { } } }', "an entry of map 'structs' needs 'key' and 'value'"],
  ['type_info { structs { key: "a" value {} } structs { key: "a" value {} } }', "has key 'a' twice"],
  ['tables { other_properties { [a.b/c.D] {} } }', '1:29: type a.b/c.D is not known here'],
  ['tables { direct_resource_ids: [1, ] }', "expected an integer, not ']'"],
  ['@', "1:1: did not expect '@'"],
])('%j is refused', (text, message) => {
  expect(() => parseText(P4InfoSchema, text, { fileName: 'x.txtpb' })).toThrow(message);
});

test('a message without fields takes none', () => {
  expect(() => parseText(P4IdsSchema, 'id: 1')).toThrow("p4.config.v1.P4Ids has no field 'id'; it has none");
});
