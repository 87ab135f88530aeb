// SPDX-License-Identifier: Apache-2.0
/** What travels on the stream, and what packets leave behind: digests, idle entries, packets, counters. */

import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EntryCodec } from '../../p4runtime/entries.ts';
import type { CounterData, Entity, Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { EntitySchema, Update_Type, UpdateSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { decodeNumber } from '../../p4runtime/values.ts';
import { Code } from './refusal.ts';
import { index, startLoadedBench, type TestStream } from './testdata/harness.ts';

const codec = new EntryCodec(index);
let bench: Awaited<ReturnType<typeof startLoadedBench>>;
beforeEach(async () => {
  bench = await startLoadedBench();
});
afterEach(() => bench.close());

const digestId = index.digests.get('seen_t').id;

async function accepted(...updates: Update[]): Promise<void> {
  expect(await bench.client.write(updates)).toEqual({ code: 0, message: '', errors: [] });
}

type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];
const entityOf = (entity: EntityInit): Entity => create(EntitySchema, { entity });
const update = (type: Update_Type, entity: EntityInit) => create(UpdateSchema, { type, entity: { entity } });

const configureDigest = (config: object, type: Update_Type = Update_Type.INSERT) =>
  update(type, { case: 'digestEntry', value: { digestId, config } });

/** An Ethernet frame of 14 bytes and a payload of 46. */
function frameOf(target: number, source: number, kind = 0x1234): Uint8Array {
  const frame = new Uint8Array(60);
  frame[5] = target;
  frame[11] = source;
  frame.set([kind >> 8, kind & 0xff], 12);
  return frame;
}

const toPort = (target: number, port: number) =>
  codec.insert({
    table: 'routes',
    match: { target: { value: target, prefixLength: 48 } },
    action: { name: 'forward', params: { port } },
  });

async function nextSamples(stream: TestStream): Promise<number[][]> {
  const { data } = await stream.next('digest');
  return data.map(({ data: sample }) => {
    if (sample.case !== 'struct') throw new Error(`expected a struct, got ${sample.case}`);
    return sample.value.members.map(({ data: member }) => decodeNumber(member.value as Uint8Array));
  });
}

test('digests: nothing before they are configured, each at once with (1, 0, 0), to the primary only', async () => {
  const backup = bench.client.openStream();
  await backup.arbitrate(0n);
  bench.running.inject(3, frameOf(1, 7));
  await accepted(configureDigest({ maxListSize: 1 }));
  bench.running.inject(3, frameOf(1, 8));
  bench.running.inject(4, frameOf(1, 8));
  expect(await nextSamples(bench.stream)).toEqual([[8, 3]]);
  expect(await nextSamples(bench.stream)).toEqual([[8, 4]]);
  expect(backup.pending).toBe(0);
});

test('digests raised in one turn of the event loop do not wait a turn each, or a busy switch tells of them too late', async () => {
  const count = 200;
  await accepted(configureDigest({ maxListSize: 1 }));
  for (let i = 0; i < count; i++) bench.running.inject(3, frameOf(1, i));
  let turnsWithNews = 0;
  for (let known = 0; known < count; known = bench.stream.pending) {
    await new Promise((resolve) => setImmediate(resolve));
    if (bench.stream.pending > known) turnsWithNews += 1;
  }
  expect(turnsWithNews).toBeLessThan(count / 8);
  const told: number[][] = [];
  while (bench.stream.pending > 0) told.push(...(await nextSamples(bench.stream)));
  expect(told).toEqual(Array.from({ length: count }, (_, i) => [i, 3]));
});

test('digests: held back until they are acknowledged', async () => {
  await accepted(configureDigest({ maxListSize: 1, ackTimeoutNs: 1_000_000_000n }));
  bench.running.inject(3, frameOf(1, 8));
  const { listId, digestId: told } = await bench.stream.next('digest');
  expect(told).toBe(digestId);
  bench.running.inject(3, frameOf(1, 8));
  bench.running.inject(3, frameOf(1, 9));
  expect(await nextSamples(bench.stream)).toEqual([[9, 3]]);
  bench.stream.send({ case: 'digestAck', value: { digestId, listId } });
  // The stream is in order: when the arbitration is answered, the acknowledgement has been taken.
  await bench.stream.arbitrate(1n);
  bench.running.inject(3, frameOf(1, 8));
  expect(await nextSamples(bench.stream)).toEqual([[8, 3]]);
});

test('digests: a list goes when its time has come; the configuration can be changed, read and removed', async () => {
  await accepted(configureDigest({ maxListSize: 10, maxTimeoutNs: 50_000_000n }));
  bench.running.inject(3, frameOf(1, 8));
  bench.running.inject(3, frameOf(1, 9));
  bench.clock.advance(50);
  expect(await nextSamples(bench.stream)).toEqual([
    [8, 3],
    [9, 3],
  ]);
  const again = await bench.client.write([configureDigest({})]);
  expect(again.errors[0]?.canonicalCode).toBe(Code.ALREADY_EXISTS);
  await accepted(configureDigest({ maxListSize: 1 }, Update_Type.MODIFY));
  const [read] = await bench.client.read(entityOf({ case: 'digestEntry', value: { digestId } }));
  expect(read?.entity.value).toMatchObject({ config: { maxListSize: 1, maxTimeoutNs: 0n } });
  await accepted(configureDigest({}, Update_Type.DELETE));
  const gone = await bench.client.write([configureDigest({}, Update_Type.DELETE)]);
  expect(gone.errors[0]?.canonicalCode).toBe(Code.NOT_FOUND);
});

test('digests: a configuration that can stall is warned of', async () => {
  await accepted(configureDigest({}));
  expect(bench.logs).toContainEqual(
    expect.stringMatching(/^warn: trap digest-without-timer: digest 'seen_t'.*never sent/),
  );
});

test('idle entries are reported once their time has passed, and every other second from then on', async () => {
  const entry = (source: number, idleTimeoutNs: bigint) => ({
    table: 'source_timeout',
    match: { source },
    action: { name: 'NoAction' },
    idleTimeoutNs,
    metadata: Uint8Array.of(1),
  });
  await accepted(
    codec.insert(entry(7, 3_000_000_000n)),
    codec.insert(entry(8, 0n)),
    codec.insert(entry(9, 60_000_000_000n)),
  );
  bench.clock.advance(2000);
  bench.running.inject(1, frameOf(1, 7));
  bench.clock.advance(2000);
  await bench.stream.arbitrate(1n);
  bench.clock.advance(1000);
  const { tableEntry } = await bench.stream.next('idleTimeoutNotification');
  expect(tableEntry.map((idle) => codec.decode(idle).match)).toEqual([{ source: 7n }]);
  expect(tableEntry[0]?.idleTimeoutNs).toBe(3_000_000_000n);
  expect(tableEntry[0]?.action).toBeUndefined();
  bench.clock.advance(1000);
  await bench.stream.arbitrate(1n);
  bench.clock.advance(1000);
  await bench.stream.next('idleTimeoutNotification');
  await accepted(codec.remove(entry(7, 0n)));
  bench.clock.advance(2000);
  expect(await bench.stream.arbitrate(1n)).toMatch(/primary/);
});

test('an entry has not been idle before it was there, however long ago the last packet was', async () => {
  bench.clock.advance(60_000);
  await accepted(
    codec.insert({
      table: 'source_timeout',
      match: { source: 7 },
      action: { name: 'NoAction' },
      idleTimeoutNs: 3_000_000_000n,
    }),
  );
  bench.clock.advance(1000);
  expect(await bench.stream.arbitrate(1n)).toMatch(/primary/);
  const wanted = entityOf({
    case: 'tableEntry',
    value: { tableId: index.tables.get('source_timeout').id, timeSinceLastHit: {} },
  });
  const [read] = await bench.client.read(wanted);
  expect(read?.entity.value).toMatchObject({ timeSinceLastHit: { elapsedNs: 1_000_000_000n } });
});

test('time since last hit is read', async () => {
  const entry = {
    table: 'source_timeout',
    match: { source: 7 },
    action: { name: 'NoAction' },
    idleTimeoutNs: 3_000_000_000n,
  };
  await accepted(codec.insert(entry));
  bench.clock.advance(1500);
  bench.running.inject(1, frameOf(1, 7));
  bench.clock.advance(250);
  const wanted = entityOf({
    case: 'tableEntry',
    value: { tableId: index.tables.get('source_timeout').id, timeSinceLastHit: {} },
  });
  const [read] = await bench.client.read(wanted);
  expect(read?.entity.value).toMatchObject({ timeSinceLastHit: { elapsedNs: 250_000_000n } });
});

test('packets go out with their metadata, and come in with theirs', async () => {
  const out = index.packetMetadata.get('packet_out').fields.find((field) => field.name === 'egress_port')!;
  const payload = frameOf(1, 2);
  bench.stream.send({
    case: 'packet',
    value: { payload, metadata: [{ metadataId: out.id, value: Uint8Array.of(6) }] },
  });
  await bench.stream.arbitrate(1n);
  expect(bench.sent).toEqual([{ port: 6, frame: payload }]);

  await accepted(
    codec.insert({
      table: 'exact_small',
      match: { target: 5, port: 258 },
      action: { name: 'to_controller', params: { reason: 9 } },
    }),
    toPort(5, 1),
  );
  bench.running.inject(258, frameOf(5, 2));
  const packet = await bench.stream.next('packet');
  expect(packet.payload).toEqual(Buffer.from(frameOf(5, 2)));
  const names = index.packetMetadata.get('packet_in').fields;
  expect(
    packet.metadata.map(({ metadataId, value }) => [
      names.find(({ id }) => id === metadataId)?.name,
      decodeNumber(value),
    ]),
  ).toEqual([
    ['ingress_port', 258],
    ['reason', 9],
    ['_pad', 0],
  ]);
});

test('a bad packet-out is answered with an error, and so is one that does not come from the primary', async () => {
  bench.stream.send({ case: 'packet', value: { payload: Uint8Array.of(1) } });
  expect(await bench.stream.next('error')).toMatchObject({
    canonicalCode: Code.INVALID_ARGUMENT,
    message: "packet_out metadata 'egress_port' is missing",
    details: { case: 'packetOut' },
  });
  const backup = bench.client.openStream();
  backup.send({ case: 'packet', value: {} });
  expect(await backup.next('error')).toMatchObject({ canonicalCode: Code.PERMISSION_DENIED });
  backup.send({ case: undefined });
  expect(await backup.next('error')).toMatchObject({ canonicalCode: Code.UNIMPLEMENTED });
  expect(bench.sent).toEqual([]);
});

test('counters count, can be set, and know their limits', async () => {
  const by = (name: string) => index.counters.get(name).id;
  const cell = async (counterId: number, at?: bigint) => {
    const counterIndex = at === undefined ? {} : { index: { index: at } };
    const read = await bench.client.read(
      entityOf({ case: 'counterEntry', value: { counterId, ...counterIndex } }),
    );
    return read.map(({ entity }) => {
      const data = (entity.value as { data: CounterData }).data;
      return [data.packetCount, data.byteCount];
    });
  };
  bench.running.inject(3, frameOf(1, 2, 1));
  bench.running.inject(3, frameOf(1, 2, 2));
  expect(await cell(by('by_port'), 3n)).toEqual([[2n, 120n]]);
  expect(await cell(by('by_kind'))).toEqual([
    [0n, 0n],
    [1n, 0n],
    [1n, 0n],
    [0n, 0n],
  ]);
  expect(await cell(0)).toHaveLength(12);

  const set = (at: bigint | undefined, type: Update_Type = Update_Type.MODIFY, packetCount = 40n) => {
    const counterIndex = at === undefined ? {} : { index: { index: at } };
    return update(type, {
      case: 'counterEntry',
      value: { counterId: by('by_port'), ...counterIndex, data: { packetCount } },
    });
  };
  await accepted(set(3n));
  bench.running.inject(3, frameOf(1, 2));
  expect(await cell(by('by_port'), 3n)).toEqual([[41n, 60n]]);
  const refused = await bench.client.write([
    set(8n),
    set(undefined),
    set(1n, Update_Type.INSERT),
    set(1n, Update_Type.MODIFY, -1n),
  ]);
  expect(refused.errors.map((error) => Code[error.canonicalCode])).toEqual([
    'UNKNOWN',
    'UNIMPLEMENTED',
    'INVALID_ARGUMENT',
    'INVALID_ARGUMENT',
  ]);
});

test('direct counters count hits, are read three ways, and can be set', async () => {
  const entry = {
    table: 'exact_small',
    match: { target: 5, port: 1 },
    action: { name: 'forward', params: { port: 2 } },
  };
  await accepted(
    toPort(5, 1),
    codec.insert(entry),
    codec.insert({ ...entry, match: { target: 6, port: 1 } }),
  );
  bench.running.inject(1, frameOf(5, 2));
  const tableId = index.tables.get('exact_small').id;
  const { match } = codec.encode(entry);
  const dataOf = ({ entity }: Entity) => {
    const data =
      entity.case === 'tableEntry' ? entity.value.counterData : (entity.value as { data?: CounterData }).data;
    return [data?.packetCount, data?.byteCount];
  };
  const direct = (tableEntry: object) =>
    entityOf({ case: 'directCounterEntry', value: { tableEntry: { tableId, ...tableEntry } } });
  expect(
    (await bench.client.read(entityOf({ case: 'tableEntry', value: { tableId, counterData: {} } }))).map(
      dataOf,
    ),
  ).toEqual([
    [1n, 60n],
    [0n, 0n],
  ]);
  expect((await bench.client.read(direct({}))).map(dataOf)).toEqual([
    [1n, 60n],
    [0n, 0n],
  ]);
  expect((await bench.client.read(direct({ match }))).map(dataOf)).toEqual([[1n, 60n]]);
  await accepted(
    update(Update_Type.MODIFY, {
      case: 'directCounterEntry',
      value: { tableEntry: { tableId, match }, data: { packetCount: 7n } },
    }),
  );
  expect((await bench.client.read(direct({ match }))).map(dataOf)).toEqual([[7n, 0n]]);
  const missing = { match: codec.encode({ ...entry, match: { target: 99, port: 1 } }).match };
  await expect(bench.client.read(direct(missing))).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
});

test('a table entry changes where packets go, and a new program where none of them go', async () => {
  await accepted(toPort(5, 4), toPort(6, 5));
  bench.running.inject(1, frameOf(5, 2));
  bench.running.inject(1, frameOf(6, 2));
  bench.running.inject(1, frameOf(7, 2));
  expect(bench.sent.map(({ port }) => port)).toEqual([4, 5]);
  await bench.client.push();
  bench.running.inject(1, frameOf(5, 2));
  expect(bench.sent).toHaveLength(2);
});
