// SPDX-License-Identifier: Apache-2.0
/** Generated action bodies: one function per action, or the body in place where all its data is constant. */

import { emitCalculation } from './emit-calculation.ts';
import {
  blockOf,
  emitAssignElement,
  emitClear,
  emitClearElementSiblings,
  emitClearSiblings,
  emitCopy,
  emitCopyStack,
  emitShift,
  emitShiftUnions,
  headerLength,
} from './emit-header.ts';
import type { Emitter } from './emitter.ts';
import { rangeOf, unsignedRange, type Value } from './expression.ts';
import { loopTurnsMax, slots } from './layout.ts';
import type { Action, MeterArray, Primitive, RegisterArray, Target } from './program.ts';
import { emitStructured, end } from './structure.ts';
import {
  bigCodeOf,
  bigWords,
  cellAt,
  conditionCode,
  elementBase,
  emitAssign,
  emitRegisterWrite,
  emitWithin,
  fieldName,
  fieldWords,
  materialize,
  named,
  type Scope,
  saturatedWord,
  slotWord,
  validWord,
} from './words.ts';

/** What generated code depends on beside the program. */
export interface EmitOptions {
  dropPort: number;
  problem(what: string): void;
}

/** Emits the primitives of an action, jumps included. */
export function emitAction(action: Action, scope: Scope, options: EmitOptions): void {
  const { primitives } = action;
  const place = `action ${action.name}`;
  if (!primitives.some((primitive) => primitive.op === 'jump' || primitive.op === 'jump_if_zero')) {
    for (const primitive of primitives) emitPrimitive(primitive, { ...scope, place }, options);
    return;
  }
  const blocks = basicBlocks(primitives);
  const blockAt = new Map(blocks.map((block, index) => [block.from, index]));
  const target = (at: number) => (at >= primitives.length ? end : blockAt.get(at)!);
  const successors = blocks.map(({ to }) => {
    const last = primitives[to - 1]!;
    if (last.op === 'jump') return [target(last.to)];
    if (last.op === 'jump_if_zero') return [target(to), target(last.to)];
    return [target(to)];
  });
  const turns = scope.out.name('turns');
  scope.out.line(`let ${turns} = 0;`);
  emitStructured(
    {
      name: scope.out.name('body'),
      entry: 0,
      successors,
      loopGuard: (_ways, out) => {
        out.block(`if (++${turns} > ${loopTurnsMax})`, () => {
          out.line(
            `abandon(${JSON.stringify(`a loop in ${place} was cut off after ${loopTurnsMax} turns`)});`,
          );
        });
      },
      emit: (index, ways, out) => {
        const { from, to } = blocks[index]!;
        const inner = { ...scope, out, place };
        for (const primitive of primitives.slice(from, to)) {
          if (primitive.op === 'jump') {
            ways.go(target(primitive.to), out);
            return;
          }
          if (primitive.op === 'jump_if_zero') {
            const condition = conditionCode(primitive.condition, inner);
            emitBranch(
              condition,
              (branch) => ways.go(target(to), branch),
              (branch) => ways.go(target(primitive.to), branch),
              out,
            );
            return;
          }
          emitPrimitive(primitive, inner, options);
        }
        ways.go(target(to), out);
      },
    },
    scope.out,
  );
}

/** `if` with only the branches that have something in them. */
export function emitBranch(
  condition: string,
  onTrue: (out: Emitter) => void,
  onFalse: (out: Emitter) => void,
  out: Emitter,
): void {
  const whenTrue = out.fork();
  onTrue(whenTrue);
  const whenFalse = out.fork();
  onFalse(whenFalse);
  if (whenTrue.lines.length === 0 && whenFalse.lines.length === 0) return;
  if (whenTrue.lines.length === 0) {
    out.line(`if (!${condition}) {`);
    out.append(whenFalse);
    out.line('}');
    return;
  }
  out.line(`if (${condition}) {`);
  out.append(whenTrue);
  if (whenFalse.lines.length > 0) {
    out.line('} else {');
    out.append(whenFalse);
  }
  out.line('}');
}

