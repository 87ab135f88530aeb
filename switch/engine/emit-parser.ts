// SPDX-License-Identifier: Apache-2.0
/** The generated parser: `parse()` fills the words of headers from the packet bytes `A` and says where the payload starts. */

import { type EmitOptions, emitPrimitive } from './emit-action.ts';
import { emitClearSiblings, nextSlot } from './emit-header.ts';
import type { Emitter } from './emitter.ts';
import type { Value } from './expression.ts';
import { loopTurnsMax, slots } from './layout.ts';
import { keyWidth } from './load-parser.ts';
import type {
  Field,
  HeaderStack,
  HeaderType,
  ParserOp,
  ParserState,
  Program,
  Transition,
} from './program.ts';
import { emitStructured, end, type Ways } from './structure.ts';
import {
  canonicalWords,
  conditionCode,
  emitAssign,
  literal,
  loadWords,
  namedWords,
  type Scope,
  saturatedWord,
  slotWord,
} from './words.ts';

/** @param headroom  where the packet starts in `A` */
export function emitParser(program: Program, headroom: number, options: EmitOptions, out: Emitter): void {
  const { states, initState } = program.parser;
  for (const type of stackTypes(program)) {
    out.block(`function extract_${type.id}(base, p)`, () =>
      emitLoad(type.fields, type.name, 'base', 'p', 0, out),
    );
  }
  const views = emitViews(states, out);
  const indexOf = new Map(states.map((state, index) => [state.name, index]));
  const target = (name: string | null) => (name === null ? end : indexOf.get(name)!);
  const error = (name: string) => `error = ${program.errors.get(name)!}; // ${name}`;
  out.block('function parse()', () => {
    out.line(`const end = ${slotWord(slots.end, 'end')};`);
    out.line(`let p = ${headroom};`);
    out.line(`let error = ${program.errors.get('NoError')!};`);
    out.line('let turns = 0;');
    emitStructured(
      {
        name: 'parser',
        entry: initState ? target(initState.name) : end,
        successors: states.map((state) => [
          ...new Set([
            ...state.transitions.map((transition) => target(transition.next)),
            target(state.defaultNext),
          ]),
        ]),
        loopGuard: (ways, to) => {
          to.block(`if (++turns > ${loopTurnsMax})`, () => {
            to.line(`diagnostic('the parser was cut off after ${loopTurnsMax} turns of a loop');`);
            to.line(error('ParserTimeout'));
            ways.leave(to);
          });
        },
        emit: (index, ways, to) => {
          const state = states[index]!;
          const scope: Scope = {
            out: to,
            position: 'p',
            place: `parser state ${state.name}`,
            parameter: () => [],
            problem: options.problem,
          };
          to.line(`// ${state.name}`);
          for (const op of state.ops) emitOp(op, scope, { ways, error, options });
          emitSelect(state, scope, views, (name, place) => ways.go(target(name), place));
        },
      },
      out,
    );
    out.line(`${slotWord(slots.payload, 'payload')} = p;`);
    if (program.standard.parserError) {
      const value: Value = { op: 'words', words: ['error'], range: { min: 0n, max: 0xffffffffn } };
      const scope: Scope = {
        out,
        position: 'p',
        place: 'parser',
        parameter: () => [],
        problem: options.problem,
      };
      emitAssign({ kind: 'field', ref: program.standard.parserError }, value, scope);
    }
  });
}

/** Defines what each transition to a value set compares with; @returns their names */
function emitViews(states: readonly ParserState[], out: Emitter): ReadonlyMap<Transition, string> {
  const views = new Map<Transition, string>();
  for (const { key, transitions } of states) {
    for (const transition of transitions) {
      if (transition.kind !== 'value_set') continue;
      const name = out.name('view');
      const widths = key.map(keyWidth).join(', ');
      const masks = transition.masks.map((mask) => `${mask}n`).join(', ');
      out.line(`const ${name} = memory.valueSets.get(${transition.set.id}).view([${widths}], [${masks}]);`);
      views.set(transition, name);
    }
  }
  return views;
}

interface OpContext {
  ways: Ways;
  /** The statement that notes an error. */
  error(name: string): string;
  options: EmitOptions;
}

