// SPDX-License-Identifier: Apache-2.0
/**
 * Expressions of the BMv2 JSON, typed: values are unbounded integers, conditions are booleans.
 *
 * `rangeOf` bounds a value. That is what lets the compiler use 32-bit machine arithmetic: p4c puts a mask above every
 * operation that could overflow, so the bits that matter are known.
 */

import type { Field, FieldRef, Header, HeaderStack, HeaderUnion, RegisterArray } from './program.ts';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';

export type Value =
  | { op: 'constant'; value: bigint }
  | { op: 'field'; ref: FieldRef }
  /** A field of the stack element at `index`; 0 and a diagnostic when there is no such element. */
  | { op: 'element'; stack: HeaderStack; index: Value; field: Field }
  /** A field of the last extracted element. */
  | { op: 'last'; stack: HeaderStack; field: Field }
  | { op: 'last_index' | 'size'; stack: HeaderStack }
  /** A cell; 0 and a diagnostic when there is no such cell. */
  | { op: 'register'; register: RegisterArray; index: Value }
  | { op: 'parameter'; index: number; width: number }
  /** Bits of the packet ahead of the parser. */
  | { op: 'lookahead'; bitOffset: number; width: number }
  | { op: 'binary'; operator: ArithmeticOperator; left: Value; right: Value }
  | { op: 'not'; operand: Value }
  | { op: 'choose'; condition: Condition; whenTrue: Value; whenFalse: Value }
  /** Wrap to a signed width, clamp to an unsigned one, clamp to a signed one. */
  | { op: 'two_comp_mod' | 'usat_cast' | 'sat_cast'; operand: Value; width: number }
  | { op: 'b2d'; condition: Condition }
  /** Already computed by emitted code: two's complement words, least significant first. Never comes from the JSON. */
  | { op: 'words'; words: readonly string[]; range: Range };

export type Condition =
  | { op: 'constant'; value: boolean }
  | { op: 'compare'; operator: ComparisonOperator; left: Value; right: Value }
  | { op: 'same'; left: Condition; right: Condition }
  /** Both valid, and all fields equal. */
  | { op: 'same_header'; left: Header; right: Header }
  /** Two varbit fields as numbers, whatever their lengths: so BMv2 compares them. */
  | { op: 'same_varbit'; left: FieldRef; right: FieldRef }
  | { op: 'same_union'; left: HeaderUnion; right: HeaderUnion }
  | { op: 'and' | 'or'; left: Condition; right: Condition }
  | { op: 'not'; operand: Condition }
  | { op: 'd2b'; operand: Value }
  | { op: 'valid'; header: Header }
  | { op: 'valid_union'; union: HeaderUnion };

/** Inclusive bounds. */
export interface Range {
  min: bigint;
  max: bigint;
}

/** Values beyond this many bits are called unbounded: no program needs them, and their code would be endless. */
const rangeBitsMax = 4096;

export function unsignedRange(width: number): Range {
  return { min: 0n, max: (1n << BigInt(width)) - 1n };
}

export function signedRange(width: number): Range {
  const half = 1n << BigInt(width - 1);
  return { min: -half, max: half - 1n };
}

/** Bits of the smallest unsigned field that holds `value`, which is not negative; 0 for 0. */
export function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** Bits of the smallest two's complement field that holds every value of `range`. */
export function signedBits(range: Range): number {
  const negative = range.min < 0n ? bitLength(-range.min - 1n) : 0;
  const positive = range.max > 0n ? bitLength(range.max) : 0;
  return Math.max(negative, positive) + 1;
}

