// SPDX-License-Identifier: Apache-2.0
/**
 * How long a commit takes and how many rows it writes: one backend of a pool is removed and added again, many times. The
 * whole way is real: configuration file, engine, P4Runtime over loopback, switch process; there is no traffic.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Placement } from '../controller/core/desired.ts';
import { type RunningController, startController } from '../controller/main.ts';
import { freePort, pause, startProgram, switchOptions, until } from '../demo/programs.ts';
import { embeddedSwitch, findBmv2, type Target } from '../demo/targets.ts';
import { type Distribution, distributionOf, formatDistribution } from './distribution.ts';

export interface CommitBenchOptions {
  target: Target;
  slots: number;
  placement: Placement;
  backends: number;
  /** Removals; each is followed by an addition. */
  removals: number;
}

export interface CommitBenchResult {
  /** slot and slot_version rows written by one removal. */
  rows: Distribution;
  movedSlots: Distribution;
  /** From the first write of the preparation to the acknowledgement of the commit. */
  removalMs: Distribution;
  additionMs: Distribution;
  /** From an empty switch to a pool that serves. */
  fillMs: number;
}

const deviceId = 1;
const startMs = 60_000;
const commitMs = 60_000;
const vipName = 'bench';

/** @returns the result, or why the target cannot be had */
export async function benchCommit(
  options: CommitBenchOptions,
): Promise<CommitBenchResult | { unavailable: string }> {
  const program = options.target === 'bmv2' ? findBmv2() : embeddedSwitch();
  if ('unavailable' in program) return program;
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-'));
  const address = `127.0.0.1:${await freePort()}`;
  const parameters = await switchOptions({ deviceId, address, cpuPort: 510 });
  const switchProcess = startProgram([...program.command, ...parameters]);
  const configPath = join(folder, 'evenkeel.yaml');
  writeFileSync(configPath, configText(options, address));
  const startedAt = performance.now();
  // Nothing sends here: neither handshakes nor old flows have to be waited for, only writes.
  const controller = await startController({
    configPath,
    engine: { tcpSettleMs: 0, quarantineMs: 0, mergeMarginMs: 0 },
  });
  try {
    await until('the pool serves', startMs, () => poolOf(controller)?.phase === 'serving');
    const fillMs = performance.now() - startedAt;
    const removals: Change[] = [];
    const additions: Change[] = [];
    for (let i = 0; i < options.removals; i++) {
      const backend = `b${1 + ((i * 37) % options.backends)}`;
      removals.push(await change(controller, { kind: 'remove', vip: vipName, backend }));
      await untilMerged(controller);
      const place = placeOf(Number(backend.slice(1)));
      additions.push(await change(controller, { kind: 'add', vip: vipName, backend, ...place, weight: 1 }));
      await untilMerged(controller);
    }
    return {
      rows: distributionOf(removals.map(({ rows }) => rows)),
      movedSlots: distributionOf(removals.map(({ movedSlots }) => movedSlots)),
      removalMs: distributionOf(removals.map(({ durationMs }) => durationMs)),
      additionMs: distributionOf(additions.map(({ durationMs }) => durationMs)),
      fillMs,
    };
  } finally {
    await controller.close();
    switchProcess.child.kill('SIGTERM');
    await Promise.race([switchProcess.ended, pause(2_000)]);
    switchProcess.child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

export function formatCommitBench(options: CommitBenchOptions, result: CommitBenchResult): string {
  return [
    `${options.target}, ${options.slots} slots, ${options.backends} backends, ${options.placement} placement`,
    `  rows written by a removal   ${formatDistribution(result.rows)}`,
    `  slots moved by a removal    ${formatDistribution(result.movedSlots)}`,
    `  removal, ms to the commit   ${formatDistribution(result.removalMs)}`,
    `  addition, ms to the commit  ${formatDistribution(result.additionMs)}`,
    `  first fill, ms              ${result.fillMs.toFixed(0)}`,
  ].join('\n');
}

type Change = { rows: number; movedSlots: number; durationMs: number };
type Edit = Parameters<RunningController['edit']>[0];

function poolOf(controller: RunningController) {
  return controller.status().engine.pools.find(({ name }) => name === vipName);
}

async function change(controller: RunningController, edit: Edit): Promise<Change> {
  const before = controller.status().engine.commits.at(-1)?.committedAt;
  const result = await controller.edit(edit);
  if ('failure' in result) throw new Error(`${edit.kind}: ${result.failure.wrong}`);
  await until('the change is committed', commitMs, () => {
    return controller.status().engine.commits.at(-1)?.committedAt !== before;
  });
  return controller.status().engine.commits.at(-1)!;
}

/** So that every change starts from the same: a pool of stable slots. */
async function untilMerged(controller: RunningController): Promise<void> {
  await until('every slot is stable', commitMs, () => {
    const { pools, writes } = controller.status().engine;
    return pools.every(({ unstableSlots }) => unstableSlots === 0) && writes.unsettledRows === 0;
  });
}

function placeOf(backend: number): { address: string; port: number } {
  return { address: `10.0.2.${backend}`, port: 8080 };
}

function configText({ slots, placement, backends }: CommitBenchOptions, address: string): string {
  const lines = Array.from({ length: backends }, (_, i) => {
    const place = placeOf(i + 1);
    return `      - { name: b${i + 1}, address: ${place.address}, port: ${place.port} }`;
  });
  return `switch: { address: ${address}, device_id: ${deviceId} }
controller: { listen: 127.0.0.1:0 }
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24, mac: 02:00:00:00:01:01 }
    - { port: 2, address: 10.0.2.254/24, mac: 02:00:00:00:02:01 }
vips:
  - name: ${vipName}
    address: 10.0.1.100
    port: 80
    slots: ${slots}
    session_timeout: 1s
    placement: ${placement}
    backends:
${lines.join('\n')}
`;
}
