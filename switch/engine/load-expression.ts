// SPDX-License-Identifier: Apache-2.0
/** Operands of the BMv2 JSON, `{type, value}`, to typed expressions with every name resolved. */

import type { ArithmeticOperator, ComparisonOperator, Condition, Value } from './expression.ts';
import { slackBytes } from './layout.ts';
import type {
  Field,
  FieldRef,
  Header,
  HeaderPlace,
  HeaderStack,
  HeaderUnion,
  HeaderUnionStack,
  RegisterArray,
  Target,
} from './program.ts';
import type { Reader } from './reader.ts';

/** The instances an expression may name, and the parameters of the action it stands in. */
export interface Names {
  headers: ReadonlyMap<string, Header>;
  stacks: ReadonlyMap<string, HeaderStack>;
  unions: ReadonlyMap<string, HeaderUnion>;
  unionStacks: ReadonlyMap<string, HeaderUnionStack>;
  registers: ReadonlyMap<string, RegisterArray>;
  parameters: readonly { width: number }[];
}

/** Nesting beyond this is not a program but an attack on the stack. */
const depthMax = 250;

/** As far as the parser can look without leaving its buffer. */
const lookaheadBitsMax = (slackBytes - 8) * 8;

/** Stands behind the fields of every header. */
export const validField: Field = {
  name: '$valid$',
  width: 1,
  signed: false,
  bitOffset: 0,
  slot: 0,
  words: 1,
  varbit: false,
  saturating: false,
};

export function loadValue(operand: Reader, names: Names, depth = 0): Value {
  if (depth > depthMax) operand.refuse(`expressions nest deeper than ${depthMax}`);
  const node = stripped(operand);
  if (!node.has('type')) return loadOperation(node, names, depth);
  const value = node.get('value');
  const type = node.get('type').string();
  switch (type) {
    case 'hexstr':
      return { op: 'constant', value: value.hex() };
    case 'field':
      return loadFieldValue(value, names);
    case 'runtime_data':
    case 'local': {
      const index = value.integer();
      const parameter = names.parameters[index];
      if (!parameter) return value.refuse(`there is no action parameter ${index}`);
      return { op: 'parameter', index, width: parameter.width };
    }
    case 'stack_field': {
      const [stackName, fieldName] = value.tuple(2) as [Reader, Reader];
      return lastValue(loadStack(stackName, names), fieldName);
    }
    case 'union_stack_field': {
      const [stackName, memberName, fieldName] = value.tuple(3) as [Reader, Reader, Reader];
      return lastValue(loadUnionStackMember(stackName, memberName, names), fieldName);
    }
    case 'lookahead': {
      const [offset, width] = value.tuple(2) as [Reader, Reader];
      const bitOffset = offset.integer(0, lookaheadBitsMax);
      return { op: 'lookahead', bitOffset, width: width.integer(1, lookaheadBitsMax - bitOffset) };
    }
    case 'register':
      return { op: 'register', ...loadCell(value, names, depth) };
    case 'bool':
      return { op: 'b2d', condition: { op: 'constant', value: value.boolean() } };
    default:
      return node.refuse(`an operand of type "${type}" is not a value here`);
  }
}

export function loadCondition(operand: Reader, names: Names, depth = 0): Condition {
  if (depth > depthMax) operand.refuse(`expressions nest deeper than ${depthMax}`);
  const node = stripped(operand);
  if (node.has('type')) {
    if (node.get('type').value === 'bool') return { op: 'constant', value: node.get('value').boolean() };
    return { op: 'd2b', operand: loadValue(node, names, depth + 1) };
  }
  const op = node.get('op').string();
  const left = node.get('left');
  const right = node.get('right');
  switch (op) {
    case 'and':
    case 'or':
      return {
        op,
        left: loadCondition(left, names, depth + 1),
        right: loadCondition(right, names, depth + 1),
      };
    case 'not':
      return { op: 'not', operand: loadCondition(right, names, depth + 1) };
    case 'd2b':
      return { op: 'd2b', operand: loadValue(right, names, depth + 1) };
    case 'valid':
      return loadValid(right, names, depth);
    case 'valid_union':
      return loadValidUnion(right, names, depth);
    case '==':
    case '!=':
      return loadEquality(op, left, right, names, depth);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(op, left, right, names, depth);
    default:
      return { op: 'd2b', operand: loadOperation(node, names, depth) };
  }
}

/** The header of `{type: "header", value: name}`, by its name. */
export function loadHeader(name: Reader, names: Names): Header {
  return names.headers.get(name.string()) ?? name.refuse(`there is no header ${name.string()}`);
}

