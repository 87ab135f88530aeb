// SPDX-License-Identifier: Apache-2.0
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { waitPatiently } from './patience.ts';

const waitMs = 200;

/** As if nobody had given us the processor. */
function beAway(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('an absence takes a part of the wait, however long it was', async () => {
  const done: string[] = [];
  const waited = new Promise<void>((resolve) => {
    waitPatiently(waitMs, () => {
      done.push('waited');
      resolve();
    });
  });
  beAway(3 * waitMs);
  // Of four parts, three are to come.
  await pause(waitMs / 2);
  done.push('half of it again');
  await waited;
  expect(done).toEqual(['half of it again', 'waited']);
});

it('what has come in is read before the wait is over, also if we were away for each of its parts', async () => {
  const done: string[] = [];
  const waited = new Promise<void>((resolve) => {
    waitPatiently(8, () => {
      done.push('waited');
      resolve();
    });
  });
  let reads = 0;
  const beStarved = (): void => {
    reads++;
    beAway(20);
    if (done.length === 0) setImmediate(beStarved);
  };
  beStarved();
  await waited;
  // Between all parts, and after the last.
  expect(reads).toBeGreaterThanOrEqual(5);
});

it('it can be cancelled in every part', async () => {
  for (let part = 0; part < 4; part++) {
    let isOver = false;
    const cancel = waitPatiently(20, () => {
      isOver = true;
    });
    for (let i = 0; i < part; i++) await pause(5);
    const wasOver = isOver;
    cancel();
    await pause(40);
    expect(isOver).toBe(wasOver);
  }
});
