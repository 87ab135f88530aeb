// SPDX-License-Identifier: Apache-2.0
/** One controller and two switches over real gRPC: they hold the same, and get back what they lose. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RowUpdate } from '../../controller/core/row.ts';
import type { RunningController } from '../../controller/main.ts';
import { clientAddress, EmbeddedTarget, Hosts } from '../../controller/testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from '../../controller/testing/in-test.ts';
import { tcpFlags } from '../../wire/tcp.ts';
import { Bmv2Target, type GroupTarget, rowsOf, writeAsAnother } from './group-target.ts';

const ports = Array.from({ length: 200 }, (_, i) => 20_000 + i);

async function start(left: GroupTarget, right: GroupTarget): Promise<RunningController> {
  const configPath = join(await openTestFolder(), 'evenkeel.yaml');
  await writeFile(
    configPath,
    `switches:
  - { name: left, address: ${left.address}, device_id: ${left.deviceId} }
  - { name: right, address: ${right.address}, device_id: ${right.deviceId} }
network:
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
`,
  );
  const controller = await startTestController({ configPath, engine: { tcpSettleMs: 50, solicitMs: 50 } });
  await until(() => isQuiet(controller) && controller.status().engine.pools[0]?.phase === 'serving');
  return controller;
}

function isQuiet(controller: RunningController): boolean {
  const { change, writes, pins, state } = controller.status().engine;
  return (
    state === 'running' && change.phase === 'idle' && writes.unsettledRows === 0 && pins.outstanding === 0
  );
}

const statesOf = (controller: RunningController) =>
  controller.status().switch.members!.map(({ name, state }) => `${name} ${state}`);
const bothParticipate = ['left participating', 'right participating'];

async function commit(controller: RunningController, backend: string, last: number): Promise<void> {
  const { length } = controller.status().engine.commits;
  await controller.edit({ kind: 'add', vip: 'web', backend, address: `10.0.2.${last}`, port: 8080 });
  await until(() => controller.status().engine.commits.length > length && isQuiet(controller));
}

const pinsAmong = (rows: readonly string[]): number =>
  rows.filter((row) => row.includes('"table":"pin"')).length;

/**
 * Until the switch has told of every flow that spoke: a look at the whole switch finds as many pins as the controller knows of,
 * before and after, and nothing is under way.
 *
 * @returns the rows; more than `least` of them are pins
 */
async function pinned(controller: RunningController, target: GroupTarget, least: number): Promise<string[]> {
  const installed = () => controller.status().engine.pins.installed;
  for (let before = 0, rows: string[] = []; ; before = pinsAmong(rows)) {
    await until(() => installed() > least && isQuiet(controller));
    rows = await rowsOf(target);
    if (isQuiet(controller) && pinsAmong(rows) === installed() && pinsAmong(rows) === before) return rows;
  }
}

/** Two that are gone when the test has finished; clients are behind ECMP: their packets may enter through either. */
async function startBoth(hosts: Hosts): Promise<[left: EmbeddedTarget, right: EmbeddedTarget]> {
  const both: [EmbeddedTarget, EmbeddedTarget] = [new EmbeddedTarget(hosts), new EmbeddedTarget(hosts)];
  for (const target of both) {
    onTestFinished(() => target.stop());
    await target.start();
  }
  return both;
}

