// SPDX-License-Identifier: Apache-2.0
/**
 * Expressions to JavaScript on 32-bit words.
 *
 * A value is asked for by the number of low bits wanted. Addition, multiplication, bitwise operations and left shifts
 * need no more of their operands than that, so a 16-bit sum is one machine addition; comparisons, right shifts and
 * division need whole operands, whose size `rangeOf` knows. BigInt appears only in wide multiplication, wide division
 * and wide shifts by a variable.
 */

import type { Emitter } from './emitter.ts';
import { bitLength, type Condition, type Range, rangeOf, signedBits, type Value } from './expression.ts';
import type { Field, FieldRef, Header, HeaderStack, RegisterArray, Target } from './program.ts';

/** What surrounds an expression: where statements go, and what its leaves mean here. */
export interface Scope {
  out: Emitter;
  /** The words of an action parameter: literals or array elements. */
  parameter(index: number): readonly Word[];
  /** The parser's position in the packet, an identifier; undefined outside the parser. */
  position: string | undefined;
  /** Where the expression stands, for problems. */
  place: string;
  problem(what: string): void;
}

/**
 * JavaScript that yields one word. With `bits <= 32` it is an unsigned number below 2^bits; otherwise only its value
 * modulo 2^32 counts.
 */
export interface Word {
  code: string;
  bits: number;
}

const loose = 64;
const zero: Word = { code: '0', bits: 0 };

/** The word at `slot`, with the P4 name as a comment. */
export function slotWord(slot: number, name: string): string {
  return `F[${slot} /* ${name} */]`;
}

export function fieldName(ref: FieldRef): string {
  return `${ref.header.name}.${ref.field.name}`;
}

/** The words of a field, least significant first, all canonical. */
export function fieldWords(ref: FieldRef): Word[] {
  return wordsAt(ref.field, (slot, part) => slotWord(ref.header.base + slot, fieldName(ref) + part));
}

function wordsAt(field: Field, code: (slot: number, part: string) => string): Word[] {
  return Array.from({ length: field.words }, (_, index) => ({
    code: code(field.slot + index, field.words > 1 ? `:${index}` : ''),
    bits: Math.min(32, field.width - 32 * index),
  }));
}

/** The low `bits` bits of `value` as ceil(bits / 32) canonical words, the last one without excess bits. */
export function canonicalWords(value: Value, bits: number, scope: Scope): string[] {
  return lowWords(value, bits, scope).map((word, index) => {
    const want = Math.min(32, bits - 32 * index);
    return canonical(word, want).code;
  });
}

/** Like `canonicalWords`, each word in a constant of its own unless it is as cheap as one. */
export function namedWords(value: Value, bits: number, scope: Scope): string[] {
  return canonicalWords(value, bits, scope).map((code) => named(code, scope));
}

/** A condition as a JavaScript expression that is true or false. */
export function conditionCode(condition: Condition, scope: Scope): string {
  switch (condition.op) {
    case 'constant':
      return String(condition.value);
    case 'and':
      return `(${conditionCode(condition.left, scope)} && ${conditionCode(condition.right, scope)})`;
    case 'or':
      return `(${conditionCode(condition.left, scope)} || ${conditionCode(condition.right, scope)})`;
    case 'not':
      return `!${conditionCode(condition.operand, scope)}`;
    case 'same':
      return `(${conditionCode(condition.left, scope)} === ${conditionCode(condition.right, scope)})`;
    case 'd2b':
      // p4c turns booleans into numbers and back.
      if (condition.operand.op === 'b2d') return conditionCode(condition.operand.condition, scope);
      return compareCode('!=', condition.operand, { op: 'constant', value: 0n }, scope);
    case 'valid':
      return condition.header.metadata ? 'true' : `(${validWord(condition.header)} !== 0)`;
    case 'valid_union':
      return `(${condition.union.members.map((member) => `${validWord(member)} !== 0`).join(' || ')})`;
    case 'same_header':
      return sameHeaderCode(condition.left, condition.right);
    case 'same_varbit':
      return sameVarbitCode(condition.left, condition.right);
    case 'same_union': {
      const pairs = condition.left.members.map((member, index) => {
        const other = condition.right.members[index]!;
        return sameHeaderCode(member, other);
      });
      return `(${pairs.join(' || ')})`;
    }
    case 'compare':
      return compareCode(condition.operator, condition.left, condition.right, scope);
  }
}

