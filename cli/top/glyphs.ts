// SPDX-License-Identifier: Apache-2.0
/** Bars and curves of characters. What they say they say without colour; numbers stand beside them. */
import type { BackendStatus } from '../../controller/core/status.ts';

export interface Glyphs {
  /** From least to most. */
  levels: readonly string[];
  full: string;
  empty: string;
  /** Where a bar should end. */
  mark: string;
  states: Readonly<Record<BackendStatus['state'], string>>;
  up: string;
  down: string;
}

export const unicodeGlyphs: Glyphs = {
  levels: [...'▁▂▃▄▅▆▇█'],
  full: '█',
  empty: '·',
  mark: '│',
  states: { active: '●', draining: '◐', disabled: '○', down: '✕', leaving: '◌' },
  up: '▲',
  down: '▼',
};

export const asciiGlyphs: Glyphs = {
  levels: [...'_.,-~+*#'],
  full: '#',
  empty: '.',
  mark: '|',
  states: { active: '+', draining: '~', disabled: 'o', down: 'x', leaving: '-' },
  up: '^',
  down: 'v',
};

/** Those that the locale can show (LC_ALL, LC_CTYPE, LANG: the first that is set). */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return /utf-?8/i.test(locale) && env.TERM !== 'linux' ? unicodeGlyphs : asciiGlyphs;
}

/** @param share, wanted  0 to 1: what is, and where it should end; the mark is left out where they fall together */
export function bar(share: number, wanted: number, width: number, { full, empty, mark }: Glyphs): string {
  const cells = (part: number): number => Math.round(Math.min(1, Math.max(0, part)) * width);
  const filled = cells(share);
  const line = [...full.repeat(filled), ...empty.repeat(width - filled)];
  const end = cells(wanted);
  if (end !== filled) line[Math.max(0, Math.min(width, end) - 1)] = mark;
  return line.join('');
}

/** The last values of a curve, as high as they are beside the highest; a blank where nothing is known. */
export function curve(values: readonly (number | undefined)[], width: number, { levels }: Glyphs): string {
  const shown = values.slice(-width);
  const most = Math.max(0, ...shown.map((value) => value ?? 0));
  const level = (value: number): string =>
    levels[most === 0 ? 0 : Math.round((value / most) * (levels.length - 1))]!;
  return shown
    .map((value) => (value === undefined ? ' ' : level(value)))
    .join('')
    .padStart(width);
}
