// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, formatEndpoint, networkOf } from '../core/address.ts';
import {
  contains,
  formatDuration,
  formatHostPort,
  formatMac,
  type Parsed,
  parseAddress,
  parseDuration,
  parseEndpoint,
  parseHostPort,
  parseMac,
  parseNetwork,
} from './scalar.ts';

const wrong = (parsed: Parsed<unknown>): string | undefined => ('wrong' in parsed ? parsed.wrong : undefined);
const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const port = fc.integer({ min: 1, max: 65_535 });

describe('a scalar', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(address, port, fc.nat(100_000_000), (bits, number, ms) => {
        for (const own of [bits, BigInt(bits) << BigInt(bits % 97)]) {
          expect(parseAddress(formatAddress(own))).toEqual({ value: own });
          const endpoint = { address: own, port: number };
          expect(parseEndpoint(formatEndpoint(endpoint))).toEqual({ value: endpoint });
        }
        expect(parseDuration(formatDuration(ms))).toEqual({ value: ms });
        const mac = (bits + 1) * 2;
        expect(parseMac(formatMac(mac))).toEqual({ value: mac });
      }),
      { seed: 1 },
    );
  });

  it.each(['1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4/24', '', 7, null])(
    '%j is no address',
    (input) => expect(wrong(parseAddress(input))).toBeDefined(),
  );

  it.each(['10.0.0.1/33', '10.0.0.1/', '10.0.0.1/24/1', '10.0.0/24', '/24', '::1/129', '::1', '::g/64'])(
    '%s is no network',
    (input) => expect(wrong(parseNetwork(input))).toBeDefined(),
  );

  it.each(['10s', '1.5m', '1500ms', '1 h'])('%s is a duration', (input) =>
    expect(wrong(parseDuration(input))).toBeUndefined(),
  );

  it.each(['10', 's', '-1s', '1d', '1e3s', '10 seconds', 10])('%j is no duration', (input) =>
    expect(wrong(parseDuration(input))).toBeDefined(),
  );

  it.each([
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    ':80',
    'web:80',
    '10.0.0.1:+80',
    '2001:db8::1:80',
    '[10.0.0.1]:80',
    '[::1]',
  ])('%s is no endpoint', (input) => expect(wrong(parseEndpoint(input))).toBeDefined());

  it('of a host may be a name or an IPv6 address', () => {
    for (const text of ['switch-1:9559', '127.0.0.1:0', '[::1]:80']) {
      const parsed = parseHostPort(text);
      expect('value' in parsed && formatHostPort(parsed.value)).toBe(text);
    }
    for (const text of ['::1:80', 'host', 'host:', 'a b:1', 'host:70000'])
      expect(wrong(parseHostPort(text))).toBeDefined();
  });

  it('of a network knows who is in it', () => {
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (own, other, prefixLength) => {
        const network = { address: own, prefixLength };
        const bits = (value: number) => value.toString(2).padStart(32, '0').slice(0, prefixLength);
        expect(contains(network, other)).toBe(bits(own) === bits(other));
        expect(bits(networkOf(own, prefixLength))).toBe(bits(own));
      }),
      { seed: 2 },
    );
  });
});
