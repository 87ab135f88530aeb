// SPDX-License-Identifier: Apache-2.0
/**
 * The rarer constructs of the JSON, each on a few packets. What simple_switch 1.15.5 makes of these packets was asked of
 * it and is what stands here, unless a test says otherwise.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type Tier } from './compile.ts';
import type { Pipeline, PipelineOptions } from './pipeline.ts';

const json: unknown = JSON.parse(readFileSync(new URL('testdata/constructs.json', import.meta.url), 'utf8'));

function started(tier: Tier, options: Partial<PipelineOptions> = {}) {
  const outputs: string[] = [];
  const diagnostics: string[] = [];
  const logs: string[] = [];
  const { pipeline, program } = compile(json, {
    dropPort: 511,
    tier,
    ...options,
    sink: {
      transmit: (_, frame) => outputs.push(Buffer.from(frame).toString('hex')),
      digest: () => {},
      diagnostic: (what) => diagnostics.push(what),
      log: (text) => logs.push(text),
    },
  });
  return {
    pipeline: pipeline as Pipeline,
    program,
    outputs,
    diagnostics,
    logs,
    send: sender(pipeline, outputs),
  };
}

/** @returns what leaves for a packet, or nothing */
function sender(pipeline: Pipeline, outputs: string[]): (hex: string) => string | undefined {
  return (hex) => {
    outputs.length = 0;
    pipeline.process(0, Buffer.from(hex.replaceAll(' ', ''), 'hex'), 1_000_000);
    return outputs[0];
  };
}

/** Description, packet in, packet out. */
type Row = readonly [what: string, packet: string, out: string];

const unionStacks: readonly Row[] = [
  [
    'members of unions are extracted one by one',
    '10030000 0105 0106 02070809 aabb',
    '10030000 0105 0106 02070809 aabb',
  ],
  [
    'a fourth does not fit: StackOutOfBounds',
    '10040000 0105 0106 02070809 0101 aabb',
    '10040000 0105 0106 02070809 0101 aabb',
  ],
  // In P4 the last element would be lost. In BMv2 it comes back in front, and making another member valid drops it.
  ['push: a new member in front', '11030000 0105 0106 02070809 aabb', '11030000 0177 0105 0106 aabb'],
  ['push with room behind', '11020000 0105 02070809 aabb', '11020000 0177 0105 02070809 aabb'],
  // In P4 the last element would become invalid.
  ['pop: the first goes to the end', '12030000 0105 0106 02070809 aabb', '12030000 0106 02070809 0105 aabb'],
  [
    'another member becomes valid',
    '13030000 0105 0106 02070809 aabb',
    '13030000 0105 02000000 02070809 aabb',
  ],
  [
    'copies of stacks and of their elements',
    '14030000 0105 0106 02070809 aabb',
    '14030000 0105 0106 0105 aabb',
  ],
  ['the same member, the same value', '15020000 0105 0105 aabb', '1502000b 0105 0105 aabb'],
  ['the same member, another value', '15020000 0105 0106 aabb', '15020003 0105 0106 aabb'],
  ['another member', '15020000 02050505 0106 aabb', '15020006 02050505 0106 aabb'],
];

const varbits: readonly Row[] = [
  [
    'equal headers, fields and stacks',
    '20000000 02aabb 02aabb 02aabb cc',
    '20000007 02aabb 02aabb 02aabb cc',
  ],
  ['one byte differs', '20000000 02aabb 02aabc 02aabb cc', '20000004 02aabb 02aabc 02aabb cc'],
  // As numbers 0000 and 000000 are the same, though not in P4.
  ['lengths do not count, values do', '20000000 0100 020000 03000000 cc', '20000006 0100 020000 03000000 cc'],
  ['empty fields are equal', '20000000 00 00 00 cc', '20000007 00 00 00 cc'],
  [
    'too long for the header: extraction ends',
    '20000000 02aabb 09aabb 02aabb cc',
    '20000006 02aabb 09aabb 02aabb cc',
  ],
  ['a variable of varbit type', '21000000 02aabb 031111aa 0122 cc', '21000000 02aabb 0122 031111aa cc'],
  ['push moves varbit fields along', '22000000 02aabb 031111aa 0122 cc', '22000000 02aabb 031111aa cc'],
];

const parser: readonly Row[] = [
  ['an empty value set matches nothing', '30050000', '30050000'],
  ['a loop entered at one state', '31050000', '31050023'],
  ['the same loop entered at the other', '32040000', '32040022'],
];

const elements: readonly Row[] = [
  ['an element is copied as a whole', '40020000 0101 0202 0303 ff', '40020000 0303 0202 0303 ff'],
  ['an element is removed', '41010000 0101 0202 0303 ff', '41010000 0101 0303 ff'],
  ['what was removed is added, all zeroes', '42010000 0101 0202 0303 ff', '42010000 0101 0000 0303 ff'],
  ['a field of an element is written', '43020000 0101 0202 0303 ff', '43020000 0101 0202 0342 ff'],
];

const numbers: readonly Row[] = [
  [
    'sums stay at the largest value',
    '52000000 000000000000 ffffffffffffffff 0000000000000001 0000000000000000 7f 01',
    '52000000 000000000000 ffffffffffffffff 0000000000000001 ffffffffffffffff 7f 1b',
  ],
  [
    'and at the smallest',
    '52000000 000000000000 fffffffffffffffe 0000000000000001 0000000000000000 80 80',
    '52000000 000000000000 fffffffffffffffe 0000000000000001 ffffffffffffffff 80 80',
  ],
  [
    'random between equal bounds',
    '51000000 000000000000 0000000000000009 0000000000000009 0000000000001234 7f 01',
    '51000000 000000000000 0000000000000009 0000000000000009 0000000000000009 7f 01',
  ],
  [
    'random between bounds the wrong way round writes nothing',
    '51000000 000000000000 0000000000000009 0000000000000001 0000000000001234 7f 01',
    '51000000 000000000000 0000000000000009 0000000000000001 0000000000001234 7f 01',
  ],
  ['a loop counts to four', '63040000', '6304000c'],
  ['a loop counts to 255', '63ff0000', '63ff02fd'],
];

