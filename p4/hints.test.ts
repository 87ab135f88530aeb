// SPDX-License-Identifier: Apache-2.0
/** Packets that name their server: QUIC connection ids and Katran's TCP option; and what becomes of those that do so badly. */
import type { EntryInput } from '../p4runtime/entries.ts';
import { type Datagram, icmp, quoted, tcp, toVipIpv6, udp } from '../test/packets/frames.ts';
import { client, ids, type Pool, pools, slotRow, vip, vipRow } from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { icmpTypes } from '../wire/icmp.ts';
import { encodeOptions, serverIdOption, tcpOptionKinds } from '../wire/options.ts';
import { encodeQuic, longHeaderBits, quicPacketTypes, quicVersion1, shortHeaderBits } from '../wire/quic.ts';
import { type ConnectionIdLayout, encodeConnectionId, patternOf } from '../wire/quic-server-id.ts';
import { tcpFlags } from '../wire/tcp.ts';

const { syn, ack, fin } = tcpFlags;
const quic = 1;
const tcpOption = 2;

/** @param backend  0: the server is known and dead */
function named(pool: Pool, { value, mask }: { value: bigint; mask: bigint }, backend: number): EntryInput {
  return {
    table: 'server_id',
    match: { pool: pools[pool], hint: { value, mask } },
    priority: 1,
    action: { name: 'named', params: { backend } },
  };
}

const layouts: ConnectionIdLayout[] = [
  { kind: 'quic-lb', configId: 2, serverIdBytes: 2, bytes: 12 },
  { kind: 'katran-v1', bytes: 8 },
  { kind: 'katran-v2', bytes: 16 },
  { kind: 'katran-v3', bytes: 20 },
];
const [lb] = layouts as [ConnectionIdLayout];
const noise = 0xa5a5_5a5a_a5a5_5a5a_a5a5_5a5a_a5a5_5a5a_a5a5_5a5an;

/** Of a connection that `serverId` has named, from any address of the client. */
const short = (layout: ConnectionIdLayout, serverId: bigint, datagram: Datagram = {}) =>
  udp({
    ...datagram,
    payload: encodeQuic({
      form: 'short',
      firstBits: shortHeaderBits,
      targetConnectionId: encodeConnectionId(layout, serverId, noise),
      rest: new Uint8Array(20),
    }),
  });

const long = (type: number) =>
  udp({
    payload: encodeQuic({
      form: 'long',
      firstBits: longHeaderBits(type),
      version: quicVersion1,
      targetConnectionId: encodeConnectionId(lb, 7n, noise),
      sourceConnectionId: new Uint8Array(8),
      rest: new Uint8Array(1000),
    }),
  });

const toGreen = (port = 1000) => `port 1 to green: 10.0.0.1:${port} > 10.0.1.2:8080 udp ttl 63`;
const toBlue = 'port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 udp ttl 63';

