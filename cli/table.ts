// SPDX-License-Identifier: Apache-2.0
/** Text that people read: aligned columns, numbers with units. */

export interface Column<T> {
  title: string;
  /** Numbers are aligned to the right. */
  align?: 'left' | 'right';
  text: (row: T) => string;
}

/** @returns lines without trailing spaces, the titles first; [] for no rows */
export function tableLines<T>(columns: readonly Column<T>[], rows: readonly T[]): string[] {
  if (rows.length === 0) return [];
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ text }) => text(row))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells.map((line) =>
    line
      .map((cell, i) => (columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** 65536 as '65,536'. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** 1_234_567 as '1.23 M'; below ten thousand every one counts. */
export function formatLarge(count: number): string {
  if (count < 10_000) return formatCount(count);
  const [unit, size] = (
    [
      ['T', 1e12],
      ['G', 1e9],
      ['M', 1e6],
      ['k', 1e3],
    ] as const
  ).find(([, least]) => count >= least)!;
  return `${(count / size).toPrecision(3)} ${unit}`;
}

/** 90_061_000 as '1 d 1 h', 1_250 as '1.3 s', 12 as '12 ms'. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** 0.25 as '25.0 %'. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
