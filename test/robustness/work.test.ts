// SPDX-License-Identifier: Apache-2.0
/** Much work and odd frames: giant batches, packets that never end, one program after the other. */

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { passesMax } from '../../switch/engine/packet-life.ts';
import { Code } from '../../switch/server/refusal.ts';
import { startSwitch } from '../../switch/server/switch.ts';
import {
  type Bench,
  index,
  startLoadedBench,
  TestClient,
  type TestStream,
} from '../../switch/server/testdata/harness.ts';
import {
  codec,
  entityOf,
  expectHealthy,
  firstSeed,
  frameOf,
  heldMib,
  randomOf,
  route,
  runFactor,
} from './support.ts';

/** For a machine with much else to do. */
const patientMs = 120_000;

const allRoutes = entityOf({ case: 'tableEntry', value: { tableId: index.tables.get('routes').id } });

describe('on features.p4', () => {
  let bench: Bench & { stream: TestStream };
  beforeEach(async () => {
    bench = await startLoadedBench();
  });
  afterEach(() => bench.close());

  const routes = (count: number, first = 1) =>
    Array.from({ length: count }, (_, target) => codec.insert(route(first + target, 2)));

  test('60,000 entries in one write', { timeout: patientMs }, async () => {
    expect(await bench.client.write(routes(60_000))).toEqual({ code: 0, message: '', errors: [] });
    bench.running.inject(1, frameOf(60_000, 1));
    bench.running.inject(1, frameOf(60_001, 1));
    expect(bench.sent.map(({ port }) => port)).toEqual([2]);
  });

  test('20,000 entries in one write to a table of four', { timeout: patientMs }, async () => {
    const entries = Array.from({ length: 20_000 * runFactor }, (_, target) =>
      codec.insert({ table: 'exact_small', match: { target, port: 1 }, action: { name: 'drop' } }),
    );
    const { code, message, errors } = await bench.client.write(entries);
    expect([code, errors]).toEqual([Code.UNKNOWN, []]);
    expect(message).toMatch(/^\d+ of \d+ updates failed, too many to list; the first: .*is full$/);
    expect(Number.parseInt(message, 10)).toBe(entries.length - 4);
    const { id: tableId } = index.tables.get('exact_small');
    expect(await bench.client.read(entityOf({ case: 'tableEntry', value: { tableId } }))).toHaveLength(4);
  });

  test.skipIf(runFactor === 1)('200,000 entries in one write fill a table of 131,072', async () => {
    const tooMany = await bench.client.write(routes(200_000));
    expect(tooMany.message).toMatch(/^68928 of 200000 updates failed.*is full$/);
    expect(await bench.client.read(allRoutes)).toHaveLength(131_072);
  });

  test('a controller that dies in the middle of a giant write leaves the switch to others', async () => {
    const dying = new TestClient(bench.running.address);
    const outcome = dying.write(routes(30_000));
    dying.close();
    await outcome;
    bench.stream.close();
    await bench.stream.ended;
    await expectHealthy(bench);
  });

  test('frames of every length and on every port, and ports that are none', async () => {
    await bench.client.write(routes(4));
    const random = randomOf(firstSeed);
    for (const length of [0, 1, 13, 14, 60, 1514, 65_535, 65_536, 300_000]) {
      for (const port of [0, 1, 255, 509, 510, 511, 512, 65_535, 2 ** 31, -1]) {
        // Random as far as any parser looks.
        const frame = new Uint8Array(length);
        frame.set(random.bytes(Math.min(length, 100)));
        bench.running.inject(port, frame);
      }
    }
    expect(bench.logs).toContainEqual(expect.stringMatching(/a frame of 65536 bytes was dropped/));
    bench.stream.close();
    await bench.stream.ended;
    await expectHealthy(bench);
  });

  test('one program after the other, with packets, writes and reads in between, leaves nothing behind', async () => {
    const round = async () => {
      const push = bench.client.push();
      const write = bench.client.write([codec.insert(route(5, 2))]);
      bench.running.inject(1, frameOf(5, 3));
      const read = bench.client.read(allRoutes).then(
        (entries) => entries.length <= 1,
        (cause: { code: number }) => cause.code === Code.ABORTED,
      );
      await push;
      expect((await write).code).toBe(0);
      expect(await read).toBe(true);
      bench.running.inject(1, frameOf(5, 3));
    };
    for (let warmUp = 0; warmUp < 20; warmUp++) await round();
    bench.sent.length = 0;
    bench.logs.length = 0;
    const before = await heldMib();
    for (let count = 0; count < 120 * runFactor; count++) await round();
    bench.sent.length = 0;
    bench.logs.length = 0;
    expect((await heldMib()) - before).toBeLessThan(10);
    bench.stream.close();
    await bench.stream.ended;
    await expectHealthy(bench);
  });
});

test('a packet that would go round for ever is cut off, and the next one is served', async () => {
  const program = readFileSync(new URL('../../switch/engine/testdata/copies.json', import.meta.url), 'utf8');
  const sent: number[] = [];
  const logs: string[] = [];
  const running = await startSwitch({
    grpcAddress: '127.0.0.1:0',
    program,
    onTransmit: (port) => sent.push(port),
    log: (_level, line) => logs.push(line),
  });
  // The program resubmits a packet whose first byte is 5 whenever it sees it.
  const endless = new Uint8Array(60).fill(5, 0, 1);
  for (let count = 0; count < 2000 * runFactor; count++) running.inject(1, endless);
  expect(sent).toEqual([]);
  expect(logs).toContainEqual(expect.stringContaining(`cut off after ${passesMax} passes`));
  running.inject(1, new Uint8Array(60));
  expect(sent).toEqual([1]);
  await running.close();
});
