// SPDX-License-Identifier: Apache-2.0
/** What stands in hand-written and old JSON only: nothing p4c makes of v1model today, but simple_switch runs it. */

import { describe, expect, it } from 'vitest';
import { compile, type Tier } from './compile.ts';

type Json = Record<string, unknown>;

const field = (header: string, name: string) => ({ type: 'field', value: [header, name] });
const hexstr = (value: number) => ({ type: 'hexstr', value: `0x${value.toString(16)}` });
const cell = (index: unknown) => ({ type: 'register', value: ['cells', index] });
const step = (op: string, ...parameters: unknown[]) => ({ op, parameters });

/** One header `h` of four bytes `a`, `b`, `c`, `d`, of which `d` saturates; one action, run by an action call. */
function program(primitives: readonly Json[], changes: Json = {}): Json {
  const widths = {
    ingress_port: 9,
    egress_spec: 9,
    egress_port: 9,
    instance_type: 32,
    packet_length: 32,
    _padding: 5,
  };
  const call = { name: 'call', id: 0, action_id: 0, next_node: null };
  return {
    header_types: [
      { name: 'standard_metadata_t', id: 0, fields: Object.entries(widths) },
      {
        name: 'h_t',
        id: 1,
        fields: [
          ['a', 8],
          ['b', 8],
          ['c', 8],
          ['d', 8, false, true],
        ],
      },
    ],
    headers: [
      { name: 'standard_metadata', id: 0, header_type: 'standard_metadata_t', metadata: true },
      { name: 'h', id: 1, header_type: 'h_t', metadata: false },
    ],
    register_arrays: [{ name: 'cells', id: 0, size: 2, bitwidth: 16 }],
    parsers: [
      {
        name: 'parser',
        id: 0,
        init_state: 'start',
        parse_states: [
          {
            name: 'start',
            id: 0,
            parser_ops: [step('extract', { type: 'regular', value: 'h' })],
            transitions: [{ value: 'default', mask: null, next_state: null }],
          },
        ],
      },
    ],
    deparsers: [{ name: 'deparser', id: 0, order: ['h'] }],
    actions: [{ name: 'act', id: 0, runtime_data: [], primitives }],
    pipelines: [
      { name: 'ingress', id: 0, init_table: 'call', tables: [], conditionals: [], action_calls: [call] },
      { name: 'egress', id: 1, init_table: null, tables: [], conditionals: [] },
    ],
    ...changes,
  };
}

/** @returns what leaves, "" for nothing, and what was said */
function run(json: Json, tier: Tier, packet = '10203040ff'): [out: string, ...diagnostics: string[]] {
  let out = '';
  const said: string[] = [];
  const { pipeline } = compile(json, {
    dropPort: 511,
    tier,
    sink: {
      transmit: (_, frame) => {
        out = Buffer.from(frame).toString('hex');
      },
      digest: () => {},
      diagnostic: (what) => said.push(what),
    },
  });
  pipeline.process(0, Buffer.from(packet, 'hex'), 0);
  return [out, ...said];
}

/** Primitives, and what becomes of 10 20 30 40 (and ff behind). */
const rows: readonly (readonly [what: string, primitives: readonly Json[], out: string])[] = [
  ['modify_field', [step('modify_field', field('h', 'a'), hexstr(0x1ff))], 'ff203040ff'],
  ['add_to_field wraps', [step('add_to_field', field('h', 'a'), hexstr(0xf1))], '01203040ff'],
  ['subtract_from_field wraps', [step('subtract_from_field', field('h', 'a'), hexstr(0x11))], 'ff203040ff'],
  ['add', [step('add', field('h', 'a'), field('h', 'b'), field('h', 'c'))], '50203040ff'],
  ['subtract', [step('subtract', field('h', 'a'), field('h', 'b'), field('h', 'c'))], 'f0203040ff'],
  ['bit_and', [step('bit_and', field('h', 'a'), field('h', 'b'), field('h', 'c'))], '20203040ff'],
  ['bit_or', [step('bit_or', field('h', 'a'), field('h', 'b'), field('h', 'c'))], '30203040ff'],
  ['bit_xor', [step('bit_xor', field('h', 'a'), field('h', 'b'), field('h', 'c'))], '10203040ff'],
  ['shift_left', [step('shift_left', field('h', 'a'), field('h', 'b'), hexstr(3))], '00203040ff'],
  ['shift_right', [step('shift_right', field('h', 'a'), field('h', 'b'), hexstr(3))], '04203040ff'],
  ['drop', [step('drop')], ''],
  ['no_op', [step('no_op')], '10203040ff'],
  [
    'a saturating field stays at its largest',
    [step('add_to_field', field('h', 'd'), hexstr(0xf0))],
    '102030ffff',
  ],
  ['and at its smallest', [step('subtract_from_field', field('h', 'd'), hexstr(0x41))], '10203000ff'],
  [
    'a register cell is written and read as an operand',
    [
      step('modify_field', cell(hexstr(1)), hexstr(0x12345)),
      step('add_to_field', cell(hexstr(1)), hexstr(1)),
      step('shift_right', field('h', 'a'), cell(hexstr(1)), hexstr(8)),
      step('modify_field', field('h', 'b'), cell(hexstr(1))),
    ],
    '23463040ff',
  ],
];

