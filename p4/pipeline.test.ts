// SPDX-License-Identifier: Apache-2.0
/**
 * What the compiled program does to packets: description, packet in, verdict. It runs in the embedded engine; test/e2e
 * runs real traffic through it, on simple_switch_grpc too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { flowHash } from '../controller/core/flow-hash.ts';
import { compile } from '../switch/engine/compile.ts';
import type { KeyPart, Pipeline } from '../switch/engine/pipeline.ts';
import type { Program, Table } from '../switch/engine/program.ts';
import { formatIpv4, parseIpv4, parseMac } from '../wire/address.ts';
import { arpOperations, decodeArp, encodeArp } from '../wire/arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from '../wire/ethernet.ts';
import { decodeIpv4, encodeIpv4, ipv4Defaults, protocols } from '../wire/ipv4.ts';
import { decodeTcp, encodeTcp, tcpDefaults, tcpFlags } from '../wire/tcp.ts';
import { decodeUdp, encodeUdp } from '../wire/udp.ts';

const json = JSON.parse(readFileSync(join(import.meta.dirname, 'build', 'evenkeel.json'), 'utf8'));
const { syn, ack, fin, rst } = tcpFlags;

const client = { address: parseIpv4('10.0.0.1'), mac: parseMac('02:00:00:00:00:01'), port: 0 };
const vip = parseIpv4('10.0.0.100');
const router = { address: parseIpv4('10.0.0.254'), mac: parseMac('02:00:00:00:00:fe') };
const blue = { id: 1, address: parseIpv4('10.0.1.1'), port: 8080 };
const green = { id: 2, address: parseIpv4('10.0.1.2'), port: 8081 };
const tcpPool = 1;
const udpPool = 2;
/** One slot a pool: every flow is in slot 0. */
const slotMask = 0;
/** No affinity, no hint, silence when dead, a row a slot. */
const plain = [0, 0, 0, 0];
const mtu = 1500;

let pipeline: Pipeline;
let program: Program;
let sent: { port: number; frame: Uint8Array }[];
let digests: string[];
/** The table of every row, in the order of insertion: the index is the row's handle. */
let inserted: string[];

beforeEach(() => {
  sent = [];
  digests = [];
  inserted = [];
  ({ pipeline, program } = compile(json, {
    dropPort: 511,
    sink: {
      transmit: (port, frame) => sent.push({ port, frame: frame.slice() }),
      digest: ({ list, values }) => digests.push(describeDigest(list, values)),
      diagnostic: (what) => {
        throw new Error(what);
      },
    },
  }));
  insert('vip', [vip, protocols.tcp, 80], 'serve', [tcpPool, slotMask, ...plain]);
  insert('vip', [vip, protocols.udp, 53], 'serve', [udpPool, slotMask, ...plain]);
  insert('slot', [tcpPool, 0], 'set_slot', [0, 0, blue.id]);
  insert('slot', [udpPool, 0], 'set_slot', [0, 0, blue.id]);
  for (const backend of [blue, green]) {
    insert('backend', [backend.id], 'nat', [backend.address, backend.port]);
    insert('neighbour', [backend.address], 'to_neighbour', [1, router.mac, 0x020000000100 + backend.id, mtu]);
  }
  insert('return_path', [blue.address, protocols.tcp, blue.port], 'as_vip', [vip, 80]);
  insert('neighbour', [client.address], 'to_neighbour', [client.port, router.mac, client.mac, mtu]);
  insert('own_address', [router.address], 'ours', [router.mac]);
  insert('route', [{ value: parseIpv4('10.0.0.0'), prefixLength: 24 }], 'on_link', []);
  insert('route', [{ value: parseIpv4('10.0.1.0'), prefixLength: 24 }], 'on_link', []);
});

