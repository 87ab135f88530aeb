// SPDX-License-Identifier: Apache-2.0
/** Primitives: what actions (and, a few of them, parser states) do. */

import type { ArithmeticOperator, Value } from './expression.ts';
import {
  haveSameMembers,
  loadCondition,
  loadFieldRef,
  loadHeader,
  loadHeaderPlace,
  loadStack,
  loadTarget,
  loadUnion,
  loadUnionStack,
  loadValue,
  type Names,
  refuseUnwrapped,
  typed,
} from './load-expression.ts';
import { parseLogFormat } from './log-format.ts';
import type {
  Calculation,
  CounterArray,
  FieldRef,
  Header,
  HeaderPlace,
  HeaderStack,
  HeaderType,
  HeaderUnionStack,
  LearnList,
  MeterArray,
  Primitive,
  Target,
} from './program.ts';
import type { Reader } from './reader.ts';

/** What primitives name beside headers. */
export interface Resources extends Names {
  calculations: ReadonlyMap<string, Calculation>;
  counters: ReadonlyMap<string, CounterArray>;
  /** Without direct ones. */
  meters: ReadonlyMap<string, MeterArray>;
  learnLists: ReadonlyMap<number, LearnList>;
  /** Ids. */
  fieldLists: ReadonlySet<number>;
  /** `intrinsic_metadata.mcast_grp`, which may be an alias. */
  multicastGroup: FieldRef | undefined;
}

/** P4_14's arithmetic: target, operand, operand. */
const legacyOperators: ReadonlyMap<string, ArithmeticOperator> = new Map([
  ['add', '+'],
  ['subtract', '-'],
  ['bit_and', '&'],
  ['bit_or', '|'],
  ['bit_xor', '^'],
  ['shift_left', '<<'],
  ['shift_right', '>>'],
]);

