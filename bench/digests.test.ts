// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { whyNoLab } from '../lab/capability.ts';
import { benchDigests, formatDigestBench } from './digests.ts';

const isBuilt = existsSync(new URL('../dist/cli/evenkeel-switch-grpc.js', import.meta.url));
const reason = isBuilt ? whyNoLab() : 'nothing has been built: npm run build';

test.skipIf(reason !== undefined)(
  `digests are counted and timed${reason ? ` (skipped: ${reason})` : ''}`,
  async () => {
    const results = await benchDigests({
      switches: ['embedded'],
      listSizes: [1, 10],
      perSecond: [500],
      durationMs: 100,
      delays: 5,
      onProgress: () => {},
    });
    expect(results.map(({ listSize, delayMs }) => [listSize, delayMs?.count])).toEqual([
      [1, 5],
      [10, undefined],
    ]);
    for (const { mostPerSecond } of results) expect(mostPerSecond).toBeGreaterThan(0);
    expect(formatDigestBench(results)).toHaveLength(4);
  },
  240_000,
);