/** Runs of primitives that are entered at the first and left at the last. */
function basicBlocks(primitives: readonly Primitive[]): { from: number; to: number }[] {
  const starts = new Set([0]);
  for (const [index, primitive] of primitives.entries()) {
    if (primitive.op !== 'jump' && primitive.op !== 'jump_if_zero') continue;
    starts.add(index + 1);
    starts.add(primitive.to);
  }
  const sorted = [...starts]
    .filter((start) => start < primitives.length)
    .sort((first, second) => first - second);
  return sorted.map((from, index) => ({ from, to: sorted[index + 1] ?? primitives.length }));
}

export function emitPrimitive(primitive: Primitive, scope: Scope, options: EmitOptions): void {
  const { out } = scope;
  switch (primitive.op) {
    case 'assign':
      emitAssign(primitive.target, primitive.source, scope);
      return;
    case 'assign_varbit': {
      const { target, source } = primitive;
      const to = fieldWords(target)[0]!.code;
      const from = fieldWords(source)[0]!.code;
      const at = source.header.varbitBase;
      const copy = () => {
        out.line(
          `${to} = Math.min(${from}, ${target.header.type.varbitBytes}); // ${fieldName(target)}, bytes`,
        );
        out.line(`V.copyWithin(${target.header.varbitBase}, ${at}, ${at} + ${to});`);
      };
      if (target.header.metadata) copy();
      else out.block(`if (${validWord(target.header)} !== 0)`, copy);
      return;
    }
    case 'assign_header':
      if (primitive.target.union) {
        out.block(`if (${validWord(primitive.source)} !== 0)`, () =>
          emitClearSiblings(primitive.target, out),
        );
      }
      emitCopy(primitive.target, primitive.source, primitive.target.type.stride, out);
      return;
    case 'assign_stack':
    case 'assign_union_stack':
      emitCopyStack(blockOf(primitive.target), blockOf(primitive.source), out);
      return;
    case 'assign_union':
      for (const [index, member] of primitive.target.members.entries()) {
        emitCopy(member, primitive.source.members[index]!, member.type.stride, out);
      }
      return;
    case 'add_header': {
      const { header } = primitive;
      out.block(`if (${validWord(header)} === 0)`, () => {
        emitClearSiblings(header, out);
        if (header.keepsFields) emitClear(header, header.type.stride, out);
        out.line(`${validWord(header)} = 1;`);
        out.line(`${slotWord(slots.length, 'length')} += ${header.type.bytes};`);
      });
      return;
    }
    case 'remove_header': {
      const { header } = primitive;
      out.block(`if (${validWord(header)} !== 0)`, () => {
        out.line(`${slotWord(slots.length, 'length')} -= ${headerLength(header)};`);
        emitClear(header, header.keepsFields ? 1 : header.type.stride, out);
      });
      return;
    }
    case 'assign_element':
      emitAssignElement(primitive.target, primitive.source, scope);
      return;
    case 'add_element': {
      const { stack, index } = primitive;
      const base = named(elementBase(stack, index, scope), scope);
      out.block(`if (${base} !== 0 && F[${base}] === 0)`, () => {
        emitClearElementSiblings(stack, base, out);
        out.line(`F[${base}] = 1; // ${stack.name}[]`);
        out.line(`${slotWord(slots.length, 'length')} += ${stack.type.bytes};`);
      });
      return;
    }
    case 'remove_element': {
      const { stack, index } = primitive;
      const base = named(elementBase(stack, index, scope), scope);
      const varbit = stack.type.fields.find((field) => field.varbit);
      out.block(`if (${base} !== 0 && F[${base}] !== 0)`, () => {
        const bytes = varbit ? `${stack.type.bytes} + F[${base} + ${varbit.slot}]` : `${stack.type.bytes}`;
        out.line(`${slotWord(slots.length, 'length')} -= ${bytes};`);
        out.line(`F.fill(0, ${base}, ${base} + ${stack.type.stride}); // ${stack.name}[]`);
      });
      return;
    }
    case 'push':
    case 'pop':
      if ('unions' in primitive.stack) emitShiftUnions(primitive.stack, primitive.op, primitive.count, out);
      else emitShift(blockOf(primitive.stack), primitive.op, primitive.count, out);
      return;
    case 'exit':
      out.line(`${slotWord(slots.exit, 'exit')} = 1;`);
      return;
    case 'mark_to_drop': {
      const { egressSpec, multicastGroup } = primitive;
      const port: Value = { op: 'constant', value: BigInt(options.dropPort) };
      emitAssign({ kind: 'field', ref: egressSpec }, port, scope);
      if (multicastGroup)
        emitAssign({ kind: 'field', ref: multicastGroup }, { op: 'constant', value: 0n }, scope);
      return;
    }
    case 'random':
      emitRandom(primitive, scope);
      return;
    case 'hash':
      emitAssign(primitive.target, hashValue(primitive, scope), scope);
      return;
    case 'count': {
      const { counter } = primitive;
      const index = saturatedWord(primitive.index, scope);
      emitWithin(index, counter.size, `the counter ${counter.name}`, scope, () => {
        out.line(`counter_${counter.id}.packets[${index}] += 1; // ${counter.name}`);
        out.line(
          `counter_${counter.id}.bytes[${index}] += ${slotWord(slots.receivedLength, 'received length')};`,
        );
      });
      return;
    }
    case 'execute_meter': {
      const { meter } = primitive;
      const index = saturatedWord(primitive.index, scope);
      emitWithin(index, meter.size, `the meter ${meter.name}`, scope, () =>
        emitMeter(`meter_${meter.id}`, index, meter, primitive.target, scope),
      );
      return;
    }
    case 'register_read':
      emitRegisterRead(primitive.target, primitive.register, primitive.index, scope);
      return;
    case 'register_write':
      emitRegisterWrite(primitive.register, primitive.index, primitive.value, scope);
      return;
    case 'generate_digest':
      out.line(`${slotWord(slots.digest, 'digest')} = ${primitive.list.id}; // ${primitive.list.name}`);
      return;
    case 'clone_ingress':
    case 'clone_egress': {
      const session = saturatedWord(primitive.session, scope);
      out.line(`${slotWord(slots.cloneSession, 'clone session')} = (${session} & 0x7fff) + 1;`);
      out.line(`${slotWord(slots.cloneFieldList, 'clone field list')} = ${primitive.fieldList};`);
      return;
    }
    case 'resubmit':
    case 'recirculate':
      out.line(`${slotWord(slots[primitive.op], primitive.op)} = ${primitive.fieldList + 1};`);
      return;
    case 'truncate': {
      const bytes = saturatedWord(primitive.bytes, scope);
      const slot = slotWord(slots.truncate, 'truncate');
      out.line(`if (${slot} === 0 || ${bytes} + 1 < ${slot}) ${slot} = Math.min(${bytes}, 0xffff) + 1;`);
      return;
    }
    case 'no_op':
      return;
    case 'log': {
      const { texts, values } = primitive;
      const parts = texts.flatMap((text, index) => [
        ...(index === 0 ? [] : [bigCodeOf(values[index - 1]!, scope)]),
        ...(text === '' ? [] : [JSON.stringify(text)]),
      ]);
      out.line(`log([${parts.join(', ')}].join(''));`);
      return;
    }
    case 'diagnose':
      out.line(`diagnostic(${JSON.stringify(`${scope.place}: ${primitive.what}`)});`);
      return;
    case 'assert':
      out.line(
        `if (!${conditionCode(primitive.condition, scope)}) abandon(${JSON.stringify(`${scope.place}: ${primitive.what}`)});`,
      );
      return;
    case 'jump':
    case 'jump_if_zero':
      scope.problem(`${scope.place}: a jump outside an action`);
      return;
  }
}

