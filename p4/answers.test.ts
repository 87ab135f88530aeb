// SPDX-License-Identifier: Apache-2.0
/** What the switch says itself: echo replies, time exceeded, resets and unreachables; and ICMP errors about flows of ours. */
import {
  type Around,
  frameOf,
  icmp,
  ipPacket,
  quoted,
  segmentOf,
  tcp,
  toVip,
  toVipIpv6,
  udp,
} from '../test/packets/frames.ts';
import {
  backendPort,
  backendRow,
  backendsPort,
  blue,
  client,
  clientPort,
  green,
  ids,
  own,
  pools,
  type Serving,
  slotRow,
  vip,
  vipPorts,
  vipRow,
} from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { broadcastMac, type IpAddress } from '../wire/address.ts';
import { echo, icmpTypes, icmpv6Types } from '../wire/icmp.ts';
import { protocols } from '../wire/ipv4.ts';
import { fragmentExtension } from '../wire/ipv6.ts';
import { tcpFlags } from '../wire/tcp.ts';
import { encodeUdp } from '../wire/udp.ts';

const { syn, ack, fin, rst } = tcpFlags;

const ping = (target: IpAddress, around: Around = {}, bytes = 56) => {
  const isIpv6 = typeof target === 'bigint';
  const type = isIpv6 ? icmpv6Types.echoRequest : icmpTypes.echoRequest;
  const payload = Uint8Array.from({ length: bytes }, (_, index) => index);
  const source = isIpv6 ? client.ipv6 : client.ipv4;
  return icmp({ source, target, ...around }, echo(type, { identifier: 1, sequence: 2, payload }));
};

describePackets('a ping', [
  {
    does: 'is answered by vips and own addresses',
    in: [vip.ipv4, own.ipv4, vip.ipv6, own.ipv6].map((address) => ping(address)),
    out: [
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 10.0.0.254 > 10.0.0.1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 2001:db8::100 > 2001:db8::1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 2001:db8::fe > 2001:db8::1 echo reply 65538 ttl 64',
    ],
  },
  {
    does: 'is answered with its last hop, with 1,000 octets, with an odd number of octets and with none',
    in: [ping(vip.ipv4, { ttl: 1 }), ping(vip.ipv4, {}, 1000), ping(vip.ipv6, {}, 33), ping(vip.ipv4, {}, 0)],
    out: [
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 2001:db8::100 > 2001:db8::1 echo reply 65538 ttl 64',
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 65538 ttl 64',
    ],
  },
  {
    does: 'of nothing but zeros has a checksum all the same',
    in: [icmp(toVip, { type: 8, code: 0, rest: 0, payload: new Uint8Array(9) })],
    out: ['answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 0 ttl 64'],
  },
  {
    does: 'of a backend is routed on, and so is its reply',
    in: [
      ping(blue.ipv4),
      {
        port: backendsPort,
        frame: icmp(
          { source: blue.ipv4, target: client.ipv4, sourceMac: blue.mac },
          echo(icmpTypes.echoReply, { identifier: 1, sequence: 2, payload: new Uint8Array(4) }),
        ),
      },
    ],
    out: [
      'routed | port 1 to blue: 10.0.0.1 > 10.0.1.1 echo request 65538 ttl 63',
      'routed | port 0 to client: 10.0.1.1 > 10.0.0.1 echo reply 65538 ttl 63',
    ],
  },
  {
    does: 'of another kind is not answered: a reply, another code',
    in: [
      icmp(toVip, echo(icmpTypes.echoReply, { identifier: 1, sequence: 2, payload: new Uint8Array(4) })),
      icmp(toVip, { type: icmpTypes.echoRequest, code: 1, rest: 0, payload: new Uint8Array(4) }),
    ],
    out: ['dropped: not served', 'dropped: not served'],
  },
  {
    does: 'from an address of ours is not answered',
    in: [ping(vip.ipv4, { source: vip.ipv4 })],
    out: ['dropped: martian'],
  },
]);

