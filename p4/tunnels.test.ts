// SPDX-License-Identifier: Apache-2.0
/** How a packet reaches its backend: NAT, L2 DSR, IP in IP, GRE and GUE, each over both IPs and from both; and when it is too big. */
import { crc32 } from 'node:zlib';
import type { EntryInput } from '../p4runtime/entries.ts';
import { clientFlow, type Segment, tcp, toVipIpv6, udp } from '../test/packets/frames.ts';
import { backendRow, blue, client, green, ids, neighbourRow, vip, vipPorts } from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { formatIpv4, formatIpv6, type IpAddress, parseIpv4, parseIpv6, writeIpv6 } from '../wire/address.ts';
import { protocols } from '../wire/ipv4.ts';

const guePort = 6080;

/** The bits of the flow's hash that tunnels vary their outer source by. */
function entropyOf(source: IpAddress, sourcePort = clientFlow): number {
  const isIpv6 = typeof source === 'bigint';
  const bytes = new Uint8Array(isIpv6 ? 37 : 13);
  const view = new DataView(bytes.buffer);
  if (isIpv6) {
    writeIpv6(view, 0, source);
    writeIpv6(view, 16, vip.ipv6);
  } else {
    view.setUint32(0, source);
    view.setUint32(4, vip.ipv4);
  }
  view.setUint8(bytes.length - 5, protocols.tcp);
  view.setUint16(bytes.length - 4, sourcePort);
  view.setUint16(bytes.length - 2, vipPorts.tcp);
  return crc32(bytes) >>> 16;
}

const outerIpv4 = (entropy: number) => formatIpv4(parseIpv4('10.9.0.0') + entropy);
const outerIpv6 = (entropy: number) => formatIpv6(parseIpv6('2001:db8:9::') + BigInt(entropy));
const outerPort = (entropy: number) => 0xc000 | (entropy & 0x3fff);

const families = [
  {
    name: 'IPv4',
    packet: tcp(),
    entropy: entropyOf(client.ipv4),
    df: ' df',
    inner: '10.0.0.1:1000 > 10.0.0.100:80 tcp ack ttl 63',
    backend: ids.blue,
  },
  {
    name: 'IPv6',
    packet: tcp(toVipIpv6),
    entropy: entropyOf(client.ipv6),
    df: ' df',
    inner: '[2001:db8::1]:1000 > [2001:db8::100]:80 tcp ack ttl 63',
    backend: ids.blueIpv6,
  },
];

describePackets(
  'a tunnel carries what arrived, TTL - 1, from a source of the flow,',
  families.flatMap(({ name, packet, entropy, df, inner, backend }) => [
    {
      does: `${name} in IPv4`,
      rows: [backendRow(backend, 'ipip', { address: blue.ipv4 })],
      in: [packet],
      out: [`stable | port 1 to blue: ${outerIpv4(entropy)} > 10.0.1.1 ipip ttl 64${df} [${inner}]`],
    },
    {
      does: `${name} in IPv6`,
      rows: [backendRow(backend, 'ipip_ipv6', { address: blue.ipv6 })],
      in: [packet],
      out: [`stable | port 1 to blue: ${outerIpv6(entropy)} > 2001:db8:1::1 ipip ttl 64 [${inner}]`],
    },
    {
      does: `${name} in GRE over IPv4`,
      rows: [backendRow(backend, 'gre', { address: blue.ipv4 })],
      in: [packet],
      out: [`stable | port 1 to blue: ${outerIpv4(entropy)} > 10.0.1.1 gre ttl 64${df} [${inner}]`],
    },
    {
      does: `${name} in GRE over IPv6`,
      rows: [backendRow(backend, 'gre_ipv6', { address: blue.ipv6 })],
      in: [packet],
      out: [`stable | port 1 to blue: ${outerIpv6(entropy)} > 2001:db8:1::1 gre ttl 64 [${inner}]`],
    },
    {
      does: `${name} in GUE over IPv4`,
      rows: [backendRow(backend, 'gue', { address: blue.ipv4, port: guePort })],
      in: [packet],
      out: [
        `stable | port 1 to blue: ${outerIpv4(entropy)}:${outerPort(entropy)} > 10.0.1.1:6080 gue ttl 64${df} [${inner}]`,
      ],
    },
    {
      does: `${name} in GUE over IPv6`,
      rows: [backendRow(backend, 'gue_ipv6', { address: blue.ipv6, port: guePort })],
      in: [packet],
      out: [
        `stable | port 1 to blue: [${outerIpv6(entropy)}]:${outerPort(entropy)} > [2001:db8:1::1]:6080 gue ttl 64 [${inner}]`,
      ],
    },
  ]),
);