describe('a stable slot', () => {
  it('sends every packet to its backend, rewrites it with valid checksums, and raises no digest', () => {
    expect([tcp(1000, syn), tcp(1000, ack), tcp(1000, fin | ack), tcp(1000, rst)]).toEqual(
      Array(4).fill('port 1: 10.0.0.1:1000 -> 10.0.1.1:8080 ttl 63'),
    );
    expect(digests).toEqual([]);
    expect(decisions()).toEqual({ stable: 4 });
  });

  it('sends the answer back as the vip', () => {
    expect(tcpFrom(blue.address, blue.port, client.address, 1000, syn | ack)).toBe(
      'port 0: 10.0.0.100:80 -> 10.0.0.1:1000 ttl 63',
    );
    expect(decisions()).toEqual({ return: 1 });
  });

  it('balances UDP, and leaves a datagram without checksum without one', () => {
    expect(udp(5000)).toBe('port 1: 10.0.0.1:5000 -> 10.0.1.1:8080 ttl 63');
    const frame = encodeFrame(protocols.udp, encodeUdpDatagram(5000));
    frame.set([0, 0], 14 + 20 + 6);
    process(0, frame);
    expect([...sent.at(-1)!.frame.subarray(40, 42)]).toEqual([0, 0]);
  });

  it('leaves a damaged segment damaged', () => {
    const frame = encodeFrame(protocols.tcp, encodeSegment(1000, ack));
    frame[frame.length - 1]! ^= 1;
    process(0, frame);
    expect(() => describeFrame(sent[0]!)).toThrow(/damaged/);
  });
});

describe('an unstable slot', () => {
  beforeEach(() => {
    modify('slot', 0, 'set_slot', [1, 1, blue.id]);
    insert('slot_version', [tcpPool, 0, 1], 'set_backend', [green.id]);
    setVersion({ active: 1, filters: [live(1, 0, 0), live(1, 1, 0), dead, dead] });
  });

  it('gives a new flow the active column and an old one base, which it asks to pin', () => {
    expect([tcp(1000, syn), tcp(1000, ack), tcp(2000, ack)]).toEqual([
      'port 1: 10.0.0.1:1000 -> 10.0.1.2:8081 ttl 63',
      'port 1: 10.0.0.1:1000 -> 10.0.1.2:8081 ttl 63',
      'port 1: 10.0.0.1:2000 -> 10.0.1.1:8080 ttl 63',
    ]);
    expect(digests).toEqual(['10.0.0.1:2000 pool 1 slot 0 column 0 backend 1 because old']);
    expect(decisions()).toEqual({ new: 1, filter: 1, base: 1 });
  });

  it('keeps a retransmitted SYN in the column of its first copy, across commits', () => {
    tcp(1000, syn);
    insert('slot_version', [tcpPool, 0, 2], 'set_backend', [blue.id]);
    setVersion({ active: 2, filters: [dead, live(1, 1, 0), live(1, 2, 0), dead] });
    expect([tcp(1000, syn), tcp(1001, syn), tcp(1000, ack)]).toEqual([
      'port 1: 10.0.0.1:1000 -> 10.0.1.2:8081 ttl 63',
      'port 1: 10.0.0.1:1001 -> 10.0.1.1:8080 ttl 63',
      'port 1: 10.0.0.1:1000 -> 10.0.1.2:8081 ttl 63',
    ]);
  });

  it('forgets whom a filter slot admitted when its epoch changes', () => {
    tcp(1000, syn);
    setVersion({ active: 1, filters: [dead, live(2, 1, 0), dead, dead] });
    expect(tcp(1000, ack)).toBe('port 1: 10.0.0.1:1000 -> 10.0.1.1:8080 ttl 63');
  });

  it('never asks to pin for a SYN or a RST, learning or not', () => {
    setVersion({ active: 1, filters: [live(1, 0, 1), live(1, 1, 1), dead, dead] });
    for (let port = 1; port <= 2000; port++) tcp(port, syn);
    tcp(1000, rst);
    tcp(5000, rst);
    expect(digests).toEqual([]);
  });

  it('asks to pin who has answered the handshake, when the filter slot learns', () => {
    setVersion({ active: 1, filters: [dead, live(1, 1, 1), dead, dead] });
    tcp(1000, syn);
    tcp(1000, ack);
    expect(digests).toEqual(['10.0.0.1:1000 pool 1 slot 0 column 1 backend 2 because learn']);
  });

  it('asks for no pin for flows of base where base is held, and for all who are elsewhere', () => {
    modify('slot', 0, 'set_slot', [1, 0, blue.id]);
    setVersion({ active: 2, filters: [dead, live(1, 1, 1), live(1, 2, 1), dead] });
    expect([tcp(1000, syn), tcp(1000, ack), tcp(2000, ack)]).toEqual(
      Array(3)
        .fill('port 1: 10.0.0.1:1000 -> 10.0.1.1:8080 ttl 63')
        .with(2, 'port 1: 10.0.0.1:2000 -> 10.0.1.1:8080 ttl 63'),
    );
    expect(digests).toEqual([]);
    setVersion({ active: 1, filters: [dead, live(1, 1, 1), live(1, 2, 1), dead] });
    tcp(3000, syn);
    tcp(3000, ack);
    expect(digests).toEqual(['10.0.0.1:3000 pool 1 slot 0 column 1 backend 2 because learn']);
  });

  it('obeys a pin, and tells of its FIN and of a SYN after it', () => {
    insert('pin', [tcpPool, client.address, 1000], 'pin_to', [green.id]);
    expect([tcp(1000, ack), tcp(1000, fin | ack), tcp(1000, syn)]).toEqual(
      Array(3).fill('port 1: 10.0.0.1:1000 -> 10.0.1.2:8081 ttl 63'),
    );
    expect(digests).toEqual([
      '10.0.0.1:1000 pool 1 slot 0 column 0 backend 2 because closing',
      '10.0.0.1:1000 pool 1 slot 0 column 0 backend 2 because opening',
    ]);
    expect(decisions()).toEqual({ pinned: 3 });
  });

  it('takes base where a column has no row', () => {
    setVersion({ active: 2, filters: [dead, dead, live(1, 3, 0), dead] });
    expect(tcp(1000, syn)).toBe('port 1: 10.0.0.1:1000 -> 10.0.1.1:8080 ttl 63');
  });

  it('remembers a UDP flow at its first packet and asks to pin it at its second', () => {
    modify('slot', 1, 'set_slot', [1, 1, blue.id]);
    insert('slot_version', [udpPool, 0, 1], 'set_backend', [green.id]);
    setVersion({ active: 1, filters: [dead, live(1, 1, 1), dead, dead] });
    expect(udp(5000)).toBe('port 1: 10.0.0.1:5000 -> 10.0.1.2:8081 ttl 63');
    expect(digests).toEqual([]);
    udp(5000);
    expect(digests).toEqual(['10.0.0.1:5000 pool 2 slot 0 column 1 backend 2 because learn']);
  });
});

