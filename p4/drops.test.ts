// SPDX-License-Identifier: Apache-2.0
/** Everything that is dropped, and what it is counted as: martians, forgeries, what cannot be read, what nobody serves. */
import type { EntryInput } from '../p4runtime/entries.ts';
import { frameOf, icmp, ipPacket, segmentOf, tcp, toVip, toVipIpv6, udp } from '../test/packets/frames.ts';
import { checksumOf } from '../test/packets/in-words.ts';
import {
  backendPort,
  backendRow,
  blue,
  client,
  clientPort,
  fragmentRow,
  green,
  ids,
  neighbourRow,
  own,
  routeRow,
  slotRow,
  vip,
} from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { broadcastMac, parseIpv4, parseIpv6 } from '../wire/address.ts';
import { arpOperations, encodeArp } from '../wire/arp.ts';
import { internetChecksum } from '../wire/checksum.ts';
import { encodeEthernet, etherTypes } from '../wire/ethernet.ts';
import { protocols } from '../wire/ipv4.ts';
import { extensionKinds, fragmentExtension, paddingExtension } from '../wire/ipv6.ts';

const everywhere = [routeRow(0, 0, client.ipv4), routeRow(0n, 0, client.ipv6)];

describePackets('martians', [
  {
    does: 'are dropped as sources',
    in: ['0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'].map((source) =>
      tcp({ ...toVip, source: parseIpv4(source) }),
    ),
    out: Array(5).fill('dropped: martian'),
  },
  {
    does: 'are dropped as targets, though there is a route to everywhere',
    rows: everywhere,
    in: ['0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'].map((target) =>
      tcp({ ...toVip, target: parseIpv4(target) }),
    ),
    out: Array(5).fill('dropped: martian'),
  },
  {
    does: 'are not their neighbours: the first and last good addresses are routed',
    rows: everywhere,
    in: ['1.0.0.0', '126.255.255.255', '128.0.0.0', '223.255.255.255'].map((source) =>
      tcp({ ...toVip, source: parseIpv4(source), target: parseIpv4('192.0.2.1') }),
    ),
    out: ['1.0.0.0', '126.255.255.255', '128.0.0.0', '223.255.255.255'].map(
      (source) => `routed | port 0 to client: ${source}:1000 > 192.0.2.1:80 tcp ack ttl 63`,
    ),
  },
  {
    does: 'are IPv6 addresses too, as sources',
    in: ['::', '::1', '::10.0.0.1', '::ffff:10.0.0.1', 'ff02::1', 'fe80::1'].map((source) =>
      tcp({ ...toVipIpv6, source: parseIpv6(source) }),
    ),
    out: Array(6).fill('dropped: martian'),
  },
  {
    does: 'are IPv6 addresses too, as targets',
    rows: everywhere,
    in: ['::', '::1', '::10.0.0.1', '::ffff:10.0.0.1', 'ff02::1', 'fe80::1'].map((target) =>
      tcp({ ...toVipIpv6, target: parseIpv6(target) }),
    ),
    out: Array(6).fill('dropped: martian'),
  },
  {
    does: 'are packets to their own sender',
    in: [tcp({ ...toVip, source: vip.ipv4 }), tcp({ ...toVipIpv6, source: vip.ipv6 })],
    out: ['dropped: martian', 'dropped: martian'],
  },
]);

describePackets('a packet to a vip from an address of ours', [
  {
    does: 'is forged, and dropped',
    in: [tcp({ ...toVip, source: own.ipv4 }), tcp({ ...toVipIpv6, source: own.ipv6 })],
    out: ['dropped: own source', 'dropped: own source'],
  },
  {
    does: 'reaches a client when a backend answers it directly through us',
    in: [tcp({ source: vip.ipv4, target: client.ipv4, sourcePort: 80, targetPort: 1000 })],
    out: ['routed | port 0 to client: 10.0.0.100:80 > 10.0.0.1:1000 tcp ack ttl 63'],
  },
]);