const ipip = backendRow(ids.blue, 'ipip', { address: blue.ipv4 });
const source = (entropy: number, mask: number): EntryInput => ({
  table: 'tunnel_source',
  action: {
    name: 'use_sources',
    params: { ipv4_address: parseIpv4('10.9.0.0') + entropy, ipv4_mask: mask, ipv6_address: 0n },
  },
});

describePackets('the outer header', [
  {
    does: 'has one source for all when the mask is empty',
    rows: [ipip, source(7, 0)],
    in: [1000, 1001].map((sourcePort) => tcp({ sourcePort })),
    out: [1000, 1001].map(
      (port) =>
        `stable | port 1 to blue: 10.9.0.7 > 10.0.1.1 ipip ttl 64 df [10.0.0.1:${port} > 10.0.0.100:80 tcp ack ttl 63]`,
    ),
  },
  {
    does: 'lets routers cut it when the packet does',
    rows: [ipip],
    in: [tcp({ ipv4: { dontFragment: false } })],
    out: [
      `stable | port 1 to blue: ${outerIpv4(entropyOf(client.ipv4))} > 10.0.1.1 ipip ttl 64 [10.0.0.1:1000 > 10.0.0.100:80 tcp ack ttl 63]`,
    ],
  },
  {
    does: 'needs no return path: a backend answers as the vip',
    rows: [ipip],
    in: [
      {
        port: 1,
        frame: tcp({
          source: vip.ipv4,
          target: client.ipv4,
          sourcePort: 80,
          targetPort: 1000,
          sourceMac: blue.mac,
        }),
      },
    ],
    out: ['routed | port 0 to client: 10.0.0.100:80 > 10.0.0.1:1000 tcp ack ttl 63'],
  },
]);

describePackets('L2 DSR', [
  {
    does: 'brings the packet to the backend as it is, with a neighbour of either IP',
    rows: [
      backendRow(ids.blue, 'l2_dsr', { next_hop: green.ipv4 }),
      backendRow(ids.blueIpv6, 'l2_dsr_ipv6', { next_hop: green.ipv6 }),
    ],
    in: [tcp(), tcp(toVipIpv6)],
    out: [
      'stable | port 1 to green: 10.0.0.1:1000 > 10.0.0.100:80 tcp ack ttl 63',
      'stable | port 1 to green: [2001:db8::1]:1000 > [2001:db8::100]:80 tcp ack ttl 63',
    ],
  },
  {
    does: 'crosses IPs: an IPv4 packet by an IPv6 neighbour, and the other way round',
    rows: [
      backendRow(ids.blue, 'l2_dsr_ipv6', { next_hop: green.ipv6 }),
      backendRow(ids.blueIpv6, 'l2_dsr', { next_hop: green.ipv4 }),
    ],
    in: [tcp(), udp(toVipIpv6)],
    out: [
      'stable | port 1 to green: 10.0.0.1:1000 > 10.0.0.100:80 tcp ack ttl 63',
      'stable | port 1 to green: [2001:db8::1]:1000 > [2001:db8::100]:443 udp ttl 63',
    ],
  },
  {
    does: 'needs no route, but a neighbour',
    rows: [backendRow(ids.blue, 'l2_dsr', { next_hop: parseIpv4('192.0.2.1') })],
    in: [tcp()],
    out: ['dropped: no neighbour'],
  },
]);

describePackets('NAT', [
  {
    does: 'leaves a datagram without checksum without one',
    in: [udp({ isChecksummed: false })],
    out: ['stable | port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 udp unchecked ttl 63'],
  },
  {
    does: 'leaves a damaged segment damaged',
    in: [damaged({}), damaged(toVipIpv6)],
    out: [
      'stable | port 1 WireError: bad-checksum: the TCP segment is damaged',
      'stable | port 1 WireError: bad-checksum: the TCP segment is damaged',
    ],
  },
]);

