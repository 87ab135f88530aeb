// SPDX-License-Identifier: Apache-2.0
/** What an experiment is: cases that can run anywhere in any order, and what to make of their rows. */

/** Plain data, so that it can be cached and sent between threads. */
export type Value = string | number;
export type Row = Readonly<Record<string, Value>>;

/** All that a run depends on. */
export interface Case {
  readonly seed: number;
  readonly [parameter: string]: Value;
}

/** How much of the whole: the quick scale shows that everything runs, and its figures mean little. */
export interface Scale {
  readonly name: 'full' | 'quick';
  readonly seeds: number;
  /** Multiplies concurrent flows, arrivals and floods. */
  readonly flows: number;
  /** Multiplies simulated time. */
  readonly time: number;
}

export const fullScale: Scale = { name: 'full', seeds: 10, flows: 1, time: 1 };
export const quickScale: Scale = { name: 'quick', seeds: 2, flows: 0.02, time: 0.15 };

/** A tenth of the flows: shares are the same, but for what filters of a fixed size make of them; see updates.ts. */
export function withFewerFlows(scale: Scale): Scale {
  return scale.name === 'full' ? { ...scale, flows: 0.1 } : scale;
}

/** For what takes long, or varies little. */
export function withFewerSeeds(scale: Scale): Scale {
  return { ...scale, seeds: Math.ceil(0.3 * scale.seeds) };
}

export interface Experiment {
  /** In commands, file names and markers. */
  readonly name: string;
  readonly title: string;
  cases(scale: Scale): Case[];
  /** A function of its arguments. */
  run(given: Case, scale: Scale): Row[];
  /** Markdown, of the rows of all cases. */
  report(rows: readonly Row[]): string;
}

/** Every combination of a setting and a seed. */
export function casesOf(setting: string, values: readonly Value[], scale: Scale): Case[] {
  // Seeds outside: whoever looks at an unfinished run finds all settings with few seeds, not few settings.
  return seedsOf(scale).flatMap((seed) => values.map((value) => ({ seed, [setting]: value })));
}

export function seedsOf(scale: Scale): number[] {
  return Array.from({ length: scale.seeds }, (_, i) => i + 1);
}

export interface Spread {
  median: number;
  min: number;
  max: number;
  count: number;
}

/** @throws RangeError when there is nothing to spread */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, count: sorted.length };
}

export interface Pivot {
  /** The column of rows whose values label the table's rows, and its columns. */
  rows: string;
  columns: string;
  /** What the first and the other column heads say. */
  corner: string;
  head?: (value: Value) => string;
  value: (row: Row) => number;
  format: (value: number) => string;
}

/** A table of medians, with (min..max) where they differ. Rows and columns in the order in which they come. */
export function pivot(
  rows: readonly Row[],
  { rows: rowKey, columns, corner, head, value, format }: Pivot,
): string {
  const labels = [...new Set(rows.map((row) => row[rowKey]!))];
  const heads = [...new Set(rows.map((row) => row[columns]!))];
  const cells = labels.map((label) => [
    String(label),
    ...heads.map((at) => {
      const values = rows.filter((row) => row[rowKey] === label && row[columns] === at).map(value);
      return values.length > 0 ? spreadText(spreadOf(values), format) : '';
    }),
  ]);
  return table([corner, ...heads.map(head ?? String)], cells);
}

export function spreadText({ median, min, max }: Spread, format: (value: number) => string): string {
  const [low, high] = [format(min), format(max)];
  return low === high ? format(median) : `${format(median)} (${low}..${high})`;
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param digits  after the point, except for 0; what is not 0 never looks like 0 */
export function percent(digits: number): (share: number) => string {
  return (share) => {
    const text = share === 0 ? '0' : (100 * share).toFixed(digits);
    return share !== 0 && Number(text) === 0 ? `<${(10 ** -digits).toFixed(digits)}` : text;
  };
}

/** 12,345; below ten with a digit after the point. */
export function count(value: number): string {
  return value !== 0 && value < 10 && !Number.isInteger(value)
    ? value.toFixed(1)
    : Math.round(value).toLocaleString('en');
}