describe('the flow hash', () => {
  it('chooses the slot that the controller computes', () => {
    modify('vip', 0, 'serve', [tcpPool, 0xffff, ...plain]);
    const flow = {
      sourceAddress: client.address,
      targetAddress: vip,
      protocol: protocols.tcp,
      sourcePort: 1234,
      targetPort: 80,
    };
    expect(tcp(1234, ack)).toBe('dropped: dead pool');
    insert('slot', [tcpPool, flowHash(flow, 0xffff).slot], 'set_slot', [0, 0, green.id]);
    expect(tcp(1234, ack)).toBe('port 1: 10.0.0.1:1234 -> 10.0.1.2:8081 ttl 63');
  });
});

describe('the router', () => {
  it('answers ARP for its own address and tells of a sender it does not know', () => {
    const request = encodeArp({
      operation: arpOperations.request,
      senderMac: client.mac,
      senderAddress: client.address,
      targetMac: 0,
      targetAddress: router.address,
    });
    const frame = encodeEthernet({
      targetMac: 0xffffffffffff,
      sourceMac: client.mac,
      etherType: etherTypes.arp,
      payload: request,
    });
    process(0, frame);
    expect(decodeArp(decodeEthernet(sent[0]!.frame).payload)).toEqual({
      operation: arpOperations.reply,
      senderMac: router.mac,
      senderAddress: router.address,
      targetMac: client.mac,
      targetAddress: client.address,
    });
    expect(digests).toEqual(['neighbour 10.0.0.1 at 20000000001 port 0']);
    insert('known_neighbour', [client.address, client.mac, 0], 'known', []);
    process(0, frame);
    expect(digests).toHaveLength(1);
  });

  it.each([
    ['an expired TTL', { ttl: 1 }, 'dropped: ttl'],
    ['an unknown network', { target: parseIpv4('192.0.2.1') }, 'dropped: no route'],
    ['a neighbour nobody has seen', { target: parseIpv4('10.0.1.77') }, 'dropped: no neighbour'],
    ['a later fragment to the vip: it has no ports', { fragmentOffset: 3 }, 'dropped: no neighbour'],
    ['IP options before the ports', { options: new Uint8Array([1, 1, 1, 1]) }, 'dropped: no neighbour'],
  ])('drops and counts %s', (_words, changes, verdict) => {
    expect(process(0, encodeFrame(protocols.tcp, encodeSegment(1000, ack), changes))).toBe(verdict);
  });

  it('drops and counts a damaged IPv4 header, and frames cut short', () => {
    const frame = encodeFrame(protocols.tcp, encodeSegment(1000, ack));
    frame[14 + 10]! ^= 1;
    expect(process(0, frame)).toBe('dropped: bad checksum');
    expect(process(0, frame.subarray(0, 20))).toBe('dropped: malformed');
  });

  it('routes what is not ours, TTL and all', () => {
    expect(tcpFrom(client.address, 1000, green.address, 22, syn)).toBe(
      'port 1: 10.0.0.1:1000 -> 10.0.1.2:22 ttl 63',
    );
    expect(decisions()).toEqual({ routed: 1 });
  });

  it("sends the controller's frames where they should go", () => {
    const frame = new Uint8Array([0x00, 0x80, ...new Uint8Array(60).fill(7)]);
    pipeline.process(510, frame, 0);
    expect(sent).toEqual([{ port: 1, frame: frame.subarray(2) }]);
  });
});

