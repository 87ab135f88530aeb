// SPDX-License-Identifier: Apache-2.0
/** Cells of registers to and from P4Runtime, which simple_switch_grpc does not offer. */

import { create } from '@bufbuild/protobuf';
import type { P4Data } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import { P4DataSchema } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import type { BoundRegister } from './bound.ts';
import type { Rules } from './compat.ts';
import { readValue } from './match-key.ts';
import { Code, invalid, Refusal } from './refusal.ts';

/** @throws Refusal INVALID_ARGUMENT when it is negative, OUT_OF_RANGE beyond the array */
export function registerIndex({ name, register }: BoundRegister, index: bigint): number {
  if (index < 0n) throw invalid(`register '${name}' has no cell ${index}`);
  if (index >= BigInt(register.size)) {
    throw new Refusal(Code.OUT_OF_RANGE, `register '${name}' has ${register.size} cells, no cell ${index}`);
  }
  return Number(index);
}

/** @returns the cell's bits; of an `int`, its two's complement. @throws Refusal */
export function registerValue(rules: Rules, bound: BoundRegister, data: P4Data | undefined): bigint {
  const { name, shape, register } = bound;
  const given = data?.data;
  if (given?.case === 'bool' && shape === 'bool') return given.value ? 1n : 0n;
  if (given?.case === 'bitstring' && shape === 'bit') {
    return BigInt(readValue(rules, given.value, register.width, `register '${name}'`));
  }
  if (given?.case === 'bitstring' && shape === 'int') {
    return signedBits(rules, given.value, register.width, `register '${name}'`);
  }
  throw invalid(`register '${name}' holds ${shape}<${register.width}>, not ${given?.case ?? 'nothing'}`);
}

export function registerData({ shape, register }: BoundRegister, bits: bigint): P4Data {
  switch (shape) {
    case 'bool':
      return create(P4DataSchema, { data: { case: 'bool', value: bits !== 0n } });
    case 'bit':
      return create(P4DataSchema, {
        data: { case: 'bitstring', value: encodeValue(bits, register.width) },
      });
    case 'int':
      return create(P4DataSchema, {
        data: { case: 'bitstring', value: signedBytes(BigInt.asIntN(register.width, bits)) },
      });
  }
}

/** Any number of sign bits may stand in front. */
function signedBits(rules: Rules, bytes: Uint8Array, width: number, what: string): bigint {
  if (bytes.length === 0) return BigInt(readValue(rules, bytes, width, what));
  const unsigned = bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const signed = BigInt.asIntN(bytes.length * 8, unsigned);
  if (BigInt.asIntN(width, signed) !== signed) {
    throw rules.refusal('value-too-wide', `${what}: ${signed} does not fit in ${width} bits`);
  }
  return BigInt.asUintN(width, signed);
}

/** The shortest two's complement in whole bytes. */
function signedBytes(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(length * 8, value) !== value) length++;
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index--, rest >>= 8n) {
    bytes[index] = Number(rest & 0xffn);
  }
  return bytes;
}
