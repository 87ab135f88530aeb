// SPDX-License-Identifier: Apache-2.0
/** Why a backend, or a flow, gets nothing: asked by command, of a controller with the embedded switch. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { evenkeel } from '../../cli/testing/screen.ts';
import type { RunningController } from '../../controller/main.ts';
import { EmbeddedTarget } from '../../controller/testing/embedded-target.ts';
import { openTestFolder, startTestController, until } from '../../controller/testing/in-test.ts';

const text = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
  neighbours:
    - { address: 10.0.2.11, mac: '02:00:00:00:02:11', port: 2 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 512
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080 }
  - name: dead
    address: 10.0.1.101
    port: 80
    slots: 256
    health: { check: command, command: ['false'], interval: 500ms, timeout: 400ms, fall: 2, dead_after: 0s, floor: 0% }
    backends:
      - { name: c, address: 10.0.2.11, port: 9 }
`;

async function start(): Promise<{
  controller: RunningController;
  ask: (words: string) => ReturnType<typeof evenkeel>;
}> {
  const configPath = join(await openTestFolder(), 'evenkeel.yaml');
  await writeFile(configPath, text);
  const target = new EmbeddedTarget();
  await target.start();
  onTestFinished(() => target.stop());
  const controller = await startTestController({
    configPath,
    switchAddress: target.hostPort,
    engine: { tcpSettleMs: 50, solicitMs: 20 },
  });
  const env = { EVENKEEL_CONTROLLER: controller.adminUrl, EVENKEEL_TOKEN: controller.adminToken };
  return { controller, ask: (words) => evenkeel(words, env) };
}

it('tells one that is drained from one that does not answer, and from one whose checks fail', async () => {
  const { controller, ask } = await start();
  const { engine } = controller.status();
  expect(engine.pools.length).toBeLessThanOrEqual(2);
  await until(() => controller.status().engine.neighbours.missing.includes('10.0.2.12'));
  await until(async () =>
    (await ask('why web a')).stdout.startsWith('web a gets its share: 256 of 512 slots'),
  );

  await until(async () =>
    /! 10\.0\.2\.12 does not answer ARP or NDP \(asked \d+ times\)/.test((await ask('why web b')).stdout),
  );

  await ask('drain web a');
  await until(async () =>
    (await ask('why web a')).stdout.startsWith('web a gets no new connections: 0 of 512 slots'),
  );
  const drained = (await ask('why web a')).stdout.split('\n');
  expect(drained[1]).toBe('! It is drained by configuration: no new connections, those it has go on.');
  expect(drained[2]).toBe('    evenkeel restore web a');

  await until(async () =>
    /! Its checks fail for .*; it last answered 'wrong: exit code 1'/.test((await ask('why dead c')).stdout),
  );
  expect(await ask('why web z')).toMatchObject({ exitCode: 1 });
});

it('tells what is the matter where a flow goes', async () => {
  const { ask } = await start();
  await until(async () => (await ask('why web a')).stdout.startsWith('web a gets its share'));
  await ask('weight web a 0');
  await until(async () => (await ask('why web a')).stdout.startsWith('web a gets no new'));
  await until(async () =>
    /^web b gets no new connections: 512 of 512 slots.*\n! .* does not answer/.test(
      (await ask('why web b')).stdout,
    ),
  );
  const { stdout } = await ask('why 10.0.1.7:40000 10.0.1.100:80');
  expect(stdout).toMatch(/web b gets no new connections: 512 of 512 slots/);
  expect(stdout).toMatch(/! 10\.0\.2\.12 does not answer ARP or NDP/);
  expect((await ask('why 10.0.1.7:40000 10.0.1.200:80')).stdout).toContain('No pool serves this address');
});
