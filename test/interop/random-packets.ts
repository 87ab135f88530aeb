// SPDX-License-Identifier: Apache-2.0
/** Packets that nobody thought of: TCP, UDP and ICMP of both families, with options, extension headers and tunnels. */
import fc from 'fast-check';
import { encodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { encodeGre, greDefaults } from '../../wire/gre.ts';
import { echo, encodeIcmp, encodeIcmpv6, icmpTypes, icmpv6Types } from '../../wire/icmp.ts';
import { encodeIpv4, ipv4Defaults, protocols } from '../../wire/ipv4.ts';
import { encodeIpv6, extensionKinds, ipv6Defaults, paddingExtension } from '../../wire/ipv6.ts';
import { encodeOptions, serverIdOption, tcpOptionKinds } from '../../wire/options.ts';
import { type Addresses, encodeTcp, tcpDefaults } from '../../wire/tcp.ts';
import { encodeUdp } from '../../wire/udp.ts';

const bits = (count: number) => fc.integer({ min: 0, max: 2 ** count - 1 });
/** Above those that scapy reads something into. */
const port = fc.integer({ min: 50_000, max: 60_000 });
const payload = fc.uint8Array({ maxLength: 120 });
const addresses4 = fc.record({ source: bits(32), target: bits(32) });
// Of 2001:db8::/32: scapy gives other prefixes a meaning.
const address6 = fc.bigInt({ min: 0n, max: (1n << 96n) - 1n }).map((rest) => (0x2001_0db8n << 96n) | rest);
const addresses6 = fc.record({ source: address6, target: address6 });

const tcpOptions = fc
  .subarray([
    { kind: tcpOptionKinds.maximumSegmentSize, data: Uint8Array.of(5, 180) },
    { kind: tcpOptionKinds.noOperation, data: new Uint8Array(0) },
    { kind: tcpOptionKinds.timestamps, data: new Uint8Array(8).fill(3) },
    serverIdOption(0xc0ffee01),
  ])
  .map(encodeOptions);

interface Upper {
  protocol: number;
  encode(addresses: Addresses): Uint8Array;
}

const tcp: fc.Arbitrary<Upper> = fc
  .record({
    sourcePort: port,
    targetPort: port,
    sequence: bits(32),
    acknowledgement: bits(32),
    flags: bits(8),
    window: bits(16),
    options: tcpOptions,
    payload,
  })
  .map((segment) => ({
    protocol: protocols.tcp,
    encode: (around) => encodeTcp({ ...tcpDefaults, ...segment }, around),
  }));
const udp: fc.Arbitrary<Upper> = fc
  .record({ sourcePort: port, targetPort: port, isChecksummed: fc.constant(true), payload })
  .map((datagram) => ({ protocol: protocols.udp, encode: (around) => encodeUdp(datagram, around) }));
const ping = fc.record({ identifier: bits(16), sequence: bits(16), payload });
const icmp: fc.Arbitrary<Upper> = ping.map((request) => ({
  protocol: protocols.icmp,
  encode: () => encodeIcmp(echo(icmpTypes.echoRequest, request)),
}));
const icmpv6: fc.Arbitrary<Upper> = ping.map((request) => ({
  protocol: protocols.icmpv6,
  encode: (around) => encodeIcmpv6(echo(icmpv6Types.echoRequest, request), around),
}));

interface Packet {
  etherType: number;
  protocol: number;
  bytes: Uint8Array;
}

const ipv4: fc.Arbitrary<Packet> = fc
  .tuple(
    addresses4,
    fc.oneof(tcp, udp, icmp),
    fc.record({ ttl: bits(8), trafficClass: bits(8), identification: bits(16) }),
  )
  .map(([around, upper, fields]) => {
    const packet = {
      ...ipv4Defaults,
      ...around,
      ...fields,
      protocol: upper.protocol,
      payload: upper.encode(around),
    };
    return { etherType: etherTypes.ipv4, protocol: protocols.ipv4, bytes: encodeIpv4(packet) };
  });
const extensions = fc.subarray([
  paddingExtension(extensionKinds.hopByHop, 8),
  paddingExtension(extensionKinds.destinationOptions, 16),
]);
const ipv6: fc.Arbitrary<Packet> = fc
  .tuple(
    addresses6,
    fc.oneof(tcp, udp, icmpv6),
    fc.record({ hopLimit: bits(8), trafficClass: bits(8), flowLabel: bits(20), extensions }),
  )
  .map(([around, upper, fields]) => {
    const packet = {
      ...ipv6Defaults,
      ...around,
      ...fields,
      protocol: upper.protocol,
      payload: upper.encode(around),
    };
    return { etherType: etherTypes.ipv6, protocol: protocols.ipv6, bytes: encodeIpv6(packet) };
  });

const plain = fc.oneof(ipv4, ipv6);
const tunnelled = fc
  .tuple(plain, addresses4, addresses6, fc.boolean(), fc.boolean())
  .map(([inner, around4, around6, isIpv6, isGre]): Packet => {
    const gre = () => encodeGre({ ...greDefaults, protocol: inner.etherType, payload: inner.bytes });
    const upper = isGre
      ? { protocol: protocols.gre, payload: gre() }
      : { protocol: inner.protocol, payload: inner.bytes };
    return isIpv6
      ? {
          etherType: etherTypes.ipv6,
          protocol: protocols.ipv6,
          bytes: encodeIpv6({ ...ipv6Defaults, ...around6, ...upper }),
        }
      : {
          etherType: etherTypes.ipv4,
          protocol: protocols.ipv4,
          bytes: encodeIpv4({ ...ipv4Defaults, ...around4, ...upper }),
        };
  });

/** The same packets for the same seed. */
export function randomFrames(count: number, seed: number): Uint8Array[] {
  return fc.sample(fc.oneof(plain, tunnelled), { numRuns: count, seed }).map(({ etherType, bytes }) =>
    encodeEthernet({
      targetMac: 0x02_00_00_00_01_01,
      sourceMac: 0x02_00_00_00_00_01,
      etherType,
      payload: bytes,
    }),
  );
}
