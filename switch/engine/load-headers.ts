// SPDX-License-Identifier: Apache-2.0
/** Header types and their instances, stacks and unions, each with its place in the packet's words (layout.ts). */

import type { Value } from './expression.ts';
import { firstFreeSlot } from './layout.ts';
import { loadValue, type Names } from './load-expression.ts';
import type { Field, Header, HeaderStack, HeaderType, HeaderUnion, HeaderUnionStack } from './program.ts';
import type { Reader } from './reader.ts';
import { byName, type Sections } from './sections.ts';

export interface Headers {
  types: HeaderType[];
  headers: Header[];
  stacks: HeaderStack[];
  unions: HeaderUnion[];
  unionStacks: HeaderUnionStack[];
  wordCount: number;
  varbitByteCount: number;
}

/** Programs whose packets need more words are refused. A large program needs some thousands. */
export const packetWordsMax = 1 << 18;

/** Programs whose varbit fields need more bytes are refused. */
export const varbitBytesMax = 1 << 20;

const fieldBitsMax = 65_535;

const noNames: Names = {
  headers: new Map(),
  stacks: new Map(),
  unions: new Map(),
  unionStacks: new Map(),
  registers: new Map(),
  parameters: [],
};

export function loadHeaders(sections: Sections): Headers {
  const types = sections.read('header_types', loadType);
  return new HeaderLoader(sections, types).load();
}

function loadType(node: Reader): HeaderType {
  const name = node.get('name').name();
  const at = node.called(name);
  const fields: Field[] = [];
  let bitOffset = 0;
  let slot = 1;
  for (const item of at.get('fields').array()) {
    const [fieldName, width, signed, saturating] = item.array();
    if (!fieldName || !width) return item.refuse('a field is [name, width, signed]');
    const varbit = width.value === '*';
    if (varbit) {
      if (fields.some((field) => field.varbit)) item.refuse('a second varbit field');
      if (bitOffset % 8 !== 0) item.refuse('a varbit field that does not start at a byte is not supported');
    }
    const bits = varbit ? 0 : width.integer(1, fieldBitsMax);
    const words = varbit ? 1 : Math.ceil(bits / 32);
    const isSigned = isTrue(signed);
    if (isSigned && bits === 1) item.refuse('a signed field of one bit');
    fields.push({
      name: fieldName.name(),
      width: bits,
      signed: isSigned,
      bitOffset,
      slot,
      words,
      varbit,
      saturating: isTrue(saturating),
    });
    bitOffset += bits;
    slot += words;
  }
  if (new Set(fields.map((field) => field.name)).size !== fields.length)
    at.refuse('two fields have one name');
  const bytes = Math.ceil(bitOffset / 8);
  const type = { name, id: at.get('id').integer(), fields, bytes, stride: slot };
  const varbit = fields.find((field) => field.varbit);
  if (!varbit) return { ...type, varbitBytes: 0, varbitLength: undefined };
  // max_length is that of the whole header.
  const varbitBytes = Math.max(0, at.get('max_length').integer(0, fieldBitsMax) - bytes);
  varbit.width = varbitBytes * 8;
  const length = at.get('length_exp');
  return { ...type, varbitBytes, varbitLength: length.isNull() ? undefined : loadLength(length, fields) };
}

function isTrue(flag: Reader | undefined): boolean {
  return flag?.value === true || flag?.value === 1;
}

/** The length of a varbit field said by fields in front of it: these are yet to be extracted, so they are looked up ahead. */
function loadLength(node: Reader, fields: readonly Field[]): Value {
  const inFront = fields.slice(
    0,
    fields.findIndex((field) => field.varbit),
  );
  return ahead(loadValue(node, { ...noNames, parameters: inFront }), inFront, node);
}

function ahead(value: Value, fields: readonly Field[], node: Reader): Value {
  switch (value.op) {
    case 'constant':
      return value;
    case 'parameter': {
      const { bitOffset, width, signed } = fields[value.index]!;
      const bits: Value = { op: 'lookahead', bitOffset, width };
      return signed ? { op: 'two_comp_mod', operand: bits, width } : bits;
    }
    case 'binary': {
      const [left, right] = [ahead(value.left, fields, node), ahead(value.right, fields, node)];
      return { ...value, left, right };
    }
    default:
      return node.refuse('expected arithmetic over fields in front of the varbit field');
  }
}

class HeaderLoader {
  private readonly sections: Sections;
  private readonly types: HeaderType[];
  private readonly placed = new Set<Header>();
  private nextSlot = firstFreeSlot;
  private nextVarbitByte = 0;

  constructor(sections: Sections, types: HeaderType[]) {
    this.sections = sections;
    this.types = types;
  }

  /** Elements of stacks side by side, everything else as it comes. */
  load(): Headers {
    const types = byName(this.types);
    const headers = this.sections.read('headers', (node) => this.header(node, types));
    const headerOf = memberFinder('header', headers);
    const stacks = this.sections.read('header_stacks', (node) => this.stack(node, headerOf));
    const unionTypes = byName(this.sections.read('header_union_types', loadUnionType));
    const unions = this.sections.read('header_unions', (node) => this.union(node, unionTypes, headerOf));
    const unionOf = memberFinder('header union', unions);
    const unionStacks = this.sections.read('header_union_stacks', (node) =>
      this.unionStack(node, unionTypes, unionOf),
    );
    for (const header of headers) {
      if (this.placed.has(header)) continue;
      this.place(header);
      header.isPlain = !header.metadata && header.union === undefined && header.type.varbitBytes === 0;
    }
    this.sections.attempt(() => {
      const { root } = this.sections;
      if (this.nextSlot > packetWordsMax)
        root.get('headers').refuse(`the headers take more than ${packetWordsMax} words`);
      if (this.nextVarbitByte > varbitBytesMax)
        root.get('headers').refuse(`the varbit fields take more than ${varbitBytesMax} bytes`);
    });
    return {
      types: this.types,
      headers,
      stacks,
      unions,
      unionStacks,
      wordCount: this.nextSlot,
      varbitByteCount: this.nextVarbitByte,
    };
  }