/** What a quotation of the client's datagram to the vip ends with. */
const clientChecksum = checksumOf(udp().subarray(14 + 20));
const clientChecksumIpv6 = checksumOf(udp(toVipIpv6).subarray(14 + 40));
const octets = (text: string, checksum: string) => text.replace('8 octets', `8 octets, ${checksum}`);

const exceeded = (about: string) =>
  `answered | port 0 to client: 10.0.0.254 > 10.0.0.1 icmp error 11/0 about [${about} ttl 1, 8 octets] ttl 64`;
const exceededIpv6 = (about: string) =>
  `answered | port 0 to client: 2001:db8::fe > 2001:db8::1 icmp error 3/0 about [${about} ttl 1, 8 octets] ttl 64`;
const firstFragmentIpv6 = (make: typeof tcp | typeof udp) =>
  make({
    source: client.ipv6,
    target: green.ipv6,
    ttl: 1,
    ipv6: { extensions: [fragmentExtension({ offset: 0, moreFragments: true, identification: 5 })] },
  });
const withoutInterface = {
  table: 'interface',
  match: { port: clientPort },
  action: { name: 'answers_as', params: { ipv4_address: own.ipv4, ipv6_address: own.ipv6 } },
};

describePackets('a packet whose time is up', [
  {
    does: 'is answered from the address of the interface, to a vip and elsewhere',
    in: [
      tcp({ ttl: 1 }),
      tcp({ ttl: 0 }),
      udp({ ttl: 1 }),
      tcp({ ttl: 1, target: green.ipv4 }),
      ping(blue.ipv4, { ttl: 1 }),
    ],
    out: [
      exceeded('10.0.0.1:1000 > 10.0.0.100:80'),
      exceeded('10.0.0.1:1000 > 10.0.0.100:80').replace('ttl 1,', 'ttl 0,'),
      octets(exceeded('10.0.0.1:1000 > 10.0.0.100:443'), clientChecksum),
      exceeded('10.0.0.1:1000 > 10.0.1.2:80'),
      exceeded('10.0.0.1 > 10.0.1.1'),
    ],
  },
  {
    does: 'is answered whatever it carries, with as much of it as there is',
    in: [20, 8, 7, 0].map((bytes) =>
      frameOf({}, ipPacket({ target: green.ipv4, ttl: 1 }, 132, new Uint8Array(bytes).fill(5))),
    ),
    out: [8, 8, 0, 0].map((count) => exceeded('10.0.0.1 > 10.0.1.2').replace('8 octets', `${count} octets`)),
  },
  {
    does: 'is answered in IPv6 too',
    in: [
      tcp({ ...toVipIpv6, ttl: 1 }),
      udp({ ...toVipIpv6, ttl: 1 }),
      tcp({ source: client.ipv6, target: green.ipv6, ttl: 1 }),
      ping(blue.ipv6, { ttl: 1 }),
      frameOf({}, ipPacket({ source: client.ipv6, target: green.ipv6, ttl: 1 }, 132, new Uint8Array(7))),
    ],
    out: [
      exceededIpv6('[2001:db8::1]:1000 > [2001:db8::100]:80'),
      octets(exceededIpv6('[2001:db8::1]:1000 > [2001:db8::100]:443'), clientChecksumIpv6),
      exceededIpv6('[2001:db8::1]:1000 > [2001:db8:1::2]:80'),
      exceededIpv6('2001:db8::1 > 2001:db8:1::1'),
      exceededIpv6('2001:db8::1 > 2001:db8:1::2')
        .replace('8 octets', '0 octets')
        .replace('8 octets', '0 octets'),
    ],
  },
  {
    does: 'is dropped where the interface has no address',
    without: [withoutInterface],
    in: [tcp({ ttl: 1 }), tcp({ ...toVipIpv6, ttl: 1 })],
    out: ['dropped: ttl', 'dropped: ttl'],
  },
  {
    does: 'is not answered when it is an ICMP error, a later fragment, has options, or came to a group',
    in: [
      icmp({ target: green.ipv4, ttl: 1 }, { type: 11, code: 0, rest: 0, payload: new Uint8Array(28) }),
      tcp({ target: green.ipv4, ttl: 1, ipv4: { fragmentOffset: 8 } }),
      tcp({ target: green.ipv4, ttl: 1, ipv4: { options: new Uint8Array(4).fill(1) } }),
      tcp({ target: green.ipv4, ttl: 1, targetMac: broadcastMac }),
    ],
    out: Array(4).fill('dropped: ttl'),
  },
  {
    does: 'is answered when it is a first fragment',
    in: [tcp({ target: green.ipv4, ttl: 1, ipv4: { moreFragments: true, dontFragment: false } })],
    out: [exceeded('10.0.0.1 > 10.0.1.2')],
  },
  {
    does: 'is answered when it is a first fragment of IPv6, quoting the header that says so',
    in: [firstFragmentIpv6(tcp), firstFragmentIpv6(udp)],
    out: Array(2).fill(exceededIpv6('2001:db8::1 > 2001:db8:1::2').replace('8 octets', '0 octets')),
  },
]);

