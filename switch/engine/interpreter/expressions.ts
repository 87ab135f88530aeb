// SPDX-License-Identifier: Apache-2.0
/** What expressions are: integers without bounds, as the JSON means them. */

import type { Condition, Value } from '../expression.ts';
import type { Memory } from '../memory.ts';
import type { FieldRef, Header, HeaderStack, RegisterArray } from '../program.ts';
import { bitsOf } from './bit-string.ts';
import { isValid, readField, readFieldAt, readWords, varbitOf } from './fields.ts';

/** What surrounds an expression. */
export interface Surroundings {
  memory: Memory;
  /** Of the action. */
  parameters: readonly bigint[];
  /** The packet from where the parser stands to its end; undefined outside the parser. */
  ahead: Uint8Array | undefined;
  diagnostic(what: string): void;
}

/** A left shift by more leaves nothing in any field: no value has so many bits. */
const leftShiftMax = 8192n;

export function evaluate(value: Value, around: Surroundings): bigint {
  switch (value.op) {
    case 'constant':
      return value.value;
    case 'field':
      return readField(around.memory, value.ref);
    case 'element': {
      const element = elementAt(value.stack, value.index, around);
      return element ? readFieldAt(around.memory, element.base, value.field) : 0n;
    }
    case 'last': {
      const { stack } = value;
      const count = around.memory.F[stack.next]!;
      if (count === 0) {
        around.diagnostic(`${stack.name}.last is read while the stack is empty`);
        return 0n;
      }
      return readFieldAt(around.memory, stack.headers[count - 1]!.base, value.field);
    }
    case 'last_index':
      return BigInt(around.memory.F[value.stack.next]!) - 1n;
    case 'size':
      return BigInt(value.stack.headers.length);
    case 'register': {
      const cell = registerCell(value.register, value.index, around);
      return cell ? readWords(cell.words, cell.at, cell.count) : 0n;
    }
    case 'parameter':
      return around.parameters[value.index]!;
    case 'lookahead':
      if (around.ahead === undefined) throw new Error('broken promise: lookahead stands in the parser');
      return bitsOf(around.ahead, value.bitOffset, value.width);
    case 'not':
      return ~evaluate(value.operand, around);
    case 'choose':
      return evaluate(holds(value.condition, around) ? value.whenTrue : value.whenFalse, around);
    case 'two_comp_mod':
      return BigInt.asIntN(value.width, evaluate(value.operand, around));
    case 'usat_cast':
      return clamped(evaluate(value.operand, around), 0n, (1n << BigInt(value.width)) - 1n);
    case 'sat_cast': {
      const half = 1n << BigInt(value.width - 1);
      return clamped(evaluate(value.operand, around), -half, half - 1n);
    }
    case 'b2d':
      return holds(value.condition, around) ? 1n : 0n;
    case 'binary':
      return calculate(value.operator, evaluate(value.left, around), evaluate(value.right, around), around);
    case 'words':
      throw new Error('broken promise: no program has emitted words');
  }
}

export function holds(condition: Condition, around: Surroundings): boolean {
  const { memory } = around;
  switch (condition.op) {
    case 'constant':
      return condition.value;
    case 'and':
    case 'or': {
      // Both sides, as BMv2 does: either may have something to say.
      const sides = [holds(condition.left, around), holds(condition.right, around)];
      return condition.op === 'and' ? sides.every(Boolean) : sides.some(Boolean);
    }
    case 'not':
      return !holds(condition.operand, around);
    case 'same':
      return holds(condition.left, around) === holds(condition.right, around);
    case 'd2b':
      return evaluate(condition.operand, around) !== 0n;
    case 'valid':
      return isValid(memory, condition.header);
    case 'valid_union':
      return condition.union.members.some((member) => isValid(memory, member));
    case 'same_header':
      return sameHeader(memory, condition.left, condition.right);
    case 'same_varbit':
      return varbitNumber(memory, condition.left) === varbitNumber(memory, condition.right);
    case 'same_union':
      return condition.left.members.some((member, index) =>
        sameHeader(memory, member, condition.right.members[index]!),
      );
    case 'compare': {
      const left = evaluate(condition.left, around);
      const right = evaluate(condition.right, around);
      switch (condition.operator) {
        case '==':
          return left === right;
        case '!=':
          return left !== right;
        case '<':
          return left < right;
        case '<=':
          return left <= right;
        case '>':
          return left > right;
        case '>=':
          return left >= right;
      }
    }
  }
}

/** Undefined, and a diagnostic, when there is none. */
export function elementAt(stack: HeaderStack, at: Value, around: Surroundings): Header | undefined {
  const index = evaluate(at, around);
  if (index >= 0n && index < BigInt(stack.headers.length)) return stack.headers[Number(index)];
  around.diagnostic(`an index of ${stack.name} is out of range`);
  return undefined;
}

/** The words of a cell; undefined, and a diagnostic, when there is none. */
export function registerCell(register: RegisterArray, at: Value, around: Surroundings) {
  const index = evaluateSmall(at, around);
  if (index >= register.size) {
    around.diagnostic(`the register ${register.name} has no such index`);
    return undefined;
  }
  const count = Math.ceil(register.width / 32);
  return { words: around.memory.registers.get(register.id)!, at: index * count, count };
}

/** An index, amount or number of a session: what does not fit 32 bits is no less out of bounds as 2^32 - 1. */
export function evaluateSmall(value: Value, around: Surroundings): number {
  const whole = evaluate(value, around);
  return whole > 0xffffffffn ? 0xffffffff : Number(whole);
}

function calculate(
  operator: Extract<Value, { op: 'binary' }>['operator'],
  left: bigint,
  right: bigint,
  around: Surroundings,
): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '^':
      return left ^ right;
    case '<<':
      return right < 0n || right > leftShiftMax ? 0n : left << right;
    case '>>':
      return right < 0n ? left : left >> right;
    case '/':
      if (right !== 0n) return left / right;
      around.diagnostic('division by zero');
      return 0n;
    case '%':
      if (right !== 0n) return left % right;
      around.diagnostic('modulo by zero');
      return 0n;
  }
}

function clamped(value: bigint, min: bigint, max: bigint): bigint {
  return value < min ? min : value > max ? max : value;
}

/** Both valid, and the same in every field. */
function sameHeader(memory: Memory, left: Header, right: Header): boolean {
  if (!isValid(memory, left) || !isValid(memory, right)) return false;
  return left.type.fields.every((field) =>
    field.varbit
      ? varbitNumber(memory, { header: left, field }) === varbitNumber(memory, { header: right, field })
      : readFieldAt(memory, left.base, field) === readFieldAt(memory, right.base, field),
  );
}

/** However many bytes it has. */
function varbitNumber(memory: Memory, { header, field }: FieldRef): bigint {
  const bytes = varbitOf(memory, header, field);
  return bitsOf(bytes, 0, 8 * bytes.length);
}
