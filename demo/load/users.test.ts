// SPDX-License-Identifier: Apache-2.0
/** Every way in which a user's connection can go wrong must be seen, and none may be seen where all is well. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { diceOf } from '../../sim/kernel/dice.ts';
import type { Dial } from '../stream.ts';
import type { BrokenUser } from './message.ts';
import { Users } from './users.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const options = {
  seed: 1,
  connections: 20,
  meanLifeMs: 5_000,
  pauseMs: { min: 200, max: 400 },
  meanCostMs: 10,
};

/** What the server does with the request of this number, 30 ms after it was asked. */
type Conduct = (number: number) => string | 'reset' | 'nothing';
const well: Conduct = (number) => `${number} a\n`;

function serve(conduct: Conduct): Dial {
  return (handlers) => {
    let isGone = false;
    const later = (ms: number, run: () => void) => setTimeout(() => isGone || run(), ms);
    later(1, () => handlers.opened());
    return {
      localPort: 1,
      write(bytes) {
        const said = conduct(Number.parseInt(Buffer.from(bytes).toString(), 10));
        if (said === 'reset') later(30, () => handlers.closed('reset'));
        else if (said !== 'nothing') later(30, () => handlers.data(Buffer.from(said)));
      },
      end: () => later(1, () => handlers.closed('ended')),
      destroy() {
        isGone = true;
      },
    };
  };
}

async function run(conduct: Conduct, ms = 30_000) {
  const broken: BrokenUser[] = [];
  const users = new Users(options, serve(conduct), diceOf(1, 'users'), Date.now, (one) => broken.push(one));
  await vi.advanceTimersByTimeAsync(ms);
  const lap = users.lap();
  users.stop();
  await vi.advanceTimersByTimeAsync(61_000);
  return { summary: users.summary(), lap, reasons: new Set(broken.map(({ reason }) => reason)), broken };
}

describe('users', () => {
  test('of a server that is well come, are answered, and all go in the end', async () => {
    const { summary, lap, broken } = await run(well);
    expect(broken).toEqual([]);
    // Twenty at a time for 5 s each: four a second.
    expect(summary.opened).toBeGreaterThan(80);
    expect(summary).toMatchObject({ open: 0, finished: summary.opened, broken: 0 });
    expect(lap.a!.count).toBeGreaterThan(500);
    expect(Math.abs(lap.a!.p50 - 30)).toBeLessThan(1);
  });

  test.each([
    ['see a reset', (number: number) => (number === 3 ? 'reset' : well(number)), 'reset'],
    [
      'see that another server answers',
      (number: number) => `${number} ${number > 3 ? 'b' : 'a'}\n`,
      'moved to b',
    ],
    [
      'see the answer to another request',
      (number: number) => well(number === 3 ? 2 : number),
      'answered wrong',
    ],
    [
      'see an answer that does not end',
      (number: number) => (number === 3 ? 'x'.repeat(300) : well(number)),
      'answered wrong',
    ],
  ] satisfies [string, Conduct, string][])('%s', async (_words, conduct, reason) => {
    expect((await run(conduct)).reasons).toEqual(new Set([reason]));
  });

  test('see silence, when their patience is over', async () => {
    const { reasons, summary } = await run((number) => (number === 3 ? 'nothing' : well(number)), 90_000);
    expect(reasons).toEqual(new Set(['silent']));
    expect(summary.broken).toBeGreaterThan(0);
  });
});
