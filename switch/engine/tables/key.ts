// SPDX-License-Identifier: Apache-2.0
/**
 * How a key of several fields becomes few 32-bit words: whole words stay whole, and what is left of each field goes
 * where there is still room. Range fields are not part of the words; they are compared with their bounds.
 */

import type { KeyPart } from '../pipeline.ts';
import type { KeyField } from '../program.ts';

/** `bits` bits of word `fieldWord` of a field stand at bit `shift` of word `word` of the packed key. */
export interface KeyPiece {
  field: number;
  fieldWord: number;
  word: number;
  shift: number;
  bits: number;
}

export interface KeyPlan {
  fields: readonly KeyField[];
  words: number;
  pieces: readonly KeyPiece[];
  /** Indexes of the range fields. */
  ranges: readonly number[];
  /** How an entry is found: by equality alone, or by trying one mask after the other. */
  search: 'none' | 'exact' | 'masked';
  /** No mask anywhere. */
  isPlain: boolean;
}

export function planKey(fields: readonly KeyField[]): KeyPlan {
  const pieces: KeyPiece[] = [];
  /** Free bits per word. */
  const room: number[] = [];
  for (const [field, { width, kind }] of fields.entries()) {
    if (kind === 'range') continue;
    for (let fieldWord = 0; 32 * fieldWord < width; fieldWord++) {
      const bits = Math.min(32, width - 32 * fieldWord);
      let word = room.findIndex((free) => free >= bits);
      if (word < 0) word = room.push(32) - 1;
      pieces.push({ field, fieldWord, word, shift: 32 - room[word]!, bits });
      room[word]! -= bits;
    }
  }
  const masked = fields.some((field) => field.kind !== 'exact');
  return {
    fields,
    words: room.length,
    pieces,
    ranges: fields.flatMap((field, index) => (field.kind === 'range' ? [index] : [])),
    search: fields.length === 0 ? 'none' : masked ? 'masked' : 'exact',
    isPlain: !masked && fields.every((field) => field.mask === undefined),
  };
}

export interface PackedKey {
  /** Masked. */
  words: Int32Array;
  masks: Int32Array;
  /** low, high per range field. */
  ranges: number[];
  /** The prefix length in a table with an lpm key. */
  prefixLength: number;
}

export function packKey(plan: KeyPlan, parts: readonly KeyPart[]): PackedKey {
  const packed: PackedKey = {
    words: new Int32Array(plan.words),
    masks: new Int32Array(plan.words),
    ranges: [],
    prefixLength: 0,
  };
  if (plan.isPlain) {
    for (const { field, fieldWord, word, shift } of plan.pieces) {
      const part = parts[field]!;
      if (part.kind === 'exact') packed.words[word]! |= wordOf(part.value, 32 * fieldWord) << shift;
    }
    return packed;
  }
  const masks = plan.fields.map((field, index) => maskOf(field, parts[index]!) & (field.mask ?? -1n));
  for (const { field, fieldWord, word, shift } of plan.pieces) {
    const part = parts[field]!;
    const from = 32 * fieldWord;
    const mask = wordOf(masks[field]!, from);
    const value = 'value' in part ? wordOf(part.value, from) & mask : 0;
    packed.words[word]! |= value << shift;
    packed.masks[word]! |= mask << shift;
  }
  for (const index of plan.ranges) {
    const part = parts[index]!;
    if (part.kind === 'range') packed.ranges.push(Number(part.low), Number(part.high));
    else packed.ranges.push(0, 2 ** plan.fields[index]!.width - 1);
  }
  for (const part of parts) if (part.kind === 'lpm') packed.prefixLength = part.prefixLength;
  return packed;
}

/** The parts that `packKey` was given; what a mask hides is 0. @param packed  `prefixLength` only where known */
export function unpackKey(
  plan: KeyPlan,
  packed: Omit<PackedKey, 'prefixLength'> & { prefixLength: number | undefined },
): KeyPart[] {
  const values = plan.fields.map(() => 0n);
  const masks = plan.fields.map(() => 0n);
  for (const { field, fieldWord, word, shift, bits } of plan.pieces) {
    const part = (from: number) => BigInt.asUintN(bits, BigInt(from >>> shift)) << BigInt(32 * fieldWord);
    values[field]! |= part(packed.words[word]!);
    masks[field]! |= part(packed.masks[word]!);
  }
  const partOf = ({ kind, width }: KeyField, index: number): KeyPart => {
    const value = values[index]!;
    const mask = masks[index]!;
    switch (kind) {
      case 'exact':
        return { kind, value };
      case 'lpm':
        return { kind, value, prefixLength: packed.prefixLength ?? width - trailingZeroes(mask, width) };
      case 'ternary':
        return { kind, value, mask };
      case 'range': {
        const at = 2 * plan.ranges.indexOf(index);
        return { kind, low: BigInt(packed.ranges[at]!), high: BigInt(packed.ranges[at + 1]!) };
      }
    }
  };
  return plan.fields.map(partOf);
}

function trailingZeroes(value: bigint, width: number): number {
  for (let bit = 0; bit < width; bit++) if ((value >> BigInt(bit)) & 1n) return bit;
  return width;
}

function maskOf(field: KeyField, part: KeyPart): bigint {
  const ones = (1n << BigInt(field.width)) - 1n;
  switch (part.kind) {
    case 'exact':
      return ones;
    case 'lpm':
      return ones ^ (ones >> BigInt(part.prefixLength));
    case 'ternary':
      return part.mask;
    case 'range':
      return 0n;
  }
}

function wordOf(value: bigint, from: number): number {
  // Most fields fit a double; shifting a BigInt allocates.
  if (from === 0 && value <= 0xffffffffn) return Number(value);
  return Number(BigInt.asUintN(32, value >> BigInt(from)));
}