// ---- packets as words

function tcp(sourcePort: number, flags: number): string {
  return process(0, encodeFrame(protocols.tcp, encodeSegment(sourcePort, flags)));
}

function udp(sourcePort: number): string {
  return process(0, encodeFrame(protocols.udp, encodeUdpDatagram(sourcePort)));
}

function tcpFrom(
  source: number,
  sourcePort: number,
  target: number,
  targetPort: number,
  flags: number,
): string {
  const payload = encodeTcp(
    {
      ...tcpDefaults,
      sourcePort,
      targetPort,
      flags,
      sequence: 1,
      acknowledgement: 2,
      payload: new Uint8Array([1]),
    },
    { source, target },
  );
  return process(1, encodeFrame(protocols.tcp, payload, { source, target }));
}

function encodeSegment(sourcePort: number, flags: number): Uint8Array {
  return encodeTcp(
    {
      ...tcpDefaults,
      sourcePort,
      targetPort: 80,
      flags,
      sequence: 1,
      acknowledgement: 2,
      payload: new Uint8Array(5),
    },
    { source: client.address, target: vip },
  );
}

function encodeUdpDatagram(sourcePort: number): Uint8Array {
  return encodeUdp(
    { sourcePort, targetPort: 53, payload: new Uint8Array(5), isChecksummed: true },
    { source: client.address, target: vip },
  );
}

function encodeFrame(protocol: number, payload: Uint8Array, changes: object = {}): Uint8Array {
  return encodeEthernet({
    targetMac: router.mac,
    sourceMac: client.mac,
    etherType: etherTypes.ipv4,
    payload: encodeIpv4({
      ...ipv4Defaults,
      source: client.address,
      target: vip,
      protocol,
      payload,
      ...changes,
    }),
  });
}

/** What became of one frame; throws when a checksum is wrong. */
function process(port: number, frame: Uint8Array): string {
  const sentBefore = sent.length;
  const dropsBefore = drops();
  pipeline.process(port, frame, 0);
  if (sent.length > sentBefore) {
    const last = sent.at(-1)!;
    return decodeEthernet(last.frame).etherType === etherTypes.ipv4
      ? describeFrameLoosely(last)
      : `port ${last.port}`;
  }
  const reason = drops().findIndex((count, index) => count > dropsBefore[index]!);
  return `dropped: ${dropReasons[reason]}`;
}

function describeFrameLoosely(out: { port: number; frame: Uint8Array }): string {
  try {
    return describeFrame(out);
  } catch (error) {
    return String(error);
  }
}