describePackets('what stands before the ports', [
  {
    does: 'is never taken for them: IP options to a vip are dropped, whichever they are',
    in: [4, 8, 40].map((bytes) => tcp({ ipv4: { options: new Uint8Array(bytes).fill(1) } })),
    out: Array(3).fill('dropped: options'),
  },
  {
    does: 'is routed on to others',
    in: [tcp({ target: green.ipv4, ipv4: { options: new Uint8Array(4).fill(1) } })],
    out: ['routed | port 1 to green: 10.0.0.1:1000 > 10.0.1.2:80 tcp ack ttl 63'],
  },
  {
    does: 'may be extension headers of IPv6: to a vip they are dropped, to others routed on',
    in: [extensionKinds.hopByHop, extensionKinds.routing, extensionKinds.destinationOptions]
      .flatMap((kind) => [vip.ipv6, green.ipv6].map((target) => ({ kind, target })))
      .map(({ kind, target }) =>
        tcp({ source: client.ipv6, target, ipv6: { extensions: [paddingExtension(kind, 8)] } }),
      ),
    out: Array(3)
      .fill([
        'dropped: options',
        'routed | port 1 to green: [2001:db8::1]:1000 > [2001:db8:1::2]:80 tcp ack ttl 63',
      ])
      .flat(),
  },
  {
    does: 'is a fragment header that says that there are no fragments: read and kept',
    in: [
      tcp({
        ...toVipIpv6,
        ipv6: { extensions: [fragmentExtension({ offset: 0, moreFragments: false, identification: 7 })] },
      }),
    ],
    out: [
      `stable | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 fragment at 0 ports 1000 > 8080 ${checksumOf(protocols.tcp, tcp({ source: client.ipv6, target: blue.ipv6, targetPort: backendPort }).subarray(54))} ttl 63`,
    ],
  },
]);

const damaged = (frame: Uint8Array, at: number, bits = 1) => {
  frame[at]! ^= bits;
  return frame;
};

/** The IPv4 packet of the frame says that it has so many octets. */
const tooShort = (frame: Uint8Array, bytes: number) => {
  const headerBytes = (frame[14]! & 0xf) * 4;
  const header = new DataView(frame.buffer, frame.byteOffset + 14, headerBytes);
  header.setUint16(2, bytes);
  header.setUint16(10, 0);
  header.setUint16(10, internetChecksum(frame.subarray(14, 14 + headerBytes)));
  return frame;
};

const padded = (packet: Uint8Array) => Uint8Array.of(...packet, ...new Uint8Array(40));

describePackets('what cannot be', [
  {
    does: 'is an IPv4 header whose checksum is wrong',
    in: [damaged(tcp(), 14 + 10)],
    out: ['dropped: bad checksum'],
  },
  {
    does: 'is a frame cut short, wherever',
    in: [
      ...[20, 14 + 19, 14 + 20 + 19].map((bytes) => tcp().subarray(0, bytes)),
      ...[14 + 39, 14 + 40 + 19].map((bytes) => tcp(toVipIpv6).subarray(0, bytes)),
      udp().subarray(0, 14 + 20 + 7),
    ],
    out: Array(6).fill('dropped: malformed'),
  },
  {
    does: 'is another version than its frame says',
    in: [damaged(tcp(toVipIpv6), 14, 0x50)],
    out: ['dropped: malformed'],
  },
  {
    does: 'is a TCP header of less than five words',
    in: [0, 3, 4].map((words) => {
      const segment = segmentOf({});
      segment[12] = words << 4;
      return frameOf({}, ipPacket({}, protocols.tcp, segment));
    }),
    out: Array(3).fill('dropped: malformed'),
  },
  {
    does: 'is an IP packet that ends within the header it carries, and padding behind it',
    in: [
      frameOf({}, padded(ipPacket({}, protocols.tcp, segmentOf({}).subarray(0, 19)))),
      frameOf({}, padded(ipPacket({}, protocols.udp, new Uint8Array(7)))),
      frameOf({}, padded(ipPacket({}, protocols.icmp, new Uint8Array(0)))),
      frameOf({}, padded(ipPacket(toVipIpv6, protocols.tcp, segmentOf({}).subarray(0, 19)))),
      frameOf({}, padded(ipPacket(toVipIpv6, protocols.udp, new Uint8Array(7)))),
    ],
    out: Array(5).fill('dropped: malformed'),
  },
  {
    does: 'is an IPv4 packet shorter than its own header, also as a fragment with options, which is never in a tunnel',
    rows: [fragmentRow('tcp'), backendRow(ids.blue, 'ipip', { address: blue.ipv4 })],
    in: [
      Uint8Array.from(
        Buffer.from('0200000000fe02000000000108004700000000002000400646670a0000010a00006403', 'hex'),
      ),
      ...[0, 19, 23].map((bytes) => tooShort(tcp({ ipv4: { options: new Uint8Array(4).fill(1) } }), bytes)),
      tooShort(frameOf({ target: green.ipv4 }, ipPacket({ target: green.ipv4 }, 47, new Uint8Array(8))), 19),
    ],
    out: Array(5).fill('dropped: malformed'),
  },
  {
    does: 'is neither IP nor ARP',
    in: [
      encodeEthernet({
        targetMac: own.mac,
        sourceMac: client.mac,
        etherType: 0x88cc,
        payload: new Uint8Array(46),
      }),
    ],
    out: ['dropped: not ip'],
  },
]);

