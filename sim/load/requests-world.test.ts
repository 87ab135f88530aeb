// SPDX-License-Identifier: Apache-2.0
/** The simulation of the experiment with real connections, small: docs/load-aware.md has it in full. */
import { describe, expect, it } from 'vitest';
import { loadDefaults } from '../../controller/core/load-weights.ts';
import { type RequestsOptions, runRequests } from './requests-world.ts';
import { hastySteersman, shippedSteersman } from './steersmen.ts';

const connections = 300;
const run = (own: Partial<RequestsOptions>) =>
  runRequests({
    users: {
      seed: 1,
      connections,
      meanLifeMs: 10_000,
      pauseMs: { min: 500, max: 1_500 },
      meanCostMs: 7_500 / connections,
    },
    cpus: [1, 2, 4, 8],
    slots: 1_024,
    toldOverMs: 5_000,
    commitMs: 1_500,
    beforeMs: 60_000,
    steeredMs: 360_000,
    load: { ...loadDefaults, lagMs: 25_000 },
    steersman: shippedSteersman,
    ...own,
  });

describe('users of servers with 1, 2, 4 and 8 CPUs', () => {
  it('wait at the small one when nobody steers', () => {
    const { after, latencies } = run({ steersman: () => () => undefined });
    expect(after).toBeGreaterThan(1.2);
    expect(latencies.after[0]!.p50).toBeGreaterThan(10 * latencies.after[3]!.p50);
  });

  it('wait nowhere once weights follow load', () => {
    const { before, after, latencies, swing } = run({});
    expect(before).toBeGreaterThan(1.2);
    expect(after).toBeLessThan(0.4);
    expect(latencies.after[0]!.p50).toBeLessThan(3 * latencies.after[3]!.p50);
    expect(swing).toBeLessThan(1.2);
  });

  it('are worse off with weights that answer each reading: the test above would see it', () => {
    const hasty = run({ steersman: hastySteersman });
    expect(hasty.swing).toBeGreaterThan(1.4);
    expect(hasty.after).toBeGreaterThan(1.5 * run({}).after);
  });

  it('are the same users again with the same seed', () => {
    const short = { beforeMs: 10_000, steeredMs: 30_000 };
    expect(run(short)).toEqual(run(short));
  });
});