describePackets('a QUIC connection id', [
  ...layouts.map((layout) => ({
    does: `of layout ${layout.kind} names its server, wherever the client is now`,
    rows: [vipRow('udp', { hint: quic }), named('udp', patternOf(layout, 7n), ids.green)],
    in: [short(layout, 7n), short(layout, 7n, { sourcePort: 2000 }), short(layout, 8n)],
    out: [
      `hinted | ${toGreen()} | hint used`,
      `hinted | ${toGreen(2000)} | hint used`,
      `stable | ${toBlue} | hint unknown`,
    ],
  })),
  {
    does: 'wins over the pin, touches no filter and raises no digest',
    rows: [
      vipRow('udp', { hint: quic }),
      named('udp', patternOf(lb, 7n), ids.green),
      slotRow('udp', ids.blue, { unstable: 1 }),
      {
        table: 'pin',
        match: { pool: pools.udp, source_address: client.ipv4, source_port: 1000 },
        action: { name: 'pin_to', params: { backend: ids.blue } },
      },
    ],
    in: [short(lb, 7n), short(lb, 7n, { sourcePort: 2001 }), short(lb, 8n, { sourcePort: 2001 })],
    out: [
      `hinted | ${toGreen()} | hint used`,
      `hinted | ${toGreen(2001)} | hint used`,
      // New: the packet before it has left no mark.
      `new | ${toBlue.replace('1000', '2001')} | hint unknown`,
    ],
  },
  {
    does: 'of a dead server falls back to the hash',
    rows: [vipRow('udp', { hint: quic }), named('udp', patternOf(lb, 7n), 0)],
    in: [short(lb, 7n)],
    out: [`stable | ${toBlue} | hint dead`],
  },
  {
    does: 'is not looked for in long headers',
    rows: [vipRow('udp', { hint: quic }), named('udp', patternOf(lb, 7n), ids.green)],
    in: Object.values(quicPacketTypes).map(long),
    out: Array(4).fill(`stable | ${toBlue}`),
  },
  {
    does: 'that is cut short is none',
    rows: [vipRow('udp', { hint: quic }), named('udp', { value: 0n, mask: 0n }, ids.green)],
    in: [0, 1, 8, 9].map((bytes) => udp({ payload: new Uint8Array(bytes) })),
    out: [...Array(3).fill(`stable | ${toBlue} | hint malformed`), `hinted | ${toGreen()} | hint used`],
  },
  {
    does: 'is not looked for where the pool does not ask',
    rows: [named('udp', patternOf(lb, 7n), ids.green)],
    in: [short(lb, 7n)],
    out: [`stable | ${toBlue}`],
  },
  {
    does: 'names a server over IPv6',
    rows: [vipRow('udpIpv6', { hint: quic }), named('udpIpv6', patternOf(lb, 7n), ids.greenIpv6)],
    in: [short(lb, 7n, toVipIpv6)],
    out: ['hinted | port 1 to green: [2001:db8::1]:1000 > [2001:db8:1::2]:8080 udp ttl 63 | hint used'],
  },
]);

const serverId = 0xdeadbeef;
const rows = [
  vipRow('tcp', { hint: tcpOption }),
  named('tcp', { value: BigInt(serverId) << 32n, mask: 0xffff_ffff_0000_0000n }, ids.green),
];
const tcpToGreen = 'port 1 to green: 10.0.0.1:1000 > 10.0.1.2:8080 tcp ack ttl 63';
const tcpToBlue = 'port 1 to blue: 10.0.0.1:1000 > 10.0.1.1:8080 tcp ack ttl 63';

const nothing = { kind: tcpOptionKinds.noOperation, data: new Uint8Array(0) };
const timestamps = { kind: tcpOptionKinds.timestamps, data: new Uint8Array(8) };
const sack = (blocks: number) => ({ kind: 5, data: new Uint8Array(8 * blocks) });
const name = serverIdOption(serverId);
const withOptions = (bytes: readonly number[], flags = ack) => {
  const options = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  options.set(bytes);
  return tcp({ options, flags });
};

