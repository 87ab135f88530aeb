// SPDX-License-Identifier: Apache-2.0
/** IPv6 through the compiled program: vips, pins, filters, the way back, routing, neighbour discovery. */

import type { EntryInput } from '../p4runtime/entries.ts';
import {
  frameOf,
  icmp,
  ipPacket,
  type Segment,
  segmentOf,
  tcp,
  toVipIpv6,
  udp,
} from '../test/packets/frames.ts';
import {
  backendPort,
  backendsPort,
  blue,
  client,
  clientPort,
  green,
  ids,
  own,
  pools,
  routeRow,
  slotRow,
  versionRow,
  vip,
} from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { parseIpv6 } from '../wire/address.ts';
import { protocols } from '../wire/ipv4.ts';
import {
  encodeNeighbourAdvertisement,
  encodeNeighbourSolicitation,
  multicastMac,
  ndpHopLimit,
  solicitedNodeAddress,
} from '../wire/ndp.ts';
import { tcpFlags } from '../wire/tcp.ts';

const { syn, ack, fin, rst } = tcpFlags;
const toBlue = 'port 1 to blue: [2001:db8::1]:1000 > [2001:db8:1::1]:8080';
const toGreen = 'port 1 to green: [2001:db8::1]:1000 > [2001:db8:1::2]:8080';

describePackets('IPv6 to a vip', [
  {
    does: 'goes to the backend of a stable slot with every flag, rewritten, and raises no digest',
    in: [syn, ack, fin | ack, rst].map((flags) => tcp({ ...toVipIpv6, flags })),
    out: [
      `stable | ${toBlue} tcp syn ttl 63`,
      `stable | ${toBlue} tcp ack ttl 63`,
      `stable | ${toBlue} tcp fin ack ttl 63`,
      `stable | ${toBlue} tcp rst seq 1 ack 2 ttl 63`,
    ],
  },
  {
    does: 'is UDP too',
    in: [udp(toVipIpv6)],
    out: [`stable | ${toBlue} udp ttl 63`],
  },
  {
    does: 'carries a UDP checksum that comes out as 0 as its other form',
    in: [udpWhoseChecksumBecomesZero()],
    out: [`stable | ${toBlue} udp ttl 63`],
  },
  {
    does: 'has its answer sent back as the vip',
    in: [fromBlue({ flags: syn | ack })],
    out: ['return | port 0 to client: [2001:db8::100]:80 > [2001:db8::1]:1000 tcp syn ack ttl 63'],
  },
  {
    does: 'obeys a pin, and tells of its FIN and of a SYN after it',
    rows: [pinTo(ids.greenIpv6)],
    in: [ack, fin | ack, syn].map((flags) => tcp({ ...toVipIpv6, flags })),
    out: [
      `pinned | ${toGreen} tcp ack ttl 63`,
      `pinned | ${toGreen} tcp fin ack ttl 63 | digest 2001:db8::1 1000 pool 3 slot 0 column 0 backend 4 because closing`,
      `pinned | ${toGreen} tcp syn ttl 63 | digest 2001:db8::1 1000 pool 3 slot 0 column 0 backend 4 because opening`,
    ],
  },
  {
    does: 'takes the active column when it opens at an unstable slot, and base when it is old',
    rows: [
      slotRow('tcpIpv6', ids.blueIpv6, { unstable: 1 }),
      columnRow(1, ids.greenIpv6),
      versionRow(1, [
        { epoch: 1, column: 0 },
        { epoch: 1, column: 1, learn: 1 },
      ]),
    ],
    in: [
      tcp({ ...toVipIpv6, flags: syn }),
      tcp({ ...toVipIpv6, flags: ack }),
      tcp({ ...toVipIpv6, sourcePort: 2000, flags: ack }),
    ],
    out: [
      `new | ${toGreen} tcp syn ttl 63`,
      `filter | ${toGreen} tcp ack ttl 63 | digest 2001:db8::1 1000 pool 3 slot 0 column 1 backend 4 because learn`,
      'base | port 1 to blue: [2001:db8::1]:2000 > [2001:db8:1::1]:8080 tcp ack ttl 63 | digest 2001:db8::1 2000 pool 3 slot 0 column 0 backend 3 because old',
    ],
  },
  {
    does: 'is dropped where nobody lives',
    rows: [slotRow('tcpIpv6', 0)],
    in: [tcp(toVipIpv6)],
    out: ['dropped: dead pool'],
  },
]);