/**
 * Stores the low bits of `value` in `target`; in a saturating field the nearest value that fits. Writing to a header
 * that is not valid has no effect.
 */
export function emitAssign(target: Target, written: Value, scope: Scope): void {
  const { out } = scope;
  if (target.kind === 'register') {
    emitRegisterWrite(target.register, target.index, written, scope);
    return;
  }
  const value = saturated(target.kind === 'field' ? target.ref.field : target.field, written);
  if (target.kind === 'field') {
    const { header, field } = target.ref;
    const words = canonicalWords(value, field.width, scope);
    const destinations = fieldWords(target.ref).map((word) => word.code);
    // With more than one word the value may read what the first store has overwritten.
    const sources = words.length > 1 ? words.map((word) => named(word, scope)) : words;
    const stores = destinations.map((place, index) => `${place} = ${sources[index]};`);
    if (header.metadata) {
      for (const store of stores) out.line(store);
    } else if (stores.length === 1) {
      out.line(`if (${validWord(header)} !== 0) ${stores[0]}`);
    } else {
      out.block(`if (${validWord(header)} !== 0)`, () => {
        for (const store of stores) out.line(store);
      });
    }
    return;
  }
  const { stack, field } = target;
  const sources = namedWords(value, field.width, scope);
  const base = named(elementBase(stack, target.index, scope), scope);
  out.block(`if (${base} !== 0 && F[${base}] !== 0)`, () => {
    for (const [index, source] of sources.entries()) {
      out.line(`F[${base} + ${field.slot + index}] = ${source}; // ${stack.name}[].${field.name}`);
    }
  });
}

function saturated({ saturating, signed, width }: Field, value: Value): Value {
  return saturating ? { op: signed ? 'sat_cast' : 'usat_cast', operand: value, width } : value;
}

export function emitRegisterWrite(
  register: RegisterArray,
  indexValue: Value,
  value: Value,
  scope: Scope,
): void {
  const index = saturatedWord(indexValue, scope);
  const values = namedWords(value, register.width, scope);
  emitWithin(index, register.size, `the register ${register.name}`, scope, (out) => {
    for (const [word, code] of values.entries()) {
      out.line(`register_${register.id}[${cellAt(index, register, word)}] = ${code}; // ${register.name}`);
    }
  });
}

/** The place of a word of a cell in the register's array. */
export function cellAt(index: string, register: RegisterArray, word: number): string {
  const words = Math.ceil(register.width / 32);
  return `${words === 1 ? index : `${index} * ${words}`}${word === 0 ? '' : ` + ${word}`}`;
}

/** Outside the array nothing happens but a diagnostic. */
export function emitWithin(
  index: string,
  size: number,
  what: string,
  { out, place }: Scope,
  body: (out: Emitter) => void,
): void {
  out.block(`if (${index} < ${literal(size)})`, () => body(out));
  const where = place === '' ? '' : `${place}: `;
  out.block('else', () => out.line(`diagnostic(${JSON.stringify(`${where}${what} has no such index`)});`));
}

export function validWord(header: { name: string; base: number }): string {
  return slotWord(header.base, `${header.name}.$valid$`);
}

/** The value with its whole range, as words that can be used many times. */
export function materialize(value: Value, scope: Scope): Value {
  const range = wholeRange(value, scope);
  const bits = range.min < 0n ? wordBits(signedBits(range)) : Math.max(1, bitLength(range.max));
  return { op: 'words', words: namedWords(value, bits, scope), range };
}

