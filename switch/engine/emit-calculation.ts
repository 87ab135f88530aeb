// SPDX-License-Identifier: Apache-2.0
/**
 * Generated hashing and checksums. The input is a bit string: the items side by side without padding, items of headers
 * that are not valid left out, the tail padded to a byte.
 *
 * Sums over whole 16-bit words are added up in registers. Everything else is written to the scratch bytes `S` first.
 */

import { type BitItem, chunksOf, storeChunk } from './bits.ts';
import type { Emitter } from './emitter.ts';
import { unsignedRange, type Value } from './expression.ts';
import { slots } from './layout.ts';
import { hashBits } from './more-hashes.ts';
import type { Calculation, CalculationItem, Field, Header } from './program.ts';
import { fieldWords, literal, type Scope, slotWord, validWord } from './words.ts';

/** Items that are there or missing together. */
interface Group {
  /** undefined: always there. */
  header: Header | undefined;
  items: BitItem[];
  bits: number;
  /** A varbit field behind the items, if any. */
  varbit: { header: Header; field: Field } | undefined;
}

const payloadSlot = slotWord(slots.payload, 'payload');
const endSlot = slotWord(slots.end, 'end');

/** Bits of the input, without payload. */
export function inputBits({ items }: Calculation): number {
  return items.reduce((sum, item) => {
    if (item.kind === 'field') return sum + item.ref.field.width;
    if (item.kind === 'constant') return sum + item.width;
    return item.kind === 'header' ? sum + 8 * (item.header.type.bytes + item.header.type.varbitBytes) : sum;
  }, 0);
}

/** Emits the calculation and returns its result: an unsigned number of 16, 32 or 64 bits. */
export function emitCalculation(calculation: Calculation, scope: Scope): Value {
  const { algorithm } = calculation;
  const groups = groupsOf(calculation.items.filter((item) => item.kind !== 'payload'));
  const hasPayload = calculation.items.some((item) => item.kind === 'payload');
  const isWordwise = groups.every((group) => group.bits % 16 === 0 && !group.varbit);
  if (algorithm === 'csum16' && isWordwise) return emitSum(groups, hasPayload, scope);
  const length = emitBytes(groups, hasPayload, scope);
  return emitHash(calculation, length, scope);
}

function groupsOf(items: readonly CalculationItem[]): Group[] {
  const groups: Group[] = [];
  const add = (header: Header | undefined, item: BitItem) => {
    let group = groups.at(-1);
    if (!group || group.header !== header || group.varbit) {
      group = { header, items: [], bits: 0, varbit: undefined };
      groups.push(group);
    }
    group.items.push(item);
    group.bits += item.width;
  };
  const addField = (header: Header, field: Field) => {
    const owner = header.metadata ? undefined : header;
    if (!field.varbit) {
      add(owner, { words: fieldWords({ header, field }), width: field.width });
      return;
    }
    add(owner, { words: [], width: 0 });
    groups.at(-1)!.varbit = { header, field };
  };
  for (const item of items) {
    if (item.kind === 'field') addField(item.ref.header, item.ref.field);
    else if (item.kind === 'header')
      for (const field of item.header.type.fields) addField(item.header, field);
    else if (item.kind === 'constant') add(undefined, constantItem(item.value, item.width));
  }
  return groups;
}

function constantItem(value: bigint, width: number): BitItem {
  const low = BigInt.asUintN(width, value);
  const words = Array.from({ length: Math.ceil(width / 32) }, (_, index) => ({
    code: literal(Number(BigInt.asUintN(32, low >> BigInt(32 * index)))),
    bits: Math.min(32, width - 32 * index),
  }));
  return { words, width };
}

function emitSum(groups: readonly Group[], hasPayload: boolean, scope: Scope): Value {
  const { out } = scope;
  const sum = out.name('sum');
  out.line(`let ${sum} = ${hasPayload ? `sum16(A, ${payloadSlot}, ${endSlot})` : '0'};`);
  for (const group of groups) {
    const terms = chunksOf(group.items, 16).map((chunk) => `(${chunk.code})`);
    if (terms.length > 0) guarded(group, out, () => out.line(`${sum} += ${terms.join(' + ')};`));
  }
  return result(out, `foldedComplement(${sum})`, 16);
}