function emitRandom(primitive: Extract<Primitive, { op: 'random' }>, scope: Scope): void {
  const { out } = scope;
  const ranges = [primitive.low, primitive.high].map(rangeOf);
  const value = out.name('random');
  if (ranges.every((range) => range && range.max <= 0xffffffffn)) {
    const low = saturatedWord(primitive.low, scope);
    const high = saturatedWord(primitive.high, scope);
    out.block(`if (${low} <= ${high})`, () => {
      out.line(`const ${value} = random(${low}, ${high});`);
      emitAssign(primitive.target, { op: 'words', words: [value], range: unsignedRange(32) }, scope);
    });
    return;
  }
  // BMv2 takes 64 bits of each bound.
  const low = bigCodeOf(cut(primitive.low, 64), scope);
  const high = bigCodeOf(cut(primitive.high, 64), scope);
  const [lowName, highName] = [out.name('low'), out.name('high')];
  out.line(`const ${lowName} = ${low}, ${highName} = ${high};`);
  out.block(`if (${lowName} <= ${highName})`, () => {
    out.line(`const ${value} = bigRandom(${lowName}, ${highName});`);
    emitAssign(primitive.target, bigWords(value), scope);
  });
}

/** The low bits of a value, unsigned. */
function cut(left: Value, bits: number): Value {
  const ones = (1n << BigInt(bits)) - 1n;
  if (left.op === 'constant') return { op: 'constant', value: left.value & ones };
  const range = rangeOf(left);
  if (range && range.min >= 0n && range.max <= ones) return left;
  return { op: 'binary', operator: '&', left, right: { op: 'constant', value: ones } };
}