describePackets('IPv6 that is not for a vip', [
  {
    does: 'is routed, hop limit and all',
    in: [tcp({ ...toVipIpv6, target: green.ipv6, targetPort: 22 })],
    out: ['routed | port 1 to green: [2001:db8::1]:1000 > [2001:db8:1::2]:22 tcp ack ttl 63'],
  },
  {
    does: 'is routed by the longest prefix, through a gateway',
    rows: [routeRow(0n, 0, green.ipv6), routeRow(parseIpv6('2001:db8:ff::'), 48, blue.ipv6)],
    in: ['2001:db8:ff::1', '2001:db8:fe::1'].map((address) =>
      tcp({ ...toVipIpv6, target: parseIpv6(address) }),
    ),
    out: [
      'routed | port 1 to blue: [2001:db8::1]:1000 > [2001:db8:ff::1]:80 tcp ack ttl 63',
      'routed | port 1 to green: [2001:db8::1]:1000 > [2001:db8:fe::1]:80 tcp ack ttl 63',
    ],
  },
  {
    does: 'is routed whatever it carries',
    in: [frameOf(toVipIpv6, ipPacket({ source: client.ipv6, target: green.ipv6 }, 132, new Uint8Array(20)))],
    out: ['routed | port 1 to green: 2001:db8::1 > 2001:db8:1::2 protocol 132 ttl 63'],
  },
  {
    does: 'is dropped without a route, and without a neighbour',
    in: ['2001:db8:ff::1', '2001:db8:1::77'].map((address) =>
      tcp({ ...toVipIpv6, target: parseIpv6(address) }),
    ),
    out: ['dropped: no route', 'dropped: no neighbour'],
  },
  {
    does: 'is dropped at a port of the vip that nobody serves, and does not circle',
    rows: [routeRow(0n, 0, client.ipv6)],
    in: [tcp({ ...toVipIpv6, targetPort: 81 })],
    out: ['dropped: not served'],
  },
]);

const solicitation = (target: bigint, source = client.ipv6, { saysMac = true } = {}) => {
  const sourceMac = saysMac ? client.mac : undefined;
  const group = { source, target: solicitedNodeAddress(target) };
  const message = encodeNeighbourSolicitation({ targetAddress: target, sourceMac }, group);
  const around = { ...group, targetMac: multicastMac(group.target), ttl: ndpHopLimit };
  return frameOf(around, ipPacket(around, protocols.icmpv6, message));
};

const advertisement = (
  target: bigint,
  { isSolicited = true, targetAddress = client.ipv6, ttl = ndpHopLimit } = {},
) => {
  const around = { source: targetAddress, target, ttl };
  const message = encodeNeighbourAdvertisement(
    { targetAddress, targetMac: client.mac, isRouter: false, isSolicited, isOverride: true },
    around,
  );
  return frameOf(around, ipPacket(around, protocols.icmpv6, message));
};

const learned = 'digest 2001:db8::1 is at 02:00:00:00:00:01 on port 0';
const advertised = 'at 02:00:00:00:00:fe (router, solicited, override) ttl 255';

