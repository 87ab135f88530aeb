// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv4, formatMac, parseIpv4, parseMac } from './address.ts';
import { decodeArp, encodeArp } from './arp.ts';
import { internetChecksum, onesComplementSum } from './checksum.ts';
import { decodeEthernet, encodeEthernet } from './ethernet.ts';
import { decodeIpv4, encodeIpv4, ipv4Defaults } from './ipv4.ts';
import { decodeTcp, encodeTcp, tcpDefaults, tcpFlags } from './tcp.ts';
import { decodeUdp, encodeUdp } from './udp.ts';
import { WireError, type WireErrorCode } from './wire-error.ts';

const bits = (count: number) => fc.integer({ min: 0, max: 2 ** count - 1 });
const mac = fc.maxSafeNat().map((n) => n % 2 ** 48);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const options = fc.integer({ min: 0, max: 10 }).chain((words) => {
  return fc.uint8Array({ minLength: words * 4, maxLength: words * 4 });
});
const addresses = fc.record({ source: bits(32), target: bits(32) });
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

function codeOf(run: () => unknown): WireErrorCode | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) {
      return error.code;
    }
    throw error;
  }
}

describe('checksum', () => {
  test('RFC 1071, section 3: the numerical example sums to ddf2', () => {
    expect(onesComplementSum(hex('0001 f203 f4f5 f6f7'))).toBe(0xddf2);
  });

  test('a sum may be taken in parts', () => {
    fc.assert(
      fc.property(bytes(200), bytes(200), (head, tail) => {
        fc.pre(head.length % 2 === 0);
        const whole = Uint8Array.of(...head, ...tail);
        expect(internetChecksum(tail, onesComplementSum(head))).toBe(internetChecksum(whole));
      }),
    );
  });

  test('the longest packet of ones does not overflow', () => {
    expect(onesComplementSum(new Uint8Array(65534).fill(0xff), 0xffff)).toBe(0xffff);
  });
});

describe('golden packets', () => {
  // The IPv4 header of the Wikipedia article "Internet checksum", with 95 bytes of payload.
  test('an IPv4 header known to be right is read, and written back as it was', () => {
    const header = hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7');
    const packet = Uint8Array.of(...header, ...new Uint8Array(95).fill(7));
    const decoded = decodeIpv4(packet);
    expect(formatIpv4(decoded.source)).toBe('192.168.0.1');
    expect(formatIpv4(decoded.target)).toBe('192.168.0.199');
    expect(decoded).toMatchObject({ ttl: 64, protocol: 17, dontFragment: true, moreFragments: false });
    expect(encodeIpv4(decoded)).toEqual(packet);
  });

  // By hand: 141d (addresses, protocol, length) + 15524 (segment) = 16941, folded 6942, complement 96bd.
  test('a SYN from 10.0.0.1:1234 to 10.0.0.2:80', () => {
    const segment = encodeTcp(
      {
        ...tcpDefaults,
        sourcePort: 1234,
        targetPort: 80,
        sequence: 1,
        acknowledgement: 0,
        flags: tcpFlags.syn,
      },
      { source: parseIpv4('10.0.0.1'), target: parseIpv4('10.0.0.2') },
    );
    expect(segment).toEqual(hex('04d2 0050 00000001 00000000 5002 ffff 96bd 0000'));
  });

  test('who-has 10.0.0.2 tell 10.0.0.1', () => {
    const packet = hex('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002');
    expect(decodeArp(packet)).toEqual({
      operation: 1,
      senderMac: 0x020000000001,
      senderAddress: 0x0a000001,
      targetMac: 0,
      targetAddress: 0x0a000002,
    });
  });
});

