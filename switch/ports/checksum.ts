// SPDX-License-Identifier: Apache-2.0
/** The Internet checksum where a network card would compute it: in a frame whose sender left it to the hardware. */

/**
 * Sums 16-bit big-endian words, an odd last byte padded with zero, without folding.
 *
 * @param end  exclusive
 */
export function sumWords(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial;
  const even = end - ((end - start) & 1);
  for (let at = start; at < even; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  if (even < end) sum += bytes[even]! << 8;
  return sum;
}

/** Folds a sum of words into the checksum to be stored. */
export function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/**
 * Finishes a checksum of which the sender computed only the pseudo header (Linux: CHECKSUM_PARTIAL).
 *
 * @param start   where the summed bytes begin: the TCP or UDP header; they go to the end of the frame
 * @param offset  where the checksum is, counted from `start`; it holds the folded sum of the pseudo header
 * @returns false, and nothing is touched, when the place is outside the frame
 */
export function completeChecksum(frame: Uint8Array, start: number, offset: number): boolean {
  const at = start + offset;
  if (at + 2 > frame.length) return false;
  // A UDP checksum of zero means "none", so a computed zero is sent as its other representation.
  const checksum = foldChecksum(sumWords(frame, start, frame.length)) || 0xffff;
  frame[at] = checksum >> 8;
  frame[at + 1] = checksum & 0xff;
  return true;
}