describePackets('the TCP option', [
  {
    does: 'is found at every octet behind others of one octet',
    rows,
    in: Array.from({ length: 35 }, (_, count) =>
      tcp({ options: encodeOptions([...Array(count).fill(nothing), name]) }),
    ),
    out: Array(35).fill(`hinted | ${tcpToGreen} | hint used`),
  },
  {
    does: 'is found behind options of every length, at every octet of a word',
    rows,
    in: [0, 1, 2, 3].flatMap((before) =>
      [2, 3, 4, 5, 6, 7, 8, 10, 18, 26, 30].flatMap((length) => {
        const other = { kind: 200, data: new Uint8Array(length - 2).fill(tcpOptionKinds.serverId) };
        const options = [...Array(before).fill(nothing), other, name];
        return before + length + 6 > 40 ? [] : [tcp({ options: encodeOptions(options) })];
      }),
    ),
    out: Array(44).fill(`hinted | ${tcpToGreen} | hint used`),
  },
  {
    does: 'is found among what real hosts send',
    rows,
    in: [
      [nothing, nothing, timestamps, name],
      [nothing, nothing, timestamps, nothing, nothing, sack(1), name, nothing, nothing],
      [nothing, nothing, timestamps, nothing, nothing, sack(2), name].slice(2),
      [name, nothing, nothing, timestamps],
    ].map((options) => tcp({ options: encodeOptions(options) })),
    out: Array(4).fill(`hinted | ${tcpToGreen} | hint used`),
  },
  {
    does: 'names a server over IPv6, and with any flag',
    rows: [
      vipRow('tcpIpv6', { hint: tcpOption }),
      named('tcpIpv6', { value: BigInt(serverId) << 32n, mask: 0xffff_ffff_0000_0000n }, ids.greenIpv6),
    ],
    in: [ack, fin | ack, syn].map((flags) => tcp({ ...toVipIpv6, flags, options: encodeOptions([name]) })),
    out: ['ack', 'fin ack', 'syn'].map(
      (flags) =>
        `hinted | port 1 to green: [2001:db8::1]:1000 > [2001:db8:1::2]:8080 tcp ${flags} ttl 63 | hint used`,
    ),
  },
  {
    does: 'of an unknown server falls back to the hash; a SYN without it is nothing to count, an ACK without it is',
    rows,
    in: [
      tcp({ options: encodeOptions([serverIdOption(1)]) }),
      tcp({ flags: syn }),
      tcp({ flags: syn, options: encodeOptions([nothing, nothing, timestamps]) }),
      tcp(),
      tcp({ options: encodeOptions([nothing, nothing, timestamps]) }),
    ],
    out: [
      `stable | ${tcpToBlue} | hint unknown`,
      `stable | ${tcpToBlue.replace('ack', 'syn')}`,
      `stable | ${tcpToBlue.replace('ack', 'syn')}`,
      `stable | ${tcpToBlue} | hint malformed`,
      `stable | ${tcpToBlue} | hint malformed`,
    ],
  },
  {
    does: 'is none when it has another length, ends behind the header, stands behind the end of the list or in another option',
    rows,
    in: [
      withOptions([0xb7, 5, 0xde, 0xad, 0xbe]),
      withOptions([0xb7, 7, 0xde, 0xad, 0xbe, 0xef, 0]),
      withOptions([0xb7, 0, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([1, 1, 1, 0xb7]),
      withOptions([1, 1, 0xb7, 6]),
      withOptions([1, 0xb7, 6, 0xde]),
      withOptions([0xb7, 6, 0xde, 0xad]),
      withOptions([1, 1, 1, 0xb7, 6, 0xde, 0xad, 0xbe]),
      withOptions([0, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([200, 8, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([200, 1, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([200, 0, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([200, 255, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
      withOptions([1, 1, 1, 200, 0, 0xb7, 6, 0xde, 0xad, 0xbe, 0xef]),
    ],
    out: Array(14).fill(`stable | ${tcpToBlue} | hint malformed`),
  },
  {
    does: 'is kept, and so are all others: what leaves has the same options',
    in: [tcp({ options: encodeOptions([nothing, timestamps, name, nothing, nothing, nothing, sack(1)]) })],
    out: [`stable | ${tcpToBlue}`],
  },
  {
    does: 'is not looked for behind the header that a cut frame has promised',
    rows,
    in: [tcp({ options: encodeOptions([nothing, name]) }).subarray(0, 14 + 40 + 2)],
    out: ['dropped: malformed'],
  },
]);

describePackets('an ICMP error', [
  {
    does: 'about a flow of a pool with hints goes by the hash, and counts as no hint',
    rows: [vipRow('tcp', { hint: tcpOption })],
    in: [
      icmp(
        {},
        {
          type: icmpTypes.timeExceeded,
          code: 0,
          rest: 0,
          payload: quoted(
            tcp({ source: vip.ipv4, target: client.ipv4, sourcePort: 80, targetPort: 1000 }).subarray(14),
          ),
        },
      ),
    ],
    out: [
      'icmp error | port 1 to blue: 10.0.0.1 > 10.0.1.1 icmp error 11/0 about [10.0.1.1:8080 > 10.0.0.1:1000 ttl 64, 8 octets] ttl 63',
    ],
  },
]);