/** Writes the bit string to `S` and returns the name of its length in bytes. */
function emitBytes(groups: readonly Group[], hasPayload: boolean, scope: Scope): string {
  const { out } = scope;
  const length = out.name('n');
  const isBytewise = groups.every(
    (group, index) => group.bits % 8 === 0 || (index === groups.length - 1 && !hasPayload && !group.varbit),
  );
  if (isBytewise) {
    out.line(`let ${length} = 0;`);
    for (const group of groups) guarded(group, out, () => emitGroupBytes(group, length, out));
  } else {
    const bits = out.name('bits');
    out.line(`let ${bits} = 0;`);
    for (const group of groups) {
      guarded(group, out, () => {
        for (const chunk of chunksOf(group.items, 32)) {
          out.line(`${bits} = appendBits(S, ${bits}, (${chunk.code}) >>> 0, ${chunk.bits});`);
        }
        if (group.varbit) out.line(`${bits} = appendBytes(S, ${bits}, V, ${varbitBounds(group.varbit)});`);
      });
    }
    if (hasPayload) out.line(`${bits} = appendBytes(S, ${bits}, A, ${payloadSlot}, ${endSlot});`);
    out.line(`const ${length} = ${bits} + 7 >>> 3;`);
    return length;
  }
  if (hasPayload) out.line(`${length} = appendBytes(S, ${length} * 8, A, ${payloadSlot}, ${endSlot}) >>> 3;`);
  return length;
}

function emitGroupBytes(group: Group, length: string, out: Emitter): void {
  for (const chunk of chunksOf(paddedToByte(group), 32)) {
    for (const store of storeChunk(chunk, 'S', 'SD', length)) out.line(store);
  }
  if (group.bits > 0) out.line(`${length} += ${Math.ceil(group.bits / 8)};`);
  if (group.varbit) {
    out.line(`${length} = appendBytes(S, ${length} * 8, V, ${varbitBounds(group.varbit)}) >>> 3;`);
  }
}

function paddedToByte(group: Group): BitItem[] {
  const padding = (8 - (group.bits % 8)) % 8;
  return padding === 0 ? group.items : [...group.items, { words: [], width: padding }];
}

function varbitBounds({ header, field }: { header: Header; field: Field }): string {
  return `${header.varbitBase}, ${header.varbitBase} + ${slotWord(header.base + field.slot, `${header.name}.${field.name} bytes`)}`;
}

function guarded(group: Group, out: Emitter, body: () => void): void {
  if (group.header) out.block(`if (${validWord(group.header)} !== 0)`, body);
  else body();
}

function emitHash(calculation: Calculation, length: string, scope: Scope): Value {
  const { out } = scope;
  const { algorithm } = calculation;
  switch (algorithm) {
    case 'crc32':
      return result(out, `crc32(S, 0, ${length})`, 32);
    case 'crc16':
    case 'csum16':
    case 'xor16':
      return result(out, `${algorithm}(S, 0, ${length})`, 16);
    case 'identity': {
      // The first eight bytes at most, as one big-endian number.
      const low = out.name('low');
      const high = out.name('high');
      out.line(
        `const ${low} = bigEndian(S, Math.max(0, Math.min(8, ${length}) - 4), Math.min(8, ${length}));`,
      );
      out.line(`const ${high} = bigEndian(S, 0, Math.max(0, Math.min(8, ${length}) - 4));`);
      return { op: 'words', words: [low, high], range: unsignedRange(64) };
    }
    default: {
      const name = out.name('hash');
      out.line(`const ${name} = memory.hashes.get(${JSON.stringify(calculation.name)})(S, 0, ${length});`);
      const bits = hashBits(calculation);
      const words = [`Number(${name} & 0xffffffffn)`, `Number(${name} >> 32n)`];
      return { op: 'words', words: words.slice(0, Math.ceil(bits / 32)), range: unsignedRange(bits) };
    }
  }
}

function result(out: Emitter, code: string, bits: number): Value {
  const name = out.name('hash');
  out.line(`const ${name} = ${code};`);
  return { op: 'words', words: [name], range: unsignedRange(bits) };
}
