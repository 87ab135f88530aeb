// SPDX-License-Identifier: Apache-2.0
/** Weights that follow load, from the configuration to what is wanted of the switch. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import { formatProblem } from './config/problem.ts';
import { loadDefaults } from './core/load-weights.ts';
import { type RunningController, startController } from './main.ts';
import { SwitchLoad } from './switch-load.ts';
import { startEtcd, whyNoEtcd } from './testing/etcd-process.ts';
import { until } from './testing/in-test.ts';
import { MemorySwitch } from './testing/memory-switch.ts';

const noEtcd = whyNoEtcd();

const textOf = (load: string, slots = 256): string => `network:
  interfaces:
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: ${slots}
    load: ${load}
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 }
`;

function loadOf(load: string): Config['load'][number] | string[] {
  const parsed = parseConfig(textOf(load));
  if ('problems' in parsed) return parsed.problems.map((problem) => formatProblem(problem, 'f'));
  return parsed.config.load[0]!;
}

describe('the load of a vip', () => {
  it.each([
    [
      "{ source: http, url: 'http://{address}:{port}/s', field: load.cpu }",
      { kind: 'http', url: 'http://{address}:{port}/s', field: 'load.cpu' },
    ],
    [
      '{ source: prometheus, url: http://prometheus:9090, query: up }',
      { kind: 'prometheus', url: 'http://prometheus:9090', query: 'up', label: 'instance' },
    ],
  ])('%s says where it is read', (text, query) => {
    expect(loadOf(text)).toEqual({ vip: 'web', query, options: loadDefaults });
  });

  it('says how it is followed', () => {
    expect(loadOf('{ source: switch, interval: 2s, gain: 50%, lag: 10s, range: 4 }')).toEqual({
      vip: 'web',
      query: { kind: 'switch', count: 'bytes' },
      options: {
        ...loadDefaults,
        intervalMs: 2_000,
        staleMs: 8_000,
        gain: 0.5,
        lagMs: 10_000,
        range: 4,
        idleBelow: 0,
      },
    });
  });

  it.each([
    ['{ source: snmp }', "source: 'snmp' is not known here"],
    ['{ source: http }', 'url: is missing; expected http://HOST:PORT/...'],
    ['{ source: prometheus, url: http://p }', 'query: is missing; expected a query'],
    ['{ source: switch, url: http://p }', 'url: is of no use to the source switch; expected one of count'],
    ['{ source: http, url: address }', "url: 'address' is not a URL"],
  ])('%s is refused', (text, message) => {
    const problems = loadOf(text) as string[];
    expect(problems.filter((problem) => problem.includes(': error: '))).toEqual([
      expect.stringContaining(message),
    ]);
  });
});

describe('the load that a switch knows', () => {
  const targets = ['a', 'b'].map((name, i) => ({ name, address: '', port: 1, weight: i + 1 }));

  it('is what it forwards in a second, for the weight, and nothing between two readings of its counters', async () => {
    let now = 1_000;
    let counts: Map<string, { packets: number; bytes: number }> | undefined;
    const clock = { now: () => now, date: () => new Date(0), after: () => () => {} };
    const source = new SwitchLoad('bytes', { clock, counts: () => counts });
    const countsOf = (a: number, b: number) =>
      new Map([
        ['a', { packets: 1, bytes: a }],
        ['b', { packets: 1, bytes: b }],
      ]);
    const read = async () => [...(await source.read(targets)).loads];
    expect((await source.read(targets)).problem).toBe('the switch has not told its counters yet');
    counts = countsOf(0, 0);
    expect(await read()).toEqual([]);
    now = 3_000;
    counts = countsOf(200, 800);
    expect(await read()).toEqual([
      ['a', 100],
      ['b', 200],
    ]);
    now = 4_000;
    expect(await read()).toEqual([]);
    now = 5_000;
    // It was restarted.
    counts = countsOf(10, 900);
    expect(await read()).toEqual([['b', 25]]);
  });
});

describe('a controller whose backends tell their load', () => {
  let path: string;

  beforeEach(async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-load-'));
    path = join(folder, 'evenkeel.yaml');
    // The first to be asked for comes last: controllers are closed by then, and write no more.
    context.onTestFinished(() => rm(folder, { recursive: true }));
  });

  async function start(): Promise<RunningController> {
    const controller = await startController({
      configPath: path,
      listen: { host: '127.0.0.1', port: 0 },
      switchPort: new MemorySwitch(),
      engine: { tcpSettleMs: 0 },
    });
    onTestFinished(() => controller.close());
    return controller;
  }

  const backends = (controller: RunningController) => controller.status().engine.pools[0]?.backends ?? [];

  const pace = 'interval: 1s, min_interval: 1s, smoothing: 1s, lag: 1s';

  /** Backend a has three times the load of b. @returns `load` of the configuration */
  async function loadedServers(): Promise<string> {
    const server = createServer(({ url }, response) =>
      response.end(url === '/a' ? '{"load":0.9}' : '{"load":0.3}'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/{name}`;
    return `{ source: http, url: '${url}', ${pace} }`;
  }

  it('gives less to the one that has more, and goes on from there when it is started anew', async () => {
    await writeFile(path, textOf(await loadedServers()));
    const first = await start();
    await until(
      () => (backends(first)[0]?.slots ?? 128) < 100 && first.status().engine.change.phase === 'idle',
    );
    const [a, b] = backends(first);
    expect(a!.weight).toBeLessThan(256);
    expect(b!.weight).toBeGreaterThan(256);
    expect(first.status().load).toMatchObject([{ pool: 'web', source: 'http', problem: undefined }]);
    expect(first.events(0).map(({ message }) => message)).toContain('weights follow load');
    await first.close();

    const weights = first.status().load![0]!.backends.map(({ weight }) => weight);
    const second = await start();
    await until(() => backends(second).length === 2);
    expect(backends(second).map(({ weight }) => weight)).toEqual(weights);
  }, 180_000);

  it.skipIf(noEtcd)(
    `is followed by one that goes on from there, too, by an etcd${noEtcd ? ` (skipped: ${noEtcd})` : ''}`,
    async () => {
      const etcd = await startEtcd();
      onTestFinished(() => etcd.close());
      const store = `{ store: { kind: etcd, endpoints: [${etcd.endpoint}], lease: 2s } }`;
      await writeFile(path, `controller: ${store}\n${textOf(await loadedServers())}`);
      const first = await start();
      await until(() => (backends(first)[0]?.slots ?? 128) < 100);
      const second = await start();
      await until(() => second.status().leadership.role === 'standby');
      await first.close();
      const weights = first.status().load![0]!.backends.map(({ weight }) => weight);
      await until(() => backends(second).length === 2);
      expect(backends(second).map(({ weight }) => weight)).toEqual(weights);
      // A switch of its own in this test: it was given these weights at once, without a change.
      expect(second.status().engine.commits).toEqual([]);
    },
    180_000,
  );

  it('says when it cannot know', async () => {
    await writeFile(path, textOf(`{ source: http, url: 'http://127.0.0.1:1/', ${pace} }`));
    const controller = await start();
    await until(() => controller.status().load?.[0]?.problem !== undefined);
    expect(backends(controller).map(({ weight }) => weight)).toEqual([256, 256]);
  }, 180_000);
});
