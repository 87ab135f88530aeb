// SPDX-License-Identifier: Apache-2.0
/** docs/metrics.md: what each metric means, from the metrics themselves. */

import { createMetrics } from './adapters/prometheus/metrics.ts';
import { markedPart } from './config/reference/marked-part.ts';

/** @returns the page with the part between its marks made anew. @throws Error when the marks are not there */
export function withMetrics(page: string): string {
  return markedPart(page, 'metrics', 'make docs').with(table());
}

function table(): string {
  const unmeasured = (): never => {
    throw new Error('nothing is measured for a description');
  };
  const rows = createMetrics(unmeasured)
    .described()
    .map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |\n`,
    );
  return `| metric | type | labels | |\n|---|---|---|---|\n${rows.join('')}`;
}
