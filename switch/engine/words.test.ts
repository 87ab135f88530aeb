// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Emitter } from './emitter.ts';
import { type Condition, rangeOf, signedBits, type Value } from './expression.ts';
import {
  evaluate as interpreted,
  holds as interpretedCondition,
  type Surroundings,
} from './interpreter/expressions.ts';
import { writeWords } from './interpreter/fields.ts';
import type { Memory } from './memory.ts';
import type { Field, Header } from './program.ts';
import { canonicalWords, conditionCode, materialize, type Scope } from './words.ts';

const parameterWidths = [1, 8, 9, 16, 31, 32, 33, 48, 64, 128];

/** Parameters are eight words apart in `data`, which is `F` as well. */
function parameterWords(index: number) {
  const width = parameterWidths[index]!;
  return Array.from({ length: Math.ceil(width / 32) }, (_, word) => ({
    code: `data[${index * 8 + word}]`,
    bits: Math.min(32, width - 32 * word),
  }));
}

function dataOf(parameters: readonly bigint[]): Uint32Array {
  const data = new Uint32Array(parameters.length * 8);
  for (const [index, parameter] of parameters.entries()) writeWords(data, index * 8, 8, parameter);
  return data;
}

/** What the interpreter evaluates expressions in. */
function around(parameters: readonly bigint[]): Surroundings {
  const memory = { F: dataOf(parameters) } as Memory;
  return { memory, parameters, ahead: undefined, diagnostic: () => {} };
}

const evaluate = (value: Value, parameters: readonly bigint[]) => interpreted(value, around(parameters));
const holds = (condition: Condition, parameters: readonly bigint[]) =>
  interpretedCondition(condition, around(parameters));

function compiled(emit: (scope: Scope) => string): (parameters: readonly bigint[]) => unknown {
  const out = new Emitter();
  const problems: string[] = [];
  const scope: Scope = {
    out,
    parameter: parameterWords,
    position: undefined,
    place: 'test',
    problem: (what) => problems.push(what),
  };
  const result = emit(scope);
  expect(problems).toEqual([]);
  const run = new Function('data', 'F', 'divide', 'modulo', 'bigOperation', `${out}\nreturn ${result};`);
  return (parameters) => {
    const data = dataOf(parameters);
    return run(
      data,
      data,
      (left: number, right: number) => (right === 0 ? 0 : Math.floor(left / right)),
      (left: number, right: number) => (right === 0 ? 0 : left % right),
      (operator: string, left: bigint, right: bigint) => {
        if (operator === '*') return left * right;
        if (right === 0n) return 0n;
        return operator === '/' ? left / right : left % right;
      },
    );
  };
}

const constant = fc
  .oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: 0n, max: (1n << 130n) - 1n }),
    fc.integer({ min: 0, max: 130 }).map((bits) => (1n << BigInt(bits)) - 1n),
    fc.bigInt({ min: -70_000n, max: -1n }),
  )
  .map((value): Value => ({ op: 'constant', value }));

const parameter = fc
  .integer({ min: 0, max: parameterWidths.length - 1 })
  .map((index): Value => ({ op: 'parameter', index, width: parameterWidths[index]! }));

/** The words of a parameter, read as a signed field: int<32>, int<64> or int<128>. */
const signedField = fc.constantFrom(5, 8, 9).map((index): Value => {
  const width = parameterWidths[index]!;
  const field: Field = {
    name: `signed${index}`,
    width,
    signed: true,
    bitOffset: 0,
    slot: index * 8,
    words: Math.ceil(width / 32),
    varbit: false,
    saturating: false,
  };
  const type = {
    name: 't',
    id: 0,
    fields: [field],
    bytes: 0,
    varbitBytes: 0,
    stride: 0,
    varbitLength: undefined,
  };
  const header: Header = { name: 'h', id: 0, type, metadata: true, base: 0, varbitBase: 0, union: undefined };
  return { op: 'field', ref: { header, field } };
});

const small = parameter.map(
  (value): Value => ({
    op: 'binary',
    operator: '&',
    left: value,
    right: { op: 'constant', value: 0x7fn },
  }),
);

const unsigned = fc.integer({ min: 1, max: 100 });

