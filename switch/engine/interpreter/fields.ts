// SPDX-License-Identifier: Apache-2.0
/** Fields of the packet's word array (layout.ts) as integers, one function per thing that can be asked or done. */

import type { Memory } from '../memory.ts';
import type { Field, FieldRef, Header } from '../program.ts';

export function isValid({ F }: Memory, header: Header): boolean {
  return header.metadata || F[header.base] !== 0;
}

export function readField(memory: Memory, { header, field }: FieldRef): bigint {
  return readFieldAt(memory, header.base, field);
}

/** @param base  first word of the header */
export function readFieldAt({ F }: Memory, base: number, field: Field): bigint {
  const value = readWords(F, base + field.slot, field.words);
  return field.signed ? BigInt.asIntN(field.width, value) : value;
}

/** Stores the low bits of `value`. Writing to a header that is not valid has no effect. */
export function writeField(memory: Memory, { header, field }: FieldRef, value: bigint): void {
  if (isValid(memory, header)) writeFieldAt(memory, header.base, field, value);
}

/** As `writeField`, whatever the validity. */
export function writeFieldAt({ F }: Memory, base: number, field: Field, value: bigint): void {
  const fitting = field.saturating ? nearest(value, field) : value;
  writeWords(F, base + field.slot, field.words, BigInt.asUintN(field.width, fitting));
}

function nearest(value: bigint, { signed, width }: Field): bigint {
  const max = (1n << BigInt(signed ? width - 1 : width)) - 1n;
  const min = signed ? -max - 1n : 0n;
  return value < min ? min : value > max ? max : value;
}

/** Least significant word first. */
export function readWords(words: Uint32Array, at: number, count: number): bigint {
  let value = BigInt(words[at + count - 1]!);
  for (let word = count - 2; word >= 0; word--) value = (value << 32n) | BigInt(words[at + word]!);
  return value;
}

export function writeWords(words: Uint32Array, at: number, count: number, value: bigint): void {
  for (let word = 0; word < count; word++)
    words[at + word] = Number((value >> BigInt(32 * word)) & 0xffffffffn);
}

/** Makes it invalid: all its words are zero then, as those of every header that is not valid. */
export function clearHeader({ F }: Memory, header: Header): void {
  F.fill(0, header.base, header.base + header.type.stride);
}

/** Making a member of a union valid makes the others invalid. */
export function clearSiblings(memory: Memory, header: Header): void {
  for (const member of header.union?.members ?? []) if (member !== header) clearHeader(memory, member);
}

/** Words and varbit bytes, validity included. */
export function copyHeader({ F, V }: Memory, target: Header, source: Header): void {
  F.copyWithin(target.base, source.base, source.base + source.type.stride);
  const { varbitBytes } = source.type;
  V.copyWithin(target.varbitBase, source.varbitBase, source.varbitBase + varbitBytes);
}

/** The bytes of the varbit field, as many as it has now. */
export function varbitOf({ F, V }: Memory, header: Header, field: Field): Uint8Array {
  return V.subarray(header.varbitBase, header.varbitBase + F[header.base + field.slot]!);
}

/** Bytes the header takes on the wire when it is valid. */
export function wireBytes({ F }: Memory, { type, base }: Header): number {
  const varbit = type.fields.find((field) => field.varbit);
  return type.bytes + (varbit ? F[base + varbit.slot]! : 0);
}