export function loadStack(name: Reader, names: Names): HeaderStack {
  return names.stacks.get(name.string()) ?? name.refuse(`there is no header stack ${name.string()}`);
}

export function loadUnion(name: Reader, names: Names): HeaderUnion {
  return names.unions.get(name.string()) ?? name.refuse(`there is no header union ${name.string()}`);
}

export function loadUnionStack(name: Reader, names: Names): HeaderUnionStack {
  return (
    names.unionStacks.get(name.string()) ?? name.refuse(`there is no header union stack ${name.string()}`)
  );
}

/** One member of every element of a union stack, as a stack. */
export function loadUnionStackMember(stackName: Reader, memberName: Reader, names: Names): HeaderStack {
  const { name, members, memberNames } = loadUnionStack(stackName, names);
  const index = memberNames.indexOf(memberName.string());
  return members[index] ?? memberName.refuse(`the unions of ${name} have no member ${memberName.string()}`);
}

/** `[header, field]`. */
export function loadFieldRef(pair: Reader, names: Names): FieldRef {
  const [headerName, fieldName] = pair.tuple(2) as [Reader, Reader];
  if (headerName.isObject()) headerName.refuse('a run-time stack index, which BMv2 cannot load here');
  const header = loadHeader(headerName, names);
  const field = findField(header, fieldName.string());
  return field ? { header, field } : fieldName.refuse(`${header.name} has no field ${fieldName.string()}`);
}

/** A place to write: a field, or `access_field` of a stack element chosen at run time. */
export function loadTarget(operand: Reader, names: Names): Target {
  const node = stripped(operand);
  if (node.get('type').value === 'register') {
    return { kind: 'register', ...loadCell(node.get('value'), names, 0) };
  }
  if (node.has('type')) {
    const ref = loadFieldRef(typed(node, 'field'), names);
    if (ref.field.name === '$valid$') node.refuse('$valid$ cannot be assigned');
    if (ref.field.varbit) node.refuse(`${ref.header.name}.${ref.field.name} is a varbit field`);
    return { kind: 'field', ref };
  }
  const value = loadOperation(node, names, 0);
  if (value.op === 'field') return { kind: 'field', ref: value.ref };
  if (value.op !== 'element') return node.refuse('an expression that is no place to write');
  if (value.field === validField) node.refuse('$valid$ cannot be assigned');
  return { kind: 'element', stack: value.stack, index: value.index, field: value.field };
}

/** Refuses an operation that stands in an operand without a wrapper of its own: BMv2 finds no type there. */
export function refuseUnwrapped(operand: Reader): void {
  if (operand.get('type').value === 'expression' && !operand.get('value').has('type'))
    operand.refuse('an operation without a second {"type": "expression"} around it, which BMv2 cannot load');
}

/** The value of an operand that must have this type. */
export function typed(operand: Reader, type: string): Reader {
  if (operand.get('type').value !== type) operand.refuse(`expected an operand of type "${type}"`);
  return operand.get('value');
}

function lastValue(stack: HeaderStack, fieldName: Reader): Value {
  const field = findField(stack.headers[0]!, fieldName.string());
  if (!field) return fieldName.refuse(`${stack.name} has no field ${fieldName.string()}`);
  if (field.varbit) fieldName.refuse(`${fieldName.string()} is a varbit field, not a number`);
  return { op: 'last', stack, field };
}

/** `[register array, index]`. */
function loadCell(pair: Reader, names: Names, depth: number): { register: RegisterArray; index: Value } {
  const [arrayName, index] = pair.tuple(2) as [Reader, Reader];
  const register =
    names.registers.get(arrayName.string()) ??
    arrayName.refuse(`there is no register array ${arrayName.string()}`);
  return { register, index: loadValue(index, names, depth + 1) };
}

function loadFieldValue(pair: Reader, names: Names): Value {
  const ref = loadFieldRef(pair, names);
  if (ref.field.varbit) pair.refuse(`${ref.header.name}.${ref.field.name} is a varbit field, not a number`);
  if (ref.field.name === '$valid$') return { op: 'b2d', condition: { op: 'valid', header: ref.header } };
  return { op: 'field', ref };
}

