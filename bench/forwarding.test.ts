// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { whyNoLab } from '../lab/capability.ts';
import { benchForwarding, formatForwarding } from './forwarding.ts';
import { balancer } from './programs/balancer.ts';
import { router } from './programs/router.ts';

const isBuilt = existsSync(new URL('../dist/bench/traffic/generator-process.js', import.meta.url));
const reason = isBuilt ? whyNoLab() : 'nothing has been built: npm run build';

describe.skipIf(reason !== undefined)(`forwarding${reason ? ` (skipped: ${reason})` : ''}`, () => {
  for (const program of [balancer({ slots: 64, backends: 4 }), router(10)]) {
    test(`${program.name}: every flow comes out as the program says, and a rate is found`, async () => {
      const results = await benchForwarding({
        program,
        switches: ['embedded', 'pass-through'],
        frameBytes: [60],
        rounds: 1,
        trialMs: 20,
        // Enough to go through every step; the machine may be busy with other tests.
        perSecondMax: 3_000,
        firstRate: 1_000,
        onProgress: () => {},
      });
      expect(results.map(({ switchKind }) => switchKind)).toEqual(['embedded', 'pass-through']);
      for (const { perSecond } of results) expect(perSecond.p50).toBeGreaterThan(0);
      expect(formatForwarding(program.name, results)).toHaveLength(4);
    }, 240_000);
  }
});
