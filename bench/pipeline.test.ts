// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { benchPipeline } from './pipeline.ts';
import { engines, pathsOf, preparePath } from './pipeline-paths.ts';

const isBuilt = existsSync(new URL('../dist/bench/pipeline-process.js', import.meta.url));

describe('the paths through the programs', () => {
  for (const path of pathsOf(60)) {
    test(`${path.name}: every packet takes it, in every engine`, () => {
      for (const engine of Object.keys(engines) as (keyof typeof engines)[]) {
        const run = preparePath(path, engine);
        run.measure(1);
        const sum = run.check();
        expect(sum.sent).toBeGreaterThan(0);
      }
    });
  }
});

test.skipIf(!isBuilt)(
  `a small run gives a rate for each engine${isBuilt ? '' : ' (skipped: npm run build)'}`,
  () => {
    const results = benchPipeline({ rounds: 1, durationMs: 10, frameBytes: 60, paths: ['stable slot'] });
    expect(results.map(({ engine }) => engine)).toEqual(Object.keys(engines));
    for (const { perSecond } of results) expect(perSecond.p50).toBeGreaterThan(0);
  },
  240_000,
);
