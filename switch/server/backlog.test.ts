// SPDX-License-Identifier: Apache-2.0
/** A queue towards a client that may never read. */

import { expect, test } from 'vitest';
import { Backlog } from './backlog.ts';

/** A client that reads when it is told to. */
function slowClient() {
  const waiting: { message: string; onSent: () => void }[] = [];
  return {
    waiting,
    write: (message: string, onSent: () => void) => waiting.push({ message, onSent }),
    readOne: () => waiting.shift()!.onSent(),
  };
}

test('takes so many messages, and more when some have been read', () => {
  const client = slowClient();
  const backlog = new Backlog(client, { messagesMax: 2, bytesMax: 100 });
  expect(['a', 'b', 'c'].map((message) => backlog.offer(message, 1))).toEqual([true, true, false]);
  client.readOne();
  expect(['d', 'e'].map((message) => backlog.offer(message, 1))).toEqual([true, false]);
  expect(client.waiting.map(({ message }) => message)).toEqual(['b', 'd']);
});

test('takes so many bytes, but any message when nothing waits', () => {
  const client = slowClient();
  const backlog = new Backlog(client, { messagesMax: 10, bytesMax: 100 });
  expect(backlog.offer('large', 1000)).toBe(true);
  expect(backlog.offer('small', 1)).toBe(false);
  client.readOne();
  expect([60, 40, 1].map((bytes) => backlog.offer('m', bytes))).toEqual([true, true, false]);
});

test('says when there is room', () => {
  const client = slowClient();
  let told = 0;
  const backlog = new Backlog(client, { messagesMax: 1, bytesMax: 100 }, () => {
    told += 1;
  });
  backlog.offer('a', 1);
  client.readOne();
  expect(told).toBe(1);
});
