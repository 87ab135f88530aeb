// SPDX-License-Identifier: Apache-2.0
/** Primitives: what actions (and, a few of them, parser states) do. */

import {
  loadCondition,
  loadFieldRef,
  loadHeader,
  loadStack,
  loadTarget,
  loadUnion,
  loadValue,
  type Names,
  typed,
} from './load-expression.ts';
import type {
  Calculation,
  CounterArray,
  FieldRef,
  HeaderType,
  LearnList,
  MeterArray,
  Primitive,
  RegisterArray,
} from './program.ts';
import type { Reader } from './reader.ts';

/** What primitives name beside headers. */
export interface Resources extends Names {
  calculations: ReadonlyMap<string, Calculation>;
  counters: ReadonlyMap<string, CounterArray>;
  /** Without direct ones. */
  meters: ReadonlyMap<string, MeterArray>;
  registers: ReadonlyMap<string, RegisterArray>;
  learnLists: ReadonlyMap<number, LearnList>;
  /** Ids. */
  fieldLists: ReadonlySet<number>;
}

export function loadPrimitive(node: Reader, names: Resources): Primitive {
  const op = node.get('op').string();
  const at = node.called(op);
  const operands = at.get('parameters').array();
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
      const [target, source] = take(2).map((operand) => loadHeader(typed(operand, 'header'), names));
      sameType(at, target!.type, source!.type);
      return { op: 'assign_header', target: target!, source: source! };
    }
    case 'assign_header_stack': {
      const [target, source] = take(2).map((operand) => loadStack(typed(operand, 'header_stack'), names));
      sameType(at, target!.type, source!.type);
      if (target!.headers.length !== source!.headers.length) at.refuse('stacks of different sizes');
      return { op: 'assign_stack', target: target!, source: source! };
    }
    case 'assign_union': {
      const [target, source] = take(2).map((operand) => loadUnion(typed(operand, 'header_union'), names));
      if (target!.members.length !== source!.members.length) at.refuse('unions of different types');
      return { op: 'assign_union', target: target!, source: source! };
    }
    case 'add_header':
    case 'remove_header':
      return { op, header: loadHeader(typed(take(1)[0], 'header'), names) };
    case 'push':
    case 'pop': {
      const [stack, count] = take(2);
      const { headers } = loadStack(typed(stack, 'header_stack'), names);
      const wanted = typed(count, 'hexstr').hex();
      const limited = wanted > BigInt(headers.length) ? headers.length : Number(wanted);
      return { op, stack: loadStack(typed(stack, 'header_stack'), names), count: limited };
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
    case 'mark_to_drop':
    case 'drop': {
      const name = operands[0] ? typed(operands[0], 'header').string() : 'standard_metadata';
      const field = (fieldName: string): FieldRef | undefined => {
        const header = names.headers.get(name);
        const found = header?.type.fields.find((candidate) => candidate.name === fieldName);
        return header && found && { header, field: found };
      };
      const egressSpec = field('egress_spec') ?? at.refuse(`${name} has no field egress_spec`);
      return { op: 'mark_to_drop', egressSpec, multicastGroup: field('mcast_grp') };
    }
    case 'no_op':
      return { op: 'log' };
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
    case 'log_msg':
      return { op: 'log' };
    case 'assert':
    case 'assume':
      return {
        op: 'assert',
        condition: loadCondition(take(1)[0], names),
        what: `${op} at ${node.place} is false`,
      };
    default:
      return at.refuse('this primitive is not supported');
  }
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
