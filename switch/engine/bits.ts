// SPDX-License-Identifier: Apache-2.0
/** Numbers side by side as a big-endian bit string, cut into chunks: what deparsers write and checksums sum. */

import { literal, type Word } from './words.ts';

export interface BitItem {
  /** Canonical, least significant first. */
  words: readonly Word[];
  width: number;
}

export interface Chunk {
  /** Bits from the start of the string. */
  offset: number;
  bits: number;
  /** A number whose low `bits` bits are the chunk; with fewer than 32 there are no others. */
  code: string;
}

/** The string in chunks of `size` bits (at most 32); the last one may be shorter. */
export function chunksOf(items: readonly BitItem[], size: number): Chunk[] {
  const total = items.reduce((sum, item) => sum + item.width, 0);
  const chunks: Chunk[] = [];
  for (let offset = 0; offset < total; offset += size) {
    const bits = Math.min(size, total - offset);
    const parts: string[] = [];
    let from = 0;
    for (const { words, width } of items) {
      const to = from + width;
      if (to > offset && from < offset + bits)
        parts.push(...piecesOf(words, from, to, offset, offset + bits));
      from = to;
    }
    chunks.push({ offset, bits, code: parts.length === 0 ? '0' : parts.join(' | ') });
  }
  return chunks;
}

/** What words standing at bits [from, to) of the string contribute to its bits [start, end). */
function piecesOf(words: readonly Word[], from: number, to: number, start: number, end: number): string[] {
  const pieces: string[] = [];
  for (const [index, word] of words.entries()) {
    if (word.code === '0') continue;
    const wordTo = to - 32 * index;
    const wordFrom = Math.max(from, wordTo - 32);
    const pieceFrom = Math.max(wordFrom, start);
    const pieceTo = Math.min(wordTo, end);
    if (pieceFrom >= pieceTo) continue;
    const right = wordTo - pieceTo;
    const left = end - pieceTo;
    let code = right === 0 ? word.code : `${word.code} >>> ${right}`;
    if (pieceFrom > wordFrom) code = `${code} & ${literal(2 ** (pieceTo - pieceFrom) - 1)}`;
    const isPlain = code === word.code;
    pieces.unshift(
      left === 0 ? (isPlain ? code : `(${code})`) : `${isPlain ? code : `(${code})`} << ${left}`,
    );
  }
  return pieces;
}

/** Statements that store a byte-aligned chunk at `position` in the bytes `array`, seen through `view`. */
export function storeChunk(chunk: Chunk, array: string, view: string, position: string): string[] {
  const at = (bytes: number) => {
    const offset = chunk.offset / 8 + bytes;
    return offset === 0 ? position : `${position} + ${offset}`;
  };
  switch (chunk.bits) {
    case 8:
      return [`${array}[${at(0)}] = ${chunk.code};`];
    case 16:
      return [`${view}.setUint16(${at(0)}, ${chunk.code});`];
    case 24:
      return [`${view}.setUint16(${at(0)}, (${chunk.code}) >>> 8);`, `${array}[${at(2)}] = ${chunk.code};`];
    case 32:
      return [`${view}.setUint32(${at(0)}, ${chunk.code});`];
    default:
      throw new Error(`broken promise: a chunk is whole bytes, not ${chunk.bits} bits`);
  }
}
