// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withMetrics } from './metrics-page.ts';

const page = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');

it('docs/metrics.md is current', () => {
  expect(page, 'docs/metrics.md is not what the metrics say. Run: make docs').toBe(withMetrics(page));
  expect(page).toContain('`evenkeel_pool_unstable_slots`');
  expect(page).toContain('`evenkeel_commit_duration_seconds`');
});

it('a page without marks is refused', () => {
  expect(() => withMetrics('# Metrics')).toThrow('no part between');
});