/** The low `bits` bits of `value`; bits above are arbitrary. */
function lowWords(value: Value, bits: number, scope: Scope): Word[] {
  const range = rangeOf(value);
  const wordCount = Math.ceil(bits / 32);
  if (range && range.min >= 0n && bitLength(range.max) < bits) {
    // Smaller than asked for: the rest is zero.
    const enough = bitLength(range.max);
    if (value.op === 'constant') return constantWords(value.value, bits);
    if (enough === 0) return Array.from({ length: wordCount }, () => zero);
    const low = lowWords(value, enough, scope).map((word, index) =>
      canonical(word, Math.min(32, enough - 32 * index)),
    );
    return Array.from({ length: wordCount }, (_, index) => low[index] ?? zero);
  }
  switch (value.op) {
    case 'constant':
      return constantWords(value.value, bits);
    case 'field':
      return signExtended(fieldWords(value.ref), value.ref.field.width, value.ref.field.signed, bits, scope);
    case 'parameter':
      return scope.parameter(value.index).slice(0, wordCount);
    case 'element': {
      const base = named(elementBase(value.stack, value.index, scope), scope);
      const words = wordsAt(value.field, (slot) => `(${base} === 0 ? 0 : F[${base} + ${slot}])`);
      return signExtended(words, value.field.width, value.field.signed, bits, scope);
    }
    case 'last': {
      const base = named(lastBase(value.stack), scope);
      const words = wordsAt(value.field, (slot) => `(${base} === 0 ? 0 : F[${base} + ${slot}])`);
      return signExtended(words, value.field.width, value.field.signed, bits, scope);
    }
    case 'last_index': {
      const word = {
        code: `(${slotWord(value.stack.next, `${value.stack.name}.next`)} - 1 | 0)`,
        bits: loose,
      };
      return signExtended([word], 32, true, bits, scope);
    }
    case 'size':
      return constantWords(BigInt(value.stack.headers.length), bits);
    case 'register':
      return registerWords(value.register, value.index, scope).slice(0, wordCount);
    case 'lookahead':
      return lookaheadWords(value.bitOffset, value.width, scope).slice(0, wordCount);
    case 'not':
      return lowWords(value.operand, bits, scope).map((word) => ({ code: `~${word.code}`, bits: loose }));
    case 'choose':
      return chosenWords(value, bits, scope);
    case 'two_comp_mod': {
      const words = lowWords(value.operand, Math.min(bits, value.width), scope);
      return signExtended(words, value.width, true, bits, scope);
    }
    case 'usat_cast':
    case 'sat_cast': {
      const limit =
        value.op === 'usat_cast'
          ? { min: 0n, max: (1n << BigInt(value.width)) - 1n }
          : { min: -(1n << BigInt(value.width - 1)), max: (1n << BigInt(value.width - 1)) - 1n };
      return lowWords(clamped(materialize(value.operand, scope), limit), bits, scope);
    }
    case 'b2d':
      if (value.condition.op === 'constant') return constantWords(value.condition.value ? 1n : 0n, bits);
      return [{ code: `(${conditionCode(value.condition, scope)} ? 1 : 0)`, bits: 1 }];
    case 'words': {
      const words = value.words.map((code, index) => ({
        code,
        bits: value.range.min < 0n ? 32 : Math.max(0, Math.min(32, bitLength(value.range.max) - 32 * index)),
      }));
      return signExtended(words, words.length * 32, value.range.min < 0n, bits, scope);
    }
    case 'binary':
      return binaryWords(value, bits, scope);
  }
}

/** Only the branch that is taken may say or do anything, so branches of more than an expression become statements. */
function chosenWords(value: Extract<Value, { op: 'choose' }>, bits: number, scope: Scope): Word[] {
  const { out } = scope;
  const condition = conditionCode(value.condition, scope);
  const [onTrue, onFalse] = [out.fork(), out.fork()];
  const whenTrue = lowWords(value.whenTrue, bits, { ...scope, out: onTrue });
  const whenFalse = lowWords(value.whenFalse, bits, { ...scope, out: onFalse });
  const wordBits = whenTrue.map((word, index) => Math.max(word.bits, whenFalse[index]!.bits));
  if (onTrue.lines.length === 0 && onFalse.lines.length === 0) {
    const test = whenTrue.length > 1 ? named(condition, scope) : condition;
    return whenTrue.map((word, index) => ({
      code: `(${test} ? ${word.code} : ${whenFalse[index]!.code})`,
      bits: wordBits[index]!,
    }));
  }
  const results = whenTrue.map(() => out.name('chosen'));
  out.line(`let ${results.join(', ')};`);
  for (const [index, name] of results.entries()) {
    onTrue.line(`${name} = ${whenTrue[index]!.code};`);
    onFalse.line(`${name} = ${whenFalse[index]!.code};`);
  }
  out.line(`if (${condition}) {`);
  out.append(onTrue);
  out.line('} else {');
  out.append(onFalse);
  out.line('}');
  return results.map((code, index) => ({ code, bits: wordBits[index]! }));
}

