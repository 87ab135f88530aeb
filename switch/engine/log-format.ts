// SPDX-License-Identifier: Apache-2.0
/**
 * The format string of `log_msg`, taken apart once. BMv2 looks for placeholders while it replaces them, so two of them
 * are never found: one at the very start, and one directly behind another. It ends its process when the number of
 * placeholders it found is not the number of values.
 *
 * Source: behavioral-model src/bm_sim/core/primitives.cpp, log_msg.
 */

/** `texts` stand around the values: one more than there are. */
export type LogFormat = { texts: string[] } | { problem: string };

export function parseLogFormat(format: string, valueCount: number): LogFormat {
  const texts: string[] = [];
  let from = 0;
  let found = 0;
  for (let open = format.indexOf('{', 1); open >= 0; ) {
    if (format[open - 1] === '\\') {
      open = format.indexOf('{', open + 1);
      continue;
    }
    const close = closingBrace(format, open);
    if (close < 0) return { problem: `log_msg(${quoted(format)}): a "{" without "}"` };
    found += 1;
    texts.push(unescaped(format.slice(from, open)));
    from = close + 1;
    open = format.indexOf('{', close + (found <= valueCount ? 2 : 1));
  }
  texts.push(unescaped(format.slice(from)));
  if (found === valueCount) return { texts };
  const hint =
    found < valueCount ? '; BMv2 misses a placeholder at the very start and one directly behind another' : '';
  return {
    problem: `log_msg(${quoted(format)}): ${found} placeholders are found for ${valueCount} values${hint}`,
  };
}

function closingBrace(format: string, open: number): number {
  let close = format.indexOf('}', open);
  while (close >= 0 && format[close - 1] === '\\') close = format.indexOf('}', close + 1);
  return close;
}

function unescaped(text: string): string {
  return text.replace(/\\([{}])/g, '$1');
}

function quoted(format: string): string {
  return JSON.stringify(format.slice(0, 80));
}
