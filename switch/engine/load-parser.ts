// SPDX-License-Identifier: Apache-2.0
/** The parser of the BMv2 JSON: states, what they do, and where their select leads. */

import { rangeOf, type Value } from './expression.ts';
import { loadCondition, loadFieldRef, loadHeader, loadStack, loadValue, typed } from './load-expression.ts';
import { loadPrimitive, type Resources } from './load-primitive.ts';
import type { Parser, ParserOp, ParserState, Transition } from './program.ts';
import type { Reader } from './reader.ts';

/** Runs a piece of work and notes its problem, if any. */
export type Attempt = <T>(work: () => T) => T | undefined;

export function loadParser(
  node: Reader,
  names: Resources,
  valueSets: ReadonlySet<string>,
  attempt: Attempt,
): Parser {
  const states: ParserState[] = [];
  for (const item of node.get('parse_states').array()) {
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

function loadState(node: Reader, names: Resources, valueSets: ReadonlySet<string>): ParserState {
  const name = node.get('name').string();
  const at = node.called(name);
  const key = at
    .get('transition_key')
    .optionalArray()
    .map((component) => loadValue(component, names));
  const transitions: Transition[] = [];
  let defaultNext: string | null = null;
  for (const item of at.get('transitions').array()) {
    const next = item.get('next_state').nullableString();
    const value = item.get('value');
    const type = item.get('type').isNull() && value.value === 'default' ? 'default' : item.get('type').value;
    if (type === 'default' || value.value === 'default') {
      defaultNext = next;
    } else if (type === 'parse_vset') {
      if (!valueSets.has(value.string())) value.refuse(`there is no value set ${value.value}`);
      // No P4Runtime server of BMv2 can fill a value set, so it is empty and never matches.
    } else if (type === 'hexstr' || type === undefined) {
      const mask = item.get('mask').isNull() ? undefined : item.get('mask').hex();
      transitions.push({ parts: splitKey(value, value.hex(), mask, key), next });
    } else {
      item.refuse(`a transition of type "${String(type)}"`);
    }
  }
  const ops = at
    .get('parser_ops')
    .array()
    .map((op) => loadParserOp(op, names));
  return { name, ops, key, transitions, defaultNext };
}

/** The side-by-side key, each component padded to bytes, back to one value and mask per component. */
function splitKey(
  at: Reader,
  value: bigint,
  mask: bigint | undefined,
  key: readonly Value[],
): Transition['parts'] {
  let restValue = value;
  let restMask = mask;
  const parts: { value: bigint; mask: bigint }[] = [];
  for (const component of key.toReversed()) {
    const bits = BigInt(8 * Math.ceil(keyWidth(component) / 8));
    const ones = (1n << bits) - 1n;
    parts.unshift({ value: restValue & ones, mask: restMask === undefined ? ones : restMask & ones });
    restValue >>= bits;
    if (restMask !== undefined) restMask >>= bits;
  }
  if (restValue !== 0n) at.refuse('the value is wider than the transition key');
  return parts;
}

/** Bits of a component of a transition key, before padding. */
export function keyWidth(component: Value): number {
  switch (component.op) {
    case 'field':
      return component.ref.field.width;
    case 'last':
    case 'element':
      return component.field.width;
    case 'lookahead':
      return component.width;
    default: {
      const range = rangeOf(component);
      return range && range.min >= 0n && range.max > 0n ? range.max.toString(2).length : 32;
    }
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
  switch (op) {
    case 'extract': {
      const [target] = operands;
      const type = target.get('type').value;
      if (type === 'stack') return { op: 'extract_next', stack: loadStackToExtract(target, names) };
      if (type !== 'regular') return target.refuse(`extraction to "${String(type)}" is not supported`);
      const header = loadHeader(target.get('value'), names);
      if (header.type.varbitBytes > 0) target.refuse(`${header.name} has a varbit field`);
      return { op, header };
    }
    case 'extract_VL': {
      const header = loadHeader(typed(operands[0], 'regular'), names);
      if (!header.type.fields.some((field) => field.varbit)) at.refuse(`${header.name} has no varbit field`);
      return { op: 'extract_varbit', header, bits: loadValue(operands[1], names) };
    }
    case 'set': {
      const target = loadFieldRef(typed(operands[0], 'field'), names);
      return { op, target, source: loadValue(operands[1], names) };
    }
    case 'verify':
      return { op, condition: loadCondition(operands[0], names), error: loadValue(operands[1], names) };
    case 'advance':
      return { op, bits: loadValue(operands[0], names) };
    case 'primitive':
      return { op, primitive: loadPrimitive(operands[0], names) };
    default:
      return at.refuse('this parser operation is not supported');
  }
}

function loadStackToExtract(target: Reader, names: Resources) {
  const stack = loadStack(target.get('value'), names);
  if (stack.type.varbitBytes > 0) target.refuse('extraction of varbit headers into a stack is not supported');
  return stack;
}
