// SPDX-License-Identifier: Apache-2.0
/** A backend that fills goes on where it was, whoever is in charge: from the file, and from an etcd, to what the switch is told. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { type RunningController, startController } from './main.ts';
import { startEtcd, whyNoEtcd } from './testing/etcd-process.ts';
import { until } from './testing/in-test.ts';
import { MemorySwitch } from './testing/memory-switch.ts';

const noEtcd = whyNoEtcd();

/** A window with steps of 80 s: in the first 40 s nothing changes by time, and a test is long done. */
const textOf = (store = ''): string => `${store}network:
  interfaces:
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    slow_start: { window: 10m, from: 10% }
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 }
`;

let folder: string;

beforeEach(async (context) => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-filling-'));
  context.onTestFinished(() => rm(folder, { recursive: true }));
});

async function start(name: string, text?: string): Promise<RunningController> {
  const configPath = join(folder, name);
  if (text !== undefined) await writeFile(configPath, text);
  const controller = await startController({
    configPath,
    listen: { host: '127.0.0.1', port: 0 },
    switchPort: new MemorySwitch(),
    engine: { tcpSettleMs: 0 },
  });
  onTestFinished(() => controller.close());
  return controller;
}

const weights = (controller: RunningController) =>
  controller
    .status()
    .engine.pools[0]?.backends.filter(({ state }) => state !== 'leaving')
    .map(({ name, weight, state }) => `${name} ${state} ${weight}`);

const isServing = (controller: RunningController) => () =>
  controller.status().engine.pools[0]?.phase === 'serving' &&
  controller.status().engine.change.phase === 'idle';

async function addOne(controller: RunningController): Promise<void> {
  await until(isServing(controller));
  await controller.edit({ kind: 'add', vip: 'web', backend: 'c', address: '10.0.2.13', port: 8080 });
  await until(() => weights(controller)?.length === 3 && isServing(controller)());
}

const filling = ['a active 256', 'b active 256', 'c active 26'];

it('is filled on by a controller that is started anew; one that was added meanwhile fills as well', async () => {
  const first = await start('one.yaml', textOf());
  await addOne(first);
  expect(weights(first)).toEqual(filling);
  await first.close();

  const second = await start('one.yaml');
  await until(isServing(second));
  expect(weights(second)).toEqual(filling);
  expect(second.status().lifecycle![0]!.backends[2]).toMatchObject({ backend: 'c', share: 0.1 });
  expect(second.status().lifecycle![0]!.backends[2]!.fillMs).toBeLessThan(600_000);
  await second.close();

  const third = await start('one.yaml', `${textOf()}      - { name: d, address: 10.0.2.14, port: 8080 }\n`);
  await until(isServing(third));
  expect(weights(third)).toEqual(['a active 256', 'b active 256', 'd active 26']);
}, 60_000);

it.skipIf(noEtcd)(
  `is filled on by one that came later and takes over, by an etcd${noEtcd ? ` (skipped: ${noEtcd})` : ''}`,
  async () => {
    const etcd = await startEtcd();
    onTestFinished(() => etcd.close());
    const store = `controller: { store: { kind: etcd, endpoints: [${etcd.endpoint}], lease: 2s } }\n`;
    const first = await start('one.yaml', textOf(store));
    await addOne(first);
    // It has never seen the vip without c.
    const second = await start('two.yaml', textOf(store));
    await until(() => second.status().leadership.role === 'standby');
    expect(second.status().lifecycle![0]!.backends[2]).toMatchObject({ backend: 'c', share: 1 });
    await first.close();
    await until(isServing(second));
    expect(weights(second)).toEqual(filling);
    // A switch of its own in this test: it was given these weights at once, without a change.
    expect(second.status().engine.commits).toEqual([]);
  },
  60_000,
);
