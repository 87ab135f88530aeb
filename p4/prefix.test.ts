// SPDX-License-Identifier: Apache-2.0
/** Pools with prefix tables: the longest prefix of a slot decides, as base and in every column. */
import { crc32 } from 'node:zlib';
import type { EntryInput } from '../p4runtime/entries.ts';
import { tcp } from '../test/packets/frames.ts';
import {
  backendPort,
  client,
  fragmentRow,
  ids,
  pools,
  slotRow,
  versionRow,
  vip,
  vipPorts,
  vipRow,
} from '../test/packets/lab.ts';
import { describePackets } from '../test/packets/packets.ts';
import { protocols } from '../wire/ipv4.ts';
import { tcpFlags } from '../wire/tcp.ts';

const { syn, ack } = tcpFlags;
const slotMask = 0xffff;
const none = { epoch: 0, column: 0 };
const byPrefix = vipRow('tcp', { slotMask, byPrefix: 1 });

/** The slot of a flow to the vip. */
function slotOf(sourcePort: number): number {
  const bytes = new Uint8Array(13);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, client.ipv4);
  view.setUint32(4, vip.ipv4);
  view.setUint8(8, protocols.tcp);
  view.setUint16(9, sourcePort);
  view.setUint16(11, vipPorts.tcp);
  return crc32(bytes) & slotMask;
}

const slot = slotOf(1000);
const first = (bits: number) => slot & ~(slotMask >> bits);
/** A flow whose slot shares the first bits with that of port 1000, and no more. */
const portSharing = (bits: number) => {
  for (let port = 1001; port < 65_536; port++) if (Math.clz32(slotOf(port) ^ slot) - 16 === bits) return port;
  throw new Error(`no port shares ${bits} bits`);
};

function prefixRow(bits: number, backend: number, unstable = 0): EntryInput {
  return {
    table: 'slot_prefix',
    match: { pool: pools.tcp, ...(bits > 0 && { slot: { value: first(bits), prefixLength: bits } }) },
    action: { name: 'set_slot', params: { unstable, pin_base: unstable, backend } },
  };
}

function columnRow(bits: number, column: number, backend: number): EntryInput {
  return {
    table: 'slot_version_prefix',
    match: { pool: pools.tcp, column, ...(bits > 0 && { slot: { value: first(bits), prefixLength: bits } }) },
    action: { name: 'set_backend', params: { backend } },
  };
}

const to = (name: 'blue' | 'green', port: number, flags = 'ack') =>
  `port 1 to ${name}: 10.0.0.1:${port} > 10.0.1.${name === 'blue' ? 1 : 2}:${backendPort} tcp ${flags} ttl 63`;

describePackets('a pool with a prefix table', [
  {
    does: 'sends a flow where the longest prefix of its slot says',
    rows: [
      byPrefix,
      prefixRow(0, ids.blue),
      prefixRow(2, ids.green),
      prefixRow(5, ids.blue),
      prefixRow(16, ids.green),
    ],
    in: [1000, portSharing(0), portSharing(2), portSharing(4), portSharing(5), portSharing(9)].map(
      (sourcePort) => tcp({ sourcePort }),
    ),
    out: [
      `stable | ${to('green', 1000)}`,
      `stable | ${to('blue', portSharing(0))}`,
      `stable | ${to('green', portSharing(2))}`,
      `stable | ${to('green', portSharing(4))}`,
      `stable | ${to('blue', portSharing(5))}`,
      `stable | ${to('blue', portSharing(9))}`,
    ],
  },
  {
    does: 'has nobody where no prefix fits, whatever a row a slot says',
    rows: [byPrefix, prefixRow(1, ids.blue), slotRow('tcp', ids.green, { slot: slotOf(portSharing(0)) })],
    in: [tcp(), tcp({ sourcePort: portSharing(0) })],
    out: [`stable | ${to('blue', 1000)}`, 'dropped: dead pool'],
  },
  {
    does: 'is asked by prefixes for its fragments too',
    rows: [fragmentRow('tcp', { slotMask, byPrefix: 1 }), prefixRow(0, ids.green)],
    in: [tcp({ ipv4: { moreFragments: true } })],
    out: [/^fragment \| port 1 to green: 10\.0\.0\.1 > 10\.0\.1\.2 fragment at 0 and more/],
  },
  {
    does: 'has columns by prefixes: new flows take the longest of the active one, and base where there is none',
    rows: [
      byPrefix,
      versionRow(1, [none, { epoch: 2, column: 2 }]),
      prefixRow(0, ids.blue, 1),
      columnRow(3, 2, ids.green),
      columnRow(6, 2, ids.blue),
      columnRow(0, 1, ids.blue),
    ],
    in: [portSharing(3), portSharing(6), portSharing(1)].map((sourcePort) => tcp({ sourcePort, flags: syn })),
    out: [
      `new | ${to('green', portSharing(3), 'syn')}`,
      `new | ${to('blue', portSharing(6), 'syn')}`,
      `new | ${to('blue', portSharing(1), 'syn')}`,
    ],
  },
  {
    does: 'keeps a flow that no filter knows on base, and has it pinned: the digest names its slot',
    rows: [
      byPrefix,
      versionRow(1, [none, { epoch: 2, column: 2 }]),
      prefixRow(4, ids.blue, 1),
      columnRow(4, 2, ids.green),
    ],
    in: [tcp({ flags: ack })],
    out: [
      `base | ${to('blue', 1000)} | digest 10.0.0.1 1000 pool 1 slot ${slot} column 0 backend 1 because old`,
    ],
  },
]);
