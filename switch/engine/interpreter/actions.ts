// SPDX-License-Identifier: Apache-2.0
/** What actions and their primitives do, one case per primitive. */

import { abandoned } from '../abandon.ts';
import { loopTurnsMax, slots } from '../layout.ts';
import type { CounterCell } from '../pipeline.ts';
import type {
  Action,
  CounterArray,
  Header,
  HeaderPlace,
  HeaderStack,
  HeaderUnionStack,
  MeterArray,
  Primitive,
  Target,
} from '../program.ts';
import { loopHeads } from '../structure.ts';
import type { Meters } from '../tables/meters.ts';
import { orderAfterShift } from '../union-shift.ts';
import { runCalculation } from './calculations.ts';
import { elementAt, evaluate, evaluateSmall, holds, registerCell, type Surroundings } from './expressions.ts';
import {
  clearHeader,
  clearSiblings,
  copyHeader,
  isValid,
  readWords,
  wireBytes,
  writeField,
  writeWords,
} from './fields.ts';
import type { Machine } from './machine.ts';

/** An action, a parser operation: what a diagnostic names. */
interface Place extends Surroundings {
  name: string;
}

export function runAction(action: Action, data: readonly bigint[], machine: Machine): void {
  const { primitives } = action;
  const { memory, diagnostic, observer } = machine;
  const place: Place = {
    memory,
    parameters: data,
    ahead: undefined,
    diagnostic,
    name: `action ${action.name}`,
  };
  const heads = headsOf(action);
  let turns = 0;
  for (let at = 0; at < primitives.length; ) {
    if (heads.has(at) && ++turns > loopTurnsMax) {
      diagnostic(`a loop in ${place.name} was cut off after ${loopTurnsMax} turns`);
      throw abandoned;
    }
    const primitive = primitives[at]!;
    const index = at;
    if (primitive.op === 'jump') at = primitive.to;
    else if (primitive.op === 'jump_if_zero') at = holds(primitive.condition, place) ? at + 1 : primitive.to;
    else {
      runPrimitive(primitive, place, machine);
      at += 1;
    }
    observer?.observe({ kind: 'primitive', action, index });
  }
}

const headsByAction = new WeakMap<Action, ReadonlySet<number>>();

/** Indexes of primitives that are jumped back to. */
function headsOf(action: Action): ReadonlySet<number> {
  let heads = headsByAction.get(action);
  if (heads) return heads;
  const { primitives } = action;
  const next = (to: number) => (to < primitives.length ? [to] : []);
  const successors = primitives.map((primitive, index) => {
    if (primitive.op === 'jump') return next(primitive.to);
    return primitive.op === 'jump_if_zero' ? [...next(index + 1), ...next(primitive.to)] : next(index + 1);
  });
  heads = loopHeads(successors, 0);
  headsByAction.set(action, heads);
  return heads;
}