function loadOperation(node: Reader, names: Names, depth: number): Value {
  const op = node.get('op').string();
  const left = node.get('left');
  const right = node.get('right');
  const value = (operand: Reader) => loadValue(operand, names, depth + 1);
  switch (op) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return {
        op: 'binary',
        operator: op satisfies ArithmeticOperator,
        // A sign in front of a value is written as an operation without left side.
        left: (op === '+' || op === '-') && left.isNull() ? { op: 'constant', value: 0n } : value(left),
        right: value(right),
      };
    case '~':
      return { op: 'not', operand: value(right) };
    case 'dereference_header_stack':
    case 'dereference_stack':
    case 'dereference_union_stack':
    case 'access_union_header':
      return node.refuse(`"${op}" yields no number`);
    case '?':
      return {
        op: 'choose',
        condition: loadCondition(node.get('cond'), names, depth + 1),
        whenTrue: value(left),
        whenFalse: value(right),
      };
    case 'two_comp_mod':
    case 'usat_cast':
    case 'sat_cast': {
      const width = typed(stripped(right), 'hexstr').hex();
      if (width < 1n || width > 2048n) right.refuse(`a width of ${width} bits`);
      return { op, operand: value(left), width: Number(width) };
    }
    case 'b2d':
      return { op: 'b2d', condition: loadCondition(right, names, depth + 1) };
    case 'access_field':
      return loadElementField(left, right, names, depth);
    case 'last_stack_index':
      return { op: 'last_index', stack: loadAnyStack(right, names) };
    case 'size_stack':
      return { op: 'size', stack: loadAnyStack(right, names) };
    case 'd2b':
    case 'valid':
    case 'valid_union':
    case 'and':
    case 'or':
    case 'not':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { op: 'b2d', condition: loadCondition(node, names, depth + 1) };
    default:
      return node.refuse(`the operator "${op}" is not supported`);
  }
}

/** A stack of headers or of unions; of the latter any member counts the elements. */
function loadAnyStack(operand: Reader, names: Names): HeaderStack {
  const node = stripped(operand);
  if (node.get('type').value === 'header_union_stack')
    return loadUnionStack(node.get('value'), names).members[0]!;
  return loadStack(typed(node, 'header_stack'), names);
}

/** An element chosen at run time, of a stack or of one member of a union stack. */
interface Element {
  stack: HeaderStack;
  index: Value;
}

/** `access_field`: field number `index` of a header. */
function loadElementField(header: Reader, index: Reader, names: Names, depth: number): Value {
  const source = stripped(header);
  const fieldIndex = typeof index.value === 'number' ? index.integer() : Number(typed(index, 'hexstr').hex());
  if (source.has('type')) {
    const instance = loadHeader(typed(source, 'header'), names);
    const field = fieldAt(instance.type.fields, fieldIndex);
    if (field === validField) return { op: 'b2d', condition: { op: 'valid', header: instance } };
    if (!field || field.varbit) return index.refuse(`${instance.name} has no number at field ${fieldIndex}`);
    return { op: 'field', ref: { header: instance, field } };
  }
  const element = loadElement(source, names, depth + 1);
  const field = fieldAt(element.stack.type.fields, fieldIndex);
  if (!field || field.varbit)
    return index.refuse(`${element.stack.name}[] has no number at field ${fieldIndex}`);
  return { op: 'element', ...element, field };
}

/** The hidden field stands behind the others. */
function fieldAt(fields: readonly Field[], index: number): Field | undefined {
  return index === fields.length ? validField : fields[index];
}

function loadElement(source: Reader, names: Names, depth: number): Element {
  if (depth > depthMax) source.refuse(`expressions nest deeper than ${depthMax}`);
  const op = source.get('op').string();
  if (op === 'dereference_header_stack' || op === 'dereference_stack') {
    const stack = loadStack(typed(stripped(source.get('left')), 'header_stack'), names);
    return { stack, index: loadValue(source.get('right'), names, depth + 1) };
  }
  if (op === 'access_union_header') {
    const member = source.get('right');
    const number =
      typeof member.value === 'number' ? member.integer() : Number(typed(member, 'hexstr').hex());
    const { unionStack, index } = loadElementUnion(stripped(source.get('left')), names, depth + 1);
    const stack = unionStack.members[number];
    return stack
      ? { stack, index }
      : member.refuse(`the unions of ${unionStack.name} have no member ${number}`);
  }
  return source.refuse(`the operator "${op}" is not supported here; a header is expected`);
}

function loadElementUnion(
  source: Reader,
  names: Names,
  depth: number,
): { unionStack: HeaderUnionStack; index: Value } {
  const op = source.get('op');
  if (op.value !== 'dereference_union_stack')
    return source.refuse('expected an element of a union stack (dereference_union_stack)');
  const unionStack = loadUnionStack(typed(stripped(source.get('left')), 'header_union_stack'), names);
  return { unionStack, index: loadValue(source.get('right'), names, depth + 1) };
}

