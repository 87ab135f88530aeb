// SPDX-License-Identifier: Apache-2.0
/** Flows that belong together: by their source's address, and fragments, which have no ports of their own. */
import { crc32 } from 'node:zlib';
import type { EntryInput } from '../p4runtime/entries.ts';
import { type Around, frameOf, ipPacket, segmentOf, tcp, toVipIpv6, udp } from '../test/packets/frames.ts';
import { checksumOf } from '../test/packets/in-words.ts';
import {
  backendPort,
  backendRow,
  backendsPort,
  blue,
  client,
  fragmentRow,
  green,
  ids,
  pools,
  slotRow,
  versionRow,
  vip,
  vipRow,
} from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { writeIpv6 } from '../wire/address.ts';
import { decodeIpv4, encodeIpv4, fragmentIpv4, protocols } from '../wire/ipv4.ts';
import { decodeIpv6, encodeIpv6, fragmentIpv6 } from '../wire/ipv6.ts';
import { tcpFlags } from '../wire/tcp.ts';

const { syn, ack, fin } = tcpFlags;
const slotMask = 0xffff;

const addressBytes = (address: number | bigint) => {
  const bytes = new Uint8Array(typeof address === 'bigint' ? 16 : 4);
  if (typeof address === 'bigint') writeIpv6(new DataView(bytes.buffer), 0, address);
  else new DataView(bytes.buffer).setUint32(0, address);
  return bytes;
};
const slotOfSource = (address: number | bigint) => crc32(addressBytes(address)) & slotMask;

describePackets('with affinity', [
  {
    does: 'all flows of a source have the slot of its address',
    rows: [
      vipRow('tcp', { slotMask, affinity: 1 }),
      slotRow('tcp', ids.green, { slot: slotOfSource(client.ipv4) }),
      vipRow('tcpIpv6', { slotMask, affinity: 1 }),
      slotRow('tcpIpv6', ids.greenIpv6, { slot: slotOfSource(client.ipv6) }),
    ],
    in: [
      tcp({ sourcePort: 1 }),
      tcp({ sourcePort: 2 }),
      tcp({ source: blue.ipv4 }),
      tcp({ ...toVipIpv6, sourcePort: 3 }),
    ],
    out: [
      'stable | port 1 to green: 10.0.0.1:1 > 10.0.1.2:8080 tcp ack ttl 63',
      'stable | port 1 to green: 10.0.0.1:2 > 10.0.1.2:8080 tcp ack ttl 63',
      'dropped: dead pool',
      'stable | port 1 to green: [2001:db8::1]:3 > [2001:db8:1::2]:8080 tcp ack ttl 63',
    ],
  },
  {
    does: 'filters and pins are still of flows: an old one keeps base while a new one of its source moves on',
    rows: [
      vipRow('tcp', { affinity: 1 }),
      slotRow('tcp', ids.blue, { unstable: 1 }),
      columnRow(ids.green),
      versionRow(1, [
        { epoch: 5, column: 0 },
        { epoch: 5, column: 1 },
      ]),
    ],
    in: [
      tcp({ sourcePort: 11 }),
      tcp({ sourcePort: 12, flags: syn }),
      tcp({ sourcePort: 12 }),
      tcp({ sourcePort: 11 }),
    ],
    out: [
      'base | port 1 to blue: 10.0.0.1:11 > 10.0.1.1:8080 tcp ack ttl 63 | digest 10.0.0.1 11 pool 1 slot 0 column 0 backend 1 because old',
      'new | port 1 to green: 10.0.0.1:12 > 10.0.1.2:8080 tcp syn ttl 63',
      'filter | port 1 to green: 10.0.0.1:12 > 10.0.1.2:8080 tcp ack ttl 63',
      'base | port 1 to blue: 10.0.0.1:11 > 10.0.1.1:8080 tcp ack ttl 63 | digest 10.0.0.1 11 pool 1 slot 0 column 0 backend 1 because old',
    ],
  },
]);

