// SPDX-License-Identifier: Apache-2.0
/**
 * Every hash algorithm as a function from bytes to a number, the rare ones included. Exact, not fast: generated code
 * has its own way to the common ones (hashes.ts).
 *
 * Sources: behavioral-model src/bm_sim/calculations.cpp and targets/simple_switch/simple_switch.cpp (names and
 * parameters); the xxHash specification, version 0.1.1 (XXH64); Williams, as in hashes.ts (CRCs of any kind).
 */

import { crc16, crc32, csum16, xor16 } from './hashes.ts';
import type { Calculation, CrcParameters } from './program.ts';

/** Bytes [start, end) to an unsigned number of at most 64 bits. */
export type HashFunction = (bytes: Uint8Array, start: number, end: number) => bigint;

/** Inputs `round_robin_consistent` remembers; BMv2 remembers all. Beyond, every input counts as new. */
const rememberedInputsMax = 65_536;

/** A function of its own for this calculation: the round-robin ones count. */
export function hashFunctionOf({ algorithm, crc }: Calculation): HashFunction {
  switch (algorithm) {
    case 'crc16':
      return (bytes, start, end) => BigInt(crc16(bytes, start, end));
    case 'crc32':
      return (bytes, start, end) => BigInt(crc32(bytes, start, end));
    case 'csum16':
      return (bytes, start, end) => BigInt(csum16(bytes, start, end));
    case 'xor16':
      return (bytes, start, end) => BigInt(xor16(bytes, start, end));
    case 'xor32':
      return xor32;
    case 'identity':
      return (bytes, start, end) => bigEndian(bytes, start, Math.min(end, start + 8));
    case 'crc':
      return crcOf(crc!);
    case 'xxh64':
      return xxh64;
    case 'hash_ex':
      return (bytes, start, end) => BigInt(fnvMixed(bytes, start, end));
    case 'toeplitz':
      // Its key is all zeroes until somebody sets it over Thrift, and with that key everything hashes to 0.
      return () => 0n;
    case 'round_robin': {
      let count = 0n;
      return () => count++;
    }
    case 'round_robin_consistent':
      return rememberingCount();
  }
}

/** Bits of the largest result. */
export function hashBits({ algorithm, crc }: Calculation): number {
  switch (algorithm) {
    case 'crc16':
    case 'csum16':
    case 'xor16':
      return 16;
    case 'crc32':
    case 'xor32':
    case 'hash_ex':
    case 'toeplitz':
      return 32;
    case 'crc':
      return crc!.width;
    case 'identity':
    case 'xxh64':
    case 'round_robin':
    case 'round_robin_consistent':
      return 64;
  }
}

function bigEndian(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = start; at < end; at++) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

/** Exclusive or of big-endian 32-bit words; the last one is padded on the right. */
function xor32(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0;
  for (let at = start; at < end; at++) value ^= bytes[at]! << (24 - 8 * ((at - start) & 3));
  return BigInt(value >>> 0);
}

/** 32-bit FNV-1a over signed bytes, then mixed: simple_switch's example of a hash of one's own. */
function fnvMixed(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  // BMv2 reads `char`, which has a sign.
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ ((bytes[at]! << 24) >> 24), 0x01000193);
  hash = (hash + (hash << 13)) | 0;
  hash ^= hash >>> 7;
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 17;
  hash = (hash + (hash << 5)) | 0;
  return hash >>> 0;
}

function rememberingCount(): HashFunction {
  const numbers = new Map<string, bigint>();
  let count = 0n;
  return (bytes, start, end) => {
    const key = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 4096)));
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (numbers.size < rememberedInputsMax) numbers.set(key, count);
    return count++;
  };
}

/** One table of 256 remainders, most significant bit first, whichever way the bits come. */
function crcOf({ width, polynomial, initial, finalXor, reflected }: CrcParameters): HashFunction {
  const shift = BigInt(width - 8);
  const top = 1n << BigInt(width - 1);
  const table = Array.from({ length: 256 }, (_, dividend) => {
    let remainder = BigInt(dividend) << shift;
    for (let bit = 0; bit < 8; bit++) {
      remainder =
        (remainder & top) === 0n ? remainder << 1n : BigInt.asUintN(width, remainder << 1n) ^ polynomial;
    }
    return BigInt.asUintN(width, remainder);
  });
  return (bytes, start, end) => {
    let remainder = initial;
    for (let at = start; at < end; at++) {
      const byte = reflected ? reflectedByte(bytes[at]!) : bytes[at]!;
      remainder = table[byte ^ Number(remainder >> shift)]! ^ BigInt.asUintN(width, remainder << 8n);
    }
    return (reflected ? reflectedNumber(remainder, width) : remainder) ^ finalXor;
  };
}

function reflectedByte(byte: number): number {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) result |= 0x80 >>> bit;
  return result;
}

function reflectedNumber(value: bigint, width: number): bigint {
  let result = 0n;
  for (let bit = 0n; bit < BigInt(width); bit++) result = (result << 1n) | ((value >> bit) & 1n);
  return result;
}

const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;

/** XXH64 with seed 0. */
function xxh64(bytes: Uint8Array, start: number, end: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = start;
  let hash: bigint;
  if (end - start >= 32) {
    const lanes = [wrap(prime1 + prime2), prime2, 0n, wrap(-prime1)];
    for (; at + 32 <= end; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = round(lanes[lane]!, view.getBigUint64(at + 8 * lane, true));
      }
    }
    const [first, second, third, fourth] = lanes as [bigint, bigint, bigint, bigint];
    hash = wrap(rotate(first, 1) + rotate(second, 7) + rotate(third, 12) + rotate(fourth, 18));
    for (const lane of lanes) hash = wrap((hash ^ round(0n, lane)) * prime1 + prime4);
  } else {
    hash = prime5;
  }
  hash = wrap(hash + BigInt(end - start));
  for (; at + 8 <= end; at += 8) {
    hash = wrap(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27) * prime1 + prime4);
  }
  if (at + 4 <= end) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(at, true)) * prime1), 23) * prime2 + prime3);
    at += 4;
  }
  for (; at < end; at++) hash = wrap(rotate(hash ^ wrap(BigInt(bytes[at]!) * prime5), 11) * prime1);
  hash = wrap((hash ^ (hash >> 33n)) * prime2);
  hash = wrap((hash ^ (hash >> 29n)) * prime3);
  return hash ^ (hash >> 32n);
}

function round(lane: bigint, input: bigint): bigint {
  return wrap(rotate(wrap(lane + input * prime2), 31) * prime1);
}

function rotate(value: bigint, bits: number): bigint {
  return wrap(value << BigInt(bits)) | (value >> BigInt(64 - bits));
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