/** A header, or an element of a stack, as an operand. */
export function loadHeaderPlace(operand: Reader, names: Names): HeaderPlace {
  const node = stripped(operand);
  if (node.has('type')) return { kind: 'header', header: loadHeader(typed(node, 'header'), names) };
  return { kind: 'element', ...loadElement(node, names, 0) };
}

function loadValid(operand: Reader, names: Names, depth: number): Condition {
  const node = stripped(operand);
  if (node.has('type')) return { op: 'valid', header: loadHeader(typed(node, 'header'), names) };
  return isElementValid(loadElement(node, names, depth + 1));
}

function loadValidUnion(operand: Reader, names: Names, depth: number): Condition {
  const node = stripped(operand);
  if (node.has('type')) return { op: 'valid_union', union: loadUnion(typed(node, 'header_union'), names) };
  const { unionStack, index } = loadElementUnion(node, names, depth + 1);
  return unionStack.members
    .map((stack) => isElementValid({ stack, index }))
    .reduce((left, right) => ({ op: 'or', left, right }));
}

function isElementValid(element: Element): Condition {
  return { op: 'd2b', operand: { op: 'element', ...element, field: validField } };
}

function loadEquality(
  operator: '==' | '!=',
  left: Reader,
  right: Reader,
  names: Names,
  depth: number,
): Condition {
  const positive = (condition: Condition): Condition =>
    operator === '==' ? condition : { op: 'not', operand: condition };
  const type = stripped(left).get('type').value;
  if (type === 'header') {
    const pair = [left, right].map((side) => loadHeader(typed(stripped(side), 'header'), names));
    const [leftHeader, rightHeader] = pair as [Header, Header];
    if (leftHeader.type !== rightHeader.type) left.refuse('headers of different types are compared');
    if (leftHeader.metadata || rightHeader.metadata) left.refuse('metadata is compared as a header');
    return positive({ op: 'same_header', left: leftHeader, right: rightHeader });
  }
  if (type === 'header_union') {
    const pair = [left, right].map((side) => loadUnion(typed(stripped(side), 'header_union'), names));
    const [leftUnion, rightUnion] = pair as [HeaderUnion, HeaderUnion];
    if (!haveSameMembers(leftUnion, rightUnion)) left.refuse('unions of different types are compared');
    return positive({ op: 'same_union', left: leftUnion, right: rightUnion });
  }
  if (type === 'header_stack' || type === 'header_union_stack')
    left.refuse('stacks are compared, which BMv2 cannot; p4c compares their elements');
  const varbits = [left, right].map((side) => findVarbit(stripped(side), names));
  if (varbits[0] && varbits[1]) return positive({ op: 'same_varbit', left: varbits[0], right: varbits[1] });
  if (isCondition(left) || isCondition(right)) {
    return positive({
      op: 'same',
      left: loadCondition(left, names, depth + 1),
      right: loadCondition(right, names, depth + 1),
    });
  }
  return comparison(operator, left, right, names, depth);
}

export function haveSameMembers(left: HeaderUnion, right: HeaderUnion): boolean {
  return (
    left.members.length === right.members.length &&
    left.members.every((member, index) => member.type === right.members[index]!.type)
  );
}

/** The operand, if it is a varbit field. */
function findVarbit(node: Reader, names: Names): FieldRef | undefined {
  if (node.get('type').value !== 'field') return undefined;
  const ref = loadFieldRef(node.get('value'), names);
  return ref.field.varbit ? ref : undefined;
}

function comparison(
  operator: ComparisonOperator,
  left: Reader,
  right: Reader,
  names: Names,
  depth: number,
): Condition {
  return {
    op: 'compare',
    operator,
    left: loadValue(left, names, depth + 1),
    right: loadValue(right, names, depth + 1),
  };
}

const conditionOperators: ReadonlySet<unknown> = new Set([
  'and',
  'or',
  'not',
  'd2b',
  'valid',
  'valid_union',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
]);

function isCondition(operand: Reader): boolean {
  const node = stripped(operand);
  return node.get('type').value === 'bool' || conditionOperators.has(node.get('op').value);
}

/** p4c wraps operations once or twice. */
function stripped(operand: Reader): Reader {
  let node = operand.object();
  for (let layer = 0; node.get('type').value === 'expression' && layer < depthMax; layer++) {
    node = node.get('value').object();
  }
  return node;
}

function findField(header: Header, name: string): Field | undefined {
  if (name === '$valid$') return validField;
  return header.type.fields.find((field) => field.name === name);
}