/** 0 and a diagnostic where there is no such cell. */
function registerWords(register: RegisterArray, indexValue: Value, scope: Scope): Word[] {
  const { out } = scope;
  const index = saturatedWord(indexValue, scope);
  const names = Array.from({ length: Math.ceil(register.width / 32) }, () => out.name('cell'));
  out.line(`let ${names.map((name) => `${name} = 0`).join(', ')}; // ${register.name}`);
  emitWithin(index, register.size, `the register ${register.name}`, { ...scope, place: '' }, (to) => {
    for (const [word, name] of names.entries())
      to.line(`${name} = register_${register.id}[${cellAt(index, register, word)}];`);
  });
  return names.map((code, word) => ({ code, bits: Math.min(32, register.width - 32 * word) }));
}

type Binary = Extract<Value, { op: 'binary' }>;

function binaryWords(value: Binary, bits: number, scope: Scope): Word[] {
  const { operator, left, right } = value;
  switch (operator) {
    case '&':
    case '|':
    case '^':
      return bitwiseWords(value, bits, scope);
    case '+':
    case '-':
      return bits <= 32 ? [sumWord(value, bits, scope)] : wideSumWords(value, bits, scope);
    case '*':
      if (bits > 32) return wideWords(value, bits, bits, scope);
      return [
        {
          code: `Math.imul(${lowWords(left, bits, scope)[0]!.code}, ${lowWords(right, bits, scope)[0]!.code})`,
          bits: loose,
        },
      ];
    case '<<':
      return leftShiftWords(left, right, bits, scope);
    case '>>':
      return rightShiftWords(left, right, bits, scope);
    case '/':
    case '%':
      return divisionWords(value, bits, scope);
  }
}

function bitwiseWords(value: Binary, bits: number, scope: Scope): Word[] {
  const mask = value.operator === '&' ? maskBits(value.right) : undefined;
  if (mask !== undefined && mask >= bits) return lowWords(value.left, bits, scope);
  const left = lowWords(value.left, bits, scope);
  const right = lowWords(value.right, bits, scope);
  return left.map((leftWord, index) => {
    const rightWord = right[index]!;
    if (value.operator === '&') {
      if (leftWord.bits === 0 || rightWord.bits === 0) return zero;
      const small = Math.min(leftWord.bits, rightWord.bits);
      return { code: `(${leftWord.code} & ${rightWord.code})`, bits: small <= 31 ? small : loose };
    }
    if (leftWord.bits === 0) return rightWord;
    if (rightWord.bits === 0) return leftWord;
    const large = Math.max(leftWord.bits, rightWord.bits);
    return {
      code: `(${leftWord.code} ${value.operator} ${rightWord.code})`,
      bits: large <= 31 ? large : loose,
    };
  });
}

function sumWord(value: Binary, bits: number, scope: Scope): Word {
  const left = lowWords(value.left, bits, scope)[0]!;
  const right = lowWords(value.right, bits, scope)[0]!;
  if (value.operator === '+' && left.bits <= 31 && right.bits <= 31) {
    return { code: `(${left.code} + ${right.code})`, bits: Math.max(left.bits, right.bits) + 1 };
  }
  return { code: `(${left.code} ${value.operator} ${right.code} | 0)`, bits: loose };
}

