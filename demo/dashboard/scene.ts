// SPDX-License-Identifier: Apache-2.0
/**
 * Something to look at: a controller and two embedded switches in this process, over real P4Runtime; clients and servers are
 * frames in memory. It needs no rights and leaves nothing behind.
 *
 *   clients ──ECMP──> s1, s2 ──> web-1 ... web-4, dns-1, dns-2
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningController, startController } from '../../controller/main.ts';
import { EmbeddedTarget, Hosts, vip } from '../../controller/testing/embedded-target.ts';
import { tcpFlags } from '../../wire/tcp.ts';

export interface SceneOptions {
  sessionTimeout: string;
  slots: number;
}

const clientFlows = 400;
/** Of these, so many end and are followed by new ones, each tick. */
const flowsAnew = 4;
const firstPort = 20_000;
const lastPort = 60_000;
const tickMs = 100;

export class Scene {
  readonly controller: RunningController;
  private readonly switches: readonly EmbeddedTarget[];
  private readonly hosts: Hosts;
  private readonly folder: string;
  private readonly flows: number[] = [];
  private nextPort = firstPort;
  private readonly traffic: NodeJS.Timeout;

  static async start(options: SceneOptions): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-scene-'));
    const hosts = new Hosts();
    const switches = [new EmbeddedTarget(hosts), new EmbeddedTarget(hosts)];
    for (const target of switches) await target.start();
    const configPath = join(folder, 'evenkeel.yaml');
    writeFileSync(configPath, configText(options, switches));
    const controller = await startController({
      configPath,
      listen: { host: '127.0.0.1', port: 0 },
      engine: { solicitMs: 50, seatHoldMs: 60_000 },
    });
    const scene = new Scene(controller, switches, hosts, folder);
    await scene.until(() => {
      const { pools, neighbours, writes } = controller.status().engine;
      const isServing = pools.length === 2 && pools.every(({ phase }) => phase === 'serving');
      return isServing && neighbours.missing.length === 0 && writes.unsettledRows === 0;
    });
    return scene;
  }

  private constructor(
    controller: RunningController,
    switches: readonly EmbeddedTarget[],
    hosts: Hosts,
    folder: string,
  ) {
    this.controller = controller;
    this.switches = switches;
    this.hosts = hosts;
    this.folder = folder;
    this.traffic = setInterval(() => this.tick(), tickMs);
  }

  /** Resolves once it is so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  get unstableSlots(): number {
    return this.controller.status().engine.pools.reduce((sum, { unstableSlots }) => sum + unstableSlots, 0);
  }

  async close(): Promise<void> {
    clearInterval(this.traffic);
    await this.controller.close();
    for (const target of this.switches) await target.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** Connections speak; a few end, and others come. */
  private tick(): void {
    for (const port of this.flows.splice(0, flowsAnew)) this.send(port, tcpFlags.fin | tcpFlags.ack);
    while (this.flows.length < clientFlows) {
      this.nextPort = this.nextPort >= lastPort ? firstPort : this.nextPort + 1;
      this.flows.push(this.nextPort);
      this.send(this.nextPort, tcpFlags.syn);
    }
    for (const port of this.flows) this.send(port, tcpFlags.ack);
  }

  private send(sourcePort: number, flags: number): void {
    this.hosts.send(this.switches[sourcePort % this.switches.length]!, sourcePort, flags);
  }
}

/** JSON is YAML too. */
function configText({ sessionTimeout, slots }: SceneOptions, switches: readonly EmbeddedTarget[]): string {
  const backend = (name: string, last: number, port: number, weight = 1) => {
    return { name, address: `10.0.2.${last}`, port, weight };
  };
  return JSON.stringify({
    switches: switches.map(({ address }, index) => ({ name: `s${index + 1}`, address })),
    controller: {
      timers: { rotation: '2s', quarantine: '3s', merge_margin: '500ms', closing_timeout: '2s' },
    },
    network: {
      interfaces: [
        { port: 1, address: '10.0.1.1/24' },
        { port: 2, address: '10.0.2.1/24' },
      ],
      neighbours: [{ address: '10.0.1.7', mac: '02:00:00:00:01:07', port: 1 }],
    },
    vips: [
      {
        name: 'web',
        address: '10.0.1.100',
        port: vip.port,
        slots,
        session_timeout: sessionTimeout,
        backends: [
          backend('web-1', 11, 8080),
          backend('web-2', 12, 8080),
          backend('web-3', 13, 8080, 2),
          backend('web-4', 14, 8080),
        ],
      },
      {
        name: 'dns',
        address: '10.0.1.100',
        protocol: 'udp',
        port: 53,
        slots: 256,
        session_timeout: sessionTimeout,
        backends: [backend('dns-1', 21, 53), backend('dns-2', 22, 53)],
      },
    ],
  });
}