/** A packet of 1,000 octets of payload, cut to fit 576. */
const cut = (protocol: number, around: Around = {}) => {
  const payload = new Uint8Array(1000);
  const whole = (
    protocol === protocols.tcp ? tcp({ ...around, payload }) : udp({ ...around, payload })
  ).subarray(14);
  if (typeof around.source === 'bigint')
    return fragmentIpv6(decodeIpv6(whole), 576, 77).map((packet) => frameOf(around, encodeIpv6(packet)));
  return fragmentIpv4({ ...decodeIpv4(whole), dontFragment: false }, 576).map((packet) =>
    frameOf(around, encodeIpv4(packet)),
  );
};

/** The checksum that a whole packet has behind NAT: fragments carry it on. */
const natChecksum = (protocol: number, around: Around, payload = new Uint8Array(1000)) => {
  const frame = (protocol === protocols.tcp ? tcp : udp)({ ...around, targetPort: backendPort, payload });
  return checksumOf(protocol, frame.subarray(typeof around.source === 'bigint' ? 54 : 34));
};
const checksumIn = (frame: Uint8Array) => checksumOf(protocols.tcp, frame.subarray(34));
const toBlue = { source: client.ipv4, target: blue.ipv4 };
const toBlueIpv6 = { source: client.ipv6, target: blue.ipv6 };
const toGreen = { source: client.ipv4, target: green.ipv4 };
const tcpChecksum = natChecksum(protocols.tcp, toBlue);
const udpChecksum = natChecksum(protocols.udp, toBlue);
const ipv6Checksum = natChecksum(protocols.tcp, toBlueIpv6);
const greenChecksum = natChecksum(protocols.tcp, toGreen);

