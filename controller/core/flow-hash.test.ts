// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { type Flow, flowHash } from './flow-hash.ts';

/** 13 bytes whose first nine are "123456789", for which the check values of both CRCs are published. */
const digits: Flow = {
  sourceAddress: 0x31323334,
  targetAddress: 0x35363738,
  protocol: 0x39,
  sourcePort: 0,
  targetPort: 0,
};

describe('the flow hash', () => {
  test('is CRC32 IEEE and CRC16 ARC, bit by bit', () => {
    const bytes = [...'123456789'].map((c) => c.charCodeAt(0)).concat([0, 0, 0, 0]);
    expect(bitwiseCrc(bytes.slice(0, 9), 0xedb88320, 0xffffffff, 0xffffffff)).toBe(0xcbf43926);
    expect(bitwiseCrc(bytes.slice(0, 9), 0xa001, 0, 0)).toBe(0xbb3d);
    const hash = flowHash(digits, 0xffff);
    expect(hash.crc32).toBe(bitwiseCrc(bytes, 0xedb88320, 0xffffffff, 0xffffffff));
    expect(hash.crc16).toBe(bitwiseCrc(bytes, 0xa001, 0, 0));
  });

  test('of an IPv6 flow covers 37 bytes in network order', () => {
    const flow: Flow = {
      sourceAddress: 0x0102030405060708090a0b0c0d0e0f10n,
      targetAddress: 0x1112131415161718191a1b1c1d1e1f20n,
      protocol: 0x21,
      sourcePort: 0x2223,
      targetPort: 0x2425,
    };
    const bytes = Array.from({ length: 37 }, (_, i) => i + 1);
    const hash = flowHash(flow, 0xffff);
    expect(hash.crc32).toBe(bitwiseCrc(bytes, 0xedb88320, 0xffffffff, 0xffffffff));
    expect(hash.crc16).toBe(bitwiseCrc(bytes, 0xa001, 0, 0));
    // One of the other family in between leaves no trace.
    flowHash(digits, 0xffff);
    expect(flowHash(flow, 0xffff)).toEqual(hash);
  });

  test('with affinity chooses the slot by the source address, and the filter rows by the flow', () => {
    const other = { ...digits, sourcePort: 4711, targetPort: 80 };
    const { slot } = flowHash(digits, 0xffff, 'source');
    expect(slot).toBe(bitwiseCrc([0x31, 0x32, 0x33, 0x34], 0xedb88320, 0xffffffff, 0xffffffff) & 0xffff);
    expect(flowHash(other, 0xffff, 'source')).toEqual({ ...flowHash(other, 0xffff), slot });
    const ipv6 = { ...digits, sourceAddress: 0x31323334n << 96n, targetAddress: 1n };
    const bytes = [0x31, 0x32, 0x33, 0x34, ...new Array<number>(12).fill(0)];
    expect(flowHash(ipv6, 0xffff, 'source').slot).toBe(
      bitwiseCrc(bytes, 0xedb88320, 0xffffffff, 0xffffffff) & 0xffff,
    );
  });

  test('slot and filter rows share no bits', () => {
    const hash = flowHash(digits, 0xff);
    expect(hash.slot).toBe(hash.crc32 & 0xff);
    expect(hash.rowA).toBe(hash.crc32 >>> 16);
    expect(hash.rowB).toBe(hash.crc16);
  });
});

/** Slow and obvious: the polynomial division itself. */
function bitwiseCrc(bytes: readonly number[], polynomial: number, initial: number, final: number): number {
  let crc = initial;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  return (crc ^ final) >>> 0;
}