/** Masks keep what p4c masks: the operands of a division, the amount of a shift. */
const { value: anyValue, condition: anyCondition } = fc.letrec<{ value: Value; condition: Condition }>(
  (tie) => {
    const value = tie('value');
    const condition = tie('condition');
    const masked = fc.tuple(value, unsigned).map(
      ([left, bits]): Value => ({
        op: 'binary',
        operator: '&',
        left,
        right: { op: 'constant', value: (1n << BigInt(bits)) - 1n },
      }),
    );
    const plain = fc
      .tuple(fc.constantFrom('+', '-', '*', '&', '|', '^'), value, value)
      .map(([operator, left, right]): Value => ({ op: 'binary', operator: operator as '+', left, right }));
    const shift = fc
      .tuple(
        fc.constantFrom('<<', '>>'),
        value,
        fc.oneof(
          small,
          fc.integer({ min: 0, max: 140 }).map((n): Value => ({ op: 'constant', value: BigInt(n) })),
        ),
      )
      .map(([operator, left, right]): Value => ({ op: 'binary', operator: operator as '<<', left, right }));
    const division = fc
      .tuple(fc.constantFrom('/', '%'), masked, masked)
      .map(([operator, left, right]): Value => ({ op: 'binary', operator: operator as '/', left, right }));
    const cast = fc
      .tuple(fc.constantFrom('two_comp_mod', 'usat_cast', 'sat_cast'), value, unsigned)
      .map(([op, operand, width]): Value => ({ op: op as 'usat_cast', operand, width }));
    return {
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(parameter, constant, signedField),
        plain,
        masked,
        shift,
        division,
        cast,
        value.map((operand): Value => ({ op: 'not', operand })),
        condition.map((inner): Value => ({ op: 'b2d', condition: inner })),
        fc
          .tuple(condition, value, value)
          .map(
            ([test, whenTrue, whenFalse]): Value => ({ op: 'choose', condition: test, whenTrue, whenFalse }),
          ),
      ),
      condition: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        value.map((operand): Condition => ({ op: 'd2b', operand })),
        fc.tuple(fc.constantFrom('==', '!=', '<', '<=', '>', '>='), value, value).map(
          ([operator, left, right]): Condition => ({
            op: 'compare',
            operator: operator as '<',
            left,
            right,
          }),
        ),
        fc
          .tuple(fc.constantFrom('and', 'or', 'same'), condition, condition)
          .map(([op, left, right]): Condition => ({ op: op as 'and', left, right })),
        condition.map((operand): Condition => ({ op: 'not', operand })),
      ),
    };
  },
);

const edge = (width: number) => {
  const max = (1n << BigInt(width)) - 1n;
  return fc.oneof(
    fc.bigInt({ min: 0n, max }),
    fc.constantFrom(0n, 1n & max, max, max >> 1n, (max >> 1n) + 1n),
  );
};
const parameters = fc.tuple(...parameterWidths.map(edge));

/** Bounded everywhere, so that it can be computed. */
function isBounded(value: Value | Condition): boolean {
  const children = Object.values(value).filter((child) => typeof child === 'object' && 'op' in child);
  if (!children.every((child) => isBounded(child as Value))) return false;
  return isConditionNode(value) || rangeOf(value) !== undefined;
}

function isConditionNode(node: Value | Condition): node is Condition {
  return (
    ['compare', 'and', 'or', 'same', 'd2b'].includes(node.op) ||
    (node.op === 'not' && isConditionNode(node.operand)) ||
    (node.op === 'constant' && typeof node.value === 'boolean')
  );
}

describe('compiled expressions', () => {
  it('store the same low bits as unbounded arithmetic', () => {
    fc.assert(
      fc.property(
        anyValue.filter(isBounded),
        fc.integer({ min: 1, max: 140 }),
        parameters,
        (value, bits, inputs) => {
          const run = compiled((scope) => `[${canonicalWords(value, bits, scope).join(', ')}]`);
          const words = run(inputs) as number[];
          const got = words.reduce((sum, word, index) => sum + (BigInt(word) << BigInt(32 * index)), 0n);
          expect(got).toBe(BigInt.asUintN(bits, evaluate(value, inputs)));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('decide conditions the same way', () => {
    fc.assert(
      fc.property(anyCondition.filter(isBounded), parameters, (condition, inputs) => {
        const run = compiled((scope) => conditionCode(condition, scope));
        expect(run(inputs)).toBe(holds(condition, inputs));
      }),
      { numRuns: 2000 },
    );
  });

  it('stay inside the range the compiler assumes', () => {
    fc.assert(
      fc.property(anyValue.filter(isBounded), parameters, (value, inputs) => {
        const range = rangeOf(value)!;
        const result = evaluate(value, inputs);
        expect(result >= range.min && result <= range.max).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('survive being stored in words first', () => {
    fc.assert(
      fc.property(anyValue.filter(isBounded), parameters, (value, inputs) => {
        const bits = signedBits(rangeOf(value)!) + 7;
        const run = compiled(
          (scope) => `[${canonicalWords(materialize(value, scope), bits, scope).join(', ')}]`,
        );
        const words = run(inputs) as number[];
        const got = words.reduce((sum, word, index) => sum + (BigInt(word) << BigInt(32 * index)), 0n);
        expect(BigInt.asIntN(bits, got)).toBe(evaluate(value, inputs));
      }),
      { numRuns: 1000 },
    );
  });

  it('uses machine arithmetic for what p4c emits around a 16-bit sum', () => {
    const out = new Emitter();
    const scope: Scope = {
      out,
      parameter: parameterWords,
      position: undefined,
      place: '',
      problem: () => {},
    };
    const sum: Value = {
      op: 'binary',
      operator: '&',
      left: {
        op: 'binary',
        operator: '+',
        left: { op: 'parameter', index: 3, width: 16 },
        right: { op: 'constant', value: 0xffffn },
      },
      right: { op: 'constant', value: 0xffffn },
    };
    expect(canonicalWords(sum, 16, scope)).toEqual(['((data[24] + 0xffff) & 0xffff)']);
    expect(out.lines).toEqual([]);
  });
});
