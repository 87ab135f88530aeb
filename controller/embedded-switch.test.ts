// SPDX-License-Identifier: Apache-2.0
/** The whole controller and the embedded switch, over real gRPC; servers and clients are this test. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../cli/testing/screen.ts';
import { tcpFlags } from '../wire/tcp.ts';
import type { EngineOptions } from './core/options.ts';
import type { RunningController } from './main.ts';
import { clientAddress, EmbeddedTarget, Hosts, vip } from './testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from './testing/in-test.ts';

const text = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 }
      - { name: c, address: 10.0.2.13, port: 8080 }
`;

const hosts = new Hosts();
let target: EmbeddedTarget;
let path: string;

beforeEach(async () => {
  path = join(await openTestFolder(), 'evenkeel.yaml');
  await writeFile(path, text);
  target = new EmbeddedTarget(hosts);
  onTestFinished(() => target.stop());
  await target.start();
});

const send = (sourcePort: number, flags: number) => hosts.send(target, sourcePort, flags);

async function start(engine: Partial<EngineOptions> = {}): Promise<RunningController> {
  const controller = await startTestController({
    configPath: path,
    switchAddress: target.hostPort,
    engine: { tcpSettleMs: 50, solicitMs: 50, ...engine },
  });
  await until(() => {
    const { pools, neighbours, writes } = controller.status().engine;
    return pools[0]?.phase === 'serving' && neighbours.known >= 3 && writes.unsettledRows === 0;
  });
  return controller;
}

const ports = Array.from({ length: 200 }, (_, i) => 20_000 + i);

it('serves, keeps every connection through changes, and survives its controller', async () => {
  const first = await start();
  const before = new Map(ports.map((port) => [port, send(port, tcpFlags.syn)]));
  expect(new Set(before.values())).toEqual(new Set([0x0a00_020b, 0x0a00_020c, 0x0a00_020d]));

  const env = { EVENKEEL_CONTROLLER: first.adminUrl, EVENKEEL_TOKEN: first.adminToken };
  expect(await evenkeel('add web d 10.0.2.14:8080', env)).toMatchObject({ exitCode: 0 });
  // Its connections are busy meanwhile, as they are in life; who speaks is pinned where he is.
  await until(() => {
    for (const port of ports) send(port, tcpFlags.ack);
    return first.status().engine.commits.length === 1;
  });
  await until(() => first.status().engine.neighbours.known === 4);
  expect(await evenkeel('drain web a', env)).toMatchObject({ exitCode: 0 });
  await until(() => {
    for (const port of ports) send(port, tcpFlags.ack);
    return first.status().engine.commits.length === 2;
  });

  expect(new Map(ports.map((port) => [port, send(port, tcpFlags.ack)]))).toEqual(before);
  const newcomers = ports.map((port) => send(port + 10_000, tcpFlags.syn));
  expect(new Set(newcomers)).toEqual(new Set([0x0a00_020c, 0x0a00_020d, 0x0a00_020e]));
  // What the controller says of a flow is what the switch does with it.
  for (const port of ports.slice(0, 50)) {
    const { outcomes } = first.explain({
      sourceAddress: clientAddress,
      sourcePort: port,
      vipAddress: vip.address,
      vipPort: vip.port,
      protocol: 'tcp',
    });
    const names = { 167772683: 'a', 167772684: 'b', 167772685: 'c', 167772686: 'd' };
    expect(outcomes.map(({ backend }) => backend)).toContain(names[before.get(port) as keyof typeof names]);
  }

  await first.close();
  expect(new Map(ports.map((port) => [port, send(port, tcpFlags.ack)]))).toEqual(before);
  const second = await start();
  expect(second.status().engine.commits).toEqual([]);
  expect(new Map(ports.map((port) => [port, send(port, tcpFlags.ack)]))).toEqual(before);
  await until(() => second.status().switch.traffic !== undefined);
  expect(second.status().switch.traffic!.decisions.new!.packets).toBeGreaterThan(0);
});

it('breaks connections when it is naive: the test above would see it', async () => {
  const controller = await start({ naive: true });
  const before = ports.map((port) => send(port, tcpFlags.syn));
  await controller.edit({ kind: 'add', vip: 'web', backend: 'd', address: '10.0.2.14', port: 8080 });
  await until(() => {
    const { pools, neighbours, writes } = controller.status().engine;
    return pools[0]!.backends[3]?.slots === 128 && neighbours.known === 4 && writes.unsettledRows === 0;
  });
  const after = ports.map((port) => send(port, tcpFlags.ack));
  expect(after.filter((server, i) => server !== before[i]).length).toBeGreaterThan(0);
});
