// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findHash } from './hash-names.ts';
import { type HashFunction, hashBits, hashFunctionOf } from './more-hashes.ts';
import type { Calculation } from './program.ts';

const digits = new TextEncoder().encode('123456789');

function calculationOf(name: string): Calculation {
  const found = findHash(name);
  if (typeof found === 'string') throw new Error(found);
  return { name, ...found, items: [] };
}

function hash(name: string, bytes: Uint8Array = digits): bigint {
  return hashFunctionOf(calculationOf(name))(bytes, 0, bytes.length);
}

/** Of "123456789": the check values of the CRC catalogue, https://reveng.sourceforge.io/crc-catalogue/. */
const checkValues: Readonly<Record<string, bigint>> = {
  crc_8: 0xf4n,
  crc8_custom: 0xf4n,
  crc_8_darc: 0x15n,
  crc_8_i_code: 0x7en,
  crc_8_itu: 0xa1n,
  crc_8_maxim: 0xa1n,
  crc_8_rohc: 0xd0n,
  crc_8_wcdma: 0x25n,
  crc16: 0xbb3dn,
  crc16_custom: 0xbb3dn,
  crc_16: 0xbb3dn,
  crc_16_buypass: 0xfee8n,
  crc_16_dds_110: 0x9ecfn,
  crc_16_dect: 0x007en,
  crc_16_dnp: 0xea82n,
  crc_16_en_13757: 0xc2b7n,
  crc_16_genibus: 0xd64en,
  crc_16_maxim: 0x44c2n,
  crc_16_mcrf4xx: 0x6f91n,
  crc_16_riello: 0x63d0n,
  crc_16_t10_dif: 0xd0dbn,
  crc_16_teledisk: 0x0fb3n,
  crc_16_usb: 0xb4c8n,
  x_25: 0x906en,
  xmodem: 0x31c3n,
  modbus: 0x4b37n,
  kermit: 0x2189n,
  crc_ccitt_false: 0x29b1n,
  crcCCITT: 0x29b1n,
  crc_aug_ccitt: 0xe5ccn,
  crc32: 0xcbf43926n,
  crc32_custom: 0xcbf43926n,
  crc_32: 0xcbf43926n,
  crc_32_bzip2: 0xfc891918n,
  crc_32c: 0xe3069283n,
  crc_32d: 0x87315576n,
  crc_32_mpeg: 0x0376e6e7n,
  posix: 0x765e7680n,
  crc_32q: 0x3010bf7fn,
  jamcrc: 0x340bc6d9n,
  xfer: 0xbd0be338n,
  crc_64: 0x46a5a9388a5beffen,
  crc64_custom: 0x46a5a9388a5beffen,
  crc_64_we: 0x62ec59e3f1a4f00an,
  crc_64_jones: 0xcaa717168609f281n,
};

describe('hashes by name', () => {
  for (const [name, value] of Object.entries(checkValues)) {
    it(`${name} has the check value of the catalogue`, () => expect(hash(name)).toBe(value));
  }

  it('a custom CRC is said in words', () => {
    expect(hash('poly_0x104c11db7_init_0xffffffff_xout_0xffffffff')).toBe(checkValues.crc_32);
    expect(hash('poly_0x11021_not_rev')).toBe(checkValues.xmodem);
    expect(hash('not_rev_xout_0xffff_init_0xffff_poly_0x11021')).toBe(checkValues.crc_16_genibus);
    expect(hash('poly_0x107_not_rev')).toBe(checkValues.crc_8);
  });

  it('what BMv2 has no hash for is no hash', () => {
    for (const name of ['md5', 'poly_0x1021', 'poly_0x11021_rev', 'poly_0x11021_lsb', 'init_0x0', ''])
      expect(findHash(name)).toContain('there is no hash algorithm');
    expect(findHash('random')).toContain('BMv2 has no such hash');
  });

  it('xxh64 gives what xxHash 0.8.1 gives', () => {
    const counting = Uint8Array.from({ length: 100 }, (_, index) => index);
    expect(hash('xxh64', new Uint8Array(0))).toBe(0xef46db3751d8e999n);
    expect(hash('xxh64')).toBe(0x8cb841db40e6ae83n);
    expect(hash('bmv2_hash', counting.subarray(0, 37))).toBe(0xd93fa2dfee5c24c9n);
    expect(hash('xxh64', counting)).toBe(0x6ac1e58032166597n);
  });

  it('hash_ex reads bytes with their sign', () => {
    expect(hash('hash_ex', Uint8Array.of(...digits, 0xff, 0x80))).toBe(0x3a9aceebn);
  });

  it('xor32 pads the last word on the right', () => {
    expect(hash('xor32', Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a))).toBe(0x12345678n ^ 0x9a000000n);
  });

  it('toeplitz has a key of zeroes', () => expect(hash('toeplitz')).toBe(0n));

  it('round_robin counts, each calculation for itself', () => {
    const [first, second] = ['round_robin', 'round_robin'].map((name) => hashFunctionOf(calculationOf(name)));
    const take = (next: HashFunction) => next(digits, 0, 9);
    expect([take(first!), take(first!), take(second!)]).toEqual([0n, 1n, 0n]);
  });

  it('round_robin_consistent remembers what it gave', () => {
    const next = hashFunctionOf(calculationOf('round_robin_consistent'));
    const inputs = [[1], [2], [1], [3], [2]].map((bytes) => Uint8Array.from(bytes));
    expect(inputs.map((bytes) => next(bytes, 0, bytes.length))).toEqual([0n, 1n, 0n, 2n, 1n]);
  });

  it('stay below their width, and do not look outside their range', () => {
    const names = [...Object.keys(checkValues), 'identity', 'csum16', 'xor16', 'xor32', 'xxh64', 'hash_ex'];
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(9),
        (name, bytes, start) => {
          const from = Math.min(start, bytes.length);
          const inside = hashFunctionOf(calculationOf(name))(bytes, from, bytes.length);
          expect(inside).toBe(hash(name, bytes.slice(from)));
          expect(inside >> BigInt(hashBits(calculationOf(name)))).toBe(0n);
        },
      ),
    );
  });
});
