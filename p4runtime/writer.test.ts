// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { UpdateResult } from './client.ts';
import { P4RuntimeClient } from './client.ts';
import { EntryCodec } from './entries.ts';
import type { Update } from './generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import { FakeSwitch } from './test/fake-switch.ts';
import { program } from './test/program.ts';
import { Writer } from './writer.ts';

const codec = new EntryCodec(new P4InfoIndex(program));
const update = (slot: number, backend = 1) =>
  codec.insert({
    table: 'slot',
    match: { pool: 1, slot },
    action: { name: 'set_slot', params: { backend, unstable: 0 } },
  });
const updates = (count: number) => Array.from({ length: count }, (_, slot) => update(slot));
const slotOf = ({ entity }: Update) => {
  if (entity?.entity.case !== 'tableEntry') throw new Error('not a table entry');
  return Number(codec.decode(entity.entity.value).match.slot);
};

/** A switch whose answers the test gives, one RPC at a time. */
class Recorder {
  readonly calls: { slots: number[]; answer(results?: UpdateResult[]): void; fail(error: unknown): void }[] =
    [];

  readonly send = (batch: readonly Update[]): Promise<UpdateResult[]> =>
    new Promise((resolve, reject) => {
      const slots = batch.map(slotOf);
      this.calls.push({
        slots,
        answer: (results = slots.map(() => ({ ok: true }))) => resolve(results),
        fail: reject,
      });
    });
}

