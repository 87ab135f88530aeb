// SPDX-License-Identifier: Apache-2.0
/** The experiment with servers of 1, 2, 4 and 8 CPUs, small: docs/load-aware.md has it in full. */
import { describe, expect, it } from 'vitest';
import { loadDefaults } from '../../controller/core/load-weights.ts';
import { runServers, type ServersOptions, serversDefaults } from './servers-world.ts';
import { dividingSteersman, hastySteersman } from './steersmen.ts';

const run = (own: Partial<ServersOptions> = {}) =>
  runServers({ ...serversDefaults, load: loadDefaults, beforeMs: 120_000, steeredMs: 900_000, ...own });

describe('servers of 1, 2, 4 and 8 CPUs behind equal weights', () => {
  it('are loaded very unevenly when nobody steers', () => {
    const { before, after, changesPerMinute } = run({ steersman: () => () => undefined });
    expect([before, after].every((variation) => variation > 0.6 && variation < 0.8)).toBe(true);
    expect(changesPerMinute).toBe(0);
  });

  it.each([1, 2, 3])('come to be loaded alike, and stay so without swinging, with seed %d', (seed) => {
    const { before, after, floor, settleMs, swing, changesPerMinute } = run({ seed });
    expect(before).toBeGreaterThan(0.6);
    expect(after).toBeLessThan(floor + 0.05);
    expect(settleMs).toBeLessThan(300_000);
    expect(swing).toBeLessThan(1.15);
    expect(changesPerMinute).toBeLessThan(2.5);
  });

  it('swing without end when each reading is answered at once: the test above would see it', () => {
    for (const steersman of [hastySteersman, dividingSteersman]) {
      const { after, swing } = run({ steersman });
      expect(after).toBeGreaterThan(0.15);
      expect(swing).toBeGreaterThan(1.2);
    }
  });

  it('are the same servers again with the same seed', () => {
    const short = { beforeMs: 20_000, steeredMs: 100_000 };
    expect(run(short)).toEqual(run(short));
  });
});
