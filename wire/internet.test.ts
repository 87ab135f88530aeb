// SPDX-License-Identifier: Apache-2.0
/** IPv6 with its extension headers, ICMP of both kinds, neighbour discovery, options and fragments. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv6, parseIpv6 } from './address.ts';
import {
  decodeIcmp,
  decodeIcmpv6,
  echo,
  echoOf,
  encodeIcmp,
  encodeIcmpv6,
  icmpTypes,
  icmpv6Types,
} from './icmp.ts';
import { decodeIpv4Start, encodeIpv4, fragmentIpv4, ipv4Defaults, protocols } from './ipv4.ts';
import {
  decodeFragment,
  decodeIpv6,
  decodeIpv6Start,
  encodeIpv6,
  extensionKinds,
  extensionsMax,
  fragmentExtension,
  fragmentIpv6,
  type Ipv6Extension,
  ipv6Defaults,
  paddingExtension,
} from './ipv6.ts';
import {
  decodeNeighbourAdvertisement,
  decodeNeighbourSolicitation,
  encodeNeighbourAdvertisement,
  encodeNeighbourSolicitation,
  multicastMac,
  solicitedNodeAddress,
} from './ndp.ts';
import { decodeOptions, encodeOptions, serverIdOf, serverIdOption, tcpOptionKinds } from './options.ts';
import { decodeTcp, encodeTcp, tcpDefaults } from './tcp.ts';
import { decodeUdp, encodeUdp } from './udp.ts';
import { WireError, type WireErrorCode } from './wire-error.ts';

const bits = (count: number) => fc.integer({ min: 0, max: 2 ** count - 1 });
const ipv6Address = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const mac = bits(48);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const addresses = fc.record({ source: ipv6Address, target: ipv6Address });
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const around = { source: parseIpv6('fd00::1'), target: parseIpv6('fd00::2') };

function errorOf(run: () => unknown): WireError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

describe('IPv6 addresses as text', () => {
  test.each([
    ['::', 0n],
    ['::1', 1n],
    ['2001:db8::1', 0x2001_0db8_0000_0000_0000_0000_0000_0001n],
    // RFC 5952, section 4.2.2: one group alone is not shortened.
    ['2001:db8:0:1:1:1:1:1', 0x2001_0db8_0000_0001_0001_0001_0001_0001n],
    // Section 4.2.3: the longest run, and of equals the first.
    ['2001:0:0:1::1', 0x2001_0000_0000_0001_0000_0000_0000_0001n],
    ['2001:db8::1:0:0:1', 0x2001_0db8_0000_0000_0001_0000_0000_0001n],
    ['fe80::', 0xfe80n << 112n],
    ['::ffff:192.0.2.1', 0xffff_c000_0201n],
  ])('%s is read and written', (text, address) => {
    expect(parseIpv6(text)).toBe(address);
    expect(formatIpv6(address)).toBe(text);
  });

  test.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s is the same as %s', (text, canonical) => expect(formatIpv6(parseIpv6(text))).toBe(canonical));

  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
  ])("'%s' is none", (text) => expect(errorOf(() => parseIpv6(text))?.code).toBe('out-of-range'));

  test('any address is read back', () => {
    fc.assert(
      fc.property(ipv6Address, (address) => void expect(parseIpv6(formatIpv6(address))).toBe(address)),
    );
  });
});

const extension: fc.Arbitrary<Ipv6Extension> = fc.oneof(
  fc.integer({ min: 1, max: 4 }).chain((units) =>
    fc.record({
      kind: fc.constantFrom(
        extensionKinds.hopByHop,
        extensionKinds.routing,
        extensionKinds.destinationOptions,
        extensionKinds.authentication,
      ),
      data: fc.uint8Array({ minLength: units * 8 - 2, maxLength: units * 8 - 2 }),
    }),
  ),
  fc
    .record({ offset: fc.constant(0), moreFragments: fc.boolean(), identification: bits(32) })
    .map(fragmentExtension),
);
const payloadProtocol = bits(8).filter(
  (protocol) => !(Object.values(extensionKinds) as number[]).includes(protocol),
);
const ipv6 = fc.record({
  source: ipv6Address,
  target: ipv6Address,
  protocol: payloadProtocol,
  hopLimit: bits(8),
  trafficClass: bits(8),
  flowLabel: bits(20),
  extensions: fc.array(extension, { maxLength: 4 }),
  payload: bytes(300),
});

describe('IPv6', () => {
  test('is read as it was written, with padding behind it', () => {
    fc.assert(
      fc.property(ipv6, bytes(20), (packet, padding) => {
        expect(decodeIpv6(Uint8Array.of(...encodeIpv6(packet), ...padding))).toEqual(packet);
      }),
    );
  });

  test('behind the header of a later fragment lies data, whatever it looks like', () => {
    const middle = fragmentExtension({ offset: 3, moreFragments: true, identification: 7 });
    const packet = { ...ipv6Defaults, ...around, extensions: [middle], payload: new Uint8Array(8) };
    const read = decodeIpv6(encodeIpv6({ ...packet, protocol: extensionKinds.destinationOptions }));
    expect(read).toMatchObject({ protocol: extensionKinds.destinationOptions, extensions: [middle] });
    expect(read.payload).toHaveLength(8);
  });

  test('fragments make up the payload, and each fits', () => {
    fc.assert(
      fc.property(ipv6, fc.integer({ min: 1280, max: 1500 }), bytes(5000), (packet, mtu, payload) => {
        const fragments = fragmentIpv6({ ...packet, payload, extensions: [] }, mtu, 99);
        let at = 0;
        for (const fragment of fragments) {
          expect(encodeIpv6(fragment).length).toBeLessThanOrEqual(mtu);
          const { offset, moreFragments, identification } = decodeFragment(fragment.extensions.at(-1)!.data);
          expect(offset * 8).toBe(at);
          expect(identification).toBe(99);
          at += fragment.payload.length;
          expect(moreFragments).toBe(at < payload.length);
        }
        expect(Buffer.concat(fragments.map((fragment) => fragment.payload)).equals(payload)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  const good = encodeIpv6({
    ...ipv6Defaults,
    ...around,
    protocol: protocols.udp,
    extensions: [
      paddingExtension(extensionKinds.hopByHop, 8),
      paddingExtension(extensionKinds.destinationOptions, 16),
    ],
    payload: new Uint8Array(8),
  });
  const changed = (offset: number, value: number) => Uint8Array.from(good.with(offset, value));
  const chain = Array.from({ length: extensionsMax + 1 }, () =>
    paddingExtension(extensionKinds.destinationOptions, 8),
  );
  test.each<[string, WireErrorCode, string, () => unknown]>([
    ['39 bytes', 'cut-short', 'needs 40 bytes', () => decodeIpv6(good.subarray(0, 39))],
    ['an extension cut off', 'cut-short', '(kind 60) at byte 48', () => decodeIpv6(good.subarray(0, 56))],
    [
      'a payload cut off',
      'cut-short',
      'the IPv6 packet',
      () => decodeIpv6(good.subarray(0, good.length - 1)),
    ],
    ['version 4', 'bad-version', 'is 4, not 6', () => decodeIpv6(changed(0, 0x45))],
    [
      'an extension beyond the packet',
      'bad-length',
      'header 1 (kind 0) at byte 40',
      () => decodeIpv6(changed(41, 9)),
    ],
    [
      'a chain without end',
      'unsupported',
      'more than 16',
      () => decodeIpv6(encodeIpv6({ ...decodeIpv6(good), extensions: chain })),
    ],
    [
      'an extension of 7 bytes',
      'bad-length',
      'cannot have 7',
      () => encodeIpv6({ ...decodeIpv6(good), extensions: [{ kind: 60, data: new Uint8Array(5) }] }),
    ],
    [
      'TCP as an extension',
      'unsupported',
      '6 is no kind',
      () => encodeIpv6({ ...decodeIpv6(good), extensions: [{ kind: 6, data: new Uint8Array(6) }] }),
    ],
    [
      'a flow label of 21 bits',
      'out-of-range',
      'flow label',
      () => encodeIpv6({ ...decodeIpv6(good), flowLabel: 2 ** 20 }),
    ],
    ['a negative address', 'out-of-range', 'IPv6', () => encodeIpv6({ ...decodeIpv6(good), source: -1n })],
  ])('%s is refused as %s', (_what, code, words, run) => {
    expect(errorOf(run)).toMatchObject({ code, message: expect.stringContaining(words) });
  });
});

describe('what an ICMP error quotes', () => {
  test('an IPv4 packet without its end is read as far as it goes', () => {
    const whole = encodeIpv4({
      ...ipv4Defaults,
      source: 1,
      target: 2,
      protocol: 17,
      payload: new Uint8Array(100),
    });
    const { packet, totalBytes } = decodeIpv4Start(whole.subarray(0, 28));
    expect(packet.payload).toHaveLength(8);
    expect(totalBytes).toBe(120);
  });

  test('so is an IPv6 packet', () => {
    const whole = encodeIpv6({ ...ipv6Defaults, ...around, protocol: 17, payload: new Uint8Array(100) });
    const { packet, totalBytes } = decodeIpv6Start(whole.subarray(0, 48));
    expect(packet.payload).toHaveLength(8);
    expect(totalBytes).toBe(140);
  });
});

describe('ICMP', () => {
  const message = fc.record({ type: bits(8), code: bits(8), rest: bits(32), payload: bytes(200) });

  test('is read as it was written', () => {
    fc.assert(fc.property(message, (m) => void expect(decodeIcmp(encodeIcmp(m))).toEqual(m)));
    fc.assert(
      fc.property(message, addresses, (m, a) => void expect(decodeIcmpv6(encodeIcmpv6(m, a), a)).toEqual(m)),
    );
  });

  // Sum by hand: 0800 + 1234 + 0001 + 6162 = 7b97, complement 8468.
  test('an echo request with identifier 1234, sequence 1, "ab"', () => {
    const request = echo(icmpTypes.echoRequest, { identifier: 0x1234, sequence: 1, payload: hex('6162') });
    expect(encodeIcmp(request)).toEqual(hex('0800 8468 1234 0001 6162'));
    expect(echoOf(decodeIcmp(encodeIcmp(request)))).toEqual({
      identifier: 0x1234,
      sequence: 1,
      payload: hex('6162'),
    });
  });

  test("only ICMPv6's checksum knows the addresses", () => {
    const request = echo(icmpv6Types.echoRequest, { identifier: 1, sequence: 1, payload: hex('') });
    const written = encodeIcmpv6(request, around);
    expect(errorOf(() => decodeIcmpv6(written, { ...around, target: 5n }))?.code).toBe('bad-checksum');
    expect(errorOf(() => decodeIcmp(written))?.code).toBe('bad-checksum');
    expect(errorOf(() => decodeIcmp(written.subarray(0, 7)))?.code).toBe('cut-short');
  });
});

describe('neighbour discovery', () => {
  test('a solicitation is read as it was written', () => {
    const solicitation = fc.record({
      targetAddress: ipv6Address,
      sourceMac: fc.option(mac, { nil: undefined }),
    });
    fc.assert(
      fc.property(solicitation, addresses, (s, a) => {
        expect(decodeNeighbourSolicitation(encodeNeighbourSolicitation(s, a), a)).toEqual(s);
      }),
    );
  });

  test('an advertisement is read as it was written', () => {
    const advertisement = fc.record({
      targetAddress: ipv6Address,
      targetMac: fc.option(mac, { nil: undefined }),
      isRouter: fc.boolean(),
      isSolicited: fc.boolean(),
      isOverride: fc.boolean(),
    });
    fc.assert(
      fc.property(advertisement, addresses, (m, a) => {
        expect(decodeNeighbourAdvertisement(encodeNeighbourAdvertisement(m, a), a)).toEqual(m);
      }),
    );
  });

  test('who looks for fd00::1:2345:6789 asks ff02::1:ff45:6789 at 33:33:ff:45:67:89', () => {
    const group = solicitedNodeAddress(parseIpv6('fd00::1:2345:6789'));
    expect(formatIpv6(group)).toBe('ff02::1:ff45:6789');
    expect(multicastMac(group)).toBe(0x3333_ff45_6789);
  });

  test('options of other kinds are passed over, one without length is refused', () => {
    const target = hex('fd000000000000000000000000000009');
    const nonce = hex('0e01 112233445566');
    const mac = hex('0101 020000000001');
    const solicit = (options: Uint8Array) => {
      const payload = Uint8Array.of(...target, ...options);
      return encodeIcmpv6({ type: icmpv6Types.neighbourSolicitation, code: 0, rest: 0, payload }, around);
    };
    const read = decodeNeighbourSolicitation(solicit(Uint8Array.of(...nonce, ...mac)), around);
    expect(read.sourceMac).toBe(0x0200_0000_0001);
    const crooked = () => decodeNeighbourSolicitation(solicit(hex('0100 020000000001')), around);
    expect(errorOf(crooked)).toMatchObject({
      code: 'bad-length',
      message: expect.stringContaining('at byte 0'),
    });
    const advertised = () => decodeNeighbourAdvertisement(solicit(mac), around);
    expect(errorOf(advertised)?.code).toBe('unsupported');
  });
});

describe('options', () => {
  const option = fc.oneof(
    fc.constant({ kind: tcpOptionKinds.noOperation, data: new Uint8Array(0) }),
    fc.record({ kind: fc.integer({ min: 2, max: 255 }), data: bytes(7) }),
  );

  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(option, { maxLength: 4 }), (options) => {
        expect(decodeOptions(encodeOptions(options))).toEqual(options);
      }),
    );
  });

  test('a TCP segment names its server, whatever stands before it', () => {
    const timestamps = { kind: tcpOptionKinds.timestamps, data: new Uint8Array(8) };
    const options = encodeOptions([timestamps, serverIdOption(0xc0ffee01)]);
    expect(options).toEqual(hex('080a 0000000000000000 b706 c0ffee01'));
    const segment = {
      ...tcpDefaults,
      sourcePort: 1,
      targetPort: 2,
      sequence: 3,
      acknowledgement: 4,
      flags: 16,
      options,
    };
    const read = decodeTcp(encodeTcp(segment, around), around);
    expect(serverIdOf(decodeOptions(read.options))).toBe(0xc0ffee01);
  });

  test('a server id of another length names nobody', () => {
    expect(serverIdOf(decodeOptions(hex('b704 0001')))).toBeUndefined();
    expect(serverIdOf(decodeOptions(hex('0101 0101')))).toBeUndefined();
  });

  test.each([
    ['a length of 1', 'b701 0000', 'option 183 at byte 0 of 4 says 1'],
    ['an end within the option', '01b7 0600', 'option 183 at byte 1 of 4 says 6'],
    ['a kind without length', '0101 01b7', 'option 183 at byte 3 of 4 says 0'],
  ])('%s is refused with its place', (_what, text, words) => {
    expect(errorOf(() => decodeOptions(hex(text)))).toMatchObject({
      code: 'bad-length',
      message: expect.stringContaining(words),
    });
  });

  test('more than 40 bytes fit no header', () => {
    const tooMany = Array.from({ length: 5 }, () => ({ kind: 30, data: new Uint8Array(7) }));
    expect(errorOf(() => encodeOptions(tooMany))?.code).toBe('bad-length');
  });
});

describe('IPv4 fragments', () => {
  test('make up the payload, and each fits', () => {
    fc.assert(
      fc.property(bytes(4000), fc.integer({ min: 68, max: 1500 }), (payload, mtu) => {
        const packet = { ...ipv4Defaults, source: 1, target: 2, protocol: 17, identification: 5, payload };
        const fragments = fragmentIpv4(packet, mtu);
        let at = 0;
        for (const fragment of fragments) {
          expect(encodeIpv4(fragment).length).toBeLessThanOrEqual(mtu);
          expect(fragment.fragmentOffset * 8).toBe(at);
          at += fragment.payload.length;
          expect(fragment.moreFragments).toBe(at < payload.length);
        }
        expect(Buffer.concat(fragments.map((fragment) => fragment.payload)).equals(payload)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('no fragment fits an MTU of 27', () => {
    const packet = { ...ipv4Defaults, source: 1, target: 2, protocol: 17, payload: new Uint8Array(100) };
    expect(errorOf(() => fragmentIpv4(packet, 27))?.code).toBe('bad-length');
  });
});

test('UDP over IPv6 is protected by its addresses', () => {
  const datagram = { sourcePort: 1, targetPort: 2, isChecksummed: true, payload: hex('0102') };
  const written = encodeUdp(datagram, around);
  expect(decodeUdp(written, around)).toEqual(datagram);
  expect(errorOf(() => decodeUdp(written, { ...around, source: 7n }))?.code).toBe('bad-checksum');
});

test('any bytes are read or refused, never anything else', () => {
  fc.assert(
    fc.property(bytes(120), fc.constantFrom(0x60, 0x45, 0x00), (input, first) => {
      const packet = Uint8Array.of(first, ...input);
      errorOf(() => decodeIpv6(packet));
      errorOf(() => decodeIpv6Start(packet));
      errorOf(() => decodeIpv4Start(packet));
      errorOf(() => decodeIcmp(packet));
      errorOf(() => decodeNeighbourSolicitation(packet, around));
      errorOf(() => decodeOptions(packet));
    }),
  );
});