const dead = (onDead: number, serving: Serving = {}) =>
  (['tcp', 'udp', 'tcpIpv6', 'udpIpv6'] as const).flatMap((pool) => [
    slotRow(pool, 0),
    vipRow(pool, { ...serving, onDead }),
  ]);
const unreachable = (code: number, port: number) =>
  `answered | port 0 to client: 10.0.0.100 > 10.0.0.1 icmp error 3/${code} about [10.0.0.1:1000 > 10.0.0.100:${port} ttl 64, 8 octets] ttl 64`;
const unreachableIpv6 = (code: number, port: number) =>
  `answered | port 0 to client: 2001:db8::100 > 2001:db8::1 icmp error 1/${code} about [[2001:db8::1]:1000 > [2001:db8::100]:${port} ttl 64, 8 octets] ttl 64`;

describePackets('a pool without live backends', [
  {
    does: 'is silent',
    rows: dead(0),
    in: [tcp(), udp(), tcp(toVipIpv6), udp(toVipIpv6)],
    out: Array(4).fill('dropped: dead pool'),
  },
  {
    does: 'resets TCP: a SYN is acknowledged, so are its data and its FIN; an acknowledgement is taken at its word',
    rows: dead(1),
    in: [
      tcp({ flags: syn, sequence: 100, payload: new Uint8Array(0) }),
      tcp({ flags: syn, sequence: 100, payload: new Uint8Array(7), options: new Uint8Array(12).fill(1) }),
      tcp({ flags: fin, sequence: 0xffffffff, payload: new Uint8Array(0) }),
      tcp({ flags: ack, sequence: 100, acknowledgement: 200 }),
      tcp({ flags: syn | ack, sequence: 100, acknowledgement: 200, options: new Uint8Array(40).fill(1) }),
    ],
    out: [
      'rst ack seq 0 ack 101',
      'rst ack seq 0 ack 108',
      'rst ack seq 0 ack 0',
      'rst seq 200 ack 0',
      'rst seq 200 ack 0',
    ].map((reset) => `answered | port 0 to client: 10.0.0.100:80 > 10.0.0.1:1000 tcp ${reset} ttl 64`),
  },
  {
    does: 'counts a SYN that it resets as new where that has left a mark in a filter',
    rows: [...dead(1), slotRow('tcp', 0, { unstable: 1 })],
    in: [tcp({ flags: syn, sequence: 100, payload: new Uint8Array(0) })],
    out: ['new | port 0 to client: 10.0.0.100:80 > 10.0.0.1:1000 tcp rst ack seq 0 ack 101 ttl 64'],
  },
  {
    does: 'resets TCP over IPv6',
    rows: dead(1),
    in: [
      tcp({
        ...toVipIpv6,
        flags: syn,
        sequence: 100,
        payload: new Uint8Array(7),
        options: new Uint8Array(12).fill(1),
      }),
      tcp({ ...toVipIpv6, flags: ack, sequence: 100, acknowledgement: 200 }),
    ],
    out: ['rst ack seq 0 ack 108', 'rst seq 200 ack 0'].map(
      (reset) => `answered | port 0 to client: [2001:db8::100]:80 > [2001:db8::1]:1000 tcp ${reset} ttl 64`,
    ),
  },
  {
    does: 'answers no reset with a reset',
    rows: dead(1),
    in: [tcp({ flags: rst }), tcp({ flags: rst | ack })],
    out: ['dropped: dead pool', 'dropped: dead pool'],
  },
  {
    does: 'tells datagrams that the port is unreachable',
    rows: dead(1),
    in: [udp(), udp(toVipIpv6)],
    out: [octets(unreachable(3, 443), clientChecksum), octets(unreachableIpv6(4, 443), clientChecksumIpv6)],
  },
  {
    does: 'says that the host is unreachable',
    rows: dead(2),
    in: [tcp(), udp(), tcp(toVipIpv6), udp(toVipIpv6)],
    out: [
      unreachable(1, 80),
      octets(unreachable(1, 443), clientChecksum),
      unreachableIpv6(3, 80),
      octets(unreachableIpv6(3, 443), clientChecksumIpv6),
    ],
  },
]);

