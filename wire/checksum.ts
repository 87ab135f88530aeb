// SPDX-License-Identifier: Apache-2.0
/**
 * The internet checksum: the complement of the one's-complement sum of the 16-bit words (RFC 1071).
 *
 * A header whose checksum field is right sums to 0xffff, so its `internetChecksum` is 0.
 */

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

/** The sum of what TCP and UDP protect in the IPv4 header: addresses, protocol, length (RFC 9293, section 3.1). */
export function pseudoHeaderSum(source: number, target: number, protocol: number, length: number): number {
  const sum = (source >>> 16) + (source & 0xffff) + (target >>> 16) + (target & 0xffff) + protocol + length;
  return (sum & 0xffff) + (sum >>> 16);
}
