// SPDX-License-Identifier: Apache-2.0
/**
 * The main job, from end to end: clients that notice everything, a switch, a controller process that is killed in the
 * middle of a change. What must hold is the same on every target; only how the switch is started differs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Network } from '../../demo/network.ts';
import { formatReport, type Report } from '../../demo/report.ts';
import { type RunOptions, run, runDefaults } from '../../demo/run.ts';
import { type Scenario, shortScenario } from '../../demo/scenario.ts';
import { findBmv2, openNetwork, type Target } from '../../demo/targets.ts';
import { trafficDefaults } from '../../demo/traffic.ts';
import { whyNoLab } from '../../lab/capability.ts';

const runTimeoutMs = 300_000;

const options: Omit<RunOptions, 'directory' | 'scenario'> = {
  ...runDefaults,
  slots: 4_096,
  sessionTimeoutMs: 5_000,
  rotationMs: 2_000,
  // A handshake on a busy machine takes seconds; who is not through with it by then is promised nothing.
  quarantineMs: 4_000,
  mergeMarginMs: 500,
  closingTimeoutMs: 2_000,
  traffic: {
    ...trafficDefaults,
    longConnections: 60,
    rampMs: 1_000,
    shortPerSecond: 10,
    steadyMs: { min: 200, max: 600 },
    // Far from the session timeout: whoever is held up for seconds by a busy machine has not been silent for too long.
    idleMsMax: 2_000,
    // A lost connection never answers, a busy machine does.
    answerTimeoutMs: 60_000,
    lifeMs: { min: 2_000, max: 8_000 },
  },
};

async function runOn(target: Target, inMemory: boolean, change: Partial<RunOptions> = {}): Promise<Report> {
  const network = await openNetwork(target, inMemory);
  if ('unavailable' in network) throw new Error(network.unavailable);
  return runAndClose(network, change);
}

async function runAndClose(network: Network, change: Partial<RunOptions>): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-e2e-'));
  try {
    return await run(network, { ...options, scenario: shortScenario, directory, ...change });
  } finally {
    await network.close();
    rmSync(directory, { recursive: true });
  }
}

function expectAllWell(report: Report): void {
  const failed = report.checks.filter(({ passed }) => !passed);
  expect(failed, formatReport(report)).toEqual([]);
  expect(report.traffic.shortTotal).toBeGreaterThan(50);
  // How many changes share a commit is a matter of speed.
  expect(report.commits.length).toBeGreaterThan(1);
  // Somebody must have been at risk: slots were unstable, and flows were pinned.
  expect(report.unstableSlotsMax).toBeGreaterThan(0);
  expect(report.pinsMax).toBeGreaterThan(0);
  expect(report.excusedCount).toBeGreaterThan(0);
}

const noLab = whyNoLab();
const bmv2 = findBmv2();
const noBmv2 = 'unavailable' in bmv2 ? bmv2.unavailable : noLab;

const targets: [name: string, target: Target, inMemory: boolean, skipped: string | undefined][] = [
  ['the embedded switch, hosts in memory', 'embedded', true, undefined],
  ['the embedded switch, hosts in network namespaces', 'embedded', false, noLab],
  ['BMv2, hosts in network namespaces', 'bmv2', false, noBmv2],
];

describe.each(targets)('%s', (_name, target, inMemory, skipped) => {
  const title = skipped === undefined ? '' : ` (skipped: ${skipped})`;
  test.skipIf(skipped !== undefined)(
    `no connection whose backend lives is broken, and nothing is left behind${title}`,
    async () => expectAllWell(await runOn(target, inMemory)),
    runTimeoutMs,
  );
});

/** Additions and removals, and nothing that would excuse anybody. */
const plainChanges: Scenario = {
  name: 'plain changes',
  start: shortScenario.start,
  steps: shortScenario.steps.filter(({ action }) => action.kind === 'edit').slice(0, 4),
};

test(
  'the same clients see the connections that a naive table change breaks',
  async () => {
    // Here some never answer, and are waited for at the end.
    const { answerTimeoutMs } = trafficDefaults;
    const traffic = { ...options.traffic, answerTimeoutMs };
    const report = await runOn('embedded', true, { naive: true, scenario: plainChanges, traffic });
    expect(report.brokenCount).toBeGreaterThan(0);
    expect(report.excusedCount).toBe(0);
    expect(report.checks[0]).toMatchObject({ passed: false });
  },
  runTimeoutMs,
);
