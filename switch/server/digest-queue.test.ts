// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { Rules } from './compat.ts';
import { type DigestConfig, DigestQueue, listSizeMax } from './digest-queue.ts';

const ms = 1_000_000n;

function queueOf(config: Partial<DigestConfig>) {
  const clock = new ManualClock();
  const lists: string[] = [];
  const full = { maxTimeoutNs: 0n, maxListSize: 1, ackTimeoutNs: 0n, ...config };
  const queue = new DigestQueue(full, clock, new Rules('strict'), (id, samples) =>
    lists.push(`${id}: ${samples.join(' ')}`),
  );
  return { queue, clock, lists };
}

test('(1, 0, 0), the portable configuration, delivers each sample at once, repeated ones too', () => {
  const { queue, lists } = queueOf({});
  for (const sample of [
    [1n, 2n],
    [1n, 2n],
    [3n, 4n],
  ])
    queue.add(sample);
  expect(lists).toEqual(['1: 1,2', '2: 1,2', '3: 3,4']);
});

test('a list goes when it is full, or when its timer fires', () => {
  const { queue, clock, lists } = queueOf({ maxListSize: 3, maxTimeoutNs: 50n * ms });
  for (const value of [1n, 2n, 3n, 4n]) queue.add([value]);
  expect(lists).toEqual(['1: 1 2 3']);
  clock.advance(49);
  queue.add([5n]);
  clock.advance(1);
  expect(lists).toEqual(['1: 1 2 3', '2: 4 5']);
  clock.advance(1000);
  expect(lists).toHaveLength(2);
});

test('without a timer a list that is not full waits for ever, as on simple_switch_grpc', () => {
  const config = { maxListSize: 0, maxTimeoutNs: 0n, ackTimeoutNs: 0n };
  expect(DigestQueue.canStall(config)).toBe(true);
  expect(DigestQueue.canStall({ ...config, maxListSize: 1 })).toBe(false);
  const { queue, clock, lists } = queueOf(config);
  for (let value = 0n; value < 1023n; value++) queue.add([value]);
  clock.advance(1e9);
  expect(lists).toEqual([]);
  queue.add([1023n]);
  expect(lists).toHaveLength(1);
});

test('a list as long as anybody may ask for is sent in parts', () => {
  const { queue, lists } = queueOf({ maxListSize: 2 ** 31 - 1 });
  for (let value = 0; value < listSizeMax; value++) queue.add([BigInt(value)]);
  expect(lists).toHaveLength(1);
});

test('equal samples in one list are merged', () => {
  const { queue, lists } = queueOf({ maxListSize: 2 });
  for (const value of [1n, 1n, 1n, 2n]) queue.add([value]);
  expect(lists).toEqual(['1: 1 2']);
});

test('a sample is held back until it is acknowledged', () => {
  const { queue, clock, lists } = queueOf({ ackTimeoutNs: 1000n * ms });
  queue.add([1n]);
  queue.add([1n]);
  queue.acknowledge(7n);
  queue.add([1n]);
  expect(lists).toEqual(['1: 1']);
  queue.acknowledge(1n);
  queue.add([1n]);
  expect(lists).toEqual(['1: 1', '2: 1']);
  clock.advance(500);
  queue.acknowledge(1n);
  queue.add([1n]);
  expect(lists).toHaveLength(2);
});

test('or until its acknowledgement is overdue', () => {
  const { queue, clock, lists } = queueOf({ ackTimeoutNs: 100n * ms });
  queue.add([1n]);
  clock.advance(99);
  queue.add([1n]);
  expect(lists).toHaveLength(1);
  clock.advance(1);
  queue.add([1n]);
  expect(lists).toEqual(['1: 1', '2: 1']);
});
