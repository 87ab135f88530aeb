// SPDX-License-Identifier: Apache-2.0
/** Whatever JSON comes, it ends in a pipeline or in a ProgramError; and whatever packet comes then, it ends. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type Tier } from './compile.ts';
import { ProgramError } from './pipeline.ts';
import { damage, type Random, randomFrom } from './testdata/mutation.ts';

type Json = Record<string, unknown>;

const programs = ['balancer', 'constructs', 'copies', 'meters', 'selectors'].map((name) =>
  readFileSync(new URL(`testdata/${name}.json`, import.meta.url), 'utf8'),
);

/** More by hand: `SEEDS=100000 npx vitest run switch/engine/hostile-json.test.ts`. */
const seeds = Number(process.env.SEEDS ?? 600);
const packetsPerProgram = 6;

/** @returns the problems, or what the packets made it say */
function run(
  json: unknown,
  random: Random,
  tier: Tier = 'compiled',
): { problems: readonly string[] } | string[] {
  const said: string[] = [];
  try {
    const { pipeline } = compile(json, {
      dropPort: 511,
      tier,
      sink: {
        transmit: (port, frame) => said.push(`${port}: ${Buffer.from(frame).toString('hex')}`),
        digest: ({ list, values }) => said.push(`digest ${list}: ${values}`),
        diagnostic: (what) => said.push(what),
        log: (text) => said.push(text),
      },
    });
    pipeline.setMulticastGroup(1, [{ port: 1, instance: 1 }]);
    pipeline.setCloneSession(1, [{ port: 2, instance: 1 }]);
    for (let packet = 0; packet < packetsPerProgram; packet++) {
      pipeline.process(random(4), frameOf(random), packet);
    }
  } catch (cause) {
    if (cause instanceof ProgramError) return { problems: cause.problems };
    throw cause;
  }
  return said;
}

const usualBytes = [0, 1, 8, 0x45, 0xff];

function frameOf(random: Random): Uint8Array {
  return Uint8Array.from({ length: random(120) }, () =>
    random(4) === 0 ? random(256) : usualBytes[random(usualBytes.length)]!,
  );
}

describe('a damaged program', () => {
  it(`is refused or runs, compiled as interpreted, in ${seeds} ways`, () => {
    let loaded = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const text = programs[seed % programs.length]!;
      const results = (['compiled', 'interpreted'] as const).map((tier) => {
        const random = randomFrom(seed);
        const json: unknown = JSON.parse(text);
        damage(json, random, seed % 2 === 0 ? 1 : 4);
        return run(json, random, tier);
      });
      expect(results[1], `seed ${seed}`).toEqual(results[0]);
      if (Array.isArray(results[0])) loaded += 1;
    }
    // Without any that load, the packets would prove nothing.
    expect(loaded).toBeGreaterThan(seeds / 20);
  }, 120_000);

  it('is refused wherever its text is cut off and closed again', () => {
    const text = programs[1]!;
    // Behind the last constant stands nothing that a program needs.
    const end = text.lastIndexOf('"hexstr"');
    expect(end).toBeGreaterThan(0.9 * text.length);
    for (let cut = 100; cut < end; cut += 997) {
      const json = closed(text.slice(0, cut));
      if (json !== undefined) expect(run(json, randomFrom(cut))).toHaveProperty('problems');
    }
  });
});

/** The JSON of a text that was cut off: what is open is closed. */
function closed(text: string): unknown {
  const open: string[] = [];
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"' && text[at - 1] !== '\\') isInString = !isInString;
    if (isInString) continue;
    if (character === '{' || character === '[') open.push(character === '{' ? '}' : ']');
    if (character === '}' || character === ']') open.pop();
  }
  const ends = open.reverse().join('');
  for (const tail of ['', '"', 'null', ':null', '":null']) {
    try {
      return JSON.parse(`${text.replace(/,\s*$/, '')}${tail}${ends}`);
    } catch {
      // Another tail may fit.
    }
  }
  return undefined;
}