/** What a client, or a router before it, says about a packet of the vip; the vip's own words are quoted. */
const aboutVip = (
  changes: {
    source?: IpAddress;
    type?: number;
    protocol?: number;
    quotedPort?: number;
    octets?: number;
  } = {},
) => {
  const { source = client.ipv4, type, protocol = protocols.tcp, octets = 8 } = changes;
  const isIpv6 = typeof source === 'bigint';
  const [from, to] = isIpv6 ? [vip.ipv6, client.ipv6] : [vip.ipv4, client.ipv4];
  const packet = { source: from, target: to, ttl: 60 };
  const ends = {
    sourcePort: changes.quotedPort ?? (protocol === protocols.tcp ? vipPorts.tcp : vipPorts.udp),
    targetPort: 1000,
  };
  const bytes = protocol === protocols.tcp ? segmentOf({ ...packet, ...ends }) : udpOf(packet, ends);
  const payload = quoted(ipPacket(packet, protocol, bytes), octets);
  const defaultType = isIpv6 ? icmpv6Types.packetTooBig : icmpTypes.unreachable;
  const code = isIpv6 ? 0 : 4;
  return icmp({ source, target: from }, { type: type ?? defaultType, code, rest: 1280, payload });
};

/** What blue has sent, as it reads behind NAT: the vip's own datagram with blue's address and port. */
const blueEnds = { sourcePort: backendPort, targetPort: 1000 };
const blueChecksum = checksumOf(udpOf({ source: blue.ipv4, target: client.ipv4 }, blueEnds));
const blueChecksumIpv6 = checksumOf(udpOf({ source: blue.ipv6, target: client.ipv6 }, blueEnds));

const greenPin = [
  {
    table: 'pin',
    match: { pool: pools.tcp, source_address: client.ipv4, source_port: 1000 },
    action: { name: 'pin_to', params: { backend: ids.green } },
  },
  {
    table: 'pin_ipv6',
    match: { pool: pools.tcpIpv6, source_address: client.ipv6, source_port: 1000 },
    action: { name: 'pin_to', params: { backend: ids.greenIpv6 } },
  },
];

