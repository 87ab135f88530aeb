// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalBytes,
  decodeBigint,
  decodeNumber,
  decodeValue,
  encodeValue,
  formatIpv4,
  formatIpv6,
  formatMac,
  ipv4,
  ipv6,
  mac,
  paddedBytes,
} from './values.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test.each([
  [0, 16, '00'],
  [255, 16, 'ff'],
  [256, 16, '0100'],
  [0xffffffff, 32, 'ffffffff'],
  [2 ** 48 - 1, 48, 'ffffffffffff'],
  [1n, 128, '01'],
  ['10.0.0.1', 32, '0a000001'],
  ['0.0.0.7', 32, '07'],
  ['00:00:00:00:01:02', 48, '0102'],
  ['2001:db8::1', 128, '20010db8000000000000000000000001'],
  ['0x1ff', 9, '01ff'],
  ['80', 16, '50'],
  [Uint8Array.of(0, 0, 5), 8, '05'],
  [new Uint8Array(), 8, '00'],
  ['Ethernet0', 0, '45746865726e657430'],
] as const)('%s in %i bits is %s', (value, bitwidth, expected) => {
  expect(hex(encodeValue(value, bitwidth))).toBe(expected);
});

test.each([
  [512, 9, 'port: 512 does not fit in 9 bits (at most 511)'],
  [2n ** 32n, 32, 'port: 4294967296 does not fit in 32 bits (at most 4294967295)'],
  [Uint8Array.of(2, 0), 9, 'port: 0x0200 does not fit in 9 bits (at most 511)'],
  [-1, 9, 'port: -1 is not an unsigned integer'],
  [1.5, 9, 'port: 1.5 is not an unsigned integer'],
  [-1n, 9, 'port: -1 is not an unsigned integer'],
  ['10.0.0.256', 32, "'10.0.0.256' is not an IPv4 address; write it as 10.0.0.1"],
  ['10.0.0.1', 16, "port: '10.0.0.1' is not a number, nor an address of 16 bits"],
  [3, 0, 'port: 3 is a number, but the field holds a string'],
] as const)('%s in %i bits is refused', (value, bitwidth, message) => {
  expect(() => encodeValue(value, bitwidth, 'port')).toThrow(message);
});

test('any value survives its canonical form, whose first byte is zero only for zero', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 128 }), fc.bigInt(0n, 2n ** 128n - 1n), (bitwidth, any) => {
      const value = BigInt.asUintN(bitwidth, any);
      const bytes = encodeValue(value, bitwidth);
      expect(bytes[0] !== 0 || bytes.length === 1).toBe(true);
      expect(decodeBigint(bytes)).toBe(value);
      expect(decodeBigint(paddedBytes(bytes, bitwidth))).toBe(value);
      expect(canonicalBytes(paddedBytes(bytes, 128))).toEqual(bytes);
      if (bitwidth <= 53) expect(encodeValue(Number(value), bitwidth)).toEqual(bytes);
      expect(decodeValue(bytes, bitwidth)).toBe(bitwidth <= 32 ? Number(value) : value);
    }),
  );
});

test('numbers that a double cannot hold are refused, not rounded', () => {
  expect(() => decodeNumber(Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0))).toThrow('too large');
});

test('addresses survive text', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (a) => ipv4(formatIpv4(a)) === a));
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 48n - 1n), (a) => mac(formatMac(a)) === a));
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (a) => ipv6(formatIpv6(a)) === a));
});

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['2001:0DB8:0:0:1:0:0:0', '2001:db8:0:0:1::'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
])('IPv6 %s is written %s', (text, expected) => {
  expect(formatIpv6(ipv6(text))).toBe(expected);
});

test.each(['1::2::3', '1:2:3', '1:2:3:4:5:6:7:8:9', '::12345', '1:2:3:4:5:6:7::8', ':::'])(
  'IPv6 %s is refused',
  (text) => {
    expect(() => ipv6(text)).toThrow('is not an IPv6 address');
  },
);