/** A packet of so many octets, IP header and all. */
const sized = (octets: number, segment: Segment = {}) =>
  tcp({ ...segment, payload: new Uint8Array(octets - (typeof segment.source === 'bigint' ? 60 : 40)) });

const tunnels: [name: string, row: EntryInput, overhead: number][] = [
  ['nat', backendRow(ids.blue, 'nat', { address: blue.ipv4, port: 8080 }), 0],
  ['l2_dsr', backendRow(ids.blue, 'l2_dsr', { next_hop: blue.ipv4 }), 0],
  ['ipip', ipip, 20],
  ['ipip_ipv6', backendRow(ids.blue, 'ipip_ipv6', { address: blue.ipv6 }), 40],
  ['gre', backendRow(ids.blue, 'gre', { address: blue.ipv4 }), 24],
  ['gre_ipv6', backendRow(ids.blue, 'gre_ipv6', { address: blue.ipv6 }), 44],
  ['gue', backendRow(ids.blue, 'gue', { address: blue.ipv4, port: guePort }), 32],
  ['gue_ipv6', backendRow(ids.blue, 'gue_ipv6', { address: blue.ipv6, port: guePort }), 52],
];

describePackets(
  'a packet for the next link,',
  tunnels.map(([name, row, overhead]) => ({
    does: `${name} in front: the last octet that fits passes, and of one more the vip says how much does`,
    rows: [row, neighbourRow(blue.ipv4, blue, 1, 600), neighbourRow(blue.ipv6, blue, 1, 600)],
    in: [sized(600 - overhead), sized(600 - overhead + 1)],
    out: [
      /^stable \| port 1 to blue: .* tcp ack ttl 63\]?$/,
      `answered | port 0 to client: 10.0.0.100 > 10.0.0.1 icmp error 3/4 mtu ${600 - overhead} about [10.0.0.1:1000 > 10.0.0.100:80 ttl 64, 8 octets] ttl 64`,
    ],
  })),
);

const shortLink = [neighbourRow(blue.ipv6, blue, 1, 1300), neighbourRow(green.ipv6, green, 1, 1300)];

describePackets('a packet that does not fit the next link', [
  {
    does: 'is answered for IPv6 too',
    rows: [...shortLink, backendRow(ids.blueIpv6, 'ipip_ipv6', { address: blue.ipv6 })],
    in: [sized(1260, toVipIpv6), sized(1261, toVipIpv6)],
    out: [
      /^stable \| port 1 to blue: /,
      'answered | port 0 to client: 2001:db8::100 > 2001:db8::1 icmp error 2/0 mtu 1260 about [[2001:db8::1]:1000 > [2001:db8::100]:80 ttl 64, 8 octets] ttl 64',
    ],
  },
  {
    does: "is answered from the interface's address when it is routed on",
    rows: [...shortLink, neighbourRow(green.ipv4, green, 1, 1300)],
    in: [sized(1301, { target: green.ipv4 }), sized(1301, { ...toVipIpv6, target: green.ipv6 })],
    out: [
      'answered | port 0 to client: 10.0.0.254 > 10.0.0.1 icmp error 3/4 mtu 1300 about [10.0.0.1:1000 > 10.0.1.2:80 ttl 64, 8 octets] ttl 64',
      'answered | port 0 to client: 2001:db8::fe > 2001:db8::1 icmp error 2/0 mtu 1300 about [[2001:db8::1]:1000 > [2001:db8:1::2]:80 ttl 64, 8 octets] ttl 64',
    ],
  },
  {
    does: 'is answered even where it might be cut, because nobody here cuts',
    rows: [neighbourRow(blue.ipv4, blue, 1, 1300)],
    in: [sized(1301, { ipv4: { dontFragment: false } })],
    out: [
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 icmp error 3/4 mtu 1300 about [10.0.0.1:1000 > 10.0.0.100:80 ttl 64, 8 octets] ttl 64',
    ],
  },
  {
    does: 'passes where the link has no limit',
    rows: [neighbourRow(blue.ipv4, blue, 1, 0)],
    in: [sized(9000)],
    out: ['stable | port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 tcp ack ttl 63'],
  },
]);

function damaged(segment: Segment): Uint8Array {
  const frame = tcp(segment);
  frame[frame.length - 1]! ^= 1;
  return frame;
}