function emitOp(op: ParserOp, scope: Scope, context: OpContext): void {
  const { out } = scope;
  const fail = (condition: string, error: string) => {
    out.block(`if (${condition})`, () => {
      out.line(context.error(error));
      context.ways.leave(out);
    });
  };
  switch (op.op) {
    case 'extract': {
      const { header } = op;
      fail(`p + ${header.type.bytes} > end`, 'PacketTooShort');
      emitClearSiblings(header, out);
      emitLoad(header.type.fields, header.name, header.base, 'p', 0, out);
      out.line(`p += ${header.type.bytes};`);
      return;
    }
    case 'extract_next': {
      const { stack } = op;
      const next = nextSlot(stack);
      fail(`${next} >= ${stack.headers.length}`, 'StackOutOfBounds');
      fail(`p + ${stack.type.bytes} > end`, 'PacketTooShort');
      emitClearNext(stack, out);
      out.line(
        `extract_${stack.type.id}(${stack.headers[0]!.base} + ${next} * ${stack.stride}, p); // ${stack.name}`,
      );
      out.line(`${next} += 1;`);
      out.line(`p += ${stack.type.bytes};`);
      return;
    }
    case 'extract_varbit': {
      const { header } = op;
      const place: VarbitPlace = {
        type: header.type,
        name: header.name,
        base: header.base,
        varbitBase: header.varbitBase,
        clear: () => emitClearSiblings(header, out),
      };
      emitExtractVarbit(place, op.bits, scope, fail);
      return;
    }
    case 'extract_varbit_next': {
      const { stack } = op;
      const next = nextSlot(stack);
      fail(`${next} >= ${stack.headers.length}`, 'StackOutOfBounds');
      const { base, varbitBase } = stack.headers[0]!;
      const [at, varbitAt] = [out.name('base'), out.name('varbits')];
      out.line(`const ${at} = ${base} + ${next} * ${stack.stride}; // ${stack.name}`);
      out.line(`const ${varbitAt} = ${varbitBase} + ${next} * ${stack.varbitStride};`);
      const place: VarbitPlace = {
        type: stack.type,
        name: stack.name,
        base: at,
        varbitBase: varbitAt,
        clear: () => emitClearNext(stack, out),
      };
      emitExtractVarbit(place, op.bits, scope, fail);
      out.line(`${next} += 1;`);
      return;
    }
    case 'set': {
      const ahead = lookaheadBytes(op.source);
      if (ahead > 0) fail(`p + ${ahead} > end`, 'PacketTooShort');
      emitAssign({ kind: 'field', ref: op.target }, op.source, scope);
      return;
    }
    case 'verify': {
      const condition = conditionCode(op.condition, scope);
      const error = canonicalWords(op.error, 32, scope)[0];
      out.block(`if (!${condition})`, () => {
        out.line(`error = ${error};`);
        context.ways.leave(out);
      });
      return;
    }
    case 'advance': {
      const bits = saturatedWord(op.bits, scope);
      fail(`(${bits} & 7) !== 0`, 'ParserInvalidArgument');
      fail(`p + (${bits} >>> 3) > end`, 'PacketTooShort');
      out.line(`p += ${bits} >>> 3;`);
      return;
    }
    case 'primitive':
      emitPrimitive(op.primitive, scope, context.options);
      return;
  }
}

/** Makes the other members of the union at the next place of a stack invalid. */
function emitClearNext(stack: HeaderStack, out: Emitter): void {
  const { union } = stack.headers[0]!;
  if (!union) return;
  const at = `${union.members[0]!.base} + ${nextSlot(stack)} * ${stack.stride}`;
  out.line(`F.fill(0, ${at}, ${at} + ${stack.stride});`);
}

/** Where a header with a varbit field is extracted to: numbers, or names of numbers. */
interface VarbitPlace {
  type: HeaderType;
  name: string;
  base: number | string;
  varbitBase: number | string;
  clear(): void;
}

/** The order of the checks is BMv2's. */
function emitExtractVarbit(
  place: VarbitPlace,
  bitsValue: Value,
  scope: Scope,
  fail: (condition: string, error: string) => void,
): void {
  const { out } = scope;
  const { type, name, base, varbitBase } = place;
  const { fields, bytes, varbitBytes } = type;
  const at = fields.findIndex((field) => field.varbit);
  const varbit = fields[at]!;
  const ahead = lookaheadBytes(bitsValue);
  if (ahead > 0) fail(`p + ${ahead} > end`, 'PacketTooShort');
  const bits = saturatedWord(bitsValue, scope);
  fail(`(${bits} & 7) !== 0`, 'ParserInvalidArgument');
  fail(`p + ${bytes} + (${bits} >>> 3) > end`, 'PacketTooShort');
  fail(`${bits} > ${varbitBytes * 8}`, 'HeaderTooShort');
  place.clear();
  emitLoad(fields.slice(0, at), name, base, 'p', 0, out);
  const before = varbit.bitOffset / 8;
  out.line(`${wordAt(base, varbit.slot, `${name}.${varbit.name} bytes`)} = ${bits} >>> 3;`);
  out.line(`for (let i = 0; i < ${bits} >>> 3; i++) V[${varbitBase} + i] = A[p + ${before} + i];`);
  out.line(`p += ${before} + (${bits} >>> 3);`);
  emitLoad(fields.slice(at + 1), name, base, 'p', varbit.bitOffset, out);
  out.line(`p += ${bytes - before};`);
}

