// SPDX-License-Identifier: Apache-2.0
/** What a run of servers of different sizes comes to: the same figures of the simulations and of the experiment with real connections. */

/** Of one moment. */
export interface LoadSample {
  atMs: number;
  /** Of `loads`. */
  variation: number;
  /** By server, for what it can carry. */
  loads: number[];
}

export interface SteeringRecord {
  beforeMs: number;
  steeredMs: number;
  slots: number;
  series: readonly LoadSample[];
  /** Commits of other weights, and the slots that went elsewhere with them. */
  changes: readonly { atMs: number; moved: number }[];
  /** Of the largest server, of all slots: whenever it may have changed. */
  shares: readonly { atMs: number; share: number }[];
}

export interface SteeringSummary {
  /** Coefficient of variation of load over what a server can carry, over the servers; medians over time, of the last half of each part. */
  before: number;
  after: number;
  /** Since steering began, until it stays below `after` + 0.1 for a minute. */
  settleMs: number | undefined;
  /** Of the last half. */
  changesPerMinute: number;
  /** Slots that went elsewhere, of all slots, a minute: the last half. */
  movedPerMinute: number;
  /** How far the largest server's share of slots swung in the last half: largest over smallest. */
  swing: number;
}

const settledMs = 60_000;
const settledWithin = 0.1;

export function summaryOf(record: SteeringRecord): SteeringSummary {
  const { beforeMs, steeredMs, slots, series, changes, shares } = record;
  const lastHalf = beforeMs + steeredMs / 2;
  const between = (from: number, to: number): number =>
    medianOf(series.filter(({ atMs }) => atMs >= from && atMs < to).map(({ variation }) => variation));
  const after = between(lastHalf, Number.POSITIVE_INFINITY);
  const lateChanges = changes.filter(({ atMs }) => atMs >= lastHalf);
  const late = shares.filter(({ atMs }) => atMs >= lastHalf).map(({ share }) => share);
  const minutes = steeredMs / 2 / 60_000;
  return {
    before: between(beforeMs / 2, beforeMs),
    after,
    settleMs: settledAfter(series, beforeMs, after + settledWithin),
    changesPerMinute: lateChanges.length / minutes,
    movedPerMinute: lateChanges.reduce((sum, { moved }) => sum + moved, 0) / slots / minutes,
    swing: late.length === 0 ? 1 : Math.max(...late) / Math.min(...late),
  };
}

function settledAfter(series: readonly LoadSample[], from: number, below: number): number | undefined {
  let since: number | undefined;
  for (const { atMs, variation } of series) {
    if (atMs < from) continue;
    if (variation > below) since = undefined;
    else since ??= atMs;
    if (since !== undefined && atMs - since >= settledMs) return since - from;
  }
  return undefined;
}

/** Standard deviation over mean. */
export function variationOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (mean === 0) return 0;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) / mean;
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
