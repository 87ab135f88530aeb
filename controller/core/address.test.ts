// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressKey,
  formatAddress,
  formatEndpoint,
  isInside,
  networkOf,
  parseAddressText,
} from './address.ts';

const ipv4 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
// Zeros in runs, so that '::' is at work.
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((address, group) => (address << 16n) | BigInt(group), 0n));

describe('an address', () => {
  test.each<[string, string]>([
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['fe80::', 'fe80::'],
  ])('%s is written %s, as RFC 5952 wants it', (text, canonical) => {
    expect(formatAddress(parseAddressText(text)!)).toBe(canonical);
  });

  test('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (address) => {
        expect(parseAddressText(formatAddress(address))).toBe(address);
      }),
      { seed: 1 },
    );
  });

  test.each([
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    '::1%eth0',
    '::1.2.3.4',
  ])('%s is none', (text) => expect(parseAddressText(text)).toBeUndefined());

  test('of one family is no address of the other, in keys and in networks', () => {
    expect(addressKey(1)).not.toBe(addressKey(1n));
    expect(addressKey(0x0a000001)).toBe('167772161');
    expect(isInside(1, 0n, 0)).toBe(false);
    expect(isInside(1n, 0, 0)).toBe(false);
  });

  test('has brackets where a port follows its colons', () => {
    expect(formatEndpoint({ address: 1n, port: 80 })).toBe('[::1]:80');
    expect(formatEndpoint({ address: 0x7f000001, port: 80 })).toBe('127.0.0.1:80');
  });

  test('is in the networks that begin with its bits', () => {
    fc.assert(
      fc.property(ipv6, ipv6, fc.integer({ min: 0, max: 128 }), (own, other, prefixLength) => {
        const bits = (value: bigint) => value.toString(2).padStart(128, '0').slice(0, prefixLength);
        expect(isInside(other, own, prefixLength)).toBe(bits(own) === bits(other));
        expect(bits(networkOf(own, prefixLength))).toBe(bits(own));
      }),
      { seed: 2 },
    );
  });
});