export function loadPrimitive(node: Reader, names: Resources): Primitive {
  const op = node.get('op').string();
  const at = node.called(op);
  const operands = at.get('parameters').array();
  for (const operand of operands) refuseUnwrapped(operand);
  const take = (count: number) => {
    if (operands.length !== count) at.refuse(`takes ${count} operands, has ${operands.length}`);
    return operands as [Reader, Reader, Reader, Reader];
  };
  switch (op) {
    case 'assign':
    case 'modify_field': {
      const [target, source] = take(2);
      return { op: 'assign', target: loadTarget(target, names), source: loadValue(source, names) };
    }
    case 'assign_VL': {
      const [target, source] = take(2).map((operand) => loadFieldRef(typed(operand, 'field'), names));
      if (!target!.field.varbit || !source!.field.varbit) at.refuse('both operands must be varbit fields');
      return { op: 'assign_varbit', target: target!, source: source! };
    }
    case 'assign_header':
    case 'copy_header': {
      const [target, source] = take(2).map((operand) => loadHeaderPlace(operand, names));
      sameType(at, typeOf(target!), typeOf(source!));
      const isMetadata = [target!, source!].map((place) => place.kind === 'header' && place.header.metadata);
      if (isMetadata[0] !== isMetadata[1]) at.refuse('a header on the wire and one of metadata');
      return target!.kind === 'header' && source!.kind === 'header'
        ? { op: 'assign_header', target: target!.header, source: source!.header }
        : { op: 'assign_element', target: target!, source: source! };
    }
    case 'assign_header_stack': {
      const [target, source] = take(2).map((operand) => loadStack(typed(operand, 'header_stack'), names));
      sameType(at, target!.type, source!.type);
      if (target!.headers.length !== source!.headers.length) at.refuse('stacks of different sizes');
      return { op: 'assign_stack', target: target!, source: source! };
    }
    case 'assign_union': {
      const [target, source] = take(2).map((operand) => loadUnion(typed(operand, 'header_union'), names));
      if (!haveSameMembers(target!, source!)) at.refuse('unions of different types');
      return { op: 'assign_union', target: target!, source: source! };
    }
    case 'assign_union_stack': {
      const [target, source] = take(2).map((operand) =>
        loadUnionStack(typed(operand, 'header_union_stack'), names),
      );
      if (!haveSameMembers(target!.unions[0]!, source!.unions[0]!)) at.refuse('unions of different types');
      if (target!.unions.length !== source!.unions.length) at.refuse('stacks of different sizes');
      return { op, target: target!, source: source! };
    }
    case 'add_header':
    case 'remove_header': {
      const place = loadHeaderPlace(take(1)[0], names);
      if (place.kind === 'element') {
        const { stack, index } = place;
        return { op: op === 'add_header' ? 'add_element' : 'remove_element', stack, index };
      }
      const { header } = place;
      if (op === 'remove_header' && header.isPlain) header.keepsFields = true;
      if (!header.metadata) return { op, header };
      // Metadata is valid from the start.
      return op === 'add_header' ? { op: 'no_op' } : at.refuse(`${header.name} is metadata, always valid`);
    }
    case 'push':
    case 'pop': {
      const [stack, count] = take(2);
      const shifted = loadShifted(stack, names);
      const size = BigInt('unions' in shifted ? shifted.unions.length : shifted.headers.length);
      const wanted = typed(count, 'hexstr').hex();
      if (wanted < 0n) count.refuse('a negative number of elements');
      return { op, stack: shifted, count: Number(wanted > size ? size : wanted) };
    }
    case '_jump':
      return { op: 'jump', to: Number(typed(take(1)[0], 'hexstr').hex()) };
    case '_jump_if_zero': {
      const [condition, to] = take(2);
      return {
        op: 'jump_if_zero',
        condition: loadCondition(condition, names),
        to: Number(typed(to, 'hexstr').hex()),
      };
    }
    case 'exit':
      take(0);
      return { op: 'exit' };
    case 'mark_to_drop': {
      const header = loadHeader(typed(take(1)[0], 'header'), names);
      const egressSpec =
        fieldOf(header, 'egress_spec') ?? at.refuse(`${header.name} has no field egress_spec`);
      return { op, egressSpec, multicastGroup: fieldOf(header, 'mcast_grp') };
    }
    case 'drop': {
      take(0);
      const header = names.headers.get('standard_metadata');
      const egressSpec =
        fieldOf(header, 'egress_spec') ?? at.refuse('standard_metadata has no field egress_spec');
      return { op: 'mark_to_drop', egressSpec, multicastGroup: names.multicastGroup };
    }
    case 'no_op':
      take(0);
      return { op };
    case 'add_to_field':
    case 'subtract_from_field': {
      const [field, change] = take(2);
      const target = loadTarget(field, names);
      const operator = op === 'add_to_field' ? '+' : '-';
      return assignResult(target, operator, heldBy(target), loadValue(change, names));
    }
    case 'add':
    case 'subtract':
    case 'bit_and':
    case 'bit_or':
    case 'bit_xor':
    case 'shift_left':
    case 'shift_right': {
      const [target, left, right] = take(3);
      const [first, second] = [loadValue(left, names), loadValue(right, names)];
      return assignResult(loadTarget(target, names), legacyOperators.get(op)!, first, second);
    }
    case 'modify_field_rng_uniform': {
      const [target, low, high] = take(3);
      return {
        op: 'random',
        target: loadTarget(target, names),
        low: loadValue(low, names),
        high: loadValue(high, names),
      };
    }
    case 'modify_field_with_hash_based_offset': {
      const [target, base, calculation, max] = take(4);
      return {
        op: 'hash',
        target: loadTarget(target, names),
        base: loadValue(base, names),
        calculation: named(typed(calculation, 'calculation'), names.calculations, 'calculation'),
        max: loadValue(max, names),
      };
    }
    case 'count': {
      const [array, index] = take(2);
      const counter = named(typed(array, 'counter_array'), names.counters, 'counter array');
      return { op, counter, index: loadValue(index, names) };
    }
    case 'execute_meter': {
      const [array, index, target] = take(3);
      const meter = named(typed(array, 'meter_array'), names.meters, 'meter array');
      return { op, meter, index: loadValue(index, names), target: loadTarget(target, names) };
    }
    case 'register_read': {
      const [target, array, index] = take(3);
      const register = named(typed(array, 'register_array'), names.registers, 'register array');
      return { op, target: loadTarget(target, names), register, index: loadValue(index, names) };
    }
    case 'register_write': {
      const [array, index, value] = take(3);
      const register = named(typed(array, 'register_array'), names.registers, 'register array');
      return { op, register, index: loadValue(index, names), value: loadValue(value, names) };
    }
    case 'generate_digest': {
      const id = Number(typed(take(2)[1], 'hexstr').hex());
      const list = names.learnLists.get(id) ?? operands[1]!.refuse(`there is no learn list ${id}`);
      return { op, list };
    }
    case 'clone_ingress_pkt_to_egress':
    case 'clone_egress_pkt_to_egress': {
      const [session, list] = take(2);
      const kind = op === 'clone_ingress_pkt_to_egress' ? 'clone_ingress' : 'clone_egress';
      return { op: kind, session: loadValue(session, names), fieldList: fieldListId(list, names) };
    }
    case 'resubmit':
    case 'recirculate':
      return { op, fieldList: fieldListId(take(1)[0], names) };
    case 'truncate':
      return { op, bytes: loadValue(take(1)[0], names) };
    case 'log_msg': {
      const [format, values] = take(2);
      const vector = typed(values, 'parameters_vector');
      // p4c writes an empty vector as an object.
      const listed = vector.isObject() && vector.keys().length === 0 ? [] : vector.array();
      const loaded = listed.map((value) => loadValue(value, names));
      const parsed = parseLogFormat(typed(format, 'string').string(), loaded.length);
      return 'texts' in parsed
        ? { op: 'log', texts: parsed.texts, values: loaded }
        : { op: 'diagnose', what: parsed.problem };
    }
    case 'assert':
    case 'assume':
      return {
        op: 'assert',
        condition: loadCondition(take(1)[0], names),
        what: `${op} at ${node.place} is false`,
      };
    default:
      return at.refuse(
        op.startsWith('_')
          ? 'a method of an extern of its own (p4c --emit-externs), which this switch does not have'
          : 'there is no such primitive; an extern of its own (p4c --emit-externs) needs a switch built with it',
      );
  }
}

