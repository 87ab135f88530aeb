// SPDX-License-Identifier: Apache-2.0
import { status as Code } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import type { ClientEvent, ClientOptions } from './client.ts';
import { cookieOf, P4RuntimeClient } from './client.ts';
import { EntryCodec } from './entries.ts';
import { P4InfoIndex } from './p4info.ts';
import type { FakeSwitchOptions } from './test/fake-switch.ts';
import { FakeSwitch } from './test/fake-switch.ts';
import { program } from './test/program.ts';

/** A busy machine may take its time. */
const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 30_000 });

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function startSwitch(options: FakeSwitchOptions = {}) {
  const fake = new FakeSwitch(options);
  await fake.start();
  cleanups.push(() => fake.stop());
  return fake;
}

/** Timers that fire when the test says so. */
class ManualTimers {
  readonly pending: { delayMs: number; callback: () => void }[] = [];

  after(delayMs: number, callback: () => void): () => void {
    const timer = { delayMs, callback };
    this.pending.push(timer);
    return () => {
      const i = this.pending.indexOf(timer);
      if (i >= 0) this.pending.splice(i, 1);
    };
  }

  fire(): void {
    this.pending.shift()!.callback();
  }
}

function clientOf(fake: FakeSwitch, options: Partial<ClientOptions> = {}) {
  const timers = new ManualTimers();
  const client = new P4RuntimeClient({
    address: fake.address,
    deviceId: 1n,
    electionId: 10n,
    heartbeatMs: 0,
    timers,
    random: () => 0,
    ...options,
  });
  const events: ClientEvent[] = [];
  client.onEvent((event) => events.push(event));
  cleanups.push(() => client.close());
  client.connect();
  return { client, events, timers };
}

const codec = new EntryCodec(new P4InfoIndex(program));
const slotEntry = (slot: number, backend = 1) => ({
  table: 'slot',
  match: { pool: 1, slot },
  action: { name: 'set_slot', params: { backend, unstable: 0 } },
});

test('becomes primary, writes, reads back', async () => {
  const fake = await startSwitch({ entitiesPerResponse: 3 });
  const { client } = clientOf(fake);
  await client.whenPrimary();
  const updates = Array.from({ length: 10 }, (_, i) => codec.insert(slotEntry(i)));
  expect(await client.write(updates)).toEqual(updates.map(() => ({ ok: true })));

  const slots: unknown[] = [];
  for await (const { entity } of client.read([codec.all('slot')])) {
    if (entity.case === 'tableEntry') slots.push(codec.decode(entity.value).match.slot);
  }
  expect(slots).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await client.capabilities()).toBe('1.5.0');
});

test('each update has its own result', async () => {
  const fake = await startSwitch();
  const { client } = clientOf(fake);
  await client.whenPrimary();
  const results = await client.write([
    codec.insert(slotEntry(1)),
    codec.insert(slotEntry(1)),
    codec.modify(slotEntry(2)),
    codec.insert(slotEntry(2)),
  ]);
  expect(results).toMatchObject([
    { ok: true },
    { ok: false, code: 'already-exists', status: Code.ALREADY_EXISTS },
    { ok: false, code: 'not-found' },
    { ok: true },
  ]);
});

test('the results of 500 updates fit in the trailer', async () => {
  const fake = await startSwitch();
  const { client } = clientOf(fake);
  await client.whenPrimary();
  const results = await client.write(Array.from({ length: 500 }, (_, i) => codec.modify(slotEntry(i))));
  expect(results).toHaveLength(500);
  expect(results.every((result) => !result.ok && result.code === 'not-found')).toBe(true);
});

test.each([
  [Code.PERMISSION_DENIED, 'not-primary'],
  [Code.FAILED_PRECONDITION, 'no-pipeline'],
  [Code.UNKNOWN, 'rejected'],
  [Code.RESOURCE_EXHAUSTED, 'full'],
] as const)('a write that fails as a whole with %i is %s', async (status, code) => {
  const fake = await startSwitch();
  const { client } = clientOf(fake);
  await client.whenPrimary();
  fake.failWrites = status;
  await expect(client.write([codec.insert(slotEntry(1))])).rejects.toMatchObject({
    code,
    status,
    target: fake.address,
    message: `${fake.address}: as the test wants`,
  });
});

test('a program is pushed once', async () => {
  const fake = await startSwitch();
  const { client } = clientOf(fake);
  await client.whenPrimary();
  expect(await client.getPipeline()).toBeUndefined();
  const input = { p4info: program, deviceConfig: Buffer.from('{}') };
  expect(await client.setPipeline(input)).toBe('pushed');
  expect(await client.setPipeline(input)).toBe('unchanged');
  expect(await client.setPipeline({ ...input, force: true })).toBe('pushed');
  expect(await client.setPipeline({ ...input, deviceConfig: Buffer.from('{ }') })).toBe('pushed');
  expect(fake.pushes).toBe(3);
  expect(await client.readCookie()).toBe(cookieOf(program, Buffer.from('{ }')));
  expect((await client.getPipeline())?.p4info).toEqual(program);
});

test('a read that fails throws after what came before', async () => {
  const fake = await startSwitch();
  const { client } = clientOf(fake);
  await client.whenPrimary();
  await client.write([codec.insert(slotEntry(1))]);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const entity of client.read([])) seen.push(entity);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'unimplemented' });
  expect(seen).toHaveLength(1);
});