/** Sums of canonical words are exact in a double; what leaves a word's range is the carry. */
function wideSumWords(value: Binary, bits: number, scope: Scope): Word[] {
  const { out } = scope;
  const left = canonicalWords(value.left, wordBits(bits), scope);
  const right = canonicalWords(value.right, wordBits(bits), scope);
  const words: Word[] = [];
  let carry = '';
  for (let index = 0; index < left.length; index++) {
    const sum = out.name('sum');
    out.line(`const ${sum} = ${left[index]} ${value.operator} ${right[index]}${carry};`);
    carry = value.operator === '+' ? ` + (${sum} > 0xffffffff ? 1 : 0)` : ` - (${sum} < 0 ? 1 : 0)`;
    words.push({ code: `(${sum} | 0)`, bits: loose });
  }
  return words;
}

function leftShiftWords(left: Value, right: Value, bits: number, scope: Scope): Word[] {
  const wordCount = Math.ceil(bits / 32);
  if (right.op === 'constant') {
    if (right.value < 0n || right.value >= BigInt(bits)) return Array.from({ length: wordCount }, () => zero);
    const shift = Number(right.value);
    const source = lowWords(left, bits - shift, scope);
    return funnel(source, -shift, wordCount, scope);
  }
  if (bits > 32) return wideWords({ op: 'binary', operator: '<<', left, right }, bits, bits, scope);
  const amount = saturatedWord(right, scope);
  return [
    { code: `(${amount} > 31 ? 0 : ${lowWords(left, bits, scope)[0]!.code} << ${amount})`, bits: loose },
  ];
}

function rightShiftWords(left: Value, right: Value, bits: number, scope: Scope): Word[] {
  const wordCount = Math.ceil(bits / 32);
  if (right.op === 'constant') {
    const range = rangeOf(left);
    const size = range ? signedBits(range) : Number.POSITIVE_INFINITY;
    // Beyond the sign there are only copies of it.
    const shift = right.value < 0n ? 0 : Number(right.value > BigInt(size) ? BigInt(size) : right.value);
    return funnel(lowWords(left, bits + shift, scope), shift, wordCount, scope);
  }
  const range = wholeRange(left, scope);
  const size = signedBits(range);
  if (bits > 32 || (range.min < 0n ? size > 32 : size > 33)) {
    return wideWords({ op: 'binary', operator: '>>', left, right }, bits, size, scope);
  }
  const amount = saturatedWord(right, scope);
  if (range.min < 0n) {
    const source = lowWords(left, 32, scope)[0]!.code;
    return [{ code: `(${source} >> (${amount} > 31 ? 31 : ${amount}))`, bits: loose }];
  }
  const source = canonicalWords(left, Math.max(1, bitLength(range.max)), scope)[0]!;
  return [{ code: `(${amount} > 31 ? 0 : ${source} >>> ${amount})`, bits: 32 }];
}

/** One canonical word in a name, for shifts and indexes: values that do not fit become 2^32 - 1. */
export function saturatedWord(value: Value, scope: Scope): string {
  const range = wholeRange(value, scope);
  if (range.min < 0n) scope.problem(`${scope.place}: a shift or index that may be negative`);
  const bits = Math.max(1, bitLength(range.max < 0n ? 0n : range.max));
  const words = canonicalWords(value, bits, scope);
  if (words.length === 1) return named(words[0]!, scope);
  return named(`(${words.slice(1).join(' | ')}) !== 0 ? 0xffffffff : ${words[0]}`, scope);
}

function divisionWords(value: Binary, bits: number, scope: Scope): Word[] {
  const left = wholeRange(value.left, scope);
  const right = wholeRange(value.right, scope);
  if (left.min < 0n || right.min < 0n) {
    scope.problem(`${scope.place}: ${value.operator} on values that may be negative`);
  }
  const size = Math.max(1, bitLength(left.max), bitLength(right.max));
  if (size > 32 || bits > 32) return wideWords(value, bits, size, scope);
  const divide = value.operator === '/' ? 'divide' : 'modulo';
  const dividend = canonicalWords(value.left, size, scope)[0];
  const divisor = canonicalWords(value.right, size, scope)[0];
  // Evaluated even where a condition is decided without it, as in BMv2.
  return [{ code: named(`${divide}(${dividend}, ${divisor})`, scope), bits: 32 }];
}