function loadShifted(operand: Reader, names: Names): HeaderStack | HeaderUnionStack {
  if (operand.get('type').value === 'header_union_stack') return loadUnionStack(operand.get('value'), names);
  return loadStack(typed(operand, 'header_stack'), names);
}

function fieldOf(header: Header | undefined, name: string): FieldRef | undefined {
  const field = header?.type.fields.find((candidate) => candidate.name === name);
  return header && field && { header, field };
}

function assignResult(target: Target, operator: ArithmeticOperator, left: Value, right: Value): Primitive {
  return { op: 'assign', target, source: { op: 'binary', operator, left, right } };
}

function heldBy(target: Target): Value {
  switch (target.kind) {
    case 'field':
      return { op: 'field', ref: target.ref };
    case 'element':
      return { op: 'element', stack: target.stack, index: target.index, field: target.field };
    case 'register':
      return { op: 'register', register: target.register, index: target.index };
  }
}

function typeOf(place: HeaderPlace): HeaderType {
  return place.kind === 'header' ? place.header.type : place.stack.type;
}

function fieldListId(operand: Reader, names: Resources): number {
  const id = Number(typed(operand, 'hexstr').hex());
  if (id !== 0 && !names.fieldLists.has(id)) operand.refuse(`there is no field list ${id}`);
  return id;
}

function named<T>(name: Reader, all: ReadonlyMap<string, T>, what: string): T {
  return all.get(name.string()) ?? name.refuse(`there is no ${what} ${name.string()}`);
}

function sameType(at: Reader, target: HeaderType, source: HeaderType): void {
  if (target !== source) at.refuse(`${source.name} cannot be assigned to ${target.name}`);
}
