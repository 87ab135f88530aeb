// SPDX-License-Identifier: Apache-2.0
/** Backends that come and go by command, on the embedded switch and over real gRPC; servers and clients are this test. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../cli/testing/screen.ts';
import { tcpFlags } from '../wire/tcp.ts';
import { formatAddress } from './core/address.ts';
import type { ProbeOutcome } from './core/health.ts';
import type { RunningController } from './main.ts';
import type { Prober } from './ports/prober.ts';
import { EmbeddedTarget, Hosts } from './testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from './testing/in-test.ts';

const a = '10.0.2.11';
const d = '10.0.2.14';

const text = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    session_timeout: 2s
    health: { check: tcp, interval: 100ms, fall: 2, rise: 1, floor: 0% }
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 } # the old one
      - { name: b, address: 10.0.2.12, port: 8080 }
      - { name: c, address: 10.0.2.13, port: 8080 }
`;

const hosts = new Hosts();
let target: EmbeddedTarget;
let path: string;

/** By address; whoever is not named is well. */
class Checks implements Prober {
  readonly outcomes = new Map<string, ProbeOutcome>();

  probe({ target }: Parameters<Prober['probe']>[0], report: (outcome: ProbeOutcome) => void): () => void {
    const timer = setTimeout(
      () => report(this.outcomes.get(target.address) ?? { kind: 'passed', latencyMs: 1 }),
      1,
    );
    return () => clearTimeout(timer);
  }

  async close(): Promise<void> {}
}

beforeEach(async () => {
  path = join(await openTestFolder(), 'evenkeel.yaml');
  await writeFile(path, text);
  target = new EmbeddedTarget(hosts);
  onTestFinished(() => target.stop());
  await target.start();
});

/** @returns the server that got the packet */
function send(sourcePort: number, flags: number): string | undefined {
  const server = hosts.send(target, sourcePort, flags);
  return server === undefined ? undefined : formatAddress(server);
}

async function start(prober = new Checks()): Promise<RunningController> {
  const controller = await startTestController({
    configPath: path,
    switchAddress: target.hostPort,
    engine: { tcpSettleMs: 50, solicitMs: 50, mergeMarginMs: 200, rotationMs: 1_000, quarantineMs: 500 },
    prober,
  });
  await until(() => {
    const { pools, neighbours, writes } = controller.status().engine;
    return pools[0]?.phase === 'serving' && neighbours.known >= 3 && writes.unsettledRows === 0;
  });
  return controller;
}

const envOf = ({ adminUrl, adminToken }: RunningController) => ({
  EVENKEEL_CONTROLLER: adminUrl,
  EVENKEEL_TOKEN: adminToken,
});

/** By slot: who gets its new connections. */
function ownersOf(controller: RunningController): string[] {
  const { backends, owners } = controller.slots('web')!;
  return [...owners].map((id) => backends.find((backend) => backend.id === id)!.name);
}

const ports = Array.from({ length: 120 }, (_, i) => 20_000 + i);
/** New connections of `a` go elsewhere, and the switch has said so. */
const isCommitted = (controller: RunningController): boolean =>
  !ownersOf(controller).includes('a') && controller.status().engine.change.phase === 'idle';
const stateOf = (controller: RunningController, name: string): string | undefined =>
  controller.status().engine.pools[0]!.backends.find((backend) => backend.name === name)?.state;