export function runPrimitive(primitive: Primitive, place: Place, machine: Machine): void {
  const { memory, observer } = machine;
  const { F, V } = memory;
  switch (primitive.op) {
    case 'assign':
      assign(primitive.target, evaluate(primitive.source, place), place);
      return;
    case 'assign_varbit': {
      const { target, source } = primitive;
      if (!isValid(memory, target.header)) return;
      const from = source.header.varbitBase;
      const bytes = Math.min(F[source.header.base + source.field.slot]!, target.header.type.varbitBytes);
      V.copyWithin(target.header.varbitBase, from, from + bytes);
      F[target.header.base + target.field.slot] = bytes;
      return;
    }
    case 'assign_header':
      if (isValid(memory, primitive.source)) clearSiblings(memory, primitive.target);
      copyHeader(memory, primitive.target, primitive.source);
      return;
    case 'assign_stack':
    case 'assign_union_stack': {
      const { target, source } = primitive;
      const sources = elementsOf(source).flat();
      for (const [index, header] of elementsOf(target).flat().entries()) {
        copyHeader(memory, header, sources[index]!);
      }
      F[target.next] = F[source.next]!;
      return;
    }
    case 'assign_union':
      for (const [index, member] of primitive.target.members.entries()) {
        copyHeader(memory, member, primitive.source.members[index]!);
      }
      return;
    case 'add_header':
      addHeader(primitive.header, machine);
      return;
    case 'remove_header':
      removeHeader(primitive.header, machine);
      return;
    case 'assign_element': {
      const target = headerAt(primitive.target, place);
      const source = headerAt(primitive.source, place);
      if (!target || !source) return;
      if (isValid(memory, source) && !isValid(memory, target)) clearSiblings(memory, target);
      copyHeader(memory, target, source);
      return;
    }
    case 'add_element': {
      const header = elementAt(primitive.stack, primitive.index, place);
      if (header) addHeader(header, machine);
      return;
    }
    case 'remove_element': {
      const header = elementAt(primitive.stack, primitive.index, place);
      if (header) removeHeader(header, machine);
      return;
    }
    case 'push':
      shift(primitive.stack, primitive.count, machine);
      return;
    case 'pop':
      shift(primitive.stack, -primitive.count, machine);
      return;
    case 'exit':
      F[slots.exit] = 1;
      observer?.observe({ kind: 'asked', what: 'exit' });
      return;
    case 'mark_to_drop':
      writeField(memory, primitive.egressSpec, BigInt(machine.dropPort));
      if (primitive.multicastGroup) writeField(memory, primitive.multicastGroup, 0n);
      observer?.observe({ kind: 'asked', what: 'drop' });
      return;
    case 'random': {
      const low = BigInt.asUintN(64, evaluate(primitive.low, place));
      const high = BigInt.asUintN(64, evaluate(primitive.high, place));
      if (low <= high) assign(primitive.target, memory.bigRandom(low, high), place);
      return;
    }
    case 'hash': {
      const { calculation, target } = primitive;
      const hash = runCalculation(calculation, memory);
      observer?.observe({ kind: 'hash', calculation, value: hash });
      const max = BigInt.asUintN(64, evaluate(primitive.max, place));
      const value = evaluate(primitive.base, place) + (hash % (max === 0n ? 1n : max));
      assign(target, BigInt.asUintN(64, value), place);
      return;
    }
    case 'count': {
      const { counter } = primitive;
      const index = evaluateSmall(primitive.index, place);
      if (isWithin(index, counter, 'counter', place)) count(counter, index, machine);
      return;
    }
    case 'execute_meter': {
      const { meter } = primitive;
      const index = evaluateSmall(primitive.index, place);
      if (!isWithin(index, meter, 'meter', place)) return;
      executeMeter(meter, memory.meters.get(meter.id)!, index, primitive.target, place, machine);
      return;
    }
    case 'register_read': {
      const { register, target } = primitive;
      const index = evaluateSmall(primitive.index, place);
      if (!isWithin(index, register, 'register', place)) return;
      const words = Math.ceil(register.width / 32);
      const value = readWords(memory.registers.get(register.id)!, index * words, words);
      observer?.observe({ kind: 'register-read', register, index, value });
      assign(target, value, place);
      return;
    }
    case 'register_write': {
      const { register } = primitive;
      const index = evaluateSmall(primitive.index, place);
      const value = BigInt.asUintN(register.width, evaluate(primitive.value, place));
      if (!isWithin(index, register, 'register', place)) return;
      const words = Math.ceil(register.width / 32);
      writeWords(memory.registers.get(register.id)!, index * words, words, value);
      observer?.observe({ kind: 'register-write', register, index, value });
      return;
    }
    case 'generate_digest':
      F[slots.digest] = primitive.list.id;
      observer?.observe({ kind: 'asked', what: 'digest', list: primitive.list });
      return;
    case 'clone_ingress':
    case 'clone_egress': {
      const { fieldList } = primitive;
      const session = evaluateSmall(primitive.session, place) & 0x7fff;
      F[slots.cloneSession] = session + 1;
      F[slots.cloneFieldList] = fieldList;
      observer?.observe({ kind: 'asked', what: 'clone', session, fieldList });
      return;
    }
    case 'resubmit':
    case 'recirculate':
      F[slots[primitive.op]] = primitive.fieldList + 1;
      observer?.observe({ kind: 'asked', what: primitive.op, fieldList: primitive.fieldList });
      return;
    case 'truncate': {
      const bytes = Math.min(evaluateSmall(primitive.bytes, place), 0xffff);
      if (F[slots.truncate] === 0 || bytes + 1 < F[slots.truncate]!) F[slots.truncate] = bytes + 1;
      observer?.observe({ kind: 'asked', what: 'truncate', bytes });
      return;
    }
    case 'no_op':
      return;
    case 'log': {
      const { texts, values } = primitive;
      const text = texts
        .map((part, at) => (at === 0 ? part : `${evaluate(values[at - 1]!, place)}${part}`))
        .join('');
      machine.log(text);
      observer?.observe({ kind: 'log', text });
      return;
    }
    case 'diagnose':
      place.diagnostic(`${place.name}: ${primitive.what}`);
      return;
    case 'assert':
      if (holds(primitive.condition, place)) return;
      place.diagnostic(`${place.name}: ${primitive.what}`);
      throw abandoned;
    case 'jump':
    case 'jump_if_zero':
      throw new Error('broken promise: jumps stand in actions');
  }
}

