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
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