/** The BigInt way: operands of `operandBits`, result cut to `bits`. */
function wideWords(value: Binary, bits: number, operandBits: number, scope: Scope): Word[] {
  const { out } = scope;
  const result = out.name('wide');
  const left = bigCode(value.left, operandBits, scope);
  // A shift amount counts whole, whatever its size.
  const isShift = value.operator === '<<' || value.operator === '>>';
  const code = isShift
    ? `${left} ${value.operator} BigInt(${shiftAmountUpTo(value.right, Math.max(bits, operandBits), scope)})`
    : `bigOperation('${value.operator}', ${left}, ${bigCode(value.right, operandBits, scope)})`;
  out.line(`const ${result} = ${code};`);
  return Array.from({ length: Math.ceil(bits / 32) }, (_, index) => ({
    code: named(`Number(BigInt.asUintN(32, ${result} >> ${32 * index}n))`, scope),
    bits: 32,
  }));
}

function shiftAmountUpTo(value: Value, limit: number, scope: Scope): string {
  return `Math.min(${saturatedWord(value, scope)}, ${limit + 1})`;
}

/** The value as a BigInt expression: exact if its range is inside `bits` signed bits, else its low bits. */
function bigCode(value: Value, bits: number, scope: Scope): string {
  const range = rangeOf(value);
  const size = wordBits(bits + 1);
  const words = canonicalWords(value, size, scope);
  const sum = words.map((word, index) =>
    index === 0 ? `BigInt(${word})` : `BigInt(${word}) << ${32 * index}n`,
  );
  const joined = `(${sum.map((term) => `(${term})`).join(' | ')})`;
  return range && range.min >= 0n ? joined : `BigInt.asIntN(${size}, ${joined})`;
}

/** The whole value as a BigInt expression. */
export function bigCodeOf(value: Value, scope: Scope): string {
  return bigCode(value, signedBits(wholeRange(value, scope)), scope);
}

/** A value of 64 bits from the name of a BigInt. */
export function bigWords(name: string): Value {
  const words = [`Number(${name} & 0xffffffffn)`, `Number(${name} >> 32n)`];
  return { op: 'words', words, range: { min: 0n, max: (1n << 64n) - 1n } };
}

/** Words moved by `shift` bits towards bit 0, or away from it when negative. */
function funnel(source: readonly Word[], shift: number, wordCount: number, scope: Scope): Word[] {
  const words =
    source.length > 1 ? source.map((word) => ({ ...word, code: named(word.code, scope) })) : source;
  const result: Word[] = [];
  for (let index = 0; index < wordCount; index++) {
    const from = 32 * index + shift;
    const wordIndex = Math.floor(from / 32);
    const bit = from - 32 * wordIndex;
    const low = words[wordIndex] ?? zero;
    const high = words[wordIndex + 1] ?? zero;
    if (bit === 0) {
      result.push(low);
      continue;
    }
    const lowPart: Word =
      low.bits <= bit ? zero : { code: `(${low.code} >>> ${bit})`, bits: Math.min(32, low.bits) - bit };
    const highBits = high.bits + 32 - bit;
    const highPart: Word =
      high.bits === 0
        ? zero
        : { code: `(${high.code} << ${32 - bit})`, bits: highBits <= 31 ? highBits : loose };
    if (highPart.bits === 0) result.push(lowPart);
    else if (lowPart.bits === 0) result.push(highPart);
    else {
      const bits = Math.max(lowPart.bits, highPart.bits);
      result.push({ code: `(${lowPart.code} | ${highPart.code})`, bits: bits <= 31 ? bits : loose });
    }
  }
  return result;
}

/** Words of a `width`-bit number, with copies of its sign where more bits are wanted. */
function signExtended(
  words: readonly Word[],
  width: number,
  signed: boolean,
  bits: number,
  scope: Scope,
): Word[] {
  const wordCount = Math.ceil(bits / 32);
  if (!signed || bits <= width) {
    return Array.from({ length: wordCount }, (_, index) => words[index] ?? zero);
  }
  const top = Math.ceil(width / 32) - 1;
  const excess = 32 * (top + 1) - width;
  const topCode =
    excess === 0 ? `(${words[top]!.code} | 0)` : `(${words[top]!.code} << ${excess} >> ${excess})`;
  const topWord = { code: wordCount > top + 1 ? named(topCode, scope) : topCode, bits: loose };
  return Array.from({ length: wordCount }, (_, index) => {
    if (index < top) return words[index]!;
    if (index === top) return topWord;
    return { code: `(${topWord.code} >> 31)`, bits: loose };
  });
}

