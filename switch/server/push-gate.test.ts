// SPDX-License-Identifier: Apache-2.0
/** Who changes the switch while a program is being pushed. */

import { expect, test } from 'vitest';
import { PushGate } from './push-gate.ts';

/** Work that ends when it is told to, and notes when it starts. */
function slowWork(name: string, log: string[]) {
  let finish: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return {
    finish,
    start: () => {
      log.push(name);
      return ended;
    },
  };
}

const anybody = () => {};

test('one push at a time, in their order; a write waits for both', async () => {
  const gate = new PushGate();
  const log: string[] = [];
  const [first, second] = [slowWork('first', log), slowWork('second', log)];
  const pushes = [gate.push(anybody, first.start), gate.push(anybody, second.start)];
  const write = gate.whenSettled(anybody, async () => log.push('write'));
  expect(log).toEqual(['first']);
  first.finish();
  await pushes[0];
  expect(log).toEqual(['first', 'second']);
  second.finish();
  await write;
  expect(log).toEqual(['first', 'second', 'write']);
});

test('who was deposed during the wait changes nothing', async () => {
  const gate = new PushGate();
  const log: string[] = [];
  const push = slowWork('push', log);
  const pushing = gate.push(anybody, push.start);
  let primary = 'old';
  const checkOld = () => {
    if (primary !== 'old') throw new Error('Not primary');
  };
  const attempts = [
    gate.whenSettled(checkOld, async () => log.push('write')),
    gate.push(checkOld, async () => void log.push('another push')),
  ].map((attempt) => attempt.catch((cause: Error) => cause.message));
  primary = 'new';
  push.finish();
  await pushing;
  expect(await Promise.all(attempts)).toEqual(['Not primary', 'Not primary']);
  expect(log).toEqual(['push']);
});

test('a push that fails lets the others go on', async () => {
  const gate = new PushGate();
  const failing = gate.push(anybody, async () => {
    throw new Error('a bad program');
  });
  const write = gate.whenSettled(anybody, async () => 'written');
  await expect(failing).rejects.toThrow('a bad program');
  expect(await write).toBe('written');
});
