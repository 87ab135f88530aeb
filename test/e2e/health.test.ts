// SPDX-License-Identifier: Apache-2.0
/**
 * Server processes that die, recover or say that they want no more: the controller sees it by real probes, and the embedded switch
 * follows over real gRPC. Servers listen on loopback; the address 10.0.2.x of a backend is 127.0.2.x to the probes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Probes } from '../../controller/adapters/probe/probes.ts';
import type { RunningController } from '../../controller/main.ts';
import type { Prober } from '../../controller/ports/prober.ts';
import { EmbeddedTarget, Hosts } from '../../controller/testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from '../../controller/testing/in-test.ts';
import { tcpFlags } from '../../wire/tcp.ts';

const flows = Array.from({ length: 200 }, (_, i) => 20_000 + i);
const addressOf = { a: 0x0a00_020b, b: 0x0a00_020c, c: 0x0a00_020d } as const;
type Name = keyof typeof addressOf;

/** Says 503 once it is told SIGUSR2. */
const serverScript = `let status = 200;
process.on('SIGUSR2', () => { status = status === 200 ? 503 : 200; process.send('turned'); });
require('node:http').createServer((request, response) => { response.statusCode = status; response.end(); })
  .listen(Number(process.argv[2]), process.argv[1], function () { process.send(this.address().port); });`;

async function startServer(name: Name, port = 0): Promise<{ process: ChildProcess; port: number }> {
  const address = `127.0.2.${addressOf[name] & 0xff}`;
  const child = spawn(process.execPath, ['-e', serverScript, address, String(port)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [bound] = (await once(child, 'message')) as [number];
  return { process: child, port: bound };
}

function loopbackProbes(): Prober {
  const probes = new Probes();
  return {
    probe: (probe, answer) => {
      const target = { ...probe.target, address: probe.target.address.replace(/^10\./, '127.') };
      return probes.probe({ ...probe, target }, answer);
    },
    close: () => probes.close(),
  };
}

/** A switch and the hosts around it. */
class Network {
  readonly hosts = new Hosts();
  readonly target = new EmbeddedTarget(this.hosts);

  sendAll(flags: number, offset = 0): Map<number, number | undefined> {
    return new Map(flows.map((port) => [port, this.hosts.send(this.target, port + offset, flags)]));
  }
}

const stateOf = (controller: RunningController, name: Name) =>
  controller.status().engine.pools[0]!.backends.find((backend) => backend.name === name)!;

function isQuiet(controller: RunningController): boolean {
  const { change, writes, state } = controller.status().engine;
  return state === 'running' && change.phase === 'idle' && writes.unsettledRows === 0;
}

describe('three server processes', () => {
  let servers: Record<Name, { process: ChildProcess; port: number }>;
  let network: Network;
  let configPath: string;

  beforeEach(async () => {
    configPath = join(await openTestFolder(), 'evenkeel.yaml');
  });

  /** @param interval  so long may a server take to answer, too: by HTTP it is the process that does */
  async function start(check: string, interval = '500ms'): Promise<RunningController> {
    servers = { a: await startServer('a'), b: await startServer('b'), c: await startServer('c') };
    network = new Network();
    onTestFinished(() => network.target.stop());
    await network.target.start();
    const line = (name: Name) =>
      `      - { name: ${name}, address: 10.0.2.${addressOf[name] & 0xff}, port: ${servers[name].port} }`;
    await writeFile(
      configPath,
      `switch: { address: '${network.target.address}' }
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    health: { check: ${check}, interval: ${interval}, fall: 2, floor: 30% }
    backends:
${line('a')}
${line('b')}
${line('c')}
`,
    );
    const controller = await startTestController({
      configPath,
      engine: { tcpSettleMs: 50, solicitMs: 50, seatWaitMs: 0 },
      prober: loopbackProbes(),
    });
    await until(() => isQuiet(controller) && controller.status().engine.pools[0]?.phase === 'serving');
    await until(() => controller.status().engine.neighbours.known >= 3);
    return controller;
  }

  it('lose one by kill -9: its flows go to the living, those of the others stay, and it comes back', async () => {
    const controller = await start('tcp');
    const before = network.sendAll(tcpFlags.syn);
    expect([...new Set(before.values())].sort()).toEqual(Object.values(addressOf));

    servers.b.process.kill('SIGKILL');
    await until(() => stateOf(controller, 'b').state === 'down' && isQuiet(controller));
    expect(controller.status().health?.[0]?.backends[1]).toMatchObject({
      verdict: 'dead',
      failure: 'refused: connection refused',
    });
    expect(stateOf(controller, 'b').slots).toBe(0);
    const after = network.sendAll(tcpFlags.ack);
    for (const port of flows) {
      if (before.get(port) === addressOf.b) expect([addressOf.a, addressOf.c]).toContain(after.get(port));
      else expect(after.get(port)).toBe(before.get(port));
    }
    expect([...network.sendAll(tcpFlags.syn, 10_000).values()]).not.toContain(addressOf.b);

    await startServer('b', servers.b.port);
    await until(() => stateOf(controller, 'b').state === 'active' && stateOf(controller, 'b').slots > 100);
    await until(() => isQuiet(controller));
    expect([...network.sendAll(tcpFlags.syn, 20_000).values()]).toContain(addressOf.b);
    expect(controller.events(0).map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'a backend is dead: its connections are given up',
        'a backend is trusted again',
      ]),
    );
  });

  it('have one that wants no more: it keeps its flows and gets no new ones', async () => {
    const controller = await start('http', '1500ms');
    const before = network.sendAll(tcpFlags.syn);
    servers.b.process.kill('SIGUSR2');
    await until(() => {
      // Whoever speaks meanwhile is known.
      network.sendAll(tcpFlags.ack);
      return stateOf(controller, 'b').state === 'draining' && stateOf(controller, 'b').slots === 0;
    });
    const healthOfB = () => controller.status().health?.[0]?.backends[1];
    // On a busy machine an answer may be late for once, and is then called so.
    await until(() => healthOfB()?.failure === 'wrong: status 503');
    expect(healthOfB()).toMatchObject({ verdict: 'avoided' });
    expect(network.sendAll(tcpFlags.ack)).toEqual(before);
    expect([...network.sendAll(tcpFlags.syn, 10_000).values()]).not.toContain(addressOf.b);
  });

  it('are all used when all of them fail: there is a floor', async () => {
    const controller = await start('http', '1500ms');
    for (const { process: server } of Object.values(servers)) server.kill('SIGUSR2');
    await until(() => controller.status().health?.[0]?.isPanicking === true);
    // The first of them to be found may have been taken out meanwhile.
    const names: readonly Name[] = ['a', 'b', 'c'];
    const isUsed = ({ state, slots }: ReturnType<typeof stateOf>) => state === 'active' && slots > 0;
    await until(() => names.every((name) => isUsed(stateOf(controller, name))) && isQuiet(controller));
    expect(new Set(network.sendAll(tcpFlags.syn).values())).toEqual(new Set(Object.values(addressOf)));
  });

  it('are known to a controller that is started while one is dead', async () => {
    const first = await start('tcp');
    servers.b.process.kill('SIGKILL');
    await until(() => stateOf(first, 'b').state === 'down' && isQuiet(first));
    await first.close();
    const second = await startTestController({
      configPath,
      engine: { tcpSettleMs: 50, solicitMs: 50 },
      prober: loopbackProbes(),
    });
    await until(() => isQuiet(second));
    expect(stateOf(second, 'b').state).toBe('down');
    expect(second.status().engine.commits).toEqual([]);
  });
});
