// SPDX-License-Identifier: Apache-2.0
/** The parser of the BMv2 JSON: states, what they do, and where their select leads. */

import type { Value } from './expression.ts';
import {
  loadCondition,
  loadFieldRef,
  loadHeader,
  loadStack,
  loadUnionStackMember,
  loadValue,
  refuseUnwrapped,
  typed,
} from './load-expression.ts';
import { loadPrimitive, type Resources } from './load-primitive.ts';
import type {
  HeaderStack,
  HeaderType,
  Parser,
  ParserOp,
  ParserState,
  Primitive,
  Transition,
  ValueSet,
} from './program.ts';
import type { Reader } from './reader.ts';
import type { Attempt } from './sections.ts';

/** More states than this are refused. */
const statesMax = 10_000;

export function loadParser(
  node: Reader,
  names: Resources,
  valueSets: ReadonlyMap<string, ValueSet>,
  attempt: Attempt,
): Parser {
  const states: ParserState[] = [];
  const items = node.get('parse_states').array();
  if (items.length > statesMax) node.refuse(`more than ${statesMax} parser states`);
  for (const item of items) {
    const state = attempt(() => loadState(item, names, valueSets));
    if (state) states.push(state);
  }
  const known = new Set(states.map((state) => state.name));
  if (known.size !== states.length) node.refuse('two parser states have one name');
  for (const state of states) {
    for (const next of [state.defaultNext, ...state.transitions.map((transition) => transition.next)]) {
      if (next !== null && !known.has(next))
        node.refuse(`the state ${state.name} leads to ${next}, which does not exist`);
    }
  }
  const init = node.get('init_state').nullableString();
  const initState = states.find((state) => state.name === init);
  if (init !== null && !initState) node.get('init_state').refuse(`there is no parser state ${init}`);
  return { initState, states };
}

function loadState(node: Reader, names: Resources, valueSets: ReadonlyMap<string, ValueSet>): ParserState {
  const name = node.get('name').name();
  const at = node.called(name);
  const key = at
    .get('transition_key')
    .optionalArray()
    .map((component) => loadKeyComponent(component, names));
  const transitions: Transition[] = [];
  let defaultNext: string | null = null;
  for (const item of at.get('transitions').array()) {
    const next = item.get('next_state').nullableString();
    const value = item.get('value');
    // Old JSON has no types.
    const type = item.get('type').isNull() ? 'hexstr' : item.get('type').string();
    if (type === 'default' || (type === 'hexstr' && value.value === 'default')) {
      defaultNext = next;
    } else if (type === 'parse_vset') {
      const set = valueSets.get(value.string()) ?? value.refuse(`there is no value set ${value.string()}`);
      const width = key.reduce((sum, component) => sum + keyWidth(component), 0);
      if (width !== set.width)
        value.refuse(`the value set ${set.name} has ${set.width} bits, the transition key has ${width}`);
      const mask = item.get('mask');
      const masks = mask.isNull() ? key.map(ones) : splitKey(mask, key);
      transitions.push({ kind: 'value_set', set, masks, next });
    } else if (type === 'hexstr') {
      const values = splitKey(value, key);
      const mask = item.get('mask');
      const masks = mask.isNull() ? undefined : splitKey(mask, key);
      const parts = values.map((part, index) => ({
        value: part,
        mask: masks ? masks[index]! : ones(key[index]!),
      }));
      transitions.push({ kind: 'value', parts, next });
    } else {
      item.refuse(`a transition of type ${item.get('type').shown()}`);
    }
  }
  const ops = at
    .get('parser_ops')
    .array()
    .map((op) => loadParserOp(op, names));
  return { name, ops, key, transitions, defaultNext };
}

/** What a select may look at; everything else p4c computes before. */
function loadKeyComponent(component: Reader, names: Resources): Value {
  const value = loadValue(component, names);
  if (!['field', 'last', 'lookahead'].includes(value.op))
    component.refuse('expected a field, a field of the last element of a stack, or a lookahead');
  return value;
}

/** All bits of a component, its padding included. */
function ones(component: Value): bigint {
  return (1n << BigInt(paddedWidth(component))) - 1n;
}

function paddedWidth(component: Value): number {
  return 8 * Math.ceil(keyWidth(component) / 8);
}