it('replaces a backend: its seat passes as a whole, its connections stay, and it is removed when it is drained', async () => {
  const checks = new Checks();
  checks.outcomes.set(d, { kind: 'failed', reason: 'wrong', detail: 'status 503' });
  const controller = await start(checks);
  const env = envOf(controller);
  const before = new Map(ports.map((port) => [port, send(port, tcpFlags.syn)]));
  const onA = ports.filter((port) => before.get(port) === a);
  expect(onA.length).toBeGreaterThan(10);
  const table = ownersOf(controller);

  const refused = await evenkeel('replace web a d 10.0.2.14:8080 --health-timeout 1s', env);
  expect(refused).toMatchObject({
    exitCode: 1,
    stderr:
      'evenkeel: d does not become well (wrong: status 503): it is removed again, and a goes on as before\n',
  });
  expect(await readFile(path, 'utf8')).toBe(text);
  expect(ownersOf(controller)).toEqual(table);

  checks.outcomes.delete(d);
  let isSpeaking = true;
  const replacing = evenkeel('replace web a d 10.0.2.14:8080', env);
  const speak = (): void => {
    for (const port of ports) if (isSpeaking || !onA.includes(port)) send(port, tcpFlags.ack);
  };
  await until(() => {
    speak();
    return isCommitted(controller);
  });
  // I7: exactly the slots of the old one are the new one's.
  expect(ownersOf(controller)).toEqual(table.map((owner) => (owner === 'a' ? 'd' : owner)));
  // I1: established connections are where they were, and new ones where the slots say.
  expect(new Map(ports.map((port) => [port, send(port, tcpFlags.ack)]))).toEqual(before);
  await until(() => controller.status().engine.neighbours.known >= 4);
  const newcomers = new Set(ports.map((port) => send(port + 10_000, tcpFlags.syn)));
  expect(newcomers).toEqual(new Set(['10.0.2.12', '10.0.2.13', d]));

  // As long as its clients speak it is not drained.
  const drainOf = () => controller.status().engine.pools[0]!.backends.find(({ name }) => name === 'a')?.drain;
  const promised = drainOf()!.promisedUntil!;
  await until(() => {
    speak();
    return controller.status().engine.now > promised;
  });
  expect(drainOf()).toMatchObject({ isDrained: false });
  isSpeaking = false;
  expect(await replacing).toMatchObject({ exitCode: 0, stderr: '' });
  expect((await replacing).stdout).toMatch(/d has taken the seat of a\n.*a is drained, and removed\n$/s);
  expect(await readFile(path, 'utf8')).toBe(
    text
      .replace('      - { name: a, address: 10.0.2.11, port: 8080 } # the old one\n', '')
      .concat('      - { name: d, address: 10.0.2.14, port: 8080, weight: 1 }\n'),
  );
  expect(await evenkeel('replace web a d 10.0.2.14:8080', env)).toMatchObject({
    exitCode: 0,
    stdout: 'a has been replaced by d already\n',
  });
}, 120_000);

it('gives up what a drain has left at its deadline, not before, and whoever controls then', async () => {
  const first = await start();
  const before = new Map(ports.map((port) => [port, send(port, tcpFlags.syn)]));
  const onA = ports.filter((port) => before.get(port) === a);
  expect(await evenkeel('drain web a --deadline 6s', envOf(first))).toMatchObject({ exitCode: 0 });
  const [, time] = /drain_deadline: (\S+)/.exec(await readFile(path, 'utf8'))!;
  const deadline = Date.parse(time!);
  await until(() => {
    for (const port of ports) send(port, tcpFlags.ack);
    return isCommitted(first);
  });
  await first.close();

  const second = await start();
  const waiting = evenkeel('drain web a --wait', envOf(second));
  let wrong = 0;
  await until(() => {
    const isBefore = Date.now() < deadline;
    for (const port of ports) if (send(port, tcpFlags.ack) !== before.get(port) && isBefore) wrong++;
    return stateOf(second, 'a') === 'disabled' && second.status().engine.writes.unsettledRows === 0;
  });
  expect(Date.now()).toBeGreaterThanOrEqual(deadline);
  expect(wrong).toBe(0);
  expect(new Set(onA.map((port) => send(port, tcpFlags.ack)))).not.toContain(a);
  // Others are not concerned.
  const others = ports.filter((port) => !onA.includes(port));
  expect(others.map((port) => send(port, tcpFlags.ack))).toEqual(others.map((port) => before.get(port)));
  expect(await waiting).toMatchObject({
    exitCode: 6,
    stderr:
      'evenkeel: the deadline of a has passed: what was left has been given up, and it may be stopped\n',
  });
  expect((await evenkeel('status', envOf(second))).stdout).toMatch(/^web {2}a .* disabled /m);
  expect((await evenkeel('events --topic backend', envOf(second))).stdout).toContain(
    'the deadline of a drain has passed: what is left is given up',
  );
}, 120_000);