function addHeader(header: Header, { memory }: Machine): void {
  if (isValid(memory, header)) return;
  clearSiblings(memory, header);
  clearHeader(memory, header);
  memory.F[header.base] = 1;
  memory.F[slots.length]! += header.type.bytes;
}

function removeHeader(header: Header, { memory }: Machine): void {
  if (!isValid(memory, header)) return;
  memory.F[slots.length]! -= wireBytes(memory, header);
  if (header.keepsFields) memory.F[header.base] = 0;
  else clearHeader(memory, header);
}

function headerAt(chosen: HeaderPlace, around: Surroundings): Header | undefined {
  return chosen.kind === 'header' ? chosen.header : elementAt(chosen.stack, chosen.index, around);
}

export function assign(target: Target, value: bigint, around: Surroundings): void {
  if (target.kind === 'field') {
    writeField(around.memory, target.ref, value);
    return;
  }
  if (target.kind === 'register') {
    const cell = registerCell(target.register, target.index, around);
    if (cell) writeWords(cell.words, cell.at, cell.count, BigInt.asUintN(target.register.width, value));
    return;
  }
  const element = elementAt(target.stack, target.index, around);
  if (element) writeField(around.memory, { header: element, field: target.field }, value);
}

export function executeMeter(
  meter: MeterArray,
  state: Meters,
  index: number,
  target: Target,
  around: Surroundings,
  { memory, observer }: Machine,
): void {
  const cost = meter.unit === 'packets' ? 1 : memory.F[slots.receivedLength]!;
  const colour = state.execute(index, cost, memory.clock[0]!);
  observer?.observe({ kind: 'meter', meter, index, colour });
  assign(target, BigInt(colour), around);
}

function count(counter: CounterArray, index: number, { memory, observer }: Machine): void {
  const { packets, bytes } = memory.counters.get(counter.id)!;
  packets[index]! += 1;
  bytes[index]! += memory.F[slots.receivedLength]!;
  if (!observer) return;
  const cell: CounterCell = { packets: BigInt(packets[index]!), bytes: BigInt(bytes[index]!) };
  observer.observe({ kind: 'count', counter, index, cell });
}

/** Outside the array nothing happens but a diagnostic. */
function isWithin(index: number, array: { name: string; size: number }, what: string, place: Place): boolean {
  if (index < array.size) return true;
  place.diagnostic(`${place.name}: the ${what} ${array.name} has no such index`);
  return false;
}

/** Moves elements away from the front (push), or towards it when `by` is negative (pop). */
function shift(stack: HeaderStack | HeaderUnionStack, by: number, { memory }: Machine): void {
  const elements = elementsOf(stack);
  memory.F[stack.next] = Math.min(Math.max(memory.F[stack.next]! + by, 0), elements.length);
  if ('unions' in stack) {
    shiftUnions(elements, by, memory);
    return;
  }
  const indexes = [...elements.keys()];
  // From the far end, so that nothing is overwritten before it has moved.
  for (const index of by > 0 ? indexes.reverse() : indexes) {
    const source = elements[index - by];
    for (const [member, header] of elements[index]!.entries()) {
      if (source) copyHeader(memory, header, source[member]!);
      else clearHeader(memory, header);
    }
  }
}

function shiftUnions(
  elements: readonly (readonly Header[])[],
  by: number,
  { F, V }: Machine['memory'],
): void {
  const before = { F: F.slice(), V: V.slice() };
  for (const [place, former] of orderAfterShift(by, elements.length).entries()) {
    for (const [member, { base, varbitBase, type }] of elements[place]!.entries()) {
      const source = elements[former]![member]!;
      F.set(before.F.subarray(source.base, source.base + type.stride), base);
      V.set(before.V.subarray(source.varbitBase, source.varbitBase + type.varbitBytes), varbitBase);
    }
  }
}

/** The headers of each element: one, or the members of a union. */
function elementsOf(stack: HeaderStack | HeaderUnionStack): (readonly Header[])[] {
  return 'unions' in stack
    ? stack.unions.map(({ members }) => members)
    : stack.headers.map((header) => [header]);
}
