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
  ranges: readonly RangePlan[];
  /** Words the bounds of one entry take. */
  boundWords: number;
  /** How an entry is found: by equality alone, or by trying one mask after the other. */
  search: 'none' | 'exact' | 'masked';
  /** One lpm field that a prefix trie can take, and nothing else. */
  isPrefix: boolean;
  /** No mask anywhere. */
  isPlain: boolean;
}

/** The bounds of a range field: `words` words of the lowest value from `at` on, then as many of the highest. */
export interface RangePlan {
  field: number;
  at: number;
  words: number;
}

export function planKey(fields: readonly KeyField[]): KeyPlan {
  const pieces: KeyPiece[] = [];
  /** Free bits per word. */
  const room: number[] = [];
  const ranges: RangePlan[] = [];
  let boundWords = 0;
  for (const [field, { width, kind }] of fields.entries()) {
    if (kind === 'range') {
      const words = Math.ceil(width / 32);
      ranges.push({ field, at: boundWords, words });
      boundWords += 2 * words;
      continue;
    }
    for (let fieldWord = 0; 32 * fieldWord < width; fieldWord++) {
      const bits = Math.min(32, width - 32 * fieldWord);
      let word = room.findIndex((free) => free >= bits);
      if (word < 0) word = room.push(32) - 1;
      pieces.push({ field, fieldWord, word, shift: 32 - room[word]!, bits });
      room[word]! -= bits;
    }
  }
  const masked = fields.some((field) => field.kind !== 'exact');
  const [only] = fields;
  return {
    fields,
    words: room.length,
    pieces,
    ranges,
    boundWords,
    search: fields.length === 0 ? 'none' : masked ? 'masked' : 'exact',
    isPrefix: fields.length === 1 && only!.kind === 'lpm' && only!.width <= 32 && only!.mask === undefined,
    isPlain: !masked && fields.every((field) => field.mask === undefined),
  };
}

export interface PackedKey {
  /** Masked. */
  words: Int32Array;
  masks: Int32Array;
  /** As `RangePlan` says. */
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
  for (const { field, words } of plan.ranges) {
    const part = parts[field]!;
    const everything = { low: 0n, high: (1n << BigInt(plan.fields[field]!.width)) - 1n };
    const { low, high } = part.kind === 'range' ? part : everything;
    for (const bound of [low, high])
      for (let word = 0; word < words; word++) packed.ranges.push(wordOf(bound, 32 * word) >>> 0);
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
        const { at, words } = plan.ranges.find(({ field }) => field === index)!;
        return {
          kind,
          low: boundAt(packed.ranges, at, words),
          high: boundAt(packed.ranges, at + words, words),
        };
      }
    }
  };
  return plan.fields.map(partOf);
}

/** A bound from its words. */
export function boundAt(words: ArrayLike<number>, at: number, count: number): bigint {
  let value = 0n;
  for (let word = count - 1; word >= 0; word--) value = (value << 32n) | BigInt(words[at + word]!);
  return value;
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
