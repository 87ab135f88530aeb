// SPDX-License-Identifier: Apache-2.0
/** Controllers that fight: at most one is primary, and only what a primary asked for is done. */

import { expect, test } from 'vitest';
import { startLoadedBench, TestClient, type TestStream } from '../../switch/server/testdata/harness.ts';
import { codec, expectHealthy, firstSeed, randomOf, route, runFactor } from './support.ts';

test('two controllers race for the lead, writing all the time: each write was the primary’s', async () => {
  const bench = await startLoadedBench();
  const random = randomOf(firstSeed);
  const clients = [new TestClient(bench.running.address), new TestClient(bench.running.address)];
  const streams = clients.map((client) => client.openStream());
  /** Election ids only go up; the one who asked for the highest leads. */
  let highest = 1n;
  const ids: bigint[] = [0n, 0n];
  let accepted = 0;
  for (let round = 0; round < 400 * runFactor; round++) {
    const racer = random.below(2);
    highest += 1n;
    ids[racer] = highest;
    const arbitration = streams[racer]!.arbitrate(highest);
    // The other one does not know yet, and writes with the id that made it primary.
    const rival = clients[1 - racer]!.write([codec.insert(route(1, 1))], ids[1 - racer]);
    expect(await arbitration).toBe(`0 Is primary ${highest}`);
    const late = await clients[1 - racer]!.write([codec.insert(route(2, 1))], ids[1 - racer]);
    expect([round, late.code]).toEqual([round, 7]);
    const own = await clients[racer]!.write([codec.remove(route(1, 1))], ids[racer]);
    // Whether the rival's write came before the arbitration: then, and only then, the route is there.
    expect([round, own.code === 0]).toEqual([round, (await rival).code === 0]);
    if (own.code === 0) accepted += 1;
    // What the other one was told meanwhile.
    while (streams[1 - racer]!.pending > 0) await streams[1 - racer]!.nextArbitration();
  }
  expect(accepted).toBeLessThan(400 * runFactor);
  for (const client of clients) client.close();
  bench.stream.close();
  await bench.stream.ended;
  await expectHealthy(bench);
  await bench.close();
});

test('controllers come, race and go in any order: never are two told that they lead', async () => {
  const bench = await startLoadedBench();
  bench.stream.close();
  await bench.stream.ended;
  const random = randomOf(firstSeed);
  const streams: TestStream[] = [];
  let highest = 1n;
  for (let round = 0; round < 300 * runFactor; round++) {
    if (streams.length < 2 || (streams.length < 8 && random.chance(0.3)))
      streams.push(bench.client.openStream());
    const stream = random.pick(streams);
    if (random.chance(0.2)) {
      streams.splice(streams.indexOf(stream), 1);
      stream.close();
      await stream.ended;
      continue;
    }
    highest += 1n;
    expect(await lastAnswer(stream, highest)).toBe(`0 Is primary ${highest}`);
    for (const other of streams) {
      if (other === stream) continue;
      let last: string | undefined;
      while (other.pending > 0) last = await other.nextArbitration();
      if (last !== undefined) expect(last).not.toMatch(/^0 /);
    }
  }
  await bench.close();
});

/** @returns what the stream is told in answer to this arbitration, after what it had been told before */
async function lastAnswer(stream: TestStream, electionId: bigint): Promise<string> {
  stream.sendArbitration(electionId);
  for (;;) {
    const answer = await stream.nextArbitration();
    if (answer.endsWith(` ${electionId}`)) return answer;
  }
}
