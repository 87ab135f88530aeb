// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      '{bench,cli,controller,demo,lab,p4,p4runtime,sim,switch,wire}/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // Two cores are the smallest machine we promise to test on. Files that wait for their processes leave them to a third.
    maxWorkers: 3,
    // No promise of speed: a machine with much else to do may take so long, and what hangs is noticed all the same.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
