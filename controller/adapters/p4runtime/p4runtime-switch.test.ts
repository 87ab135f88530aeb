// SPDX-License-Identifier: Apache-2.0
/** The adapter and the embedded switch, over gRPC on loopback; frames come and go in memory. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { P4RuntimeClient } from '../../../p4runtime/client.ts';
import { type RunningSwitch, startSwitch } from '../../../switch/server/switch.ts';
import { arpOperations, decodeArp, encodeArp } from '../../../wire/arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import { encodeIpv4, ipv4Defaults, protocols } from '../../../wire/ipv4.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../../../wire/tcp.ts';
import type { Row, RowUpdate } from '../../core/row.ts';
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
const rows: Row[] = [
  { table: 'vip', address: 0x0a00_0064, protocol: 6, port: 80, pool: 1, slotMask: 3 },
  { table: 'slot', pool: 1, slot: 0, unstable: true, pinsBase: true, backend: 1 },
  { table: 'slot_version', pool: 1, slot: 0, column: 1, backend: 2 },
  { table: 'pin', pool: 1, sourceAddress: 9, sourcePort: 7, backend: 1, idleTimeoutMs: 900_000 },
  { table: 'backend', backend: 1, address: 0x0a00_0002, port: 8080 },
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
  { table: 'neighbour', address: 0x0a00_0002, port: 2, sourceMac: mac, targetMac: 0x0200_0000_0002 },
  { table: 'known_neighbour', address: 0x0a00_0002, mac: 0x0200_0000_0002, port: 2 },
  own,
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
  const events: SwitchEvent[] = [];
  let wake = () => {};
  port.start((event) => {
    events.push(event);
    wake();
  });
  onTestFinished(() => port.close());

  /** The next event of this kind that nobody has waited for; those before it are forgotten. */
  async function next<K extends SwitchEvent['kind']>(kind: K): Promise<Extract<SwitchEvent, { kind: K }>> {
    for (;;) {
      for (let event = events.shift(); event !== undefined; event = events.shift())
        if (event.kind === kind) return event as Extract<SwitchEvent, { kind: K }>;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return { port, next };
}

/** From a client to the vip. */
function segment(source: number, sourcePort: number, flags: number): Uint8Array {
  const addresses = { source, target: 0x0a00_0064 };
  const tcp = { ...tcpDefaults, sourcePort, targetPort: 80, sequence: 1, acknowledgement: 1, flags };
  const payload = encodeTcp(tcp, addresses);
  const ip = encodeIpv4({ ...ipv4Defaults, ...addresses, protocol: protocols.tcp, payload });
  return encodeEthernet({
    targetMac: mac,
    sourceMac: 0x0200_0000_0009,
    etherType: etherTypes.ipv4,
    payload: ip,
  });
}

const sorted = (list: readonly Row[]) => list.map((row) => JSON.stringify(row)).sort();

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
    expect(sorted(read.filter(({ table }) => table !== 'version'))).toEqual(sorted(rows));
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

    const reply = { operation: arpOperations.reply, senderMac: 0x0200_0000_0005, senderAddress: 0x0a00_0005 };
    target.inject(
      3,
      encodeEthernet({
        targetMac: mac,
        sourceMac: 0x0200_0000_0005,
        etherType: etherTypes.arp,
        payload: encodeArp({ ...reply, targetMac: mac, targetAddress: own.address }),
      }),
    );
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