for (const tier of ['compiled', 'interpreted'] as const) {
  describe(`${tier}`, () => {
    for (const [group, rows] of Object.entries({ unionStacks, varbits, parser, elements, numbers })) {
      for (const [what, packet, out] of rows) {
        it(`${group}: ${what}`, () => {
          const { send, diagnostics } = started(tier);
          expect(send(packet)).toBe(out.replaceAll(' ', ''));
          expect(diagnostics).toEqual([]);
        });
      }
    }

    it('an element that is not there is not written, and there is a diagnostic', () => {
      const { send, diagnostics } = started(tier);
      expect(send('43030000 0101 0202 0303 ff')).toBe('43030000010102020303ff');
      expect(send('40ff0000 0101 0202 0303 ff')).toBe('40ff0000010102020303ff');
      expect(new Set(diagnostics)).toEqual(new Set(['an index of cells is out of range']));
    });

    it('a value set has the members it is given, until it is given others', () => {
      const { pipeline, program, send } = started(tier);
      const [set] = program.valueSets;
      expect(set).toMatchObject({ name: 'Parse.welcome', width: 8 });
      pipeline.setValueSet(set!.id, [3n, 5n]);
      expect(['30050000', '30030000', '30040000'].map(send)).toEqual(['300500aa', '300300aa', '30040000']);
      pipeline.setValueSet(set!.id, [4n]);
      expect(['30050000', '30040000'].map(send)).toEqual(['30050000', '300400aa']);
      expect(() => pipeline.setValueSet(set!.id, [256n])).toThrow('256 does not fit into 8 bits');
      expect(() => pipeline.setValueSet(set!.id, Array(65_537).fill(0n))).toThrow('at most 65536 are kept');
    });

    it('a range of 48 bits is as wide as it says', () => {
      const { pipeline, program, send } = started(tier);
      const table = program.tables.find(({ name }) => name === 'SwitchIngress.wide_range')!;
      const action = table.actions.find(({ name }) => name === 'SwitchIngress.in_range')!;
      pipeline.apply([
        {
          kind: 'insert',
          table: table.id,
          handle: 0,
          key: [{ kind: 'range', low: 0x0001_0000_0005n, high: 0x0002_0000_0003n }],
          priority: 1,
          action: action.id,
          data: [0xbeefn],
          idleTimeoutMs: 0,
        },
      ]);
      const rest = '00'.repeat(26);
      const traceAt = (port: string) => send(`50000000 ${port} ${rest}`)!.slice(4, 8);
      const ports = [
        '000100000004',
        '000100000005',
        '000200000003',
        '000200000004',
        '0001ffffffff',
        '000000000006',
      ];
      expect(ports.map(traceAt)).toEqual(['0000', 'beef', 'beef', '0000', 'beef', '0000']);
    });

    it('random keeps to bounds of 64 bits', () => {
      const { send } = started(tier);
      const [low, high] = [0xffff_ffff_0000_0000n, 0xffff_ffff_0000_0003n];
      const drawn = new Set<bigint>();
      for (let draw = 0; draw < 100; draw++) {
        const out = send(
          `51000000 000000000000 ${low.toString(16)} ${high.toString(16)} 0000000000000000 00 00`,
        )!;
        drawn.add(BigInt(`0x${out.slice(52, 68)}`));
      }
      expect([...drawn].sort()).toEqual([low, low + 1n, low + 2n, high]);
    });

    it('log_msg is told with its values', () => {
      const { send, logs, diagnostics } = started(tier);
      send('60050001');
      expect(logs).toEqual(['argument 5, trace 1 {}']);
      expect(diagnostics).toEqual([]);
    });

    it('log_msg where BMv2 would end itself is a diagnostic', () => {
      const { send, logs, diagnostics } = started(tier);
      expect(send('65050000')).toBe('65050000');
      expect(logs).toEqual(['no values']);
      expect(diagnostics).toEqual([
        expect.stringContaining(
          'log_msg("{} comes too early for BMv2"): 0 placeholders are found for 1 values; BMv2 misses a placeholder at the very start',
        ),
      ]);
    });

    it('a false assertion, where BMv2 aborts, is a diagnostic and the end of the packet', () => {
      const { send, diagnostics } = started(tier);
      expect(send('61000000')).toBe('61000000');
      expect(send('61010000')).toBeUndefined();
      expect(diagnostics).toEqual([expect.stringMatching(/assert at actions\[\d+\].* is false$/)]);
      expect(send('61000000')).toBe('61000000');
    });

    it('a packet for a queue that does not exist is dropped', () => {
      const { send, diagnostics } = started(tier);
      expect(send('62000000')).toBe('62000000');
      expect(send('62030000')).toBeUndefined();
      expect(diagnostics).toEqual(['a packet of priority 3 was dropped: there are 1 priority queues']);
      const eight = started(tier, { priorityQueues: 8 });
      expect(eight.send('62070000')).toBe('62070000');
      expect(eight.diagnostics).toEqual([]);
    });

    it('a packet waits in no queue: it is enqueued now, and the rest is 0', () => {
      expect(started(tier).send('64000000')).toBe(`6400${(1_000_000 & 0xffff).toString(16)}`);
    });
  });
}