test('stream messages become events; digests are acknowledged, packets sent', async () => {
  const fake = await startSwitch();
  const { client, events } = clientOf(fake);
  await client.whenPrimary();
  fake.send({
    case: 'digest',
    value: { $typeName: 'p4.v1.DigestList', digestId: 7, listId: 3n, data: [], timestamp: 0n },
  });
  fake.send({ case: 'packet', value: { $typeName: 'p4.v1.PacketIn', payload: Buffer.of(1), metadata: [] } });
  fake.send({
    case: 'idleTimeoutNotification',
    value: { $typeName: 'p4.v1.IdleTimeoutNotification', tableEntry: [], timestamp: 0n },
  });
  await soon(() => {
    expect(events.map((event) => event.kind)).toEqual(['mastership', 'digest', 'packet-in', 'idle-timeout']);
  });
  for (const event of events) if (event.kind === 'digest') client.ack(event.list);
  client.sendPacket(Buffer.of(9));
  await soon(() => expect(fake.packets.map((packet) => [...packet.payload])).toEqual([[9]]));
  expect(fake.acks).toEqual([3n]);
});

test('a higher election id takes mastership away; the backup may not send packets', async () => {
  const fake = await startSwitch();
  const first = clientOf(fake, { electionId: 10n });
  await first.client.whenPrimary();
  const second = clientOf(fake, { electionId: 2n ** 100n });
  await second.client.whenPrimary();
  await soon(() => expect(first.client.isPrimary).toBe(false));
  expect(first.events.at(-1)).toEqual({
    kind: 'mastership',
    isPrimary: false,
    primaryElectionId: 2n ** 100n,
  });
  expect(() => first.client.sendPacket(Buffer.of(1))).toThrow('only the primary may send packets');
  await expect(first.client.write([codec.insert(slotEntry(1))])).rejects.toMatchObject({
    code: 'not-primary',
  });
});

test.each(['specification', 'bmv2'] as const)(
  'a backup takes over when the primary goes (%s)',
  async (arbitration) => {
    const fake = await startSwitch({ arbitration });
    const primary = clientOf(fake, { electionId: 10n });
    await primary.client.whenPrimary();
    const backup = clientOf(fake, { electionId: 5n });
    await soon(() => expect(backup.events).toHaveLength(1));
    expect(backup.client.isPrimary).toBe(false);
    primary.client.close();
    await backup.client.whenPrimary();
    expect(await backup.client.write([codec.insert(slotEntry(1))])).toEqual([{ ok: true }]);
  },
);

test('a switch that restarts is found again', async () => {
  const fake = await startSwitch();
  const { client, events, timers } = clientOf(fake);
  await client.whenPrimary();
  fake.stop();
  await soon(() => expect(timers.pending).toHaveLength(1));
  expect(events.at(-1)).toMatchObject({ kind: 'disconnected', retryInMs: 100 });
  expect(client.isPrimary).toBe(false);
  await expect(client.write([])).rejects.toMatchObject({ code: 'unavailable' });

  timers.fire();
  await soon(() => expect(timers.pending).toHaveLength(1));
  expect(events.at(-1)).toMatchObject({
    kind: 'disconnected',
    retryInMs: 200,
    error: { code: 'unavailable' },
  });

  await fake.start();
  timers.fire();
  await client.whenPrimary();
  expect(await client.write([codec.insert(slotEntry(1))])).toEqual([{ ok: true }]);
});

test('an election id in use elsewhere is asked for again later', async () => {
  const fake = await startSwitch();
  const first = clientOf(fake);
  await first.client.whenPrimary();
  const second = clientOf(fake);
  await soon(() => expect(second.timers.pending).toHaveLength(1));
  expect(second.events).toMatchObject([
    { kind: 'disconnected', error: { message: `${fake.address}: Election id already exists` } },
  ]);
  first.client.close();
  await soon(() => expect(fake.streamCount).toBe(0));
  second.timers.fire();
  await second.client.whenPrimary();
});

test('a switch that falls silent is given up', async () => {
  const fake = await startSwitch();
  const { client, events, timers } = clientOf(fake, { heartbeatMs: 1_000, rpcTimeoutMs: 200 });
  await client.whenPrimary();
  expect(timers.pending).toMatchObject([{ delayMs: 1_000 }]);
  timers.fire();
  await soon(() => expect(timers.pending).toMatchObject([{ delayMs: 1_000 }]));
  fake.isAlive = false;
  timers.fire();
  await soon(() => expect(timers.pending).toMatchObject([{ delayMs: 100 }]));
  expect(events.at(-1)).toMatchObject({ kind: 'disconnected', error: { code: 'timeout' } });
});

test('close ends the waiting, the stream and the pauses', async () => {
  const fake = await startSwitch();
  const { client, timers } = clientOf(fake);
  await client.whenPrimary();
  fake.endStreams(Code.INTERNAL);
  await soon(() => expect(timers.pending).toHaveLength(1));
  const waiting = client.whenPrimary();
  client.close();
  await expect(waiting).rejects.toMatchObject({ code: 'closed' });
  expect(timers.pending).toEqual([]);
  await expect(client.capabilities()).rejects.toMatchObject({ code: 'closed' });
  expect(() => new P4RuntimeClient({ address: 'a:1', deviceId: 1n, electionId: 0n })).toThrow(
    'election id 0 is not',
  );
});

test('waiting for mastership can be aborted', async () => {
  const client = new P4RuntimeClient({ address: '127.0.0.1:1', deviceId: 1n, electionId: 1n });
  const controller = new AbortController();
  const waiting = client.whenPrimary(controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});
