// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      '{bench,cli,controller,demo,lab,p4,p4runtime,sim,switch,wire}/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // Two cores are the smallest machine we promise to test on; e2e files bring processes of their own.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
