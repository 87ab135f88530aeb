// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

/** Where tests touch nothing of the process: their files share one, so that modules are loaded once and not once a file. */
const together = [
  'controller/{book,config,core,group,prefix}/**/*.test.ts',
  '{p4,p4runtime,sim,switch/engine,switch/server,wire}/**/*.test.ts',
];

export default defineConfig({
  test: {
    // Two cores are the smallest machine we promise to test on. Files that wait for their processes leave them to a third.
    maxWorkers: 3,
    // No promise of speed: a machine with much else to do may take so long, and what hangs is noticed all the same.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      { extends: true, test: { name: 'together', include: together, isolate: false } },
      {
        extends: true,
        test: {
          name: 'alone',
          include: [
            '{bench,cli,controller,demo,lab,p4,p4runtime,sim,switch,wire}/**/*.test.ts',
            'test/**/*.test.ts',
          ],
          exclude: [...together, '**/node_modules/**'],
        },
      },
    ],
  },
});