describe('what is written is read back', () => {
  test('addresses as text', () => {
    fc.assert(fc.property(bits(32), (address) => void expect(parseIpv4(formatIpv4(address))).toBe(address)));
    fc.assert(fc.property(mac, (address) => void expect(parseMac(formatMac(address))).toBe(address)));
  });

  test('Ethernet', () => {
    const frame = fc.record({ targetMac: mac, sourceMac: mac, etherType: bits(16), payload: bytes(100) });
    fc.assert(fc.property(frame, (f) => void expect(decodeEthernet(encodeEthernet(f))).toEqual(f)));
  });

  test('ARP, with the padding of a short frame behind it', () => {
    const packet = fc.record({
      operation: bits(16),
      senderMac: mac,
      senderAddress: bits(32),
      targetMac: mac,
      targetAddress: bits(32),
    });
    fc.assert(
      fc.property(packet, bytes(18), (p, padding) => {
        expect(decodeArp(Uint8Array.of(...encodeArp(p), ...padding))).toEqual(p);
      }),
    );
  });

  const ipv4 = fc.record({
    source: bits(32),
    target: bits(32),
    protocol: bits(8),
    ttl: bits(8),
    trafficClass: bits(8),
    identification: bits(16),
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: bits(13),
    options,
    payload: bytes(300),
  });

  test('IPv4, with padding behind it', () => {
    fc.assert(
      fc.property(ipv4, bytes(20), (p, padding) => {
        expect(decodeIpv4(Uint8Array.of(...encodeIpv4(p), ...padding))).toEqual(p);
      }),
    );
  });

  const tcp = fc.record({
    sourcePort: bits(16),
    targetPort: bits(16),
    sequence: bits(32),
    acknowledgement: bits(32),
    flags: bits(8),
    window: bits(16),
    urgent: bits(16),
    options,
    payload: bytes(300),
  });

  test('TCP', () => {
    fc.assert(
      fc.property(tcp, addresses, (s, around) => {
        expect(decodeTcp(encodeTcp(s, around), around)).toEqual(s);
      }),
    );
  });

  const udp = fc.record({
    sourcePort: bits(16),
    targetPort: bits(16),
    isChecksummed: fc.boolean(),
    payload: bytes(300),
  });

  test('UDP', () => {
    fc.assert(
      fc.property(udp, addresses, (d, around) => {
        expect(decodeUdp(encodeUdp(d, around), around)).toEqual(d);
      }),
    );
  });

  test('a UDP sum of zero goes out as ffff, since 0 would say "no checksum"', () => {
    const around = { source: 0, target: 0 };
    const plain = { sourcePort: 0, targetPort: 0, isChecksummed: true };
    // The words 0011 (protocol) + 000a + 000a (both lengths) + ffda sum to ffff.
    const written = encodeUdp({ ...plain, payload: hex('ffda') }, around);
    expect([...written.subarray(6, 8)]).toEqual([0xff, 0xff]);
    expect(decodeUdp(written, around).isChecksummed).toBe(true);
  });

  test('one changed bit of a TCP segment is noticed', () => {
    fc.assert(
      fc.property(tcp, addresses, fc.nat(), (s, around, at) => {
        const written = encodeTcp(s, around);
        const bit = at % (written.length * 8);
        written[bit >>> 3]! ^= 1 << (bit & 7);
        expect(['bad-checksum', 'bad-length']).toContain(codeOf(() => decodeTcp(written, around)));
      }),
    );
  });
});

describe('bad input', () => {
  const good = encodeIpv4({ ...ipv4Defaults, source: 1, target: 2, protocol: 6, payload: new Uint8Array(8) });
  const changed = (offset: number, value: number) => Uint8Array.of(...good.with(offset, value));
  const around = { source: 1, target: 2 };
  const udp = encodeUdp({ sourcePort: 1, targetPort: 2, isChecksummed: true, payload: hex('0102') }, around);

  const cases: [string, WireErrorCode, () => unknown][] = [
    ['13 bytes of Ethernet', 'cut-short', () => decodeEthernet(new Uint8Array(13))],
    ['27 bytes of ARP', 'cut-short', () => decodeArp(new Uint8Array(27))],
    ['ARP about something else', 'unsupported', () => decodeArp(new Uint8Array(28))],
    ['19 bytes of IPv4', 'cut-short', () => decodeIpv4(good.subarray(0, 19))],
    ['IPv4 shorter than it says', 'cut-short', () => decodeIpv4(good.subarray(0, 27))],
    ['version 6', 'bad-version', () => decodeIpv4(changed(0, 0x65))],
    ['a header of 16 bytes', 'bad-length', () => decodeIpv4(changed(0, 0x44))],
    ['a total shorter than the header', 'bad-length', () => decodeIpv4(changed(3, 19))],
    ['a damaged IPv4 header', 'bad-checksum', () => decodeIpv4(changed(8, 63))],
    ['a crooked option', 'bad-length', () => encodeIpv4({ ...decodeIpv4(good), options: hex('01') })],
    ['a TTL of 256', 'out-of-range', () => encodeIpv4({ ...decodeIpv4(good), ttl: 256 })],
    ['a fractional TTL', 'out-of-range', () => encodeIpv4({ ...decodeIpv4(good), ttl: 0.5 })],
    ['a TCP header of 0 words', 'bad-length', () => decodeTcp(new Uint8Array(20), around)],
    ['UDP of length 0', 'bad-length', () => decodeUdp(new Uint8Array(8), around)],
    ['UDP cut short', 'cut-short', () => decodeUdp(udp.subarray(0, 9), around)],
    ['UDP for another address', 'bad-checksum', () => decodeUdp(udp, { source: 1, target: 3 })],
    ['address 1.2.3', 'out-of-range', () => parseIpv4('1.2.3')],
    ['address 1.2.3.256', 'out-of-range', () => parseIpv4('1.2.3.256')],
    ['address 1.2.3.04', 'out-of-range', () => parseIpv4('1.2.3.04')],
    ['MAC 02:00', 'out-of-range', () => parseMac('02:00')],
  ];

  test.each(cases)('%s is refused as %s', (_what, code, run) => {
    expect(codeOf(run)).toBe(code);
  });

  test('any bytes are read or refused, never anything else', () => {
    fc.assert(
      fc.property(bytes(80), (input) => {
        codeOf(() => decodeEthernet(input));
        codeOf(() => decodeArp(input));
        codeOf(() => decodeIpv4(input));
        codeOf(() => decodeTcp(input, around));
        codeOf(() => decodeUdp(input, around));
      }),
    );
  });
});
