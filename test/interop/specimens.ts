// SPDX-License-Identifier: Apache-2.0
/** One packet of every kind that wire/ writes, with what scapy and tshark should call it. */

import { parseIpv4, parseIpv6, parseMac } from '../../wire/address.ts';
import { encodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { encodeGre, greDefaults } from '../../wire/gre.ts';
import { encodeGue, gueDefaults, guePort } from '../../wire/gue.ts';
import {
  echo,
  encodeIcmp,
  encodeIcmpv6,
  fragmentationNeeded,
  icmpTypes,
  icmpv6Types,
  packetTooBig,
} from '../../wire/icmp.ts';
import { encodeIpv4, fragmentIpv4, type Ipv4Packet, ipv4Defaults, protocols } from '../../wire/ipv4.ts';
import {
  encodeIpv6,
  extensionKinds,
  fragmentIpv6,
  type Ipv6Packet,
  ipv6Defaults,
  paddingExtension,
} from '../../wire/ipv6.ts';
import {
  encodeNeighbourAdvertisement,
  encodeNeighbourSolicitation,
  multicastMac,
  ndpHopLimit,
  solicitedNodeAddress,
} from '../../wire/ndp.ts';
import { encodeOptions, ipv4OptionKinds, serverIdOption, tcpOptionKinds } from '../../wire/options.ts';
import { encodeQuic, longHeaderBits, quicPacketTypes, quicVersion1 } from '../../wire/quic.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../../wire/tcp.ts';
import { encodeUdp } from '../../wire/udp.ts';

export interface Specimen {
  what: string;
  frame: Uint8Array;
  /** scapy's classes, from outside to inside. */
  scapy: string;
  /** Fields as tshark prints them; several of one name with `;` between. */
  tshark: Readonly<Record<string, string>>;
}

const text = (words: string) => new TextEncoder().encode(words);
const client = { source: parseIpv4('192.0.2.1'), target: parseIpv4('198.51.100.80') };
const client6 = { source: parseIpv6('2001:db8::1'), target: parseIpv6('2001:db8:80::80') };
const outer = { source: parseIpv4('10.9.1.2'), target: parseIpv4('10.0.2.11') };
const outer6 = { source: parseIpv6('fd00:9::12'), target: parseIpv6('fd00:2::11') };
const [clientMac, switchMac] = [parseMac('02:00:00:00:00:01'), parseMac('02:00:00:00:01:01')];

const ipv4 = (packet: Partial<Ipv4Packet> & Pick<Ipv4Packet, 'protocol' | 'payload'>) =>
  encodeIpv4({ ...ipv4Defaults, ...client, ...packet });
const ipv6 = (packet: Partial<Ipv6Packet> & Pick<Ipv6Packet, 'protocol' | 'payload'>) =>
  encodeIpv6({ ...ipv6Defaults, ...client6, ...packet });
const framed = (etherType: number, payload: Uint8Array, targetMac = switchMac) =>
  encodeEthernet({ sourceMac: clientMac, targetMac, etherType, payload });
const frame4 = (...packet: Parameters<typeof ipv4>) => framed(etherTypes.ipv4, ipv4(...packet));
const frame6 = (...packet: Parameters<typeof ipv6>) => framed(etherTypes.ipv6, ipv6(...packet));

const syn = {
  ...tcpDefaults,
  sourcePort: 40_000,
  targetPort: 80,
  sequence: 7,
  acknowledgement: 0,
  flags: tcpFlags.syn,
};
const tcp4 = ipv4({ protocol: protocols.tcp, payload: encodeTcp(syn, client) });
const tcp6 = ipv6({ protocol: protocols.tcp, payload: encodeTcp(syn, client6) });
const query = { sourcePort: 40_000, targetPort: 53, isChecksummed: true, payload: new Uint8Array(16) };
const long = { ...query, targetPort: 9, payload: new Uint8Array(3000) };
const named = { ...syn, flags: tcpFlags.ack, options: encodeOptions([serverIdOption(0xc0ffee01)]) };
const noOperation = { kind: tcpOptionKinds.noOperation, data: new Uint8Array(0) };
const handshake = encodeQuic({
  form: 'long',
  firstBits: longHeaderBits(quicPacketTypes.handshake),
  version: quicVersion1,
  targetConnectionId: Uint8Array.of(7, 0xc4, 0x60, 0x5e, 1, 2, 3, 4),
  sourceConnectionId: Uint8Array.of(9, 9),
  // Length 16, then as many bytes that are protected.
  rest: Uint8Array.of(16, ...new Uint8Array(16).fill(0xaa)),
});
const solicited = parseIpv6('2001:db8::99');
const group = { source: client6.source, target: solicitedNodeAddress(solicited) };
const [firstFragment, , lastFragment] = fragmentIpv4(
  {
    ...ipv4Defaults,
    ...client,
    protocol: protocols.udp,
    identification: 77,
    payload: encodeUdp(long, client),
  },
  1500,
);
const [firstFragment6, , lastFragment6] = fragmentIpv6(
  { ...ipv6Defaults, ...client6, protocol: protocols.udp, payload: encodeUdp(long, client6) },
  1500,
  77,
);

const quotation = ipv4({ protocol: protocols.udp, payload: encodeUdp(query, client) }).subarray(0, 28);
const quotation6 = ipv6({ protocol: protocols.udp, payload: encodeUdp(query, client6) }).subarray(0, 48);
const inGue = (inner: Uint8Array, protocol: number, around: typeof outer | typeof outer6) =>
  encodeUdp(
    {
      sourcePort: 50_000,
      targetPort: guePort,
      isChecksummed: true,
      payload: encodeGue({ ...gueDefaults, protocol, payload: inner }),
    },
    around,
  );

export const specimens: readonly Specimen[] = [
  {
    what: 'a SYN over IPv6',
    frame: framed(etherTypes.ipv6, tcp6),
    scapy: 'Ether,IPv6,TCP',
    tshark: {
      'frame.protocols': 'eth:ethertype:ipv6:tcp',
      'ipv6.dst': '2001:db8:80::80',
      'tcp.checksum.status': '1',
    },
  },
  {
    what: 'a segment that names its server',
    frame: frame4({ protocol: protocols.tcp, payload: encodeTcp(named, client) }),
    scapy: 'Ether,IP,TCP',
    tshark: { 'tcp.option_kind': '183;0;0', 'tcp.option_len': '6', 'tcp.checksum.status': '1' },
  },
  {
    what: 'UDP behind a hop-by-hop and a destination header',
    frame: frame6({
      protocol: protocols.udp,
      extensions: [
        paddingExtension(extensionKinds.hopByHop, 8),
        paddingExtension(extensionKinds.destinationOptions, 16),
      ],
      payload: encodeUdp({ ...query, targetPort: 9 }, client6),
    }),
    scapy: 'Ether,IPv6,IPv6ExtHdrHopByHop,IPv6ExtHdrDestOpt,UDP,Raw',
    tshark: { 'ipv6.hopopts.nxt': '60', 'ipv6.dstopts.nxt': '17', 'udp.checksum.status': '1' },
  },
  {
    what: 'a ping',
    frame: frame4({
      protocol: protocols.icmp,
      payload: encodeIcmp(echo(icmpTypes.echoRequest, { identifier: 1, sequence: 2, payload: text('abc') })),
    }),
    scapy: 'Ether,IP,ICMP,Raw',
    tshark: { 'icmp.type': '8', 'icmp.seq': '2', 'icmp.checksum.status': '1' },
  },
  {
    what: 'a ping over IPv6',
    frame: frame6({
      protocol: protocols.icmpv6,
      payload: encodeIcmpv6(
        echo(icmpv6Types.echoRequest, { identifier: 1, sequence: 2, payload: text('abc') }),
        client6,
      ),
    }),
    scapy: 'Ether,IPv6,ICMPv6EchoRequest',
    tshark: { 'icmpv6.type': '128', 'icmpv6.echo.sequence_number': '2', 'icmpv6.checksum.status': '1' },
  },
  {
    what: '"fragmentation needed", with a quotation',
    frame: frame4({ protocol: protocols.icmp, payload: encodeIcmp(fragmentationNeeded(1480, quotation)) }),
    scapy: 'Ether,IP,ICMP,IPerror,UDPerror',
    tshark: { 'icmp.code': '4', 'icmp.mtu': '1480', 'icmp.checksum.status': '1', 'udp.dstport': '53' },
  },
  {
    what: '"packet too big", with a quotation',
    frame: frame6({
      protocol: protocols.icmpv6,
      payload: encodeIcmpv6(packetTooBig(1460, quotation6), client6),
    }),
    scapy: 'Ether,IPv6,ICMPv6PacketTooBig,IPerror6,UDPerror',
    tshark: { 'icmpv6.type': '2', 'icmpv6.mtu': '1460', 'icmpv6.checksum.status': '1', 'udp.dstport': '53' },
  },
  {
    what: 'a neighbour solicitation',
    frame: framed(
      etherTypes.ipv6,
      ipv6({
        ...group,
        hopLimit: ndpHopLimit,
        protocol: protocols.icmpv6,
        payload: encodeNeighbourSolicitation({ targetAddress: solicited, sourceMac: clientMac }, group),
      }),
      multicastMac(group.target),
    ),
    scapy: 'Ether,IPv6,ICMPv6ND_NS,ICMPv6NDOptSrcLLAddr',
    tshark: {
      'eth.dst': '33:33:ff:00:00:99',
      'ipv6.dst': 'ff02::1:ff00:99',
      'icmpv6.nd.ns.target_address': '2001:db8::99',
      'icmpv6.opt.linkaddr': '02:00:00:00:00:01',
      'icmpv6.checksum.status': '1',
    },
  },
  {
    what: 'a neighbour advertisement',
    frame: frame6({
      hopLimit: ndpHopLimit,
      protocol: protocols.icmpv6,
      payload: encodeNeighbourAdvertisement(
        {
          targetAddress: solicited,
          targetMac: clientMac,
          isRouter: false,
          isSolicited: true,
          isOverride: true,
        },
        client6,
      ),
    }),
    scapy: 'Ether,IPv6,ICMPv6ND_NA,ICMPv6NDOptDstLLAddr',
    tshark: {
      'icmpv6.nd.na.target_address': '2001:db8::99',
      'icmpv6.nd.na.flag.s': '1',
      'icmpv6.nd.na.flag.o': '1',
      'icmpv6.nd.na.flag.r': '0',
      'icmpv6.checksum.status': '1',
    },
  },
  {
    what: 'a packet with IPv4 options',
    frame: frame4({
      protocol: protocols.udp,
      options: encodeOptions([
        noOperation,
        { kind: ipv4OptionKinds.recordRoute, data: Uint8Array.of(4, ...new Uint8Array(8)) },
        { kind: ipv4OptionKinds.routerAlert, data: new Uint8Array(2) },
      ]),
      payload: encodeUdp({ ...query, targetPort: 9 }, client),
    }),
    scapy: 'Ether,IP,UDP,Raw',
    tshark: {
      'ip.hdr_len': '36',
      'ip.opt.type': '1;7;148',
      'ip.checksum.status': '1',
      'udp.checksum.status': '1',
    },
  },
  {
    what: 'a first fragment',
    frame: framed(etherTypes.ipv4, encodeIpv4(firstFragment!)),
    scapy: 'Ether,IP,UDP,Raw',
    tshark: { 'ip.flags.mf': '1', 'ip.frag_offset': '0', 'ip.id': '0x004d' },
  },
  {
    what: 'a last fragment',
    frame: framed(etherTypes.ipv4, encodeIpv4(lastFragment!)),
    scapy: 'Ether,IP,Raw',
    tshark: { 'ip.flags.mf': '0', 'ip.frag_offset': '370', 'ip.id': '0x004d' },
  },
  {
    what: 'a first fragment of IPv6',
    frame: framed(etherTypes.ipv6, encodeIpv6(firstFragment6!)),
    scapy: 'Ether,IPv6,IPv6ExtHdrFragment,UDP,Raw',
    tshark: { 'ipv6.fraghdr.more': '1', 'ipv6.fraghdr.offset': '0', 'ipv6.fraghdr.ident': '0x0000004d' },
  },
  {
    what: 'a last fragment of IPv6',
    frame: framed(etherTypes.ipv6, encodeIpv6(lastFragment6!)),
    scapy: 'Ether,IPv6,IPv6ExtHdrFragment,Raw',
    tshark: { 'ipv6.fraghdr.more': '0', 'ipv6.fraghdr.offset': '362', 'ipv6.fraghdr.nxt': '17' },
  },
  {
    what: 'IPv4 in IPv4',
    frame: frame4({ ...outer, protocol: protocols.ipv4, payload: tcp4 }),
    scapy: 'Ether,IP,IP,TCP',
    tshark: {
      'frame.protocols': 'eth:ethertype:ip:ip:tcp',
      'ip.checksum.status': '1;1',
      'tcp.checksum.status': '1',
    },
  },
  {
    what: 'IPv6 in IPv6',
    frame: frame6({ ...outer6, protocol: protocols.ipv6, payload: tcp6 }),
    scapy: 'Ether,IPv6,IPv6,TCP',
    tshark: { 'frame.protocols': 'eth:ethertype:ipv6:ipv6:tcp', 'ipv6.dst': 'fd00:2::11;2001:db8:80::80' },
  },
  {
    what: 'IPv6 in IPv4',
    frame: frame4({ ...outer, protocol: protocols.ipv6, payload: tcp6 }),
    scapy: 'Ether,IP,IPv6,TCP',
    tshark: { 'frame.protocols': 'eth:ethertype:ip:ipv6:tcp', 'tcp.checksum.status': '1' },
  },
  {
    what: 'IPv4 in IPv6',
    frame: frame6({ ...outer6, protocol: protocols.ipv4, payload: tcp4 }),
    scapy: 'Ether,IPv6,IP,TCP',
    tshark: { 'frame.protocols': 'eth:ethertype:ipv6:ip:tcp', 'tcp.checksum.status': '1' },
  },
  {
    what: 'IPv4 in GRE',
    frame: frame4({
      ...outer,
      protocol: protocols.gre,
      payload: encodeGre({ ...greDefaults, protocol: etherTypes.ipv4, payload: tcp4 }),
    }),
    scapy: 'Ether,IP,GRE,IP,TCP',
    tshark: { 'frame.protocols': 'eth:ethertype:ip:gre:ip:tcp', 'gre.proto': '0x0800' },
  },
  {
    what: 'IPv6 in GRE with key, sequence number and checksum, in IPv6',
    frame: frame6({
      ...outer6,
      protocol: protocols.gre,
      payload: encodeGre({
        protocol: etherTypes.ipv6,
        key: 5,
        sequence: 6,
        isChecksummed: true,
        payload: tcp6,
      }),
    }),
    scapy: 'Ether,IPv6,GRE,IPv6,TCP',
    tshark: {
      'gre.key': '0x00000005',
      'gre.sequence_number': '6',
      'gre.checksum.status': '1',
      'tcp.checksum.status': '1',
    },
  },
  {
    what: 'IPv4 in GUE, in IPv6',
    frame: frame6({ ...outer6, protocol: protocols.udp, payload: inGue(tcp4, protocols.ipv4, outer6) }),
    scapy: 'Ether,IPv6,UDP,Raw',
    tshark: { 'udp.dstport': '6080', 'udp.checksum.status': '1' },
  },
  {
    what: 'a QUIC handshake packet that names its server',
    frame: frame4({
      protocol: protocols.udp,
      payload: encodeUdp({ ...query, targetPort: 443, payload: handshake }, client),
    }),
    scapy: 'Ether,IP,UDP,Raw',
    tshark: {
      'frame.protocols': 'eth:ethertype:ip:udp:quic',
      'quic.dcid': '07c4605e01020304',
      'quic.scid': '0909',
    },
  },
];
