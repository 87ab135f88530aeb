// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { benchMemory, formatMemoryBench } from './memory.ts';
import { benchWrites, formatWriteBench } from './writes.ts';

const isBuilt = existsSync(new URL('../dist/cli/evenkeel-switch-grpc.js', import.meta.url));

describe.skipIf(!isBuilt)(`rows over P4Runtime${isBuilt ? '' : ' (skipped: npm run build)'}`, () => {
  test('every batch size and operation gets a rate', async () => {
    const results = await benchWrites({
      switches: ['embedded'],
      batchSizes: [1, 10],
      rows: 20,
      requests: 5,
      rounds: 1,
    });
    expect(results.map(({ operation, batchSize }) => `${operation} ${batchSize}`)).toEqual([
      'insert 1',
      'modify 1',
      'remove 1',
      'insert 10',
      'modify 10',
      'remove 10',
    ]);
    for (const { perSecond } of results) expect(perSecond.p50).toBeGreaterThan(0);
    expect(formatWriteBench(results)).toHaveLength(8);
  }, 240_000);

  test('the resident set of a switch is read before and after', async () => {
    const [result] = await benchMemory({ switches: ['embedded'], rows: 2_000, settleMs: 0 });
    expect(result?.beforeBytes).toBeGreaterThan(10e6);
    expect(formatMemoryBench([result!])).toHaveLength(3);
  }, 240_000);
});