describe('a hostile program', () => {
  const program = () => JSON.parse(programs[0]!) as Json;
  const section = (json: Json, name: string) => json[name] as Json[];
  const problemsOf = (json: unknown): string => {
    const result = run(json, randomFrom(1));
    return Array.isArray(result) ? '' : result.problems.join('\n');
  };

  it('cannot have cells without number', () => {
    const json = program();
    const [register] = section(json, 'register_arrays');
    register!.size = 2 ** 31;
    expect(problemsOf(json)).toContain('expected a whole number from 0 to 16777216, found 2147483648');
    register!.size = 2 ** 24;
    register!.bitwidth = 2048;
    expect(problemsOf(json)).toContain('bytes of cells; there is room for 1073741824');
  });

  it('cannot have stacks or fields without number', () => {
    const json = program();
    section(json, 'header_stacks').push({
      name: 'deep',
      id: 0,
      header_type: 'ethernet_t',
      size: 2 ** 31,
      header_ids: [2],
    });
    expect(problemsOf(json)).toContain('header_stacks[0]: size and header_ids differ');
    const wide = program();
    const fields = Array.from({ length: 200 }, (_, index) => [`f${index}`, 65_528, false]);
    section(wide, 'header_types').push({ name: 'wide_t', id: 99, fields });
    section(wide, 'headers').push({
      name: 'wide',
      id: section(wide, 'headers').length,
      header_type: 'wide_t',
      metadata: false,
    });
    expect(problemsOf(wide)).toContain('the headers take more than 262144 words');
  });

  it('cannot nest without end', () => {
    let expression: unknown = { type: 'hexstr', value: '0x1' };
    for (let level = 0; level < 5000; level++)
      expression = { type: 'expression', value: { op: '~', left: null, right: expression } };
    const json = program();
    const target = { type: 'field', value: ['standard_metadata', 'egress_spec'] };
    const source = { type: 'expression', value: expression };
    section(json, 'actions')[0]!.primitives = [{ op: 'assign', parameters: [target, source] }];
    expect(problemsOf(json)).toContain('expressions nest deeper than 250');
  });

  it('cannot put code into names', () => {
    for (const name of ['a*/ throw new Error() /*', 'a\nthrow new Error()', 'a\u2028throw new Error()']) {
      const json = JSON.parse(programs[0]!.replaceAll('"ethernet"', JSON.stringify(name))) as Json;
      expect(problemsOf(json)).toContain('a name with line breaks, control characters or "*/"');
    }
  });

  it('cannot take its names from JavaScript', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'valueOf']) {
      const json = JSON.parse(programs[0]!.replaceAll('"ethernet"', JSON.stringify(name))) as Json;
      expect(Array.isArray(run(json, randomFrom(1)))).toBe(true);
    }
  });

  it('cannot keep a packet between its tables for ever', () => {
    const json = program();
    const [ingress] = section(json, 'pipelines');
    const conditionals = ingress!.conditionals as Json[];
    conditionals[0]!.false_next = conditionals[0]!.name;
    expect(problemsOf(json)).toContain('the control flow has a loop, which a packet would never leave');
  });

  it('cannot keep a packet in an action for ever', () => {
    const json = program();
    const [ingress] = section(json, 'pipelines');
    section(json, 'actions').push({
      name: 'endless',
      id: 999,
      runtime_data: [],
      primitives: [{ op: '_jump', parameters: [{ type: 'hexstr', value: '0x0' }] }],
    });
    ingress!.action_calls = [{ name: 'call', id: 0, action_id: 999, next_node: null }];
    ingress!.init_table = 'call';
    const said = run(json, randomFrom(1));
    expect(new Set(said as string[])).toEqual(
      new Set(['a loop in action endless was cut off after 131072 turns']),
    );
  });

  it('cannot keep a packet in the parser for ever', () => {
    const json = program();
    const [parser] = section(json, 'parsers');
    const states = parser!.parse_states as Json[];
    states[0] = {
      name: 'start',
      id: 0,
      parser_ops: [],
      transition_key: [],
      transitions: [{ type: 'default', value: null, mask: null, next_state: 'start' }],
    };
    expect(run(json, randomFrom(1))).toContain('the parser was cut off after 131072 turns of a loop');
  });

  it('is told of a hundred problems, and how many more there are', () => {
    const json = program();
    json.actions = Array.from({ length: 1000 }, (_, id) => ({ name: `a${id}`, id }));
    const problems = problemsOf(json).split('\n');
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toMatch(/^and \d+ more problems$/);
  });
});
