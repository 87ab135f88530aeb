// SPDX-License-Identifier: Apache-2.0
/** Frames that are good but for some octets, and an engine with rows for all of them. */
import { readFileSync } from 'node:fs';
import type { EntryInput, MatchValue } from '../../p4runtime/entries.ts';
import { compile } from '../../switch/engine/compile.ts';
import type { KeyPart, TableOperation } from '../../switch/engine/pipeline.ts';
import type { Program } from '../../switch/engine/program.ts';
import { internetChecksum } from '../../wire/checksum.ts';
import { ethernetHeaderBytes } from '../../wire/ethernet.ts';
import { guePort } from '../../wire/gue.ts';
import { protocols } from '../../wire/ipv4.ts';
import { extensionKinds, fragmentExtension, paddingExtension } from '../../wire/ipv6.ts';
import { encodeOptions, serverIdOption, tcpOptionKinds } from '../../wire/options.ts';
import { tcpFlags } from '../../wire/tcp.ts';
import { frameOf, icmp, ipPacket, quoted, segmentOf, tcp, toVipIpv6, udp } from './frames.ts';
import {
  backendPort,
  backendRow,
  blue,
  client,
  fragmentRow,
  green,
  ids,
  labRows,
  pools,
  slotRow,
  versionRow,
  vip,
  vipRow,
} from './lab.ts';

const noOperation = { kind: tcpOptionKinds.noOperation, data: new Uint8Array(0) };
const about = (source: number | bigint, target: number | bigint) =>
  quoted(
    ipPacket(
      { source, target },
      protocols.tcp,
      segmentOf({ source, target, sourcePort: 80, targetPort: 1000 }),
    ),
  );

/** One of every kind of frame that the program knows. */
const samples: readonly Uint8Array[] = [
  tcp(),
  tcp({ flags: tcpFlags.syn }),
  tcp({ options: encodeOptions([noOperation, serverIdOption(7), noOperation]) }),
  tcp({ ipv4: { options: new Uint8Array(8).fill(1) } }),
  tcp({ ipv4: { moreFragments: true, dontFragment: false } }),
  tcp({ ipv4: { fragmentOffset: 9, dontFragment: false } }),
  tcp({ ttl: 1, target: green.ipv4 }),
  tcp({ payload: new Uint8Array(1461) }),
  udp(),
  udp({ payload: new Uint8Array(30).fill(0x41) }),
  tcp(toVipIpv6),
  udp(toVipIpv6),
  tcp({ ...toVipIpv6, ttl: 1 }),
  tcp({
    ...toVipIpv6,
    ipv6: { extensions: [fragmentExtension({ offset: 0, moreFragments: true, identification: 5 })] },
  }),
  tcp({ ...toVipIpv6, ipv6: { extensions: [paddingExtension(extensionKinds.hopByHop, 16)] } }),
  icmp({}, { type: 8, code: 0, rest: 1, payload: new Uint8Array(9) }),
  icmp(toVipIpv6, { type: 128, code: 0, rest: 1, payload: new Uint8Array(9) }),
  icmp({}, { type: 3, code: 4, rest: 1400, payload: about(vip.ipv4, client.ipv4) }),
  icmp(toVipIpv6, { type: 2, code: 0, rest: 1400, payload: about(vip.ipv6, client.ipv6) }),
  icmp(
    { ...toVipIpv6, ttl: 255 },
    { type: 135, code: 0, rest: 0, payload: Uint8Array.of(...new Uint8Array(16), 1, 1, 2, 0, 0, 0, 0, 1) },
  ),
  frameOf({}, ipPacket({ target: green.ipv4 }, 132, new Uint8Array(30))),
  tcp({ source: blue.ipv4, target: client.ipv4, sourcePort: 8080, targetPort: 1000 }),
];

/** How blue and green are reached, over each IP; parameters are those of the actions. */
export type Forwarding =
  | { kind: 'nat' | 'l2_dsr' }
  | { kind: 'ipip' | 'gre' | 'gue'; outer: 'ipv4' | 'ipv6' };

/** The lab, with an unstable slot, fragments, a hint, a dead pool that answers, and blue and green behind a tunnel or not. */
export function mutantRows(forwarding: Forwarding): EntryInput[] {
  return [
    ...changedBy([
      backendRow(ids.blue, ...reached(blue, forwarding, 'ipv4')),
      backendRow(ids.green, ...reached(green, forwarding, 'ipv4')),
      backendRow(ids.blueIpv6, ...reached(blue, forwarding, 'ipv6')),
      backendRow(ids.greenIpv6, ...reached(green, forwarding, 'ipv6')),
      slotRow('tcp', ids.blue, { unstable: 1 }),
      vipRow('tcp', { hint: 2, onDead: 1 }),
      vipRow('udp', { hint: 1, onDead: 2 }),
      slotRow('udp', 0),
    ]),
    fragmentRow('tcp'),
    fragmentRow('tcpIpv6'),
    {
      table: 'server_id',
      match: { pool: pools.tcp, hint: { value: 7n << 32n, mask: 0xffffffffn << 32n } },
      priority: 1,
      action: { name: 'named', params: { backend: ids.green } },
    },
    versionRow(1, [
      { epoch: 1, column: 0 },
      { epoch: 1, column: 0, learn: 1 },
    ]),
  ];
}

