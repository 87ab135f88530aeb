// SPDX-License-Identifier: Apache-2.0
/**
 * The hash functions of v1model over a range of bytes. Names and parameters are BMv2's. Those that programs use in
 * every packet are made for speed; the rest of BMv2's list is in more-hashes.ts.
 *
 * Sources: RFC 1071 (csum16); "A Painless Guide to CRC Error Detection Algorithms", Ross Williams, 1993 (both CRCs in
 * their table-driven, reflected form; slicing by four after Kounavis and Berry, 2005).
 */

/** CRC-32 as in IEEE 802.3: polynomial 0x04c11db7 reflected, initial value and final xor 0xffffffff. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff | 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      crc32Tables[768 + (crc & 0xff)]! ^
      crc32Tables[512 + ((crc >>> 8) & 0xff)]! ^
      crc32Tables[256 + ((crc >>> 16) & 0xff)]! ^
      crc32Tables[crc >>> 24]!;
  }
  for (; at < end; at++) crc = crc32Tables[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** CRC-16/ARC: polynomial 0x8005 reflected, initial value and final xor 0. */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8);
    crc =
      crc16Tables[768 + (crc & 0xff)]! ^
      crc16Tables[512 + (crc >>> 8)]! ^
      crc16Tables[256 + bytes[at + 2]!]! ^
      crc16Tables[bytes[at + 3]!]!;
  }
  for (; at < end; at++) crc = crc16Tables[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

/** The ones' complement of the ones' complement sum of big-endian 16-bit words; an odd byte is padded on the right. */
export function csum16(bytes: Uint8Array, start: number, end: number): number {
  return foldedComplement(sum16(bytes, start, end));
}

/** The sum of big-endian 16-bit words, not folded: exact for any packet. */
export function sum16(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  if (at < end) sum += bytes[at]! << 8;
  return sum;
}

/** Turns a sum of 16-bit words (below 2^48) into a checksum. */
export function foldedComplement(sum: number): number {
  // Two steps fold whatever integers hold, and that is every header.
  if (sum < 0x8000_0000) {
    const once = (sum & 0xffff) + (sum >>> 16);
    return ~((once & 0xffff) + (once >>> 16)) & 0xffff;
  }
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/** Exclusive or of big-endian 16-bit words; an odd byte is padded on the right. */
export function xor16(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 2) {
    value ^= (bytes[at]! << 8) | (at + 1 < end ? bytes[at + 1]! : 0);
  }
  return value;
}

const crc32Tables = slicingTables(0xedb88320);
const crc16Tables = slicingTables(0xa001);

/** Four tables of 256, one after the other: the effect of a byte followed by 0, 1, 2 or 3 zero bytes. */
function slicingTables(reflectedPolynomial: number): Int32Array {
  const tables = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    tables[byte] = crc;
  }
  for (let index = 256; index < 1024; index++) {
    const previous = tables[index - 256]!;
    tables[index] = tables[previous & 0xff]! ^ (previous >>> 8);
  }
  return tables;
}