describePackets('a backend', [
  {
    does: 'without a row drops its packets',
    rows: [slotRow('tcp', 77), slotRow('tcpIpv6', 77)],
    in: [tcp(), tcp(toVipIpv6)],
    out: ['dropped: no backend', 'dropped: no backend'],
  },
  {
    does: 'whose row rewrites the other IP drops them too',
    rows: [slotRow('tcp', ids.blueIpv6), slotRow('tcpIpv6', ids.blue)],
    in: [tcp(), tcp(toVipIpv6)],
    out: ['dropped: no backend', 'dropped: no backend'],
  },
]);

const arp = (operation: number, targetAddress: number, senderAddress = client.ipv4) =>
  encodeEthernet({
    targetMac: operation === arpOperations.request ? broadcastMac : own.mac,
    sourceMac: client.mac,
    etherType: etherTypes.arp,
    payload: encodeArp({
      operation,
      senderMac: client.mac,
      senderAddress,
      targetMac: operation === arpOperations.request ? 0 : own.mac,
      targetAddress,
    }),
  });

const known: EntryInput = {
  table: 'known_neighbour',
  match: { address: client.ipv4, mac: client.mac, port: clientPort },
  action: { name: 'known' },
};
const learned = 'digest 10.0.0.1 is at 02:00:00:00:00:01 on port 0';

describePackets('ARP', [
  {
    does: 'is answered for vips and own addresses, and tells who asked',
    in: [vip.ipv4, own.ipv4].map((address) => arp(arpOperations.request, address)),
    out: [
      `answered | port 0 to client: arp reply 10.0.0.100 is at 02:00:00:00:00:fe for 10.0.0.1 | ${learned}`,
      `answered | port 0 to client: arp reply 10.0.0.254 is at 02:00:00:00:00:fe for 10.0.0.1 | ${learned}`,
    ],
  },
  {
    does: 'tells nothing of a sender that is known as it says, or has no address yet',
    rows: [known],
    in: [arp(arpOperations.request, vip.ipv4), arp(arpOperations.request, vip.ipv4, 0)],
    out: [
      'answered | port 0 to client: arp reply 10.0.0.100 is at 02:00:00:00:00:fe for 10.0.0.1',
      'answered | port 0 to client: arp reply 10.0.0.100 is at 02:00:00:00:00:fe for 0.0.0.0',
    ],
  },
  {
    does: 'for others is dropped; a reply to us and an announcement are learned from',
    in: [
      arp(arpOperations.request, green.ipv4),
      arp(arpOperations.reply, own.ipv4),
      arp(arpOperations.request, client.ipv4),
    ],
    out: [
      'dropped: arp not for us',
      `dropped: arp not for us | ${learned}`,
      `dropped: arp not for us | ${learned}`,
    ],
  },
]);

const unstable = [slotRow('tcp', ids.blue, { unstable: 1 }), neighbourRow(blue.ipv4, blue, 1, 0)];

describePackets('the meter', [
  {
    does: 'holds back flow digests, not the packets',
    rows: unstable,
    limitedCell: 0,
    in: [tcp(), tcp(), tcp()],
    out: [
      'base | port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 tcp ack ttl 63 | digest 10.0.0.1 1000 pool 1 slot 0 column 0 backend 1 because old',
      'base | port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 tcp ack ttl 63 | limited flow digests',
      'base | port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 tcp ack ttl 63 | limited flow digests',
    ],
  },
  {
    does: 'holds back neighbour digests, and neighbours are answered all the same',
    limitedCell: 1,
    in: [arp(arpOperations.request, vip.ipv4), arp(arpOperations.request, vip.ipv4)],
    out: [
      `answered | port 0 to client: arp reply 10.0.0.100 is at 02:00:00:00:00:fe for 10.0.0.1 | ${learned}`,
      'answered | port 0 to client: arp reply 10.0.0.100 is at 02:00:00:00:00:fe for 10.0.0.1 | limited neighbour digests',
    ],
  },
  {
    does: 'holds back answers',
    limitedCell: 2,
    in: [1, 2].map(() => icmp(toVip, { type: 8, code: 0, rest: 9, payload: new Uint8Array(8) })),
    out: [
      'answered | port 0 to client: 10.0.0.100 > 10.0.0.1 echo reply 9 ttl 64',
      'dropped: not served | limited answers',
    ],
  },
]);