describe('a group of two embedded switches', () => {
  it('serves every flow by either switch, and restores one that is restarted, its pins included', async () => {
    const hosts = new Hosts();
    const [left, right] = await startBoth(hosts);
    const controller = await start(left, right);
    await until(() => controller.status().engine.neighbours.known >= 3);
    const before = new Map(ports.map((port) => [port, hosts.send(left, port, tcpFlags.syn)]));
    expect([...new Set(before.values())].sort()).toEqual([0x0a00_020b, 0x0a00_020c, 0x0a00_020d]);

    await commit(controller, 'd', 14);
    await until(() => controller.status().engine.neighbours.known === 4);
    // Flows of slots that have moved speak, and are pinned; on both switches, though only one has seen them.
    for (const port of ports) hosts.send(left, port, tcpFlags.ack);
    const rows = await pinned(controller, left, 10);
    expect(await rowsOf(right)).toEqual(rows);
    expect(new Map(ports.map((port) => [port, hosts.send(right, port, tcpFlags.ack)]))).toEqual(before);

    await right.stop();
    await until(() => statesOf(controller)[1] === 'right disconnected');
    // Changes do not wait for it.
    await controller.edit({ kind: 'weight', vip: 'web', backend: 'a', weight: 2 });
    await until(() => controller.status().engine.commits.length === 2 && isQuiet(controller));
    await right.start();
    await until(() => statesOf(controller)[1] === 'right participating');
    const restored = await rowsOf(right);
    expect(pinsAmong(restored)).toBeGreaterThan(10);
    await until(
      async () => isQuiet(controller) && (await rowsOf(right)).join() === (await rowsOf(left)).join(),
    );
    expect(new Map(ports.map((port) => [port, hosts.send(right, port, tcpFlags.ack)]))).toEqual(before);
    expect(controller.events(0).map(({ message }) => message)).toContain('a blank switch joins');
  });

  it('restores both when both were restarted at once', async () => {
    const hosts = new Hosts();
    const [left, right] = await startBoth(hosts);
    const controller = await start(left, right);
    await until(() => controller.status().engine.neighbours.known >= 3 && isQuiet(controller));
    const before = new Map(ports.map((port) => [port, hosts.send(right, port, tcpFlags.syn)]));
    await commit(controller, 'd', 14);
    for (const port of ports) hosts.send(right, port, tcpFlags.ack);
    await until(() => controller.status().engine.neighbours.known === 4);
    const pins = pinsAmong(await pinned(controller, left, 10));

    for (const target of [left, right]) await target.stop();
    await until(() => controller.status().engine.state === 'disconnected');
    for (const target of [left, right]) await target.start();
    await until(() => statesOf(controller).join() === bothParticipate.join() && isQuiet(controller));
    const rows = await rowsOf(left);
    expect(await rowsOf(right)).toEqual(rows);
    expect(pinsAmong(rows)).toBe(pins);
    for (const through of [left, right])
      expect(new Map(ports.map((port) => [port, hosts.send(through, port, tcpFlags.ack)]))).toEqual(before);
  });
});

const executable = process.env.BMV2_SWITCH_EXE;

describe.skipIf(executable === undefined)(
  'a group of two simple_switch_grpc (skipped without BMV2_SWITCH_EXE)',
  () => {
    it('holds the same rows, believes what another controller wrote, and restores what is restarted', async () => {
      const left = await Bmv2Target.create(executable!);
      const right = await Bmv2Target.create(executable!);
      for (const target of [left, right]) {
        onTestFinished(() => target.stop());
        await target.start();
      }
      const controller = await start(left, right);
      await commit(controller, 'd', 14);
      const rows = await rowsOf(left);
      expect(await rowsOf(right)).toEqual(rows);
      expect(rows.filter((row) => row.includes('"table":"slot"'))).toHaveLength(512);

      // Nothing but another controller can pin a flow here, where there is no traffic: of a slot that is unstable.
      const unstable = rows
        .map((row) => JSON.parse(row))
        .find(({ table, unstable: is }) => table === 'slot' && is);
      const other = [1, 2, 3, 4].find((backend) => backend !== unstable.backend)!;
      const pin = (sourcePort: number): RowUpdate => ({
        operation: 'insert',
        row: {
          table: 'pin',
          pool: 1,
          sourceAddress: clientAddress,
          sourcePort,
          backend: other,
          idleTimeoutMs: 900_000,
        },
      });
      const updates = ports.slice(0, 20).map(pin);
      await Promise.all([left, right].map((target) => writeAsAnother(target, updates)));
      await until(() => statesOf(controller).join() === bothParticipate.join() && isQuiet(controller));
      const believed = await rowsOf(left);
      expect(pinsAmong(believed)).toBeGreaterThan(0);
      expect(await rowsOf(right)).toEqual(believed);

      await right.stop();
      await until(() => statesOf(controller)[1] === 'right disconnected');
      await right.start();
      await until(() => statesOf(controller)[1] === 'right participating');
      expect(await rowsOf(right)).toEqual(await rowsOf(left));
      expect(pinsAmong(await rowsOf(right))).toBe(pinsAmong(believed));

      for (const target of [left, right]) await target.stop();
      await until(() => controller.status().engine.state === 'disconnected');
      for (const target of [left, right]) await target.start();
      await until(() => statesOf(controller).join() === bothParticipate.join() && isQuiet(controller));
      expect(await rowsOf(left)).toEqual(await rowsOf(right));
      expect(pinsAmong(await rowsOf(left))).toBe(pinsAmong(believed));
    }, 180_000);
  },
);