/** The side-by-side key, each component padded to bytes, back to one number per component. */
function splitKey(text: Reader, key: readonly Value[]): bigint[] {
  const bytes = key.reduce((sum, component) => sum + paddedWidth(component) / 8, 0);
  let rest = text.hex();
  const written = text.hexBytes();
  if (rest < 0n || written !== bytes)
    text.refuse(`expected ${bytes} bytes, as wide as the transition key, found ${written}`);
  const parts: bigint[] = [];
  for (const component of key.toReversed()) {
    parts.unshift(rest & ones(component));
    rest >>= BigInt(paddedWidth(component));
  }
  return parts;
}

/** Bits of a component of a transition key, before padding. */
export function keyWidth(component: Value): number {
  switch (component.op) {
    case 'field':
      return component.ref.field.width;
    case 'last':
      return component.field.width;
    case 'lookahead':
      return component.width;
    default:
      throw new Error('broken promise: a transition key is made of fields and lookaheads');
  }
}

/** One, where nothing is said. */
const operandCounts: ReadonlyMap<string, number> = new Map([
  ['extract_VL', 2],
  ['set', 2],
  ['verify', 2],
]);

function loadParserOp(node: Reader, names: Resources): ParserOp {
  const op = node.get('op').string();
  const at = node.called(op);
  const operands = at.get('parameters').tuple(operandCounts.get(op) ?? 1) as [Reader, Reader];
  if (op !== 'verify') for (const operand of operands) refuseUnwrapped(operand);
  switch (op) {
    case 'extract':
      return loadExtract(operands[0], names);
    case 'extract_VL':
      return loadExtractVarbit(operands[0], loadValue(operands[1], names), names);
    case 'set': {
      const target = loadFieldRef(typed(operands[0], 'field'), names);
      if (target.field.varbit || target.field.name === '$valid$')
        operands[0].refuse(`${target.header.name}.${target.field.name} cannot be set`);
      return { op, target, source: loadValue(operands[1], names) };
    }
    case 'verify': {
      const condition = loadCondition(operands[0], names);
      // Old JSON has the number itself.
      const error: Value =
        typeof operands[1].value === 'number'
          ? { op: 'constant', value: BigInt(operands[1].integer()) }
          : loadValue(operands[1], names);
      return { op, condition, error };
    }
    case 'advance':
      return { op, bits: loadValue(operands[0], names) };
    case 'shift':
      return { op: 'advance', bits: { op: 'constant', value: 8n * BigInt(operands[0].integer()) } };
    case 'primitive':
      return { op, primitive: loadPrimitiveInParser(operands[0], names) };
    default:
      return at.refuse('there is no such parser operation');
  }
}

function loadPrimitiveInParser(node: Reader, names: Resources): Primitive {
  const primitive = loadPrimitive(node, names);
  if (primitive.op === 'jump' || primitive.op === 'jump_if_zero') node.refuse('a jump outside an action');
  return primitive;
}

/** The next element of a stack, or of a stack of unions one member of the next; undefined for a plain header. */
function loadNext(target: Reader, names: Resources): HeaderStack | undefined {
  const type = target.get('type').string();
  if (type === 'regular') return undefined;
  if (type === 'stack') return loadStack(target.get('value'), names);
  if (type !== 'union_stack')
    return target.refuse(`extraction to a target of type ${target.get('type').shown()}`);
  const [stackName, memberName] = target.get('value').tuple(2) as [Reader, Reader];
  return loadUnionStackMember(stackName, memberName, names);
}

function loadExtract(target: Reader, names: Resources): ParserOp {
  const stack = loadNext(target, names);
  const header = stack ? undefined : loadHeader(target.get('value'), names);
  const type = stack ? stack.type : header!.type;
  if (header?.metadata) target.refuse(`${header.name} is metadata`);
  if (isVarbit(type)) {
    const bits =
      type.varbitLength ?? target.refuse(`the length of the varbit field of ${type.name} is not given`);
    return stack
      ? { op: 'extract_varbit_next', stack, bits }
      : { op: 'extract_varbit', header: header!, bits };
  }
  return stack ? { op: 'extract_next', stack } : { op: 'extract', header: header! };
}

function loadExtractVarbit(target: Reader, bits: Value, names: Resources): ParserOp {
  const stack = loadNext(target, names);
  const header = stack ? undefined : loadHeader(target.get('value'), names);
  const type = stack ? stack.type : header!.type;
  if (header?.metadata) target.refuse(`${header.name} is metadata`);
  if (!isVarbit(type)) target.refuse(`${type.name} has no varbit field`);
  return stack ? { op: 'extract_varbit_next', stack, bits } : { op: 'extract_varbit', header: header!, bits };
}

function isVarbit(type: HeaderType): boolean {
  return type.fields.some((field) => field.varbit);
}
