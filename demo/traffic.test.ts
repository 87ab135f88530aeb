// SPDX-License-Identifier: Apache-2.0
/** Every way in which a connection can go wrong must be seen, and none may be seen where all is well. */
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createService, type Service } from './service.ts';
import type { Dial, StreamHandlers } from './stream.ts';
import { type BrokenConnection, startTraffic, trafficDefaults } from './traffic.ts';

const options = {
  ...trafficDefaults,
  longConnections: 20,
  rampMs: 100,
  shortPerSecond: 10,
  steadyMs: { min: 60, max: 200 },
  idleMsMax: 1_000,
  lifeMs: { min: 500, max: 1_500 },
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The network between client and service, where a test does its mischief. */
interface Mischief {
  toServer?: (bytes: Uint8Array) => Uint8Array | 'reset' | 'lose';
  toClient?: (bytes: Uint8Array) => Uint8Array;
  serviceOf?: (turn: number) => Service;
}

function connectTo(service: Service, mischief: Mischief): Dial {
  let turn = 0;
  return (handlers: StreamHandlers) => {
    let isGone = false;
    const later = (run: () => void) => setTimeout(() => isGone || run(), 1);
    const serve = (which: Service) => {
      const stream = {
        localPort: 80,
        write: (bytes: Uint8Array) => {
          const changed = mischief.toClient?.(bytes) ?? bytes;
          later(() => handlers.data(changed));
        },
        end: () => later(() => handlers.closed('ended')),
        destroy: () => later(() => handlers.closed('reset')),
      };
      return which.accept(stream, { address: '10.0.0.1', port: 10_000 });
    };
    let server = serve(service);
    later(() => handlers.opened());
    return {
      localPort: 10_000,
      write(bytes) {
        const other = mischief.serviceOf?.(turn++);
        if (other !== undefined) server = serve(other);
        const changed = mischief.toServer?.(bytes) ?? bytes;
        if (changed === 'reset') later(() => handlers.closed('reset'));
        else if (changed !== 'lose') later(() => server.data(changed));
      },
      end: () => later(() => server.closed('ended')),
      destroy() {
        isGone = true;
      },
    };
  };
}

async function run(mischief: Mischief, ms: number, during?: (service: Service) => void) {
  const service = createService('a');
  const broken: BrokenConnection[] = [];
  const traffic = startTraffic(options, connectTo(service, mischief), Date.now, (b) => broken.push(b));
  await vi.advanceTimersByTimeAsync(ms / 2);
  during?.(service);
  await vi.advanceTimersByTimeAsync(ms / 2);
  const summary = traffic.summary();
  const stopped = traffic.stop();
  await vi.advanceTimersByTimeAsync(20_000);
  await stopped;
  return { broken, summary, last: traffic.summary() };
}

const flipLastBit = (bytes: Uint8Array) => Uint8Array.of(...bytes.with(-1, bytes.at(-1)! ^ 1));

describe('traffic', () => {
  test('where all is well, breaks nothing, keeps its number of connections, and ends them all', async () => {
    const { broken, summary, last } = await run({}, 10_000, (service) => service.sayGoodbye());
    expect(broken).toEqual([]);
    expect(summary.longOpen).toBeGreaterThan(options.longConnections - 8);
    expect(summary.longTotal).toBeGreaterThan(2 * options.longConnections);
    expect(summary.shortTotal).toBe(100);
    expect(last).toMatchObject({ longOpen: 0, shortOpen: 0, finished: last.longTotal + last.shortTotal });
  });

  test('sees a reset', async () => {
    const { broken } = await run({ toServer: () => 'reset' }, 1_000);
    expect(new Set(broken.map(({ reason }) => reason))).toEqual(new Set(['reset']));
  });

  test('sees silence, when the time for an answer is over', async () => {
    const { broken } = await run({ toServer: () => 'lose' }, 12_000);
    expect(new Set(broken.map(({ reason }) => reason))).toEqual(new Set(['silent']));
    expect(broken.every(({ openedAt, brokenAt }) => brokenAt - openedAt >= options.answerTimeoutMs)).toBe(
      true,
    );
  });

  test('sees a damaged answer, and a damaged request is refused by the server', async () => {
    const answers = await run({ toClient: flipLastBit }, 1_000);
    expect(answers.broken.map(({ reason }) => reason)).toContain('answered-wrong');
    const requests = await run({ toServer: flipLastBit }, 1_000);
    expect(requests.broken.map(({ reason }) => reason)).toContain('reset');
  });

  test('sees a connection that another server answers, even one that plays along', async () => {
    const rename = (bytes: Uint8Array, turn: number) => (turn % 2 === 0 ? bytes : renamed(bytes));
    let turn = 0;
    const { broken } = await run({ toClient: (bytes) => rename(bytes, turn++) }, 4_000);
    expect(broken.map(({ reason }) => reason)).toContain('moved');
  });

  test('is refused by a server that has not seen the beginning', async () => {
    const { broken } = await run({ serviceOf: () => createService('b') }, 4_000);
    expect(broken.map(({ reason }) => reason)).toContain('reset');
  });
});

/** The same answer in the name of 'b', checksum and all. */
function renamed(bytes: Uint8Array): Uint8Array {
  const body = Uint8Array.of(...bytes.subarray(4, -4));
  if (body[0] !== 1) return bytes;
  body[10] = 'b'.charCodeAt(0);
  return withChecksum(body);
}

function withChecksum(body: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}
