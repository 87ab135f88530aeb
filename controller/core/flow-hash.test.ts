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