function clamped(value: Value, limit: Range): Value {
  const min: Value = { op: 'constant', value: limit.min };
  const max: Value = { op: 'constant', value: limit.max };
  return {
    op: 'choose',
    condition: { op: 'compare', operator: '<', left: value, right: min },
    whenTrue: min,
    whenFalse: {
      op: 'choose',
      condition: { op: 'compare', operator: '>', left: value, right: max },
      whenTrue: max,
      whenFalse: value,
    },
  };
}

function compareCode(operator: string, left: Value, right: Value, scope: Scope): string {
  const leftRange = wholeRange(left, scope);
  const rightRange = wholeRange(right, scope);
  const signed = leftRange.min < 0n || rightRange.min < 0n;
  const equality = operator === '==' || operator === '!=';
  const bits = signed
    ? wordBits(Math.max(signedBits(leftRange), signedBits(rightRange)))
    : Math.max(1, bitLength(leftRange.max), bitLength(rightRange.max));
  if (bits <= 32) {
    const javaScript = equality ? `${operator}=` : operator;
    if (signed) {
      return `((${lowWords(left, bits, scope)[0]!.code} | 0) ${javaScript} (${lowWords(right, bits, scope)[0]!.code} | 0))`;
    }
    return `(${canonicalWords(left, bits, scope)[0]} ${javaScript} ${canonicalWords(right, bits, scope)[0]})`;
  }
  const leftWords = namedWords(left, bits, scope);
  const rightWords = namedWords(right, bits, scope);
  if (equality) {
    const same = leftWords.map((word, index) => `${word} === ${rightWords[index]}`).join(' && ');
    return operator === '==' ? `(${same})` : `!(${same})`;
  }
  return orderCode(operator, leftWords, rightWords, signed);
}

/** Word by word from the top: the first difference decides. */
function orderCode(
  operator: string,
  left: readonly string[],
  right: readonly string[],
  signed: boolean,
): string {
  const strict = operator[0]!;
  let code = operator.length === 2 ? 'true' : 'false';
  for (let index = 0; index < left.length; index++) {
    const isTop = index === left.length - 1;
    const leftWord = isTop && signed ? `(${left[index]} | 0)` : left[index];
    const rightWord = isTop && signed ? `(${right[index]} | 0)` : right[index];
    code =
      index === 0
        ? `${leftWord} ${operator} ${rightWord}`
        : `(${leftWord} ${strict} ${rightWord} || ${leftWord} === ${rightWord} && ${code})`;
  }
  return code;
}

/** Both valid, and the same in every field. */
function sameHeaderCode(left: Header, right: Header): string {
  const { fields, stride } = left.type;
  const tests = [`${validWord(left)} !== 0`];
  const varbit = fields.find((field) => field.varbit);
  const from = varbit ? varbit.slot : stride;
  tests.push(`sameWords(${left.base}, ${right.base}, ${from})`);
  if (varbit) {
    const rest = from + 1;
    if (rest < stride) tests.push(`sameWords(${left.base + rest}, ${right.base + rest}, ${stride - rest})`);
    tests.push(sameVarbitCode({ header: left, field: varbit }, { header: right, field: varbit }));
  }
  return `(${tests.join(' && ')})`;
}

function sameVarbitCode(left: FieldRef, right: FieldRef): string {
  const operands = [left, right].map(
    (ref) =>
      `${ref.header.varbitBase}, ${slotWord(ref.header.base + ref.field.slot, `${fieldName(ref)} bytes`)}`,
  );
  return `sameNumber(${operands.join(', ')})`;
}