  private header(node: Reader, types: ReadonlyMap<string, HeaderType>): Header {
    const name = node.get('name').name();
    const id = node.get('id').integer();
    if (node.place !== `headers[${id}]`) node.refuse(`the id ${id} differs from the position`);
    const typeName = node.get('header_type');
    const type =
      types.get(typeName.string()) ?? typeName.refuse(`there is no header type ${typeName.string()}`);
    const metadata = node.get('metadata').boolean();
    const bits = type.fields.reduce((sum, field) => sum + (field.varbit ? 0 : field.width), 0);
    if (!metadata && bits % 8 !== 0) node.refuse(`the width of ${type.name} is not a multiple of 8 bits`);
    return { name, id, type, metadata, base: 0, varbitBase: 0, union: undefined };
  }

  private stack(node: Reader, headerOf: (id: Reader) => Header): HeaderStack {
    const name = node.get('name').name();
    const id = node.get('id').integer();
    const headers = elementsOf(node, 'header_ids', headerOf);
    const { type } = headers[0]!;
    if (headers.some((header) => header.type !== type)) node.refuse('elements of different types');
    for (const header of headers) this.placeMember(header, node);
    const { stride, varbitBytes } = type;
    return { name, id, type, headers, stride, varbitStride: varbitBytes, next: this.nextSlot++ };
  }

  private union(
    node: Reader,
    types: ReadonlyMap<string, UnionType>,
    headerOf: (id: Reader) => Header,
  ): HeaderUnion {
    const name = node.get('name').name();
    const { memberNames } = unionType(node, types);
    const ids = node.get('header_ids').tuple(memberNames.length);
    const members = ids.map(headerOf);
    if (members.length === 0) node.refuse('a union without members');
    const union: HeaderUnion = { name, id: node.get('id').integer(), members };
    for (const member of members) {
      if (member.metadata) node.refuse(`${member.name} is metadata`);
      if (member.union) node.refuse(`${member.name} is in two unions`);
      member.union = union;
    }
    return union;
  }

  private unionStack(
    node: Reader,
    types: ReadonlyMap<string, UnionType>,
    unionOf: (id: Reader) => HeaderUnion,
  ): HeaderUnionStack {
    const name = node.get('name').name();
    const id = node.get('id').integer();
    const { memberNames } = unionType(node, types);
    const unions = elementsOf(node, 'header_union_ids', unionOf);
    const first = unions[0]!.members;
    for (const { members } of unions) {
      const isSame = members.length === first.length && members.every((m, i) => m.type === first[i]!.type);
      if (!isSame || members.length !== memberNames.length) node.refuse('elements of different types');
      for (const member of members) this.placeMember(member, node);
    }
    const next = this.nextSlot++;
    const stride = first.reduce((sum, { type }) => sum + type.stride, 0);
    const varbitStride = first.reduce((sum, { type }) => sum + type.varbitBytes, 0);
    const members = first.map(({ type }, index): HeaderStack => {
      const headers = unions.map((union) => union.members[index]!);
      return { name: `${name}[].${memberNames[index]}`, id, type, headers, stride, varbitStride, next };
    });
    return { name, id, unions, members, memberNames, stride, varbitStride, next };
  }

  private placeMember(header: Header, node: Reader): void {
    if (header.metadata) node.refuse(`${header.name} is metadata`);
    if (this.placed.has(header)) node.refuse(`${header.name} is in two stacks`);
    this.place(header);
  }

  private place(header: Header): void {
    this.placed.add(header);
    header.base = this.nextSlot;
    header.varbitBase = this.nextVarbitByte;
    this.nextSlot += header.type.stride;
    this.nextVarbitByte += header.type.varbitBytes;
  }
}

interface UnionType {
  name: string;
  memberNames: readonly string[];
}

function loadUnionType(node: Reader): UnionType {
  const memberNames = node
    .get('headers')
    .array()
    .map((member) => member.tuple(2)[0]!.name());
  return { name: node.get('name').name(), memberNames };
}

function unionType(node: Reader, types: ReadonlyMap<string, UnionType>): UnionType {
  const name = node.get('union_type');
  return types.get(name.string()) ?? name.refuse(`there is no header union type ${name.string()}`);
}

function memberFinder<T extends { id: number }>(what: string, items: readonly T[]): (id: Reader) => T {
  const byId = new Map(items.map((item) => [item.id, item]));
  return (id) => byId.get(id.integer()) ?? id.refuse(`there is no ${what} with the id ${id.integer()}`);
}

function elementsOf<T>(node: Reader, key: string, find: (id: Reader) => T): T[] {
  const elements = node.get(key).array().map(find);
  if (elements.length === 0) node.get(key).refuse('no elements');
  // Old JSON does without a size.
  if (node.has('size') && elements.length !== node.get('size').integer())
    node.refuse(`size and ${key} differ`);
  return elements;
}