/** @param inner  family of the packets */
function reached(
  host: typeof blue,
  forwarding: Forwarding,
  inner: 'ipv4' | 'ipv6',
): [action: string, params: Record<string, number | bigint>] {
  const family = 'outer' in forwarding ? forwarding.outer : inner;
  const action = family === 'ipv6' ? `${forwarding.kind}_ipv6` : forwarding.kind;
  switch (forwarding.kind) {
    case 'nat':
      return [action, { address: host[family], port: backendPort }];
    case 'l2_dsr':
      return [action, { next_hop: host[family] }];
    case 'gue':
      return [action, { address: host[family], port: guePort }];
    case 'ipip':
    case 'gre':
      return [action, { address: host[family] }];
  }
}

/** The program of p4/build on the embedded engine, with these rows. */
export function startEngine(
  rows: readonly EntryInput[],
  transmit: (port: number, frame: Uint8Array) => void,
): {
  process(port: number, frame: Uint8Array, timeUs: number): void;
  counted(counter: string, cell: number): number;
} {
  const { pipeline, program } = compile(JSON.parse(readFileSync('p4/build/evenkeel.json', 'utf8')), {
    dropPort: 511,
    sink: {
      transmit,
      digest: () => {},
      diagnostic: (what) => {
        throw new Error(what);
      },
    },
  });
  pipeline.apply(rows.map((row, handle) => operationOf(program, row, handle)));
  return {
    process: (port, frame, timeUs) => pipeline.process(port, frame, timeUs),
    counted: (counter, cell) =>
      Number(
        pipeline.readCounter(program.counters.find(({ name }) => name.endsWith(counter))!.id, cell).packets,
      ),
  };
}

/** A sample with a few octets changed; in half of them each checksum says that this is right. */
export function mutant(dice: (sides: number) => number): Uint8Array {
  const frame = samples[dice(samples.length)]!.slice();
  for (let changes = dice(4); changes >= 0; changes--) {
    // Headers are what matters.
    const at = ethernetHeaderBytes + dice(Math.min(frame.length - ethernetHeaderBytes, 90));
    frame[at] = dice(2) === 0 ? frame[at]! ^ (1 << dice(8)) : dice(256);
  }
  if (dice(2) === 0) repairTransport(frame);
  if (dice(2) === 0 && (frame[14]! & 15) === 5) {
    frame.set([0, 0], 24);
    const checksum = internetChecksum(frame.subarray(14, 34));
    frame.set([checksum >>> 8, checksum & 255], 24);
  }
  return dice(10) === 0 ? frame.subarray(0, dice(frame.length)) : frame;
}

/** Gives what is directly in IP the checksum that it should have, where the packet is whole. */
function repairTransport(frame: Uint8Array): void {
  const packet = frame.subarray(ethernetHeaderBytes);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const isIpv6 = packet[0]! >>> 4 === 6;
  const [start, end] = isIpv6 ? [40, 40 + view.getUint16(4)] : [20, view.getUint16(2)];
  const protocol = packet[isIpv6 ? 6 : 9]!;
  const isFragment = !isIpv6 && (view.getUint16(6) & 0x3fff) !== 0;
  const at = { [protocols.tcp]: 16, [protocols.udp]: 6, [protocols.icmp]: 2, [protocols.icmpv6]: 2 }[
    protocol
  ];
  if (at === undefined || isFragment || end > packet.length || start + at + 2 > end) return;
  if (protocol === (isIpv6 ? protocols.icmp : protocols.icmpv6)) return;
  const addresses = isIpv6 ? packet.subarray(8, 40) : packet.subarray(12, 20);
  const pseudo = [...addresses, 0, protocol, (end - start) >>> 8, (end - start) & 255];
  packet.set([0, 0], start + at);
  const around = protocol === protocols.icmp ? [] : pseudo;
  const checksum = internetChecksum(Uint8Array.from([...around, ...packet.subarray(start, end)])) || 0xffff;
  packet.set([checksum >>> 8, checksum & 255], start + at);
}

/** Numbers from 0 up to a number of sides (mulberry32). */
export function diceOf(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

function changedBy(changes: readonly EntryInput[]): EntryInput[] {
  const keyOf = ({ table, match }: EntryInput) =>
    JSON.stringify([table, match], (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
  const byKey = new Map(changes.map((row) => [keyOf(row), row]));
  return labRows.map((row) => byKey.get(keyOf(row)) ?? row);
}

function operationOf(program: Program, row: EntryInput, handle: number): TableOperation {
  const named = (name: string) => (object: { name: string }) => object.name.endsWith(`.${name}`);
  const table = program.tables.find(named(row.table))!;
  const action = table.actions.find(named(row.action!.name))!.id;
  const data = Object.values(row.action!.params ?? {}).map((value) => BigInt(value as number | bigint));
  if (row.match === undefined) return { kind: 'default', table: table.id, action, data };
  const key = Object.values(row.match).map(keyPart);
  return {
    kind: 'insert',
    table: table.id,
    handle,
    key,
    priority: row.priority ?? 0,
    action,
    data,
    idleTimeoutMs: 0,
  };
}

function keyPart(value: MatchValue): KeyPart {
  if (typeof value !== 'object' || value instanceof Uint8Array)
    return { kind: 'exact', value: BigInt(value as number) };
  if ('prefixLength' in value)
    return { kind: 'lpm', value: BigInt(value.value as number), prefixLength: value.prefixLength };
  if ('mask' in value)
    return { kind: 'ternary', value: BigInt(value.value as bigint), mask: BigInt(value.mask as bigint) };
  throw new Error('no table has ranges');
}
