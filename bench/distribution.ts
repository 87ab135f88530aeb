// SPDX-License-Identifier: Apache-2.0
/** Median and spread of a series. */

export interface Distribution {
  count: number;
  least: number;
  p50: number;
  p99: number;
  most: number;
}

/** Nearest-rank percentiles. @param values  at least one */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { count: sorted.length, least: sorted[0]!, p50: rank(0.5), p99: rank(0.99), most: sorted.at(-1)! };
}

export function formatDistribution({ count, least, p50, p99, most }: Distribution): string {
  const show = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
  return `p50 ${show(p50)}  p99 ${show(p99)}  (${show(least)} to ${show(most)}, n = ${count})`;
}