for (const tier of ['compiled', 'interpreted'] as const) {
  describe(`hand-written JSON, ${tier}`, () => {
    for (const [what, primitives, out] of rows) {
      it(what, () => expect(run(program(primitives), tier)).toEqual([out]));
    }

    it('a register cell that is not there reads as 0', () => {
      const json = program([step('modify_field', field('h', 'a'), cell(field('h', 'b')))]);
      expect(run(json, tier)).toEqual(['00203040ff', 'the register cells has no such index']);
    });

    it('the deparser has something to say before it writes', () => {
      const primitives = [step('assign', field('h', 'a'), hexstr(0xee))];
      const json = program([], { deparsers: [{ name: 'deparser', id: 0, order: ['h', 'h'], primitives }] });
      expect(run(json, tier)).toEqual(['ee203040ee203040ff']);
    });

    it('the parser steps over bytes, and verifies with a number', () => {
      const json = program([]);
      const [parser] = json.parsers as Json[];
      const [start] = parser!.parse_states as Json[];
      const never = { type: 'expression', value: { op: '==', left: hexstr(1), right: hexstr(2) } };
      start!.parser_ops = [
        step('shift', 1),
        step('extract', { type: 'regular', value: 'h' }),
        step('verify', never, 2),
      ];
      expect(run(json, tier)).toEqual(['203040ff']);
    });

    it('the length of a varbit field may stand in its own header', () => {
      const json = program([], { deparsers: [{ name: 'deparser', id: 0, order: ['v'] }] });
      const sum = { op: '+', left: { type: 'local', value: 0 }, right: { type: 'local', value: 0 } };
      (json.header_types as Json[]).push({
        name: 'v_t',
        id: 2,
        fields: [
          ['half', 8],
          ['rest', '*'],
          ['tail', 8],
        ],
        max_length: 4,
        length_exp: {
          type: 'expression',
          value: { op: '<<', left: { type: 'expression', value: sum }, right: hexstr(2) },
        },
      });
      (json.headers as Json[]).push({ name: 'v', id: 2, header_type: 'v_t', metadata: false });
      const [parser] = json.parsers as Json[];
      const [start] = parser!.parse_states as Json[];
      start!.parser_ops = [step('extract', { type: 'regular', value: 'v' })];
      expect(run(json, tier, '02aabbccdd')).toEqual(['02aabbccdd']);
      // Three bytes of varbit do not fit into four with the other two: nothing is taken.
      expect(run(json, tier, '03aabbccdd')).toEqual(['03aabbccdd']);
    });

    it('an IPv4 checksum is that of its own header', () => {
      const json = program([]);
      (json.header_types as Json[])[1]!.fields = [
        ['a', 16],
        ['sum', 16],
      ];
      json.checksums = [{ name: 'ipv4', id: 0, type: 'ipv4', target: ['h', 'sum'], verify: false }];
      expect(run(json, tier)).toEqual(['1020efdfff']);
    });

    it('headers may grow by 512 bytes, and not by more', () => {
      const grown = (times: number) =>
        program([], { deparsers: [{ name: 'deparser', id: 0, order: Array(times).fill('h') }] });
      expect(run(grown(129), tier)[0]).toHaveLength(2 * (129 * 4 + 1));
      expect(run(grown(130), tier)).toEqual([
        '',
        'a packet was dropped: its headers grew by 516 bytes, and there is room for 512',
      ]);
    });
  });
}

describe('versions of the JSON', () => {
  it('none, 2.0 to 2.24', () => {
    for (const meta of [undefined, {}, { version: [2, 0] }, { version: [2, 24] }])
      expect(run(program([], { __meta__: meta }), 'compiled')).toEqual(['10203040ff']);
    for (const version of [
      [1, 24],
      [3, 0],
      [2, 25],
    ])
      expect(() =>
        compile(program([], { __meta__: { version } }), { dropPort: 511, sink: undefined! }),
      ).toThrow(`the JSON has version ${version.join('.')}; this engine reads 2.0 to 2.24`);
  });
});