/** base + hash mod max, where a max of 0 stands for 1, in 64 bits. */
function hashValue(primitive: Extract<Primitive, { op: 'hash' }>, scope: Scope): Value {
  const hash = emitCalculation(primitive.calculation, scope);
  const [base, max] = [cut(primitive.base, 64), cut(primitive.max, 64)];
  return cut({ op: 'binary', operator: '+', left: base, right: modulo(hash, max, scope) }, 64);
}

function modulo(hash: Value, max: Value, scope: Scope): Value {
  const bound = rangeOf(hash)!;
  if (max.op === 'constant') {
    const divisor = max.value === 0n ? 1n : max.value;
    if (divisor > bound.max) return hash;
    if ((divisor & (divisor - 1n)) === 0n) {
      return { op: 'binary', operator: '&', left: hash, right: { op: 'constant', value: divisor - 1n } };
    }
    return { op: 'binary', operator: '%', left: hash, right: { op: 'constant', value: divisor } };
  }
  const divisor = materialize(max, scope);
  const zero: Value = { op: 'constant', value: 0n };
  const divisorOrOne: Value = {
    op: 'choose',
    condition: { op: 'compare', operator: '==', left: divisor, right: zero },
    whenTrue: { op: 'constant', value: 1n },
    whenFalse: divisor,
  };
  return { op: 'binary', operator: '%', left: hash, right: divisorOrOne };
}

/** @param state  JavaScript that yields the `Meters` */
export function emitMeter(
  state: string,
  index: string,
  meter: MeterArray,
  target: Target,
  scope: Scope,
): void {
  const { out } = scope;
  const colour = out.name('colour');
  const cost = meter.unit === 'packets' ? '1' : slotWord(slots.receivedLength, 'received length');
  out.line(`const ${colour} = ${state}.execute(${index}, ${cost}, clock[0]); // ${meter.name}`);
  emitAssign(target, { op: 'words', words: [colour], range: unsignedRange(2) }, scope);
}

/** Where there is no such cell, the target stays as it is. */
function emitRegisterRead(target: Target, register: RegisterArray, indexValue: Value, scope: Scope): void {
  const { out } = scope;
  const index = saturatedWord(indexValue, scope);
  emitWithin(index, register.size, `the register ${register.name}`, scope, () => {
    const words = Array.from({ length: Math.ceil(register.width / 32) }, (_, word) => {
      const name = out.name('cell');
      out.line(
        `const ${name} = register_${register.id}[${cellAt(index, register, word)}]; // ${register.name}`,
      );
      return name;
    });
    emitAssign(target, { op: 'words', words, range: unsignedRange(register.width) }, scope);
  });
}
