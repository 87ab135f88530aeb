// SPDX-License-Identifier: Apache-2.0
/**
 * The key of a table entry in three forms: as the client sends it, as the pipeline takes it, and as text.
 *
 * The text is canonical (two spellings of one key have one text), so it names the entry in its table; and because
 * nothing is lost in it, it is the only form that is kept.
 * `10,167772160/8,5&7,1-9,*#4` has an exact, an lpm, a ternary and a range field, an omitted one, and priority 4.
 */

import type {
  FieldMatch,
  FieldMatch_Exact,
  FieldMatch_LPM,
  FieldMatch_Optional,
  FieldMatch_Range,
  FieldMatch_Ternary,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import type { KeyPart } from '../engine/pipeline.ts';
import type { BoundField, BoundTable } from './bound.ts';
import type { Rules } from './compat.ts';
import { invalid } from './refusal.ts';

/** The widest value that is read as a number; wider ones are bigints. Byte shifts stay exact up to here. */
const numberWidthMax = 48;

/** Reads a byte string: canonical, or with leading zero bytes. @throws Refusal when it is empty or does not fit */
export function readValue(rules: Rules, bytes: Uint8Array, width: number, what: string): number | bigint {
  const { length } = bytes;
  if (length === 0) {
    rules.allow('empty-value', `${what}: an empty byte string is no value; zero is one byte 00`);
    return width <= numberWidthMax ? 0 : 0n;
  }
  let start = 0;
  while (start < length - 1 && bytes[start] === 0) start++;
  const significant = (length - start - 1) * 8 + (32 - Math.clz32(bytes[start]!));
  if (significant > width) {
    const message = `${what}: the value needs ${significant} bits, the field has ${width}`;
    throw rules.refusal('value-too-wide', message);
  }
  if (width <= numberWidthMax) {
    let value = 0;
    for (let index = start; index < length; index++) value = value * 256 + bytes[index]!;
    return value;
  }
  let value = 0n;
  for (let index = start; index < length; index++) value = (value << 8n) | BigInt(bytes[index]!);
  return value;
}

/**
 * Reads and checks the match of a table entry.
 *
 * @returns the canonical text
 * @throws Refusal INVALID_ARGUMENT, or whatever a bad value deserves
 */
export function readKey(
  rules: Rules,
  table: BoundTable,
  match: readonly FieldMatch[],
  priority: number,
): string {
  const texts = new Array<string>(table.fields.length).fill('*');
  for (const fieldMatch of match) {
    const field = table.fieldById.get(fieldMatch.fieldId);
    if (field === undefined) throw invalid(`table '${table.name}' has no key field ${fieldMatch.fieldId}`);
    if (texts[field.index] !== '*') throw invalid(`key field '${field.name}' is given twice`);
    texts[field.index] = readField(rules, field, fieldMatch);
  }
  for (const field of table.fields) {
    if (field.kind === 'exact' && texts[field.index] === '*') {
      throw invalid(`key field '${field.name}' is missing; an exact field must be given`);
    }
  }
  checkPriority(table, priority);
  const text = texts.join();
  return table.isPrioritised ? `${text}#${priority}` : text;
}

function checkPriority(table: BoundTable, priority: number): void {
  if (table.isPrioritised && priority <= 0) {
    throw invalid(
      `table '${table.name}' has ternary, range or optional keys: priority ${priority} must be > 0`,
    );
  }
  if (!table.isPrioritised && priority !== 0) {
    throw invalid(`table '${table.name}' has only exact and lpm keys: priority ${priority} must be 0`);
  }
}

function readField(rules: Rules, field: BoundField, { fieldMatchType: given }: FieldMatch): string {
  if (given.case !== field.kind) {
    throw invalid(`key field '${field.name}' is ${field.kind}, not ${given.case ?? 'unset'}`);
  }
  switch (given.case) {
    case 'exact':
    case 'optional':
      return String(readValue(rules, given.value.value, field.width, field.name));
    case 'lpm':
      return readLpm(rules, field, given.value.value, given.value.prefixLen);
    case 'ternary':
      return readTernary(rules, field, given.value.value, given.value.mask);
    case 'range':
      return readRange(rules, field, given.value.low, given.value.high);
  }
}

function readLpm(rules: Rules, { name, width }: BoundField, bytes: Uint8Array, prefixLength: number): string {
  const value = BigInt(readValue(rules, bytes, width, name));
  if (prefixLength < 0 || prefixLength > width) {
    throw invalid(`${name}: a prefix of ${prefixLength} bits in a field of ${width}`);
  }
  if (prefixLength === 0) throw invalid(`${name}: a prefix of 0 bits is written by leaving the field out`);
  if (BigInt.asUintN(width - prefixLength, value) !== 0n) {
    throw invalid(`${name}: bits are set after the first ${prefixLength}`);
  }
  // simple_switch_grpc counts the prefix from the first bit of the padded bytes, and wants zeros behind it.
  const paddedWidth = Math.ceil(width / 8) * 8;
  if (BigInt.asUintN(paddedWidth - prefixLength, value) !== 0n) {
    const message = `${name}: simple_switch_grpc counts the prefix of ${prefixLength} bits in ${paddedWidth}, not ${width}`;
    rules.allow('lpm-of-odd-width', message);
  }
  return `${value}/${prefixLength}`;
}

function readTernary(
  rules: Rules,
  { name, width }: BoundField,
  bytes: Uint8Array,
  maskBytes: Uint8Array,
): string {
  const value = BigInt(readValue(rules, bytes, width, name));
  const mask = BigInt(readValue(rules, maskBytes, width, `${name} mask`));
  if (mask === 0n) throw invalid(`${name}: a mask of 0 is written by leaving the field out`);
  if ((value & ~mask) !== 0n) throw invalid(`${name}: bits of the value are set outside the mask`);
  return `${value}&${mask}`;
}

function readRange(
  rules: Rules,
  { name, width }: BoundField,
  lowBytes: Uint8Array,
  highBytes: Uint8Array,
): string {
  const low = BigInt(readValue(rules, lowBytes, width, `${name} low`));
  const high = BigInt(readValue(rules, highBytes, width, `${name} high`));
  if (low > high) throw invalid(`${name}: the range ${low}..${high} is empty`);
  // How simple_switch_grpc tells a full range: by its bytes, whatever the field's width.
  const looksFull = low === 0n && highBytes.length === lowBytes.length && highBytes.every(isAllOnes);
  if (low === 0n && high === (1n << BigInt(width)) - 1n) {
    const message = `${name}: the full range is written by leaving the field out`;
    if (looksFull) throw invalid(message);
    rules.allow('full-range', message);
    return '*';
  }
  if (looksFull) {
    const message = `${name}: simple_switch_grpc takes ${low}..${high}, written so short, for the full range; pad it with zero bytes`;
    rules.allow('range-looks-full', message);
  }
  return `${low}-${high}`;
}

const isAllOnes = (byte: number): boolean => byte === 0xff;

/** The parts of a key text, in the order the pipeline expects; omitted fields are full wildcards. */
export function keyParts(table: BoundTable, text: string): KeyPart[] {
  const parts = new Array<KeyPart>(table.fields.length);
  eachField(table, text, (field, fieldText) => {
    parts[field.position] = keyPart(field, fieldText);
  });
  return parts;
}

export function priorityOf(text: string): number {
  const hash = text.lastIndexOf('#');
  return hash < 0 ? 0 : Number(text.slice(hash + 1));
}

function keyPart({ kind, width }: BoundField, text: string): KeyPart {
  switch (kind) {
    case 'exact':
      return { kind, value: BigInt(text) };
    case 'lpm': {
      if (text === '*') return { kind, value: 0n, prefixLength: 0 };
      const [value, length] = halves(text, '/');
      return { kind, value: BigInt(value), prefixLength: Number(length) };
    }
    case 'ternary': {
      if (text === '*') return { kind, value: 0n, mask: 0n };
      const [value, mask] = halves(text, '&');
      return { kind, value: BigInt(value), mask: BigInt(mask) };
    }
    case 'optional':
      if (text === '*') return { kind: 'ternary', value: 0n, mask: 0n };
      return { kind: 'ternary', value: BigInt(text), mask: (1n << BigInt(width)) - 1n };
    case 'range': {
      if (text === '*') return { kind, low: 0n, high: (1n << BigInt(width)) - 1n };
      const [low, high] = halves(text, '-');
      return { kind, low: BigInt(low), high: BigInt(high) };
    }
  }
}

/** The text of a key the program itself brings. */
export function textOfParts(table: BoundTable, parts: readonly KeyPart[], priority: number): string {
  const texts = table.fields.map((field) => textOfPart(field, parts[field.position]!));
  return table.isPrioritised ? `${texts}#${priority}` : texts.join();
}

function textOfPart({ kind, width }: BoundField, part: KeyPart): string {
  const full = (1n << BigInt(width)) - 1n;
  switch (part.kind) {
    case 'exact':
      return String(part.value);
    case 'lpm':
      return part.prefixLength === 0 ? '*' : `${part.value}/${part.prefixLength}`;
    case 'ternary':
      if (part.mask === 0n) return '*';
      return kind === 'optional' ? String(part.value) : `${part.value & part.mask}&${part.mask}`;
    case 'range':
      return part.low === 0n && part.high === full ? '*' : `${part.low}-${part.high}`;
  }
}

/** A key text as the client reads it back: canonical byte strings, omitted fields left out. */
export function writeMatch(table: BoundTable, text: string): FieldMatch[] {
  const match: FieldMatch[] = [];
  eachField(table, text, (field, fieldText) => {
    if (fieldText !== '*') match.push(writeField(field, fieldText));
  });
  return match;
}

function writeField({ id: fieldId, kind, width }: BoundField, text: string): FieldMatch {
  const bytes = (value: string) =>
    encodeValue(width <= numberWidthMax ? Number(value) : BigInt(value), width);
  // Written out, because create() would take most of the time of reading a large table.
  const $typeName = 'p4.v1.FieldMatch';
  switch (kind) {
    case 'exact': {
      const value: FieldMatch_Exact = { $typeName: 'p4.v1.FieldMatch.Exact', value: bytes(text) };
      return { $typeName, fieldId, fieldMatchType: { case: kind, value } };
    }
    case 'optional': {
      const value: FieldMatch_Optional = { $typeName: 'p4.v1.FieldMatch.Optional', value: bytes(text) };
      return { $typeName, fieldId, fieldMatchType: { case: kind, value } };
    }
    case 'lpm': {
      const [prefix, length] = halves(text, '/');
      const value: FieldMatch_LPM = {
        $typeName: 'p4.v1.FieldMatch.LPM',
        value: bytes(prefix),
        prefixLen: Number(length),
      };
      return { $typeName, fieldId, fieldMatchType: { case: kind, value } };
    }
    case 'ternary': {
      const [bits, mask] = halves(text, '&');
      const value: FieldMatch_Ternary = {
        $typeName: 'p4.v1.FieldMatch.Ternary',
        value: bytes(bits),
        mask: bytes(mask),
      };
      return { $typeName, fieldId, fieldMatchType: { case: kind, value } };
    }
    case 'range': {
      const [low, high] = halves(text, '-');
      const value: FieldMatch_Range = {
        $typeName: 'p4.v1.FieldMatch.Range',
        low: bytes(low),
        high: bytes(high),
      };
      return { $typeName, fieldId, fieldMatchType: { case: kind, value } };
    }
  }
}

function eachField(table: BoundTable, text: string, visit: (field: BoundField, text: string) => void): void {
  const hash = text.lastIndexOf('#');
  const texts = (hash < 0 ? text : text.slice(0, hash)).split(',');
  for (const field of table.fields) visit(field, texts[field.index]!);
}

function halves(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}