/** @returns undefined when no useful bound is known */
export function rangeOf(value: Value): Range | undefined {
  switch (value.op) {
    case 'constant':
      return { min: value.value, max: value.value };
    case 'field':
      return fieldRange(value.ref.field);
    case 'element':
    case 'last':
      return fieldRange(value.field);
    case 'last_index':
      // The counter of an empty stack minus one.
      return { min: -1n, max: BigInt(value.stack.headers.length - 1) };
    case 'size':
      return { min: BigInt(value.stack.headers.length), max: BigInt(value.stack.headers.length) };
    case 'parameter':
    case 'lookahead':
      return unsignedRange(value.width);
    case 'register':
      return unsignedRange(value.register.width);
    case 'not': {
      const range = rangeOf(value.operand);
      return range && { min: ~range.max, max: ~range.min };
    }
    case 'choose':
      return hull(rangeOf(value.whenTrue), rangeOf(value.whenFalse));
    case 'two_comp_mod':
      return within(rangeOf(value.operand), signedRange(value.width));
    case 'sat_cast':
      return signedRange(value.width);
    case 'usat_cast':
      return unsignedRange(value.width);
    case 'b2d':
      return { min: 0n, max: 1n };
    case 'words':
      return value.range;
    case 'binary':
      return bounded(binaryRange(value.operator, value.left, value.right));
  }
}

function binaryRange(operator: ArithmeticOperator, leftValue: Value, rightValue: Value): Range | undefined {
  const left = rangeOf(leftValue);
  const right = rangeOf(rightValue);
  if (operator === '&') return andRange(left, right);
  if (!left || !right) return undefined;
  switch (operator) {
    case '+':
      return { min: left.min + right.min, max: left.max + right.max };
    case '-':
      return { min: left.min - right.max, max: left.max - right.min };
    case '*':
      return corners(left, right, (x, y) => x * y);
    case '/':
      return left.min < 0n || right.min < 0n ? undefined : { min: 0n, max: left.max };
    case '%':
      return left.min < 0n || right.min < 0n
        ? undefined
        : { min: 0n, max: left.max < right.max ? left.max : right.max };
    case '|':
    case '^':
      if (left.min >= 0n && right.min >= 0n) {
        return unsignedRange(Math.max(bitLength(left.max), bitLength(right.max)));
      }
      return signedRange(Math.max(signedBits(left), signedBits(right)));
    case '<<':
      if (right.min < 0n || right.max > BigInt(rangeBitsMax)) return undefined;
      return corners(left, right, (x, y) => x << y);
    case '>>':
      if (right.min < 0n) return undefined;
      return corners(left, { min: right.min, max: clampShift(right.max) }, (x, y) => x >> y);
  }
}

function andRange(left: Range | undefined, right: Range | undefined): Range | undefined {
  const bounds = [left, right].filter((range) => range !== undefined && range.min >= 0n) as Range[];
  if (bounds.length > 0) return { min: 0n, max: bounds.map((range) => range.max).reduce(minimum) };
  if (!left || !right) return undefined;
  return signedRange(Math.max(signedBits(left), signedBits(right)));
}

function fieldRange(field: Field): Range {
  return field.signed ? signedRange(field.width) : unsignedRange(field.width);
}

function corners(left: Range, right: Range, apply: (x: bigint, y: bigint) => bigint): Range {
  const results = [
    apply(left.min, right.min),
    apply(left.min, right.max),
    apply(left.max, right.min),
    apply(left.max, right.max),
  ];
  return { min: results.reduce(minimum), max: results.reduce(maximum) };
}

function hull(left: Range | undefined, right: Range | undefined): Range | undefined {
  if (!left || !right) return undefined;
  return { min: minimum(left.min, right.min), max: maximum(left.max, right.max) };
}

function within(range: Range | undefined, limit: Range): Range {
  return range && range.min >= limit.min && range.max <= limit.max ? range : limit;
}

function bounded(range: Range | undefined): Range | undefined {
  return range && signedBits(range) <= rangeBitsMax ? range : undefined;
}

function clampShift(shift: bigint): bigint {
  return shift > BigInt(rangeBitsMax) ? BigInt(rangeBitsMax) : shift;
}

function minimum(x: bigint, y: bigint): bigint {
  return x < y ? x : y;
}

function maximum(x: bigint, y: bigint): bigint {
  return x > y ? x : y;
}
