// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc16, crc32, csum16, xor16 } from './hashes.ts';

const digits = new TextEncoder().encode('123456789');

/** A CRC by its definition: one bit at a time, reflected. */
function bitwiseCrc(bytes: Uint8Array, polynomial: number, initial: number, finalXor: number): number {
  let crc = initial;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (crc ^ (byte >>> bit)) & 1;
      crc = (crc >>> 1) ^ (feedback ? polynomial : 0);
    }
  }
  return (crc ^ finalXor) >>> 0;
}

describe('hashes', () => {
  it('give the check values of the CRC catalogue', () => {
    expect(crc32(digits, 0, 9)).toBe(0xcbf43926);
    expect(crc16(digits, 0, 9)).toBe(0xbb3d);
  });

  it('sum the example of RFC 1071, section 3', () => {
    const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(csum16(example, 0, 8)).toBe(~0xddf2 & 0xffff);
  });

  it('agree with CRCs computed bit by bit, anywhere in a buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(5), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        const part = bytes.subarray(from);
        expect(crc32(bytes, from, bytes.length)).toBe(bitwiseCrc(part, 0xedb88320, 0xffffffff, 0xffffffff));
        expect(crc16(bytes, from, bytes.length)).toBe(bitwiseCrc(part, 0xa001, 0, 0));
      }),
    );
  });

  it('pad an odd byte on the right', () => {
    expect(csum16(Uint8Array.of(0x12), 0, 1)).toBe(~0x1200 & 0xffff);
    expect(xor16(Uint8Array.of(0x12, 0x34, 0x56), 0, 3)).toBe(0x1234 ^ 0x5600);
  });

  it('makes a checksum that verifies: data and checksum together sum to zero', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 1500 }), (bytes) => {
        const even = bytes.subarray(0, bytes.length & ~1);
        const sum = csum16(even, 0, even.length);
        expect(csum16(Uint8Array.of(...even, sum >>> 8, sum & 0xff), 0, even.length + 2)).toBe(0);
      }),
    );
  });
});
