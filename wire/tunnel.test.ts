// SPDX-License-Identifier: Apache-2.0
/** GRE, GUE, and the connection ids of QUIC. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { etherTypes } from './ethernet.ts';
import { decodeGre, encodeGre, greDefaults } from './gre.ts';
import { decodeGue, encodeGue, gueDefaults } from './gue.ts';
import { encodeIpv4, ipv4Defaults, protocols } from './ipv4.ts';
import { decodeQuic, encodeQuic, longHeaderBits, quicPacketTypes, shortHeaderBits } from './quic.ts';
import {
  type ConnectionIdLayout,
  encodeConnectionId,
  patternOf,
  serverIdOfConnection,
} from './quic-server-id.ts';
import { WireError, type WireErrorCode } from './wire-error.ts';

const bits = (count: number) => fc.integer({ min: 0, max: 2 ** count - 1 });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

function codeOf(run: () => unknown): WireErrorCode | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}

describe('GRE', () => {
  const gre = fc.record({
    protocol: bits(16),
    key: fc.option(bits(32), { nil: undefined }),
    sequence: fc.option(bits(32), { nil: undefined }),
    isChecksummed: fc.boolean(),
    payload: bytes(100),
  });

  test('is read as it was written', () => {
    fc.assert(fc.property(gre, (packet) => void expect(decodeGre(encodeGre(packet))).toEqual(packet)));
  });

  test('without options it is four octets', () => {
    expect(encodeGre({ ...greDefaults, protocol: etherTypes.ipv6, payload: hex('60') })).toEqual(
      hex('0000 86dd 60'),
    );
  });

  test.each<[string, WireErrorCode, string]>([
    ['three octets', 'cut-short', '000008'],
    ['a key that is missing', 'cut-short', '2000 0800'],
    ['version 1, which is PPTP', 'bad-version', '0001 880b'],
    ['source routes', 'unsupported', '4000 0800 00000000'],
    ['a wrong checksum', 'bad-checksum', '8000 0800 00010000'],
  ])('%s is refused as %s', (_what, code, text) => expect(codeOf(() => decodeGre(hex(text)))).toBe(code));
});

describe('GUE', () => {
  const gue = fc.record({
    variant: fc.constant(0 as const),
    isControl: fc.boolean(),
    protocol: bits(8),
    flags: bits(16),
    extensions: fc.integer({ min: 0, max: 31 }).chain((words) => {
      return fc.uint8Array({ minLength: words * 4, maxLength: words * 4 });
    }),
    payload: bytes(100),
  });

  test('is read as it was written', () => {
    fc.assert(fc.property(gue, (packet) => void expect(decodeGue(encodeGue(packet))).toEqual(packet)));
  });

  test('IPv4 and IPv6 in variant 0 have headers of four octets', () => {
    const payload = hex('ff');
    expect(encodeGue({ ...gueDefaults, protocol: protocols.ipv4, payload })).toEqual(hex('00 04 0000 ff'));
    expect(encodeGue({ ...gueDefaults, protocol: protocols.ipv6, payload })).toEqual(hex('00 29 0000 ff'));
  });

  test('variant 1 is the packet itself', () => {
    const packet = encodeIpv4({ ...ipv4Defaults, source: 1, target: 2, protocol: 17, payload: hex('') });
    expect(decodeGue(packet)).toMatchObject({ variant: 1, protocol: protocols.ipv4, payload: packet });
    expect(encodeGue(decodeGue(packet))).toEqual(packet);
  });

  test.each<[string, WireErrorCode, string]>([
    ['three octets', 'cut-short', '000400'],
    ['an extension that is missing', 'cut-short', '0104 0000'],
    ['variant 2', 'bad-version', '8004 0000'],
    ['variant 1 with IP of version 5', 'bad-version', '5004 0000'],
  ])('%s is refused as %s', (_what, code, text) => expect(codeOf(() => decodeGue(hex(text)))).toBe(code));
});

describe('QUIC', () => {
  test('a long header is read as it was written', () => {
    const long = fc.record({
      form: fc.constant('long' as const),
      firstBits: bits(7),
      version: bits(32),
      targetConnectionId: bytes(20),
      sourceConnectionId: bytes(20),
      rest: bytes(50),
    });
    fc.assert(fc.property(long, (packet) => void expect(decodeQuic(encodeQuic(packet), 8)).toEqual(packet)));
  });

  test('a short header has an id as long as the reader knows', () => {
    const id = hex('0102030405060708');
    const packet = {
      form: 'short' as const,
      firstBits: shortHeaderBits,
      targetConnectionId: id,
      rest: hex('aabb'),
    };
    expect(encodeQuic(packet)).toEqual(hex('40 0102030405060708 aabb'));
    expect(decodeQuic(encodeQuic(packet), 8)).toEqual(packet);
  });

  test('a handshake packet of version 1 begins with e0', () => {
    const packet = {
      form: 'long' as const,
      firstBits: longHeaderBits(quicPacketTypes.handshake),
      version: 1,
      targetConnectionId: hex('0a'),
      sourceConnectionId: hex('0b0c'),
      rest: hex(''),
    };
    expect(encodeQuic(packet)).toEqual(hex('e0 00000001 01 0a 02 0b0c'));
  });

  test.each(['', '40 01', 'c0 00000001', 'c0 00000001 05 0102', 'c0 00000001 01 aa 02 bb'])(
    "'%s' is cut short",
    (text) => expect(codeOf(() => decodeQuic(hex(text), 8))).toBe('cut-short'),
  );

  test('any bytes are read or refused, never anything else', () => {
    fc.assert(
      fc.property(bytes(60), (input) => {
        codeOf(() => decodeQuic(input, 8));
        codeOf(() => decodeGre(input));
        codeOf(() => decodeGue(input));
      }),
    );
  });
});

describe('connection ids that name a server', () => {
  // The draft's own test vector for plain text: config 0, server c4605e, nonce 4504cc4f.
  test('07c4605e4504cc4f names server c4605e by QUIC-LB', () => {
    const layout: ConnectionIdLayout = { kind: 'quic-lb', configId: 0, serverIdBytes: 3, bytes: 8 };
    expect(encodeConnectionId(layout, 0xc4605en, 0x4504cc4fn)).toEqual(hex('07c4605e4504cc4f'));
    expect(serverIdOfConnection(layout, hex('07c4605e4504cc4f'))).toBe(0xc4605en);
    expect(serverIdOfConnection({ ...layout, configId: 1 }, hex('07c4605e4504cc4f'))).toBeUndefined();
  });

  test.each<[ConnectionIdLayout['kind'] & `katran${string}`, bigint, string]>([
    // 01 and the 16 bits abcd: 01 101010 | 11110011 | 01......
    ['katran-v1', 0xabcdn, '6af3 7fffffffffff'],
    ['katran-v2', 0xabcdefn, 'bf abcdef ffffffff'],
    ['katran-v3', 0x89abcdefn, 'ff 89abcdef ffffff'],
  ])('%s puts its server where Katran looks', (kind, serverId, text) => {
    const layout = { kind, bytes: 8 };
    expect(encodeConnectionId(layout, serverId, (1n << 64n) - 1n)).toEqual(hex(text));
    expect(serverIdOfConnection(layout, hex(text))).toBe(serverId);
  });

  const layout: fc.Arbitrary<ConnectionIdLayout> = fc.oneof(
    fc
      .record({ configId: fc.integer({ min: 0, max: 6 }), serverIdBytes: fc.integer({ min: 1, max: 7 }) })
      .chain(({ configId, serverIdBytes }) =>
        fc
          .integer({ min: Math.max(8, serverIdBytes + 5), max: 20 })
          .map((length) => ({ kind: 'quic-lb' as const, configId, serverIdBytes, bytes: length })),
      ),
    fc.record({
      kind: fc.constantFrom('katran-v1' as const, 'katran-v2' as const, 'katran-v3' as const),
      bytes: fc.integer({ min: 8, max: 20 }),
    }),
  );
  const widths = { 'katran-v1': 16, 'katran-v2': 24, 'katran-v3': 32 };
  const widthOf = (l: ConnectionIdLayout) => (l.kind === 'quic-lb' ? l.serverIdBytes * 8 : widths[l.kind]);
  const noise = fc.bigInt({ min: 0n, max: (1n << 160n) - 1n });

  test('whatever the noise, the server is found, and its pattern fits; that of another server does not', () => {
    fc.assert(
      fc.property(layout, noise, noise, noise, (l, seed, other, filling) => {
        const mask = (1n << BigInt(widthOf(l))) - 1n;
        const [serverId, otherId] = [seed & mask, other & mask];
        const id = encodeConnectionId(l, serverId, filling);
        expect(id).toHaveLength(l.bytes);
        expect(serverIdOfConnection(l, id)).toBe(serverId);
        const hint = id.subarray(0, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
        const fits = ({ value, mask: care }: ReturnType<typeof patternOf>) => (hint & care) === value;
        expect(fits(patternOf(l, serverId))).toBe(true);
        expect(fits(patternOf(l, otherId))).toBe(serverId === otherId);
      }),
    );
  });

  test.each<[string, WireErrorCode, () => unknown]>([
    [
      'a nonce of 3 octets',
      'bad-length',
      () => encodeConnectionId({ kind: 'quic-lb', configId: 0, serverIdBytes: 4, bytes: 8 }, 1n, 0n),
    ],
    [
      'the config id that means "not routable"',
      'out-of-range',
      () => encodeConnectionId({ kind: 'quic-lb', configId: 7, serverIdBytes: 1, bytes: 8 }, 1n, 0n),
    ],
    [
      'a pattern beyond the first 8 octets',
      'bad-length',
      () => patternOf({ kind: 'quic-lb', configId: 0, serverIdBytes: 8, bytes: 20 }, 1n),
    ],
    [
      'a server beyond 16 bits',
      'out-of-range',
      () => encodeConnectionId({ kind: 'katran-v1', bytes: 8 }, 0x10000n, 0n),
    ],
    ['7 octets for Katran', 'bad-length', () => encodeConnectionId({ kind: 'katran-v2', bytes: 7 }, 1n, 0n)],
  ])('%s is refused as %s', (_what, code, run) => expect(codeOf(run)).toBe(code));
});
