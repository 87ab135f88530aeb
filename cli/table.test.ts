// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { formatCount, formatLarge, formatShare, formatSpan, tableLines } from './table.ts';

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1_000, '1,000'],
    [1_234_567, '1,234,567'],
  ])('%i is counted as %s', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [9_999, '9,999'],
    [10_000, '10.0 k'],
    [999_499, '999 k'],
    [1_234_567, '1.23 M'],
    [5e9, '5.00 G'],
    [7.5e13, '75.0 T'],
  ])('%d is about %s', (count, text) => expect(formatLarge(count)).toBe(text));

  it.each([
    [0, '0 ms'],
    [12, '12 ms'],
    [1_250, '1.3 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_723_000, '1 h 2 min'],
    [7_200_000, '2 h'],
    [90_061_000, '1 d 1 h'],
    [86_400_000 + 60_000, '1 d'],
  ])('%d ms last %s', (ms, text) => expect(formatSpan(ms)).toBe(text));

  it('shares have one decimal', () => expect(formatShare(1 / 3)).toBe('33.3 %'));
});

describe('a table', () => {
  const columns = [
    { title: 'NAME', text: (row: { name: string; count: number }) => row.name },
    { title: 'COUNT', align: 'right' as const, text: (row: { count: number }) => formatCount(row.count) },
  ];

  it('aligns words to the left and numbers to the right', () => {
    const rows = [
      { name: 'a', count: 12_345 },
      { name: 'longer', count: 1 },
    ];
    expect(tableLines(columns, rows)).toEqual(['NAME     COUNT', 'a       12,345', 'longer       1']);
  });

  it('without rows is nothing, not even titles', () => expect(tableLines(columns, [])).toEqual([]));
});