describePackets('fragments', [
  {
    does: 'are dropped behind the first, which goes by its ports',
    in: [...cut(protocols.tcp), ...cut(protocols.udp), ...cut(protocols.tcp, toVipIpv6)],
    out: [
      `stable | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 0 and more ports 1000 > 8080 ${tcpChecksum} ttl 63`,
      'dropped: fragment',
      `stable | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 0 and more ports 1000 > 8080 ${udpChecksum} ttl 63`,
      'dropped: fragment',
      `stable | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 fragment at 0 and more ports 1000 > 8080 ${ipv6Checksum} ttl 63`,
      'dropped: fragment',
    ],
  },
  {
    does: 'all go by source, target and protocol where the pool says so',
    rows: [fragmentRow('tcp'), fragmentRow('tcpIpv6'), fragmentRow('udp')],
    in: [...cut(protocols.tcp), ...cut(protocols.udp), ...cut(protocols.tcp, toVipIpv6)],
    out: [
      `fragment | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 0 and more ports 1000 > 8080 ${tcpChecksum} ttl 63`,
      'fragment | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 552 ttl 63',
      `fragment | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 0 and more ports 1000 > 8080 ${udpChecksum} ttl 63`,
      'fragment | port 1 to blue: 10.0.0.1 > 10.0.1.1 fragment at 552 ttl 63',
      `fragment | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 fragment at 0 and more ports 1000 > 8080 ${ipv6Checksum} ttl 63`,
      'fragment | port 1 to blue: 2001:db8::1 > 2001:db8:1::1 fragment at 528 ttl 63',
    ],
  },
  {
    does: 'have the slot of ports 0',
    rows: [fragmentRow('tcp', { slotMask }), slotRow('tcp', ids.green, { slot: slotOfFragments() })],
    in: cut(protocols.tcp),
    out: [
      `fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 0 and more ports 1000 > 8080 ${greenChecksum} ttl 63`,
      'fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 552 ttl 63',
    ],
  },
  {
    does: 'with affinity have the slot of the source, as whole packets do',
    rows: [
      vipRow('tcp', { slotMask, affinity: 1 }),
      fragmentRow('tcp', { slotMask, affinity: 1 }),
      slotRow('tcp', ids.green, { slot: slotOfSource(client.ipv4) }),
    ],
    in: [tcp(), ...cut(protocols.tcp)],
    out: [
      'stable | port 1 to green: 10.0.0.1:1000 > 10.0.1.2:8080 tcp ack ttl 63',
      `fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 0 and more ports 1000 > 8080 ${greenChecksum} ttl 63`,
      'fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 552 ttl 63',
    ],
  },
  {
    does: 'open a flow of ports 0 with every packet, and ask to pin it at the second, FIN or not',
    rows: [
      fragmentRow('tcp'),
      slotRow('tcp', ids.blue, { unstable: 1 }),
      columnRow(ids.green),
      versionRow(1, [
        { epoch: 9, column: 0 },
        { epoch: 9, column: 1, learn: 1 },
      ]),
    ],
    in: cut(protocols.tcp),
    out: [
      `new | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 0 and more ports 1000 > 8080 ${greenChecksum} ttl 63`,
      'fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 552 ttl 63 | digest 10.0.0.1 0 pool 1 slot 0 column 1 backend 2 because learn',
    ],
  },
  {
    does: 'obey a pin, and their FIN tells nothing',
    rows: [
      fragmentRow('tcp'),
      {
        table: 'pin',
        match: { pool: pools.tcp, source_address: client.ipv4, source_port: 0 },
        action: { name: 'pin_to', params: { backend: ids.green } },
      },
    ],
    in: [tcp({ flags: fin | ack, ipv4: { moreFragments: true, dontFragment: false } })],
    out: [
      `fragment | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 0 and more ports 1000 > 8080 ${checksumIn(tcp({ ...toGreen, targetPort: backendPort, flags: fin | ack }))} ttl 63`,
    ],
  },
  {
    does: 'go through a tunnel whole',
    rows: [fragmentRow('udp'), backendRow(ids.blue, 'ipip_ipv6', { address: blue.ipv6 })],
    in: cut(protocols.udp),
    out: [
      /^fragment \| port 1 to blue: 2001:db8:9::[0-9a-f]+ > 2001:db8:1::1 ipip ttl 64 \[10\.0\.0\.1 > 10\.0\.0\.100 fragment at 0 and more ports 1000 > 443 checksum [0-9a-f]{4} ttl 63\]$/,
      /^fragment \| port 1 to blue: 2001:db8:9::[0-9a-f]+ > 2001:db8:1::1 ipip ttl 64 \[10\.0\.0\.1 > 10\.0\.0\.100 fragment at 552 ttl 63\]$/,
    ],
  },
  {
    does: 'to others are routed on, and those of a backend too but for the first, which comes from the vip',
    in: [
      ...cut(protocols.tcp, { target: green.ipv4 }),
      {
        port: backendsPort,
        frame: tcp({
          source: blue.ipv4,
          target: client.ipv4,
          sourcePort: backendPort,
          targetPort: 1000,
          ipv4: { moreFragments: true, dontFragment: false },
        }),
      },
    ],
    out: [
      `routed | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 0 and more ports 1000 > 80 ${checksumIn(tcp({ ...toGreen, payload: new Uint8Array(1000) }))} ttl 63`,
      'routed | port 1 to green: 10.0.0.1 > 10.0.1.2 fragment at 552 ttl 63',
      `return | port 0 to client: 10.0.0.100 > 10.0.0.1 fragment at 0 and more ports 80 > 1000 ${checksumIn(tcp({ source: vip.ipv4, target: client.ipv4, sourcePort: 80, targetPort: 1000 }))} ttl 63`,
    ],
  },
  {
    does: 'too short for their ports are dropped',
    in: [
      frameOf(
        {},
        ipPacket(
          { ipv4: { moreFragments: true, dontFragment: false } },
          protocols.tcp,
          segmentOf({}).subarray(0, 8),
        ),
      ),
    ],
    out: ['dropped: malformed'],
  },
]);

function slotOfFragments(): number {
  const bytes = new Uint8Array(13);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, client.ipv4);
  view.setUint32(4, vip.ipv4);
  view.setUint8(8, protocols.tcp);
  return crc32(bytes) & slotMask;
}

function columnRow(backend: number): EntryInput {
  return {
    table: 'slot_version',
    match: { pool: pools.tcp, slot: 0, column: 1 },
    action: { name: 'set_backend', params: { backend } },
  };
}
