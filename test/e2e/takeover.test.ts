// SPDX-License-Identifier: Apache-2.0
/** When the controller in charge dies, another takes over: with an etcd among several, without one between two. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { changedRows, readSwitchRows } from '../../bench/switch-rows.ts';
import { benchTakeover, takeoverDefaults } from '../../bench/takeover.ts';
import { type RunningController, startController } from '../../controller/main.ts';
import { whyNoEtcd } from '../../controller/testing/etcd-process.ts';
import { startSwitch } from '../../switch/server/switch.ts';

const noEtcd = whyNoEtcd();

test.skipIf(noEtcd)(
  `three controllers, two switches: the leader is killed at rest and in a change, no connection breaks, and no row is written without need${
    noEtcd ? ` (skipped: ${noEtcd})` : ''
  }`,
  async () => {
    const result = await benchTakeover({
      ...takeoverDefaults,
      kills: 3,
      connections: 30,
      slots: 1_024,
      leaseMs: 2_000,
    });
    if ('unavailable' in result) throw new Error(result.unavailable);
    expect([...result.reasons]).toEqual([]);
    expect(result.broken).toBe(0);
    expect(result.connections).toBeGreaterThan(60);
    expect(result.kills).toHaveLength(3);
    for (const { rowsWritten, rowsChanged } of result.kills)
      expect(rowsWritten).toBeLessThanOrEqual(rowsChanged);
    expect(result.kills[1]!.changedMs).toBeGreaterThanOrEqual(result.kills[1]!.inChargeMs);
  },
  600_000,
);

test('two controllers without etcd: the switch promotes the other, who finds all as it should be', async () => {
  const target = await startSwitch({ grpcAddress: '127.0.0.1:0', deviceId: 1n, cpuPort: 510 });
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-backup-'));
  onTestFinished(async () => {
    await target.close();
    rmSync(folder, { recursive: true });
  });
  const start = async (electionId: number): Promise<RunningController> => {
    const configPath = join(folder, `${electionId}.yaml`);
    writeFileSync(
      configPath,
      `switch: { address: '${target.address}' }
controller: { listen: '127.0.0.1:0', election_id: ${electionId} }
network: { interfaces: [{ port: 1, address: 10.0.1.1/24 }] }
vips:
  - name: web
    address: 10.0.9.1
    port: 80
    slots: 256
    backends:
      - { name: a, address: 10.0.1.11, port: 80 }
      - { name: b, address: 10.0.1.12, port: 80 }
`,
    );
    const controller = await startController({ configPath });
    onTestFinished(() => controller.close());
    return controller;
  };
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const serves = (controller: RunningController) => () => {
    const { state, pools, writes } = controller.status().engine;
    return state === 'running' && pools[0]?.phase === 'serving' && writes.unsettledRows === 0;
  };
  const tables = ['vip', 'slot', 'slot_version', 'backend', 'return_path', 'own_address', 'version'];

  const backup = await start(100);
  await until(serves(backup));
  // A higher id is in charge as soon as it comes.
  const first = await start(200);
  await until(serves(first));
  await until(() => backup.status().switch.connection === 'standby');
  expect(backup.status().switch.problem).toContain('200');

  const before = await readSwitchRows(target.address, 1, tables);
  await first.close();
  await until(serves(backup));
  expect(backup.status().leadership).toMatchObject({ role: 'leader', isShared: false });
  const after = await readSwitchRows(target.address, 1, tables);
  expect([...changedRows(before, after).values()].every((changed) => changed === 0)).toBe(true);
  // And it can write.
  await backup.edit({ kind: 'state', vip: 'web', backend: 'a', state: 'draining' });
  await until(() => backup.status().engine.pools[0]!.backends[0]!.slots === 0);
});
