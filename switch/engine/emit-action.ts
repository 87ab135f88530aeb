// SPDX-License-Identifier: Apache-2.0
/** Generated action bodies: one function per action, or the body in place where all its data is constant. */

import { emitCalculation } from './emit-calculation.ts';
import type { Emitter } from './emitter.ts';
import { rangeOf, unsignedRange, type Value } from './expression.ts';
import { loopTurnsMax, slots } from './layout.ts';
import type { Action, Header, HeaderStack, MeterArray, Primitive, RegisterArray, Target } from './program.ts';
import { emitStructured, end } from './structure.ts';
import {
  conditionCode,
  emitAssign,
  fieldName,
  fieldWords,
  literal,
  materialize,
  namedWords,
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
  const structured = emitStructured(
    {
      name: scope.out.name('body'),
      entry: 0,
      successors,
      loopGuard: (ways, out) => {
        out.block(`if (++${turns} > ${loopTurnsMax})`, () => {
          out.line(
            `diagnostic(${JSON.stringify(`a loop in ${place} was cut off after ${loopTurnsMax} turns`)});`,
          );
          ways.leave(out);
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
  if (!structured) options.problem(`${place}: a jump into the middle of a loop is not supported`);
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
      out.block(`if (${validWord(target.header)} !== 0)`, () => {
        out.line(
          `${to} = Math.min(${from}, ${target.header.type.varbitBytes}); // ${fieldName(target)}, bytes`,
        );
        out.line(`V.copyWithin(${target.header.varbitBase}, ${at}, ${at} + ${to});`);
      });
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
    case 'assign_stack': {
      const { target, source } = primitive;
      emitCopy(target.headers[0]!, source.headers[0]!, target.type.stride * target.headers.length, out);
      out.line(`${nextSlot(target)} = ${nextSlot(source)};`);
      return;
    }
    case 'assign_union':
      for (const [index, member] of primitive.target.members.entries()) {
        emitCopy(member, primitive.source.members[index]!, member.type.stride, out);
      }
      return;
    case 'add_header': {
      const { header } = primitive;
      out.block(`if (${validWord(header)} === 0)`, () => {
        emitClearSiblings(header, out);
        out.line(`${validWord(header)} = 1;`);
        out.line(`${slotWord(slots.length, 'length')} += ${header.type.bytes};`);
      });
      return;
    }
    case 'remove_header': {
      const { header } = primitive;
      out.block(`if (${validWord(header)} !== 0)`, () => {
        out.line(`${slotWord(slots.length, 'length')} -= ${headerLength(header)};`);
        emitClear(header, header.type.stride, out);
      });
      return;
    }
    case 'push':
    case 'pop':
      emitShift(primitive.stack, primitive.op, primitive.count, out);
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
      emitWithin(index, counter.size, `${scope.place}: the counter ${counter.name}`, scope, () => {
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
      emitWithin(index, meter.size, `${scope.place}: the meter ${meter.name}`, scope, () =>
        emitMeter(`meter_${meter.id}`, index, meter, primitive.target, scope),
      );
      return;
    }
    case 'register_read':
      emitRegisterRead(primitive.target, primitive.register, primitive.index, scope);
      return;
    case 'register_write': {
      const { register } = primitive;
      const index = saturatedWord(primitive.index, scope);
      const values = namedWords(primitive.value, register.width, scope);
      emitWithin(index, register.size, `${scope.place}: the register ${register.name}`, scope, () => {
        for (const [word, value] of values.entries()) {
          out.line(
            `register_${register.id}[${cellAt(index, register, word)}] = ${value}; // ${register.name}`,
          );
        }
      });
      return;
    }
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
    case 'log':
      return;
    case 'assert':
      out.line(
        `if (!${conditionCode(primitive.condition, scope)}) diagnostic(${JSON.stringify(`${scope.place}: ${primitive.what}`)});`,
      );
      return;
    case 'jump':
    case 'jump_if_zero':
      scope.problem(`${scope.place}: a jump outside an action`);
      return;
  }
}

/** Making a member of a union valid makes the others invalid. */
export function emitClearSiblings(header: Header, out: Emitter): void {
  for (const member of header.union?.members ?? []) {
    if (member === header) continue;
    out.block(`if (${validWord(member)} !== 0)`, () => emitClear(member, member.type.stride, out));
  }
}

/** Bytes the header takes on the wire when it is valid. */
export function headerLength(header: Header): string {
  const varbit = header.type.fields.find((field) => field.varbit);
  if (!varbit) return String(header.type.bytes);
  return `(${header.type.bytes} + ${slotWord(header.base + varbit.slot, `${header.name}.${varbit.name} bytes`)})`;
}

/** Up to this many words are copied or cleared one by one: the built-in functions have a price per call. */
const unrolledWordsMax = 12;

function emitClear(header: Header, words: number, out: Emitter): void {
  if (words <= unrolledWordsMax) {
    for (let word = 0; word < words; word++) out.line(`F[${header.base + word} /* ${header.name} */] = 0;`);
    return;
  }
  out.line(`F.fill(0, ${header.base}, ${header.base + words}); // ${header.name}`);
}

function emitCopy(target: Header, source: Header, words: number, out: Emitter): void {
  if (words <= unrolledWordsMax) {
    for (let word = 0; word < words; word++) {
      out.line(
        `F[${target.base + word} /* ${target.name} */] = F[${source.base + word} /* ${source.name} */];`,
      );
    }
  } else {
    out.line(
      `F.copyWithin(${target.base}, ${source.base}, ${source.base + words}); // ${target.name} = ${source.name}`,
    );
  }
  const elements = words / target.type.stride;
  const bytes = target.type.varbitBytes * elements;
  if (bytes > 0) {
    out.line(`V.copyWithin(${target.varbitBase}, ${source.varbitBase}, ${source.varbitBase + bytes});`);
  }
}

function emitShift(stack: HeaderStack, op: 'push' | 'pop', count: number, out: Emitter): void {
  const { stride, varbitBytes } = stack.type;
  const { base, varbitBase } = stack.headers[0]!;
  const size = stack.headers.length;
  const kept = size - count;
  const next = nextSlot(stack);
  if (op === 'push') {
    out.line(
      `F.copyWithin(${base + count * stride}, ${base}, ${base + kept * stride}); // ${stack.name}.push(${count})`,
    );
    out.line(`F.fill(0, ${base}, ${base + count * stride});`);
    if (varbitBytes > 0) {
      out.line(
        `V.copyWithin(${varbitBase + count * varbitBytes}, ${varbitBase}, ${varbitBase + kept * varbitBytes});`,
      );
    }
    out.line(`${next} = Math.min(${next} + ${count}, ${size});`);
  } else {
    out.line(
      `F.copyWithin(${base}, ${base + count * stride}, ${base + size * stride}); // ${stack.name}.pop(${count})`,
    );
    out.line(`F.fill(0, ${base + kept * stride}, ${base + size * stride});`);
    if (varbitBytes > 0) {
      out.line(
        `V.copyWithin(${varbitBase}, ${varbitBase + count * varbitBytes}, ${varbitBase + size * varbitBytes});`,
      );
    }
    out.line(`${next} = Math.max(${next} - ${count}, 0);`);
  }
}

export function nextSlot(stack: HeaderStack): string {
  return slotWord(stack.next, `${stack.name}.next`);
}

function emitRandom(primitive: Extract<Primitive, { op: 'random' }>, scope: Scope): void {
  const { out } = scope;
  const low = saturatedWord(primitive.low, scope);
  const high = saturatedWord(primitive.high, scope);
  for (const bound of [primitive.low, primitive.high]) {
    const range = rangeOf(bound);
    if (!range || range.max > 0xffffffffn)
      scope.problem(`${scope.place}: random with bounds of more than 32 bits`);
  }
  out.block(`if (${low} <= ${high})`, () => {
    const value = out.name('random');
    out.line(`const ${value} = random(${low}, ${high});`);
    emitAssign(primitive.target, { op: 'words', words: [value], range: unsignedRange(32) }, scope);
  });
}

/** base + hash mod max, where a max of 0 stands for 1, in 64 bits. */
function hashValue(primitive: Extract<Primitive, { op: 'hash' }>, scope: Scope): Value {
  const hash = emitCalculation(primitive.calculation, scope);
  return {
    op: 'binary',
    operator: '&',
    left: { op: 'binary', operator: '+', left: primitive.base, right: modulo(hash, primitive.max, scope) },
    right: { op: 'constant', value: (1n << 64n) - 1n },
  };
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

function emitRegisterRead(target: Target, register: RegisterArray, indexValue: Value, scope: Scope): void {
  const { out } = scope;
  const index = saturatedWord(indexValue, scope);
  emitWithin(index, register.size, `${scope.place}: the register ${register.name}`, scope, () => {
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

function cellAt(index: string, register: RegisterArray, word: number): string {
  const words = Math.ceil(register.width / 32);
  return `${words === 1 ? index : `${index} * ${words}`}${word === 0 ? '' : ` + ${word}`}`;
}

/** Outside the array nothing happens but a diagnostic. */
function emitWithin(index: string, size: number, what: string, scope: Scope, body: () => void): void {
  const { out } = scope;
  out.block(`if (${index} < ${literal(size)})`, body);
  out.block('else', () => out.line(`diagnostic(${JSON.stringify(`${what} has no such index`)});`));
}