describePackets('an ICMP error about a flow', [
  {
    does: 'reaches the backend of the slot, and quotes what that backend has sent',
    in: [aboutVip(), aboutVip({ type: icmpTypes.timeExceeded }), aboutVip({ protocol: protocols.udp })],
    out: [
      'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 3/4 mtu 1280 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
      'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 11/4 mtu 1280 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
      octets(
        'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 3/4 mtu 1280 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
        blueChecksum,
      ),
    ],
  },
  {
    does: 'reaches it in IPv6, from a router on the way, and quotes as much as came',
    in: [
      aboutVip({ source: client.ipv6 }),
      aboutVip({ source: green.ipv6, octets: 25 }),
      aboutVip({ source: client.ipv6, protocol: protocols.udp }),
    ],
    out: [
      'icmp error | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 icmp error 2/0 mtu 1280 about [[2001:db8:1::1]:8080 > [2001:db8::1]:1000 ttl 60, 8 octets] ttl 63',
      'icmp error | port 1 to blue: 2001:db8:1::2 > 2001:db8:1::1 icmp error 2/0 mtu 1280 about [[2001:db8:1::1]:8080 > [2001:db8::1]:1000 ttl 60, 25 octets] ttl 63',
      octets(
        'icmp error | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 icmp error 2/0 mtu 1280 about [[2001:db8:1::1]:8080 > [2001:db8::1]:1000 ttl 60, 8 octets] ttl 63',
        blueChecksumIpv6,
      ),
    ],
  },
  {
    does: 'reaches the backend that the flow is pinned to, and raises no digest',
    rows: greenPin,
    in: [aboutVip(), aboutVip({ source: client.ipv6 })],
    out: [
      'icmp error | port 1 to green: 10.0.0.1 > 10.0.1.2 icmp error 3/4 mtu 1280 about [10.0.1.2:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
      'icmp error | port 1 to green: 2001:db8::1 > 2001:db8:1::2 icmp error 2/0 mtu 1280 about [[2001:db8:1::2]:8080 > [2001:db8::1]:1000 ttl 60, 8 octets] ttl 63',
    ],
  },
  {
    does: 'opens no flow at an unstable slot, and raises no digest there either',
    rows: [slotRow('tcp', ids.blue, { unstable: 1 }), slotRow('udp', ids.blue, { unstable: 1 })],
    in: [aboutVip(), aboutVip({ protocol: protocols.udp }), aboutVip({ protocol: protocols.udp })],
    out: [
      'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 3/4 mtu 1280 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
      ...Array(2).fill(
        octets(
          'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 3/4 mtu 1280 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 60, 8 octets] ttl 63',
          blueChecksum,
        ),
      ),
    ],
  },
  {
    does: 'goes through the tunnel as it is',
    rows: [backendRow(ids.blue, 'ipip', { address: blue.ipv4 })],
    in: [aboutVip()],
    out: [
      /^icmp error \| port 1 to blue: 10\.9\.\d+\.\d+ > 10\.0\.1\.1 ipip ttl 64 df \[10\.0\.0\.1 > 10\.0\.0\.100 icmp error 3\/4 mtu 1280 about \[10\.0\.0\.100:80 > 10\.0\.0\.1:1000 ttl 60, 8 octets\] ttl 63\]$/,
    ],
  },
  {
    does: 'is dropped when it is about no flow of ours: another port, too few octets, another target, another protocol',
    in: [
      aboutVip({ quotedPort: 81 }),
      aboutVip({ octets: 7 }),
      icmp(
        { target: own.ipv4 },
        {
          type: 3,
          code: 4,
          rest: 1280,
          payload: quoted(
            ipPacket(
              { source: vip.ipv4, target: client.ipv4 },
              protocols.tcp,
              segmentOf({ targetPort: 1000, sourcePort: 80 }),
            ),
          ),
        },
      ),
      icmp(
        {},
        {
          type: 3,
          code: 4,
          rest: 1280,
          payload: quoted(ipPacket({ source: vip.ipv4, target: client.ipv4 }, 132, new Uint8Array(8))),
        },
      ),
      icmp({}, { type: 3, code: 4, rest: 1280, payload: new Uint8Array(0) }),
    ],
    out: Array(5).fill('dropped: icmp of no flow'),
  },
  {
    does: 'is dropped in silence when its pool is dead, whatever that pool tells others',
    rows: dead(2),
    in: [aboutVip(), aboutVip({ source: client.ipv6 })],
    out: ['dropped: dead pool', 'dropped: dead pool'],
  },
]);

