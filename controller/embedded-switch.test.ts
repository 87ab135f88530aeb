// SPDX-License-Identifier: Apache-2.0
/** The whole controller and the embedded switch, over real gRPC; servers and clients are this test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../cli/testing/screen.ts';
import { type RunningSwitch, startSwitch } from '../switch/server/switch.ts';
import { decodeEthernet } from '../wire/ethernet.ts';
import { answerArp, encodeTcpFrame } from '../wire/frames.ts';
import { decodeIpv4 } from '../wire/ipv4.ts';
import { decodeTcp, tcpFlags } from '../wire/tcp.ts';
import type { EngineOptions } from './core/options.ts';
import { type RunningController, startController } from './main.ts';

const vip = { address: 0x0a00_0164, port: 80 };
const clientPort = 1;
const toVip = {
  source: 0x0a00_0107,
  target: vip.address,
  sourceMac: 0x0200_0000_0107,
  targetMac: 0x0200_0000_0001,
};
const serverMac = (address: number) => 0x0200_0000_0000 + (address & 0xffff);

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

let target: RunningSwitch;
/** What left the switch towards a server, by the client's port: which server. */
let served: Map<number, number>;
let path: string;

beforeEach(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-embedded-'));
  path = join(folder, 'evenkeel.yaml');
  await writeFile(path, text);
  served = new Map();
  target = await startSwitch({ grpcAddress: '127.0.0.1:0', deviceId: 1n, cpuPort: 510, onTransmit: receive });
  // The first to be asked for comes last: controllers are closed by then, and write no more.
  context.onTestFinished(async () => {
    await target.close();
    await rm(folder, { recursive: true });
  });
});

/** The hosts' side of the wire: servers answer ARP, and note whose packets they get. */
function receive(port: number, frame: Uint8Array): void {
  const answer = answerArp(frame, serverMac);
  if (answer) {
    // Not within the switch's own call.
    setImmediate(() => target.inject(port, answer));
    return;
  }
  const ip = decodeIpv4(decodeEthernet(frame).payload);
  served.set(decodeTcp(ip.payload, ip).sourcePort, ip.target);
}

/** @returns the server that got the packet */
function send(sourcePort: number, flags: number): number | undefined {
  served.delete(sourcePort);
  target.inject(clientPort, encodeTcpFrame({ sourcePort, targetPort: vip.port, flags }, toVip));
  return served.get(sourcePort);
}

async function start(engine: Partial<EngineOptions> = {}): Promise<RunningController> {
  const controller = await startController({
    configPath: path,
    switchAddress: { host: '127.0.0.1', port: Number(target.address.split(':')[1]) },
    listen: { host: '127.0.0.1', port: 0 },
    engine: { tcpSettleMs: 50, solicitMs: 50, ...engine },
  });
  onTestFinished(() => controller.close());
  await until(() => {
    const { pools, neighbours, writes } = controller.status().engine;
    return pools[0]?.phase === 'serving' && neighbours.known >= 3 && writes.unsettledRows === 0;
  });
  return controller;
}

/** The test's own time limit is the end of patience. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
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
      sourceAddress: toVip.source,
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
