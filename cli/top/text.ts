// SPDX-License-Identifier: Apache-2.0
/** Lines of text that has styles, and how they are painted. */
import { formatLarge } from '../table.ts';

export type Style = 'bold' | 'dim' | 'good' | 'warn' | 'bad' | 'inverse';
export interface Span {
  text: string;
  style?: Style | undefined;
}
export type Line = readonly Span[];

/** '1.2 k' with its space; '-' when nothing is known. */
export const rate = (value: number | undefined): string =>
  value === undefined ? '-' : value < 10 && value > 0 ? value.toFixed(1) : formatLarge(value);

/** Lines that go no further than the room there is. */
export function cut(lines: readonly Line[], columns: number): Line[] {
  return lines.map((line) => {
    let room = columns;
    return line.flatMap(({ text, style }) => {
      const shown = clean(text).slice(0, room);
      room -= shown.length;
      return shown === '' ? [] : [{ text: shown, style }];
    });
  });
}

/** Names are somebody else's: none of them moves the cursor. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}

const codes: Readonly<Record<Style, string>> = {
  bold: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '1;31',
  inverse: '7',
};
/** Said without colour. */
const monochrome: Readonly<Partial<Record<Style, string>>> = { bold: '1', bad: '1', inverse: '7' };

/** plain: no escape at all. monochrome: bold and inverse. */
export function paint(line: Line, mode: 'plain' | 'monochrome' | 'colour'): string {
  return line
    .map(({ text, style }) => {
      const code = style && { plain: undefined, monochrome: monochrome[style], colour: codes[style] }[mode];
      return code === undefined ? text : `\x1b[${code}m${text}\x1b[0m`;
    })
    .join('')
    .trimEnd();
}
