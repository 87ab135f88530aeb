// SPDX-License-Identifier: Apache-2.0
/**
 * Frames that are good but for some octets: nothing crashes, every frame is counted once, and whatever leaves has a whole IPv4
 * header. FRAMES=n asks for more or fewer.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EntryInput, MatchValue } from '../../p4runtime/entries.ts';
import { compile } from '../../switch/engine/compile.ts';
import type { KeyPart, TableOperation } from '../../switch/engine/pipeline.ts';
import type { Program } from '../../switch/engine/program.ts';
import { internetChecksum } from '../../wire/checksum.ts';
import { ethernetHeaderBytes, etherTypes } from '../../wire/ethernet.ts';
import { protocols } from '../../wire/ipv4.ts';
import { extensionKinds, fragmentExtension, paddingExtension } from '../../wire/ipv6.ts';
import { encodeOptions, serverIdOption, tcpOptionKinds } from '../../wire/options.ts';
import { tcpFlags } from '../../wire/tcp.ts';
import { frameOf, icmp, ipPacket, quoted, segmentOf, tcp, toVipIpv6, udp } from './frames.ts';
import {
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

const frames = Number(process.env.FRAMES ?? 100_000);
const seeds = [1, 2, 3];

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

/** The lab, with a tunnel, an unstable slot, fragments, a hint and a dead pool that answers. */
const rows: readonly EntryInput[] = [
  ...changedBy([
    backendRow(ids.blue, 'gue_ipv6', { address: blue.ipv6, port: 6080 }),
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

describe('a damaged frame', () => {
  it.each(seeds)('does no harm, seed %d', { timeout: 600_000 }, (seed) => {
    const dice = diceOf(seed);
    let sent = 0;
    const { pipeline, program } = compile(JSON.parse(readFileSync('p4/build/evenkeel.json', 'utf8')), {
      dropPort: 511,
      sink: {
        transmit: (_port, frame) => {
          sent += 1;
          expectWhole(frame);
        },
        digest: () => {},
        diagnostic: (what) => {
          throw new Error(what);
        },
      },
    });
    pipeline.apply(rows.map((row, handle) => operationOf(program, row, handle)));
    const count = Math.ceil(frames / seeds.length);
    for (let number = 0; number < count; number++) pipeline.process(0, mutant(dice), number);
    const counted = (counter: string, cell: number) =>
      Number(
        pipeline.readCounter(program.counters.find(({ name }) => name.endsWith(counter))!.id, cell).packets,
      );
    const sum = (counter: string, cells: number) =>
      Array.from({ length: cells }, (_, cell) => counted(counter, cell)).reduce(
        (total, packets) => total + packets,
        0,
      );
    const dropped = sum('drops.cells', 32);
    expect([sent + dropped, dropped > 0, sent > 0]).toEqual([count, true, true]);
    // A new flow is counted even when its packet is dropped.
    expect(sum('decisions.cells', 16)).toBeGreaterThanOrEqual(sent);
    expect(sum('decisions.cells', 16)).toBeLessThanOrEqual(sent + counted('decisions.cells', 4));
  });
});

function expectWhole(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const packet = frame.subarray(ethernetHeaderBytes);
  if (view.getUint16(12) !== etherTypes.ipv4) return;
  const headerBytes = (packet[0]! & 15) * 4;
  // With options it is longer than what was parsed; its checksum follows the TTL, right or wrong.
  if (headerBytes === 20 && internetChecksum(packet.subarray(0, 20)) !== 0) {
    throw new Error(`the IPv4 header is damaged: ${Buffer.from(frame).toString('hex')}`);
  }
}

/** A sample with a few octets changed; in half of them the IPv4 checksum says that this is right. */
function mutant(dice: (sides: number) => number): Uint8Array {
  const frame = samples[dice(samples.length)]!.slice();
  for (let changes = dice(4); changes >= 0; changes--) {
    // Headers are what matters.
    const at = ethernetHeaderBytes + dice(Math.min(frame.length - ethernetHeaderBytes, 90));
    frame[at] = dice(2) === 0 ? frame[at]! ^ (1 << dice(8)) : dice(256);
  }
  if (dice(2) === 0 && (frame[14]! & 15) === 5) {
    frame.set([0, 0], 24);
    const checksum = internetChecksum(frame.subarray(14, 34));
    frame.set([checksum >>> 8, checksum & 255], 24);
  }
  return dice(10) === 0 ? frame.subarray(0, dice(frame.length)) : frame;
}

/** Numbers from 0 up to a number of sides (mulberry32). */
function diceOf(seed: number): (sides: number) => number {
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