/** Lets everything run that waits for no answer. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a single update goes at once, alone', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send);
  const result = writer.write(update(7));
  await Promise.resolve();
  expect(recorder.calls.map((call) => call.slots)).toEqual([[7]]);
  recorder.calls[0]!.answer();
  expect(await result).toEqual({ ok: true });
});

test('updates submitted in a row share RPCs; no more are in flight than allowed', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 4, rpcsInFlight: 2 });
  const results = writer.writeAll(updates(11));
  await settled();
  expect(recorder.calls.map((call) => call.slots)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
  recorder.calls[1]!.answer();
  await settled();
  expect(recorder.calls[2]!.slots).toEqual([8, 9, 10]);
  recorder.calls[0]!.answer();
  recorder.calls[2]!.answer();
  expect(await results).toHaveLength(11);
  await writer.idle();
  expect(writer.pendingCount).toBe(0);
});

test('an entity is never in two RPCs in flight, and keeps its order', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 2, rpcsInFlight: 2 });
  const done: string[] = [];
  await writer.submit([update(1), update(2), update(1), update(3), update(1)], (_, i) =>
    done.push(`update ${i}`),
  );
  await settled();
  expect(recorder.calls.map((call) => call.slots)).toEqual([[1, 2], [3]]);
  recorder.calls[1]!.answer();
  await settled();
  expect(recorder.calls).toHaveLength(2);
  recorder.calls[0]!.answer();
  await settled();
  expect(recorder.calls[2]!.slots).toEqual([1, 1]);
  recorder.calls[2]!.answer();
  await writer.idle();
  expect(done).toEqual(['update 3', 'update 0', 'update 1', 'update 2', 'update 4']);
});

test('who stepped aside is not overtaken by a later update of the same entity', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 1, rpcsInFlight: 2 });
  const done: number[] = [];
  await writer.submit([update(1), update(1), update(2), update(1)], (_, i) => done.push(i));
  await settled();
  // The second update has stepped aside for the first; the fourth still waits.
  expect(recorder.calls.map((call) => call.slots)).toEqual([[1], [2]]);
  for (let i = 0; i < 4; i++) {
    recorder.calls[i]!.answer();
    await settled();
  }
  expect(done).toEqual([0, 2, 1, 3]);
});

test('every update has its own result, also when the RPC fails as a whole', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 2, rpcsInFlight: 2 });
  const results = writer.writeAll(updates(4));
  await settled();
  const full: UpdateResult = { ok: false, code: 'full', status: 8, message: 'no room' };
  recorder.calls[0]!.answer([{ ok: true }, full]);
  recorder.calls[1]!.fail(new P4RuntimeError('unavailable', { message: 'gone', status: 14 }));
  const lost = { ok: false, code: 'unavailable', status: 14, message: 'gone' };
  expect(await results).toEqual([{ ok: true }, full, lost, lost]);
});

test('who submits more than the queue holds waits for room', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 2, rpcsInFlight: 1, updatesMax: 4 });
  let isTakenOn = false;
  const submitted = writer
    .submit(updates(6), () => {})
    .then(() => {
      isTakenOn = true;
    });
  await settled();
  expect(writer.pendingCount).toBe(4);
  expect(isTakenOn).toBe(false);
  recorder.calls[0]!.answer();
  await submitted;
  expect(writer.pendingCount).toBe(4);
});

test('who waits for room is not overtaken', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 2, rpcsInFlight: 1, updatesMax: 2 });
  void writer.writeAll([update(1), update(2), update(3)]);
  await settled();
  recorder.calls[0]!.answer();
  void writer.writeAll([update(4)]);
  await settled();
  expect(recorder.calls[1]!.slots).toEqual([3, 4]);
});

test('close reports what waits and refuses what comes; what is in flight still lands', async () => {
  const recorder = new Recorder();
  const writer = new Writer(recorder.send, { batchSize: 1, rpcsInFlight: 1, updatesMax: 3 });
  const results = new Map<number, string>();
  // The second update steps aside for the first, the fourth waits for room.
  const submitted = writer.submit([update(1), update(1), update(2), update(3)], (result, i) => {
    results.set(i, result.ok ? 'ok' : result.code);
  });
  const refused = expect(submitted).rejects.toMatchObject({ code: 'closed' });
  await settled();
  writer.close();
  await refused;
  await expect(writer.write(update(9))).rejects.toMatchObject({ code: 'closed' });
  recorder.calls[0]!.answer();
  await writer.idle();
  expect(Object.fromEntries(results)).toEqual({ 0: 'ok', 1: 'closed', 2: 'closed' });
});

test.each([0, -1, 1.5, Number.NaN])('a batch size of %d is refused', (batchSize) => {
  expect(() => new Writer(new Recorder().send, { batchSize })).toThrow('batchSize');
});

test('whatever the order of answers, every entity sees its updates in order, each once', async () => {
  const scenario = fc.record({
    slots: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 60 }),
    batchSize: fc.integer({ min: 1, max: 5 }),
    rpcsInFlight: fc.integer({ min: 1, max: 4 }),
    updatesMax: fc.integer({ min: 1, max: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, fc.scheduler(), async ({ slots, ...options }, scheduler) => {
      const seen = new Map<number, number[]>();
      const open = new Set<number>();
      const writer = new Writer(async (batch) => {
        const batchSlots = new Set(batch.map(slotOf));
        for (const slot of batchSlots) {
          expect(open.has(slot)).toBe(false);
          open.add(slot);
        }
        await scheduler.schedule(Promise.resolve());
        for (const one of batch)
          seen.set(slotOf(one), [...(seen.get(slotOf(one)) ?? []), submitted.indexOf(one)]);
        for (const slot of batchSlots) open.delete(slot);
        return batch.map(() => ({ ok: true }));
      }, options);
      const submitted = slots.map((slot) => update(slot));
      const results = writer.writeAll(submitted);
      await scheduler.waitFor(results);
      for (const [slot, indexes] of seen) {
        expect(indexes).toEqual(slots.flatMap((s, i) => (s === slot ? [i] : [])));
      }
    }),
    { numRuns: 300 },
  );
});

test('with a client: 2,000 updates with failures among them', async () => {
  const fake = new FakeSwitch();
  await fake.start();
  const client = new P4RuntimeClient({ address: fake.address, deviceId: 1n, electionId: 1n });
  try {
    client.connect();
    await client.whenPrimary();
    const writer = new Writer((batch) => client.write(batch));
    const all = updates(2_000);
    expect((await writer.writeAll(all)).every((result) => result.ok)).toBe(true);
    expect(fake.writes.length).toBe(8);
    const again = await writer.writeAll([update(1), update(5_000), update(2)]);
    expect(again.map((result) => (result.ok ? 'ok' : result.code))).toEqual([
      'already-exists',
      'ok',
      'already-exists',
    ]);
    fake.stop();
    const [late] = await writer.writeAll([update(9)]);
    expect(late).toMatchObject({ ok: false, code: 'unavailable' });
  } finally {
    client.close();
    fake.stop();
  }
});
