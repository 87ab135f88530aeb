// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Emitter } from './emitter.ts';
import { type Condition, rangeOf, signedBits, signedRange, unsignedRange, type Value } from './expression.ts';
import { canonicalWords, conditionCode, materialize, type Scope } from './words.ts';

/** What an expression is, in the arithmetic the JSON means: integers without bounds. */
function evaluate(value: Value, parameters: readonly bigint[]): bigint {
  switch (value.op) {
    case 'constant':
      return value.value;
    case 'parameter':
      return parameters[value.index]!;
    case 'words':
      // Signed operands of this test: `materialize` could have made them.
      return BigInt.asIntN(value.words.length * 32, parameters[Number(value.words[0]!.slice(5, -1)) / 8]!);
    case 'not':
      return ~evaluate(value.operand, parameters);
    case 'choose':
      return evaluate(holds(value.condition, parameters) ? value.whenTrue : value.whenFalse, parameters);
    case 'two_comp_mod':
      return BigInt.asIntN(value.width, evaluate(value.operand, parameters));
    case 'usat_cast':
      return clamp(evaluate(value.operand, parameters), unsignedRange(value.width));
    case 'sat_cast':
      return clamp(evaluate(value.operand, parameters), signedRange(value.width));
    case 'b2d':
      return holds(value.condition, parameters) ? 1n : 0n;
    case 'binary': {
      const left = evaluate(value.left, parameters);
      const right = evaluate(value.right, parameters);
      switch (value.operator) {
        case '+':
          return left + right;
        case '-':
          return left - right;
        case '*':
          return left * right;
        case '/':
          return right === 0n ? 0n : left / right;
        case '%':
          return right === 0n ? 0n : left % right;
        case '&':
          return left & right;
        case '|':
          return left | right;
        case '^':
          return left ^ right;
        case '<<':
          return left << right;
        case '>>':
          return left >> right;
      }
    }
  }
  throw new Error(`${value.op} needs a packet`);
}

function holds(condition: Condition, parameters: readonly bigint[]): boolean {
  switch (condition.op) {
    case 'constant':
      return condition.value;
    case 'and':
      return holds(condition.left, parameters) && holds(condition.right, parameters);
    case 'or':
      return holds(condition.left, parameters) || holds(condition.right, parameters);
    case 'not':
      return !holds(condition.operand, parameters);
    case 'same':
      return holds(condition.left, parameters) === holds(condition.right, parameters);
    case 'd2b':
      return evaluate(condition.operand, parameters) !== 0n;
    case 'compare': {
      const left = evaluate(condition.left, parameters);
      const right = evaluate(condition.right, parameters);
      const order = left < right ? -1 : left > right ? 1 : 0;
      switch (condition.operator) {
        case '==':
          return order === 0;
        case '!=':
          return order !== 0;
        case '<':
          return order < 0;
        case '<=':
          return order <= 0;
        case '>':
          return order > 0;
        case '>=':
          return order >= 0;
      }
    }
  }
  throw new Error(`${condition.op} needs a packet`);
}

function clamp(value: bigint, { min, max }: { min: bigint; max: bigint }): bigint {
  return value < min ? min : value > max ? max : value;
}

const parameterWidths = [1, 8, 9, 16, 31, 32, 33, 48, 64, 128];

/** Parameters are eight words apart in `data`. */
function parameterWords(index: number) {
  const width = parameterWidths[index]!;
  return Array.from({ length: Math.ceil(width / 32) }, (_, word) => ({
    code: `data[${index * 8 + word}]`,
    bits: Math.min(32, width - 32 * word),
  }));
}

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
  const run = new Function('data', 'divide', 'modulo', 'bigOperation', `${out}\nreturn ${result};`);
  return (parameters) => {
    const data = new Uint32Array(parameters.length * 8);
    for (const [index, parameter] of parameters.entries()) {
      for (let word = 0; word < 8; word++) {
        data[index * 8 + word] = Number(BigInt.asUintN(32, parameter >> BigInt(32 * word)));
      }
    }
    return run(
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

/** A parameter read as a signed number: int<32>, int<64> or int<128>. */
const signedParameter = fc.constantFrom(5, 8, 9).map((index): Value => {
  const width = parameterWidths[index]!;
  return { op: 'words', words: parameterWords(index).map((word) => word.code), range: signedRange(width) };
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
        fc.oneof(parameter, constant, signedParameter),
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
