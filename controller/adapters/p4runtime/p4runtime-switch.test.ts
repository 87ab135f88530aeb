// SPDX-License-Identifier: Apache-2.0
/** The adapter and the embedded switch, over gRPC on loopback; frames come and go in memory. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { P4RuntimeClient } from '../../../p4runtime/client.ts';
import { type RunningSwitch, startSwitch } from '../../../switch/server/switch.ts';
import { arpOperations, decodeArp } from '../../../wire/arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import { answerArp, encodeTcpFrame } from '../../../wire/frames.ts';
import { protocols } from '../../../wire/ipv4.ts';
import { decodeIpv6, encodeIpv6, ipv6Defaults } from '../../../wire/ipv6.ts';
import { decodeNeighbourSolicitation, encodeNeighbourAdvertisement } from '../../../wire/ndp.ts';
import { tcpFlags } from '../../../wire/tcp.ts';
import { PLAIN_VIP, type Row, type RowUpdate, type SwitchRow } from '../../core/row.ts';
import type { SwitchEvent } from '../../ports/switch.ts';
import { systemClock } from '../clock/system-clock.ts';
import { P4RuntimeSwitch, type Program } from './p4runtime-switch.ts';

const build = new URL('../../../p4/build/', import.meta.url);
const program: Program = {
  p4info: readFileSync(new URL('evenkeel.p4info.txtpb', build)),
  deviceConfig: readFileSync(new URL('evenkeel.json', build)),
};

const mac = 0x0200_0000_0001;
const own = { table: 'own_address', address: 0x0a00_0001, mac } as const;
const ipv6 = (host: bigint): bigint => 0x2001_0db8_0000_0000_0000_0000_0000_0000n + host;
const vipIpv6 = ipv6(0x100n);
const rows: Row[] = [
  { table: 'vip', address: 0x0a00_0064, protocol: 6, port: 80, pool: 1, slotMask: 3, ...PLAIN_VIP },
  { table: 'slot', pool: 1, slot: 0, unstable: true, pinsBase: true, backend: 1 },
  { table: 'slot_version', pool: 1, slot: 0, column: 1, backend: 2 },
  { table: 'pin', pool: 1, sourceAddress: 9, sourcePort: 7, backend: 1, idleTimeoutMs: 900_000 },
  { table: 'backend', backend: 1, forwarding: 'nat', address: 0x0a00_0002, port: 8080 },
  {
    table: 'return_path',
    address: 0x0a00_0002,
    protocol: 6,
    port: 8080,
    vipAddress: 0x0a00_0064,
    vipPort: 80,
  },
  { table: 'route', prefix: 0, prefixLength: 0, nextHop: 0x0a00_00fe },
  { table: 'route', prefix: 0x0a00_0000, prefixLength: 24, nextHop: undefined },
  {
    table: 'neighbour',
    address: 0x0a00_0002,
    port: 2,
    sourceMac: mac,
    targetMac: 0x0200_0000_0002,
    mtu: 1500,
  },
  { table: 'known_neighbour', address: 0x0a00_0002, mac: 0x0200_0000_0002, port: 2 },
  own,
  // IPv6, and what else a vip may ask for.
  {
    ...{ table: 'vip', address: vipIpv6, protocol: 6, port: 80, pool: 2, slotMask: 0 },
    ...{ affinity: 'source', hint: 'tcp_option', whenDead: 'reset', byPrefix: false },
  },
  {
    ...{ table: 'vip_fragment', address: vipIpv6, protocol: 6, pool: 2, slotMask: 0 },
    ...{ affinity: 'source', whenDead: 'reset', byPrefix: false },
  },
  { table: 'server_id', pool: 2, value: 0x0102_0304_0000_0000n, mask: 0xffff_ffff_ffff_ffffn, backend: 3 },
  { table: 'slot', pool: 2, slot: 0, unstable: true, pinsBase: true, backend: 3 },
  { table: 'pin', pool: 2, sourceAddress: 9n, sourcePort: 7, backend: 3, idleTimeoutMs: 900_000 },
  { table: 'backend', backend: 3, forwarding: 'ipip', address: 0x0a00_0002, port: 0 },
  { table: 'backend', backend: 4, forwarding: 'gue', address: ipv6(0x22n), port: 6080 },
  { table: 'tunnel_source', ipv4Address: 0x0a00_0900, ipv4Mask: 0xff, ipv6Address: ipv6(0x9_0000n) },
  { table: 'route', prefix: ipv6(0n), prefixLength: 64, nextHop: undefined },
  { table: 'route', prefix: 0n, prefixLength: 0, nextHop: ipv6(0xfen) },
  {
    table: 'neighbour',
    address: ipv6(0xfen),
    port: 2,
    sourceMac: mac,
    targetMac: 0x0200_0000_00fe,
    mtu: 1500,
  },
  { table: 'known_neighbour', address: ipv6(0xfen), mac: 0x0200_0000_00fe, port: 2 },
  { table: 'own_address', address: ipv6(1n), mac },
  { table: 'interface', port: 2, ipv4Address: 0x0a00_0001, ipv6Address: ipv6(1n) },
];
const inserts: RowUpdate[] = rows.map((row) => ({ operation: 'insert', row }));

let log: string[];
let target: RunningSwitch;
let transmitted: { port: number; frame: Uint8Array }[];

beforeEach(async () => {
  transmitted = [];
  log = [];
  target = await startSwitch({
    grpcAddress: '127.0.0.1:0',
    deviceId: 1n,
    cpuPort: 510,
    onTransmit: (port, frame) => transmitted.push({ port, frame: frame.slice() }),
  });
});
afterEach(() => target.close());

/** An adapter that remembers its events, and waits for those that are to come. */
function createSwitch(options: { electionId?: bigint; address?: string } = {}) {
  const port = new P4RuntimeSwitch({
    address: target.address,
    deviceId: 1n,
    electionId: 1n,
    program,
    clock: systemClock,
    log: (level, message) => log.push(`${level}: ${message}`),
    pollMs: 20,
    pollsPerTraffic: 1,
    ...options,
  });
  const events: SwitchEvent<SwitchRow>[] = [];
  let wake = () => {};
  port.start((event) => {
    events.push(event);
    wake();
  });
  onTestFinished(() => port.close());

  /** The next event of this kind that nobody has waited for; those before it are forgotten. */
  async function next<K extends SwitchEvent['kind']>(
    kind: K,
  ): Promise<Extract<SwitchEvent<SwitchRow>, { kind: K }>> {
    for (;;) {
      for (let event = events.shift(); event !== undefined; event = events.shift())
        if (event.kind === kind) return event as Extract<SwitchEvent<SwitchRow>, { kind: K }>;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return { port, next };
}

/** From a client to the vip. */
function segment(source: number, sourcePort: number, flags: number): Uint8Array {
  const way = { source, target: 0x0a00_0064, sourceMac: 0x0200_0000_0009, targetMac: mac };
  return encodeTcpFrame({ sourcePort, targetPort: 80, flags }, way);
}

describe('a switch over P4Runtime', () => {
  it('gets its program, tells an empty table set, takes rows, and tells them to the next controller', async () => {
    const { port, next } = createSwitch();
    const first = await next('connected');
    expect(first.rows.map(({ table }) => table)).toEqual(['version']);

    port.write(7, inserts);
    expect(await next('written')).toEqual({ kind: 'written', write: 7, failures: [] });
    await port.close();

    const again = createSwitch();
    const { rows: read } = await again.next('connected');
    for (const row of rows) expect(read).toContainEqual(row);
    expect(read).toHaveLength(1 + rows.length);
  });

  it('says of each update what became of it', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    const other: Row = { table: 'own_address', address: 0x0a00_0003, mac };
    port.write(1, [
      { operation: 'insert', row: own },
      { operation: 'insert', row: own },
      { operation: 'modify', row: other },
      { operation: 'delete', row: other },
    ]);
    const { failures } = await next('written');
    expect(failures.map(({ index, code }) => [index, code]).sort()).toEqual([
      [1, 'exists'],
      [2, 'missing'],
      [3, 'missing'],
    ]);
    port.write(2, []);
    expect(await next('written')).toMatchObject({ write: 2, failures: [] });
  });

  it('changes the version in one write', async () => {
    const { port, next } = createSwitch();
    const { rows: before } = await next('connected');
    const version = before.find((row) => row.table === 'version')!;
    expect(version).toMatchObject({
      active: 0,
      filters: [{ epoch: 1 }, { epoch: 0 }, { epoch: 0 }, { epoch: 0 }],
    });
    const [old, , third, fourth] = version.filters;
    const row = {
      ...version,
      active: 1,
      filters: [old, { epoch: 2, column: 1, learn: true }, third, fourth],
    } as const;
    port.write(1, [{ operation: 'modify', row }]);
    await next('written');
    await port.close();
    expect((await createSwitch().next('connected')).rows).toContainEqual(row);
  });

  it('tells digests of flows and neighbours, asks for neighbours, and counts', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    port.write(1, inserts);
    await next('written');

    port.solicit({ port: 3, address: 0x0a00_0005, sourceAddress: own.address, sourceMac: mac });
    while (transmitted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const asked = decodeEthernet(transmitted[0]!.frame);
    expect(transmitted[0]!.port).toBe(3);
    expect(asked).toMatchObject({ targetMac: 0xffff_ffff_ffff, sourceMac: mac, etherType: etherTypes.arp });
    expect(decodeArp(asked.payload)).toMatchObject({
      operation: arpOperations.request,
      senderAddress: own.address,
      targetAddress: 0x0a00_0005,
    });

    target.inject(3, answerArp(transmitted[0]!.frame, () => 0x0200_0000_0005)!);
    expect(await next('neighbour-digest')).toEqual({
      kind: 'neighbour-digest',
      port: 3,
      address: 0x0a00_0005,
      mac: 0x0200_0000_0005,
    });
    expect(await next('admitted')).toEqual({ kind: 'admitted', flows: 0 });
    expect(port.status()).toMatchObject({
      connection: 'ready',
      notices: { received: 1, unreadable: 0 },
      traffic: {
        decisions: { new: { packets: 0 } },
        pools: { 1: { packets: 0 } },
        backends: { 1: { packets: 0 } },
      },
    });
  });

  it('asks for an IPv6 neighbour, and is told of the one that answers', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    port.write(1, inserts);
    await next('written');

    port.solicit({ port: 3, address: ipv6(5n), sourceAddress: ipv6(1n), sourceMac: mac });
    while (transmitted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const asked = decodeEthernet(transmitted[0]!.frame);
    expect(asked).toMatchObject({ targetMac: 0x3333_ff00_0005, sourceMac: mac, etherType: etherTypes.ipv6 });
    const packet = decodeIpv6(asked.payload);
    expect(packet).toMatchObject({
      source: ipv6(1n),
      target: 0xff02_0000_0000_0000_0000_0001_ff00_0005n,
      hopLimit: 255,
    });
    expect(decodeNeighbourSolicitation(packet.payload, packet)).toEqual({
      targetAddress: ipv6(5n),
      sourceMac: mac,
    });

    const addresses = { source: ipv6(5n), target: ipv6(1n) };
    const advertisement = { targetAddress: ipv6(5n), targetMac: 0x0200_0000_0005, isRouter: false };
    const payload = encodeIpv6({
      ...ipv6Defaults,
      ...addresses,
      protocol: protocols.icmpv6,
      hopLimit: 255,
      payload: encodeNeighbourAdvertisement(
        { ...advertisement, isSolicited: true, isOverride: true },
        addresses,
      ),
    });
    target.inject(
      3,
      encodeEthernet({ targetMac: mac, sourceMac: 0x0200_0000_0005, etherType: etherTypes.ipv6, payload }),
    );
    expect(await next('neighbour-digest')).toEqual({
      kind: 'neighbour-digest',
      port: 3,
      address: ipv6(5n),
      mac: 0x0200_0000_0005,
    });
  });

  it('tells of an IPv6 flow that is older than the change', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    port.write(1, inserts);
    await next('written');
    const way = { source: ipv6(0x99n), target: vipIpv6, sourceMac: 0x0200_0000_0009, targetMac: mac };
    target.inject(1, encodeTcpFrame({ sourcePort: 4321, targetPort: 80, flags: tcpFlags.ack }, way));
    expect(await next('flow-digest')).toEqual({
      kind: 'flow-digest',
      reason: 'old',
      pool: 2,
      slot: 0,
      column: 0,
      backend: 3,
      sourceAddress: ipv6(0x99n),
      sourcePort: 4321,
    });
  });

  it('limits what the switch tells, and says when it has kept something to itself', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    port.write(1, inserts);
    await next('written');
    port.limit({ flows: 1, neighbours: 1, answers: 1 });
    // Some may be told before the rate is in force; then one a second.
    for (let i = 0; ; i++) {
      target.inject(1, segment(0x0a00_0009, 1024 + i, tcpFlags.ack));
      const { limited } = port.status().traffic ?? {};
      if ((limited?.flows?.packets ?? 0) > 0) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await next('gap')).toEqual({ kind: 'gap' });
  });

  it('tells of a flow that is older than the change, with where it was sent', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    const unstable = [0, 1, 2, 3].map(
      (slot): Row => ({ table: 'slot', pool: 1, slot, unstable: true, pinsBase: true, backend: 1 }),
    );
    const others = rows.filter(({ table }) => table !== 'slot' && table !== 'pin');
    port.write(
      1,
      [...unstable, ...others].map((row) => ({ operation: 'insert', row })),
    );
    await next('written');
    target.inject(1, segment(0x0a00_0009, 4321, tcpFlags.ack));
    const digest = await next('flow-digest');
    expect([0, 1, 2, 3]).toContain(digest.slot);
    expect(digest).toEqual({
      kind: 'flow-digest',
      reason: 'old',
      pool: 1,
      slot: digest.slot,
      column: 0,
      backend: 1,
      sourceAddress: 0x0a00_0009,
      sourcePort: 4321,
    });
    // A SYN flood is counted and tells nothing.
    for (let i = 0; i < 10; i++) target.inject(1, segment(0x0a00_0009, 5000 + i, tcpFlags.syn));
    while ((await next('admitted')).flows < 10);
    expect(port.status().notices).toEqual({ received: 1, unreadable: 0 });
  });

  it('tells of a pin whose flow is silent', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    const pin: Row = { table: 'pin', pool: 1, sourceAddress: 9, sourcePort: 7, backend: 1, idleTimeoutMs: 1 };
    port.write(1, [{ operation: 'insert', row: pin }]);
    expect(await next('pin-idle')).toEqual({ kind: 'pin-idle', pool: 1, sourceAddress: 9, sourcePort: 7 });
  });

  it('keeps the program and the rows of a switch that runs it already', async () => {
    const first = createSwitch();
    await first.next('connected');
    first.port.write(1, inserts);
    await first.next('written');
    const second = createSwitch({ electionId: 2n });
    expect((await second.next('connected')).rows).toHaveLength(rows.length + 1);
    await first.next('disconnected');
    expect(log).toContain('warn: another controller (election id 2) is primary');
    expect(first.port.status()).toMatchObject({ connection: 'standby' });
  });

  it('replaces another program', async () => {
    const stranger = new P4RuntimeClient({ address: target.address, deviceId: 1n, electionId: 1n });
    stranger.connect();
    await stranger.whenPrimary();
    const port = createSwitch({ electionId: 2n });
    await port.next('connected');
    stranger.close();
    expect(port.port.status().connection).toBe('ready');
  });

  it('says so when the switch goes away, and comes back with it', async () => {
    const { port, next } = createSwitch();
    await next('connected');
    await target.close();
    await next('disconnected');
    expect(port.status()).toMatchObject({
      connection: 'connecting',
      problem: expect.stringContaining(target.address),
    });
    target = await startSwitch({ grpcAddress: target.address, deviceId: 1n, cpuPort: 510 });
    expect((await next('connected')).rows.map(({ table }) => table)).toEqual(['version']);
  });
});