/** What a backend, or a router before it, says about a packet that NAT has sent there. */
const aboutBackend = (changes: { source?: IpAddress; protocol?: number; port?: number } = {}) => {
  const { source = blue.ipv4, protocol = protocols.tcp, port: targetPort = backendPort } = changes;
  const isIpv6 = typeof source === 'bigint';
  const packet = isIpv6
    ? { source: client.ipv6, target: blue.ipv6, ttl: 60 }
    : { source: client.ipv4, target: blue.ipv4, ttl: 60 };
  const ends = { sourcePort: 1000, targetPort };
  const bytes = protocol === protocols.tcp ? segmentOf({ ...packet, ...ends }) : udpOf(packet, ends);
  const payload = quoted(ipPacket(packet, protocol, bytes));
  const around = { source, target: packet.source, sourceMac: blue.mac };
  return {
    port: backendsPort,
    frame: icmp(around, { type: isIpv6 ? 1 : 3, code: isIpv6 ? 4 : 3, rest: 0, payload }),
  };
};

const sentEnds = { sourcePort: 1000, targetPort: vipPorts.udp };
const sentChecksum = checksumOf(udpOf({ source: client.ipv4, target: vip.ipv4 }, sentEnds));
const sentChecksumIpv6 = checksumOf(udpOf({ source: client.ipv6, target: vip.ipv6 }, sentEnds));

describePackets("an ICMP error about a client's packet to a backend", [
  {
    does: 'comes from the vip, and quotes what the client has sent',
    in: [aboutBackend(), aboutBackend({ protocol: protocols.udp }), aboutBackend({ source: green.ipv4 })],
    out: [
      ['80', ''],
      ['443', `, ${sentChecksum}`],
      ['80', ''],
    ].map(
      ([port, checksum]) =>
        `icmp error | port 0 to client: 10.0.0.100 > 10.0.0.1 icmp error 3/3 about [10.0.0.1:1000 > 10.0.0.100:${port} ttl 60, 8 octets${checksum}] ttl 63`,
    ),
  },
  {
    does: 'does so in IPv6',
    in: [
      aboutBackend({ source: blue.ipv6 }),
      aboutBackend({ source: blue.ipv6, protocol: protocols.udp }),
      aboutBackend({ source: green.ipv6 }),
    ],
    out: [
      ['80', ''],
      ['443', `, ${sentChecksumIpv6}`],
      ['80', ''],
    ].map(
      ([port, checksum]) =>
        `icmp error | port 0 to client: 2001:db8::100 > 2001:db8::1 icmp error 1/4 about [[2001:db8::1]:1000 > [2001:db8::100]:${port} ttl 60, 8 octets${checksum}] ttl 63`,
    ),
  },
  {
    does: 'is routed as it is when no vip stands behind that port',
    in: [aboutBackend({ port: 22 })],
    out: [
      'routed | port 0 to client: 10.0.1.1 > 10.0.0.1 icmp error 3/3 about [10.0.0.1:1000 > 10.0.1.1:22 ttl 60, 8 octets] ttl 63',
    ],
  },
]);

function udpOf(
  packet: { source: IpAddress; target: IpAddress },
  ends: { sourcePort: number; targetPort: number },
): Uint8Array {
  return encodeUdp({ ...ends, payload: new Uint8Array(3), isChecksummed: true }, packet);
}

function checksumOf(datagram: Uint8Array): string {
  return `checksum ${Buffer.from(datagram.subarray(6, 8)).toString('hex')}`;
}