/** First word of the element at a run-time index; 0 and a diagnostic where there is none. */
export function elementBase(stack: HeaderStack, index: Value, scope: Scope): string {
  const range = rangeOf(index);
  const bits = range && range.min >= 0n ? Math.max(1, Math.min(32, bitLength(range.max))) : 32;
  const code = named(canonicalWords(index, bits, scope)[0]!, scope);
  const { base } = stack.headers[0]!;
  const outside = JSON.stringify(`an index of ${stack.name} is out of range`);
  return `${code} < ${stack.headers.length} ? ${base} + ${code} * ${stack.stride} : outside(${outside})`;
}

function lastBase(stack: HeaderStack): string {
  const next = slotWord(stack.next, `${stack.name}.next`);
  const { base } = stack.headers[0]!;
  const empty = JSON.stringify(`${stack.name}.last is read while the stack is empty`);
  return `${next} === 0 ? outside(${empty}) : ${base - stack.stride} + ${next} * ${stack.stride}`;
}

function lookaheadWords(bitOffset: number, width: number, scope: Scope): Word[] {
  if (scope.position === undefined) {
    scope.problem(`${scope.place}: lookahead outside the parser`);
    return Array.from({ length: Math.ceil(width / 32) }, () => zero);
  }
  return loadWords(scope.position, bitOffset, width);
}

/** The words of a big-endian bit string in the packet buffer: `width` bits from `bitOffset` behind `position`. */
export function loadWords(position: string, bitOffset: number, width: number): Word[] {
  return Array.from({ length: Math.ceil(width / 32) }, (_, index) => {
    const bits = Math.min(32, width - 32 * index);
    return loadWord(position, bitOffset + width - 32 * index - bits, bits);
  });
}

function loadWord(position: string, bitOffset: number, bits: number): Word {
  const firstByte = Math.floor(bitOffset / 8);
  const lead = bitOffset % 8;
  const span = lead + bits;
  const at = (byte: number) => (byte === 0 ? position : `${position} + ${byte}`);
  if (span > 32) {
    const tail = span - 32;
    const code = `(D.getUint32(${at(firstByte)}) << ${tail} | A[${at(firstByte + 4)}] >>> ${8 - tail})`;
    return canonical({ code, bits: loose }, bits);
  }
  const loadBits = span <= 8 ? 8 : span <= 16 ? 16 : 32;
  const load = loadBits === 8 ? `A[${at(firstByte)}]` : `D.getUint${loadBits}(${at(firstByte)})`;
  const shift = loadBits - span;
  const shifted = shift === 0 ? load : `(${load} >>> ${shift})`;
  return canonical({ code: shifted, bits: loadBits - shift }, bits);
}

function constantWords(value: bigint, bits: number): Word[] {
  const low = BigInt.asUintN(bits, value);
  return Array.from({ length: Math.ceil(bits / 32) }, (_, index) => {
    const word = Number(BigInt.asUintN(32, low >> BigInt(32 * index)));
    return { code: literal(word), bits: bitLength(BigInt(word)) };
  });
}

export function literal(word: number): string {
  return word < 10 ? String(word) : `0x${word.toString(16)}`;
}

/** k when the value is the constant 2^k - 1. */
function maskBits(value: Value): number | undefined {
  if (value.op !== 'constant' || value.value <= 0n) return undefined;
  const bits = bitLength(value.value);
  return value.value === (1n << BigInt(bits)) - 1n ? bits : undefined;
}

function canonical(word: Word, bits: number): Word {
  if (word.bits <= bits) return word;
  if (bits === 32) return { code: `(${word.code} >>> 0)`, bits };
  return { code: `(${word.code} & ${literal(2 ** bits - 1)})`, bits };
}

function wholeRange(value: Value, scope: Scope): Range {
  const range = rangeOf(value);
  if (range) return range;
  scope.problem(
    `${scope.place}: an intermediate result without bound (a shift by a wide amount that is not masked)`,
  );
  return { min: 0n, max: 1n };
}

function wordBits(bits: number): number {
  return Math.ceil(bits / 32) * 32;
}

/** Literals and names need no constant of their own. */
export function named(code: string, scope: Scope): string {
  if (/^(0x[0-9a-f]+|[A-Za-z0-9_]+)$/.test(code)) return code;
  const name = scope.out.name('t');
  scope.out.line(`const ${name} = ${code};`);
  return name;
}