describePackets('neighbour discovery', [
  {
    does: 'is answered for vips and own addresses, and tells who asked',
    in: [vip.ipv6, own.ipv6].map((address) => solicitation(address)),
    out: [
      `answered | port 0 to client: 2001:db8::100 > 2001:db8::1 advertises 2001:db8::100 ${advertised} | ${learned}`,
      `answered | port 0 to client: 2001:db8::fe > 2001:db8::1 advertises 2001:db8::fe ${advertised} | ${learned}`,
    ],
  },
  {
    does: 'tells nothing of neighbours that are known as they say',
    rows: [
      {
        table: 'known_neighbour_ipv6',
        match: { address: client.ipv6, mac: client.mac, port: clientPort },
        action: { name: 'known' },
      },
    ],
    in: [solicitation(vip.ipv6)],
    out: [`answered | port 0 to client: 2001:db8::100 > 2001:db8::1 advertises 2001:db8::100 ${advertised}`],
  },
  {
    does: 'tells everybody that an address is taken when the one who asks has none yet',
    in: [solicitation(vip.ipv6, 0n, { saysMac: false })],
    out: [
      'answered | port 0 to 33:33:00:00:00:01: 2001:db8::100 > ff02::1 advertises 2001:db8::100 at 02:00:00:00:00:fe (router, override) ttl 255',
    ],
  },
  {
    does: 'answers who does not say where he lives, and learns nothing',
    in: [solicitation(vip.ipv6, client.ipv6, { saysMac: false })],
    out: [`answered | port 0 to client: 2001:db8::100 > 2001:db8::1 advertises 2001:db8::100 ${advertised}`],
  },
  {
    does: 'is not answered for others',
    in: [solicitation(green.ipv6)],
    out: ['dropped: ndp not for us'],
  },
  {
    does: 'learns from an answer to us, and from an announcement to all',
    in: [advertisement(own.ipv6), advertisement(parseIpv6('ff02::1'), { isSolicited: false })],
    out: [`dropped: ndp not for us | ${learned}`, `dropped: ndp not for us | ${learned}`],
  },
  {
    does: 'learns nothing from what has crossed a router, nor from answers to others',
    in: [advertisement(own.ipv6, { ttl: 254 }), advertisement(green.ipv6)],
    out: ['dropped: ndp not for us', 'dropped: ndp not for us'],
  },
  {
    does: 'ignores other messages to groups',
    in: [
      icmp(
        { source: parseIpv6('fe80::1'), target: parseIpv6('ff02::2'), ttl: 255 },
        { type: 133, code: 0, rest: 0, payload: new Uint8Array(0) },
      ),
    ],
    out: ['dropped: martian'],
  },
]);

function fromBlue(segment: Segment): { port: number; frame: Uint8Array } {
  const around = { source: blue.ipv6, target: client.ipv6, sourceMac: blue.mac, ...segment };
  const bytes = segmentOf({ ...around, sourcePort: backendPort, targetPort: 1000 });
  return { port: backendsPort, frame: frameOf(around, ipPacket(around, protocols.tcp, bytes)) };
}

function pinTo(backend: number): EntryInput {
  return {
    table: 'pin_ipv6',
    match: { pool: pools.tcpIpv6, source_address: client.ipv6, source_port: 1000 },
    action: { name: 'pin_to', params: { backend } },
  };
}

function columnRow(column: number, backend: number): EntryInput {
  return {
    table: 'slot_version',
    match: { pool: pools.tcpIpv6, slot: 0, column },
    action: { name: 'set_backend', params: { backend } },
  };
}

/** A datagram whose checksum, once blue's address and port stand in it, sums up to 0. */
function udpWhoseChecksumBecomesZero(): Uint8Array {
  const rewritten = udp({
    source: client.ipv6,
    target: blue.ipv6,
    targetPort: backendPort,
    payload: new Uint8Array(2),
  });
  const checksum = rewritten.subarray(14 + 40 + 6, 14 + 40 + 8);
  // A payload of the checksum's own value takes the sum to all ones, whose complement is 0.
  return udp({ ...toVipIpv6, payload: checksum.slice() });
}