function wordAt(base: number | string, offset: number, what: string): string {
  return typeof base === 'number' ? slotWord(base + offset, what) : `F[${base} + ${offset} /* ${what} */]`;
}

/** Loads fields that start `origin` bits behind the start of their header, and makes the header valid. */
function emitLoad(
  fields: readonly Field[],
  name: string,
  base: number | string,
  position: string,
  origin: number,
  out: Emitter,
): void {
  const slot = (offset: number, what: string) =>
    wordAt(base, offset, typeof base === 'number' ? `${name}.${what}` : what);
  out.line(`${slot(0, '$valid$')} = 1;`);
  for (const field of fields) {
    for (const [index, word] of loadWords(position, field.bitOffset - origin, field.width).entries()) {
      out.line(
        `${slot(field.slot + index, field.words > 1 ? `${field.name}:${index}` : field.name)} = ${word.code};`,
      );
    }
  }
}

function emitSelect(
  state: ParserState,
  scope: Scope,
  views: ReadonlyMap<Transition, string>,
  go: (next: string | null, out: Emitter) => void,
): void {
  const { out } = scope;
  if (state.transitions.length === 0) {
    go(state.defaultNext, out);
    return;
  }
  const ahead = Math.max(...state.key.map(lookaheadBytes));
  if (ahead > 0) {
    out.block(`if (p + ${ahead} > end)`, () => {
      out.line(`diagnostic(${JSON.stringify(`${scope.place}: lookahead past the end of the packet`)});`);
      out.line(`A.fill(0, end, p + ${ahead});`);
    });
  }
  const keys = state.key.map((component) => namedWords(component, keyWidth(component), scope));
  const widths = state.key.map(keyWidth);
  let opened = false;
  for (const transition of state.transitions) {
    const condition =
      transition.kind === 'value'
        ? matchCode(transition.parts, keys, widths)
        : `${views.get(transition)!}.has(${keys.flat().join(', ')})`;
    if (condition === 'false') continue;
    out.line(`${opened ? '} else ' : ''}if (${condition}) {`);
    const branch = out.fork();
    go(transition.next, branch);
    out.append(branch);
    opened = true;
  }
  if (!opened) {
    go(state.defaultNext, out);
    return;
  }
  const otherwise = out.fork();
  go(state.defaultNext, otherwise);
  if (otherwise.lines.length > 0) {
    out.line('} else {');
    out.append(otherwise);
  }
  out.line('}');
}

function matchCode(
  parts: Extract<Transition, { kind: 'value' }>['parts'],
  keys: readonly string[][],
  widths: readonly number[],
): string {
  const tests: string[] = [];
  for (const [index, { value, mask }] of parts.entries()) {
    const width = widths[index]!;
    const wanted = value & mask;
    // The padding above the component is zero in every packet.
    if (wanted >> BigInt(width) !== 0n) return 'false';
    for (const [word, key] of keys[index]!.entries()) {
      const bits = Math.min(32, width - 32 * word);
      const wordMask = Number(BigInt.asUintN(bits, mask >> BigInt(32 * word)));
      const wordValue = Number(BigInt.asUintN(bits, wanted >> BigInt(32 * word)));
      if (wordMask === 0) continue;
      if (wordMask === 2 ** bits - 1) tests.push(`${key} === ${literal(wordValue)}`);
      else tests.push(`(${key} & ${literal(wordMask)}) === ${literal(wordValue | 0)}`);
    }
  }
  return tests.length === 0 ? 'true' : tests.join(' && ');
}

/** Bytes ahead of the parser a value looks at. */
export function lookaheadBytes(value: Value): number {
  let most = 0;
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { op, left, right, operand, condition, whenTrue, whenFalse, index } = node as Record<
      string,
      unknown
    >;
    if (op === 'lookahead') {
      const { bitOffset, width } = node as Extract<Value, { op: 'lookahead' }>;
      most = Math.max(most, Math.ceil((bitOffset + width) / 8));
    }
    for (const child of [left, right, operand, condition, whenTrue, whenFalse, index]) walk(child);
  };
  walk(value);
  return most;
}

/** Types extracted into stacks: these have no fixed place. */
function stackTypes(program: Program): HeaderType[] {
  const types = new Set<HeaderType>();
  for (const state of program.parser.states) {
    for (const op of state.ops) if (op.op === 'extract_next') types.add(op.stack.type);
  }
  return [...types];
}