function describeFrame({ port, frame }: { port: number; frame: Uint8Array }): string {
  const packet = decodeIpv4(decodeEthernet(frame).payload);
  const decode = packet.protocol === protocols.tcp ? decodeTcp : decodeUdp;
  const { sourcePort, targetPort } = decode(packet.payload, packet);
  return `port ${port}: ${formatIpv4(packet.source)}:${sourcePort} -> ${formatIpv4(packet.target)}:${targetPort} ttl ${packet.ttl}`;
}

function describeDigest(list: number, values: readonly bigint[]): string {
  const numbers = values.map(Number);
  const name = program.learnLists.find(({ id }) => id === list)!.name;
  if (name === 'neighbour_digest_t') {
    return `neighbour ${formatIpv4(numbers[1]!)} at ${numbers[2]!.toString(16)} port ${numbers[0]}`;
  }
  const [source, , , sourcePort, , pool, slot, column, backend, reason] = numbers;
  const why = ['', 'old', 'learn', 'closing', 'opening'][reason!];
  return `${formatIpv4(source!)}:${sourcePort} pool ${pool} slot ${slot} column ${column} backend ${backend} because ${why}`;
}

// ---- tables by name

const decisionNames = ['stable', 'pinned', 'filter', 'base', 'new', 'return', 'routed'];
const dropReasons = [
  'nothing',
  'bad checksum',
  'no backend',
  'ttl',
  'no route',
  'no neighbour',
  'not ip',
  'arp not for us',
  'martian',
  'own source',
  'fragment',
  'options',
  'too big',
  'malformed',
  'dead pool',
];

function decisions(): Record<string, number> {
  const counts = readCells('decisions.cells', decisionNames.length);
  return Object.fromEntries(
    decisionNames.map((name, index) => [name, counts[index]!]).filter(([, n]) => n !== 0),
  );
}

function drops(): number[] {
  return readCells('drops.cells', dropReasons.length);
}

function readCells(counter: string, count: number): number[] {
  const { id } = program.counters.find(({ name }) => name.endsWith(counter))!;
  return Array.from({ length: count }, (_, index) => Number(pipeline.readCounter(id, index).packets));
}

const dead = [0, 0, 0];
const live = (epoch: number, column: number, learn: number): number[] => [epoch, column, learn];

function setVersion(version: { active: number; filters: number[][] }): void {
  const table = tableOf('version');
  const data = [version.active, ...version.filters.flat()].map(BigInt);
  pipeline.apply([{ kind: 'default', table: table.id, action: actionOf(table, 'use_version').id, data }]);
}

type KeyValue = number | { value: number; prefixLength: number };

function insert(tableName: string, key: KeyValue[], actionName: string, data: number[]): void {
  const table = tableOf(tableName);
  const parts = key.map(
    (value): KeyPart =>
      typeof value === 'number'
        ? { kind: 'exact', value: BigInt(value) }
        : { kind: 'lpm', value: BigInt(value.value), prefixLength: value.prefixLength },
  );
  pipeline.apply([
    {
      kind: 'insert',
      table: table.id,
      handle: inserted.length,
      key: parts,
      priority: 0,
      action: actionOf(table, actionName).id,
      data: data.map(BigInt),
      idleTimeoutMs: 0,
    },
  ]);
  inserted.push(tableName);
}

/** @param nth  which of the table's rows, in the order of insertion */
function modify(tableName: string, nth: number, actionName: string, data: number[]): void {
  const table = tableOf(tableName);
  const handle = inserted.flatMap((name, index) => (name === tableName ? [index] : []))[nth]!;
  const action = actionOf(table, actionName).id;
  pipeline.apply([
    { kind: 'modify', table: table.id, handle, action, data: data.map(BigInt), idleTimeoutMs: 0 },
  ]);
}

function tableOf(name: string): Table {
  const tables = [...program.ingress.tables, ...program.egress.tables];
  return tables.find((table) => table.name.endsWith(`.${name}`))!;
}

function actionOf(table: Table, name: string): Table['actions'][number] {
  return table.actions.find((action) => action.name.endsWith(`.${name}`))!;
}
