// SPDX-License-Identifier: Apache-2.0
/**
 * The internet checksum: the complement of the one's-complement sum of the 16-bit words (RFC 1071).
 *
 * A header whose checksum field is right sums to 0xffff, so its `internetChecksum` is 0.
 */

import type { IpAddress } from './address.ts';

/**
 * Adds bytes to a running sum; an odd last byte is the high half of a word. The result is folded to 16 bits, so sums of
 * parts may be chained as long as every part but the last has an even length.
 */
export function onesComplementSum(bytes: Uint8Array, sum = 0): number {
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) {
    sum += (bytes[i]! << 8) | bytes[i + 1]!;
  }
  if (even < bytes.length) {
    sum += bytes[even]! << 8;
  }
  // 65,535 bytes sum to less than 2^32: the number is exact, and two folds are enough.
  sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return (sum & 0xffff) + (sum >>> 16);
}

export function internetChecksum(bytes: Uint8Array, sum = 0): number {
  return ~onesComplementSum(bytes, sum) & 0xffff;
}

/**
 * The sum of what a protocol above IP protects of the header below it: addresses, protocol, length.
 *
 * Source: RFC 9293, section 3.1 (IPv4); RFC 8200, section 8.1 (IPv6), whose longer fields sum to the same.
 */
export function pseudoHeaderSum(
  source: IpAddress,
  target: IpAddress,
  protocol: number,
  length: number,
): number {
  const sum = addressSum(source) + addressSum(target) + protocol + (length & 0xffff) + (length >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

function addressSum(address: IpAddress): number {
  if (typeof address === 'number') return (address >>> 16) + (address & 0xffff);
  let sum = 0;
  for (let rest = address; rest > 0n; rest >>= 16n) sum += Number(rest & 0xffffn);
  return sum;
}
