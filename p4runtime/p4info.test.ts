// SPDX-License-Identifier: Apache-2.0
import { toBinary, toJsonString } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { P4InfoSchema } from './generated/p4/config/v1/p4info_pb.ts';
import { P4InfoIndex, parseP4Info } from './p4info.ts';
import { program, programText } from './test/program.ts';
import { parseText } from './text-format.ts';

const index = new P4InfoIndex(program);
const indexOf = (text: string) => new P4InfoIndex(parseText(P4InfoSchema, text));

test.each(['SwitchIngress.slots.slot', 'slot', 'slots.slot'])('table %s is found', (name) => {
  expect(index.tables.get(name)).toMatchObject({
    id: 33554433,
    alias: 'slot',
    size: 65536,
    hasPriority: false,
  });
});

test('a table knows its fields, actions and counter', () => {
  const rule = index.tables.get('rule');
  expect(rule.fields).toEqual([
    { id: 1, name: 'source', bitwidth: 32, kind: 'ternary' },
    { id: 2, name: 'port', bitwidth: 16, kind: 'range' },
    { id: 3, name: 'flag', bitwidth: 1, kind: 'optional' },
  ]);
  expect(rule.hasPriority).toBe(true);
  expect(index.tables.get('route').actions.map((ref) => [ref.name, ref.inEntries, ref.asDefault])).toEqual([
    ['SwitchIngress.route.forward', true, true],
    ['NoAction', false, true],
  ]);
  expect(index.tables.get('slot').directCounter?.preamble?.alias).toBe('packets');
  expect(index.tables.get('pin').hasIdleTimeout).toBe(true);
});

test('digests, controller headers, counters and registers are found', () => {
  expect(index.digests.get('learn_t').fields).toEqual([
    { id: 1, name: 'source', bitwidth: 32 },
    { id: 2, name: 'flow', bitwidth: 104 },
  ]);
  expect(index.packetMetadata.get('packet_in').fields.map((field) => field.name)).toEqual([
    'ingress_port',
    'reason',
  ]);
  expect(index.counters.get('drops').object.size).toBe(8n);
  expect(index.registers.get('cells').id).toBe(369098753);
});

test('a wrong name is told apart from its neighbours', () => {
  expect(() => index.tables.get('slots')).toThrow("there is no table 'slots'; did you mean slot?");
  expect(() => index.tables.get('nothing_like_it')).toThrow(
    "there is no table 'nothing_like_it'; there is SwitchIngress.slots.slot, ",
  );
  expect(() => index.tables.get('slot').fieldsByName.get('poll')).toThrow(
    "there is no match field 'poll' in table SwitchIngress.slots.slot; did you mean pool?",
  );
  expect(() => index.meters.get('any')).toThrow('there is no meter at all');
});

test('a suffix of two names is ambiguous, an alias is not', () => {
  const two = indexOf(`
    counters { preamble { id: 1 name: "a.b.hits" alias: "b.hits" } }
    counters { preamble { id: 2 name: "a.c.hits" alias: "c.hits" } }`);
  expect(() => two.counters.get('hits')).toThrow(
    "counter 'hits' may be any of a.b.hits, a.c.hits; write more of the name",
  );
  expect(two.counters.get('c.hits').id).toBe(2);
});

test.each([
  [
    'tables { preamble { id: 1 name: "t" } action_refs { id: 9 } }',
    'table t refers to action 9, which does not exist',
  ],
  ['tables { preamble { id: 1 } }', 'an object has no id or no name'],
  [
    'actions { preamble { id: 1 name: "a" } } actions { preamble { id: 1 name: "b" } }',
    'two actions have the id 1',
  ],
  [
    'tables { preamble { id: 1 name: "t" } match_fields { id: 1 name: "f" other_match_type: "magic" } }',
    'table t, field f: match kind magic is not exact, lpm, ternary, range or optional',
  ],
  [
    'digests { preamble { id: 1 name: "d" } type_spec { struct { name: "s" } } }',
    'digest d refers to struct s, which does not exist',
  ],
])('%s is refused', (text, message) => {
  expect(() => indexOf(text)).toThrow(message);
});

test('files are read in every form that p4c writes', () => {
  expect(parseP4Info(Buffer.from(programText), 'p.p4info.txtpb')).toEqual(program);
  expect(parseP4Info(Buffer.from(toJsonString(P4InfoSchema, program)), 'p.json')).toEqual(program);
  expect(parseP4Info(toBinary(P4InfoSchema, program), 'p.bin')).toEqual(program);
  expect(() => parseP4Info(Buffer.from('{"tabels": []}'), 'p.json')).toThrow('p.json is not a P4Info');
  expect(() => parseP4Info(Buffer.from(''), 'p.p4')).toThrow('must be .txtpb, .json or .bin');
});
