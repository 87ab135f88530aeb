// SPDX-License-Identifier: Apache-2.0
/** What a run has shown. */

import type { CommitRecord } from '../controller/core/status.ts';
import type { BrokenConnection, TrafficSummary } from './traffic.ts';

export interface Check {
  what: string;
  passed: boolean;
  detail: string;
}

export interface BrokenRecord extends BrokenConnection {
  /** After the start of the scenario. */
  atMs: number;
  /** Whose server died; nobody could save it. */
  isExcused: boolean;
  /** The controller's explanation, asked when it broke. */
  why: string | undefined;
}

export interface Report {
  network: string;
  naive: boolean;
  scenario: string;
  seconds: number;
  changes: number;
  steps: { atMs: number; words: string; note: string | undefined }[];
  commits: CommitRecord[];
  traffic: TrafficSummary;
  longOpenMax: number;
  longOpenMin: number;
  pinsMax: number;
  unstableSlotsMax: number;
  slots: number;
  writesInFlightMax: number;
  filterRotations: number;
  floodFrames: number;
  /** Bounded; `brokenCount` and `excusedCount` are not. */
  broken: BrokenRecord[];
  brokenCount: number;
  excusedCount: number;
  checks: Check[];
}

const brokenShownMax = 10;

export function hasPassed(report: Report): boolean {
  return report.checks.every(({ passed }) => passed);
}

export function formatReport(report: Report): string {
  const { traffic, commits } = report;
  const durations = commits.map(({ durationMs }) => durationMs);
  const rows = commits.map((commit) => commit.rows);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const lines = [
    '',
    `network       ${report.network}${report.naive ? ', NAIVE: no versions, no filters, no pins' : ''}`,
    `changes       ${report.changes}, in ${commits.length} commits and ${report.seconds.toFixed(0)} s`,
    `commits       ${sum(rows)} rows; from plan to commit p50 ${ms(percentile(durations, 50))}, p99 ${ms(percentile(durations, 99))}`,
    `connections   ${traffic.longTotal} long (${report.longOpenMin}..${report.longOpenMax} at a time), ${traffic.shortTotal} short`,
    `exchanged     ${traffic.answers} answers, ${(traffic.bytes / 1e6).toFixed(1)} MB received and verified`,
    `unstable      at most ${report.unstableSlotsMax} of ${report.slots} slots`,
    `pins          at most ${report.pinsMax}`,
    `filters       ${report.filterRotations} rotations`,
    ...report.steps.flatMap(({ note }) => (note === undefined ? [] : [`controller    killed ${note}`])),
    `flood         ${report.floodFrames} SYNs`,
    `lost          ${report.excusedCount} connections with the server that died`,
    `BROKEN        ${report.brokenCount} connections whose server lived`,
    '',
    ...report.checks.map(({ what, passed, detail }) => `${passed ? 'ok    ' : 'FAILED'} ${what}: ${detail}`),
  ];
  const guilty = report.broken.filter((broken) => !broken.isExcused);
  for (const broken of guilty.slice(0, brokenShownMax)) lines.push('', ...formatBroken(broken));
  if (report.brokenCount > brokenShownMax)
    lines.push('', `... and ${report.brokenCount - brokenShownMax} more`);
  return lines.join('\n');
}

function formatBroken(broken: BrokenRecord): string[] {
  const {
    kind,
    localPort,
    reason,
    detail,
    server = 'no server yet',
    answers,
    atMs,
    openedAt,
    brokenAt,
    why,
  } = broken;
  const age = ((brokenAt - openedAt) / 1_000).toFixed(1);
  return [
    `broken at ${(atMs / 1_000).toFixed(1)} s: ${kind} connection from port ${localPort}, ${server}, ${answers} answers in ${age} s: ${reason}, ${detail}`,
    `  ${why ?? 'the controller had no explanation'}`,
  ];
}

/** Nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
