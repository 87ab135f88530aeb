// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { emptySummary } from './network.ts';
import { formatReport, hasPassed, percentile, type Report } from './report.ts';

const report: Report = {
  network: 'a network',
  naive: false,
  scenario: 'demo',
  seconds: 60,
  changes: 2,
  steps: [{ atMs: 100, words: 'kill', note: "in phase 'slots'" }],
  commits: [
    {
      pools: ['web'],
      movedSlots: 10,
      takenSlots: 0,
      rows: 20,
      startedAt: 0,
      committedAt: 100,
      durationMs: 100,
    },
    {
      pools: ['web'],
      movedSlots: 5,
      takenSlots: 0,
      rows: 12,
      startedAt: 200,
      committedAt: 700,
      durationMs: 500,
    },
  ],
  traffic: { ...emptySummary, longTotal: 7, answers: 3, bytes: 2_000_000 },
  longOpenMin: 5,
  longOpenMax: 7,
  pinsMax: 4,
  unstableSlotsMax: 15,
  slots: 4_096,
  writesInFlightMax: 9,
  filterRotations: 1,
  floodFrames: 0,
  broken: [],
  brokenCount: 0,
  excusedCount: 0,
  checks: [{ what: 'all is well', passed: true, detail: 'yes' }],
};

describe('percentile', () => {
  test.each([
    [[], 50, 0],
    [[5], 99, 5],
    [[3, 1, 2], 50, 2],
    [[1, 2, 3, 4], 99, 4],
  ])('of %j at %i is %i', (values, percent, expected) => {
    expect(percentile(values, percent)).toBe(expected);
  });
});

describe('a report', () => {
  test('has passed only when every check has', () => {
    expect(hasPassed(report)).toBe(true);
    const failed = { what: 'x', passed: false, detail: '' };
    expect(hasPassed({ ...report, checks: [...report.checks, failed] })).toBe(false);
  });

  test('names what was done, how long it took, and how the controller died', () => {
    expect(formatReport(report)).toContain('2, in 2 commits and 60 s');
    expect(formatReport(report)).toContain('32 rows; from plan to commit p50 100 ms, p99 500 ms');
    expect(formatReport(report)).toContain("killed in phase 'slots'");
  });

  test('tells of a broken connection by its port and why, and of an excused one not', () => {
    const broken = {
      kind: 'long',
      localPort: 10_001,
      reason: 'reset',
      detail: 'after 3 answers',
      server: 's1-1',
      openedAt: 0,
      brokenAt: 2_000,
      answers: 3,
      atMs: 2_000,
      isExcused: false,
      why: 'Slot 7 is stable on s2-1.',
    } as const;
    const excused = { ...broken, localPort: 10_002, isExcused: true };
    const text = formatReport({ ...report, broken: [broken, excused], brokenCount: 1, excusedCount: 1 });
    expect(text).toContain('from port 10001, s1-1, 3 answers in 2.0 s: reset');
    expect(text).toContain('Slot 7 is stable on s2-1.');
    expect(text).not.toContain('10002');
  });
});
