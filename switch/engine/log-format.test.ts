// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseLogFormat } from './log-format.ts';

describe('the format of log_msg', () => {
  it('is cut at its placeholders', () => {
    expect(parseLogFormat('a = {}, b = {}', 2)).toEqual({ texts: ['a = ', ', b = ', ''] });
    expect(parseLogFormat('none', 0)).toEqual({ texts: ['none'] });
    expect(parseLogFormat('', 0)).toEqual({ texts: [''] });
    expect(parseLogFormat('x{anything}y', 1)).toEqual({ texts: ['x', 'y'] });
  });

  it('keeps braces behind a backslash', () => {
    expect(parseLogFormat('a \\{\\} {}', 1)).toEqual({ texts: ['a {} ', ''] });
  });

  it.each([
    ['{} first', 1, '0 placeholders are found for 1 values; BMv2 misses'],
    ['a {}{}', 2, '1 placeholders are found for 2 values; BMv2 misses'],
    ['a {} {}', 1, '2 placeholders are found for 1 values'],
    ['a {', 0, 'a "{" without "}"'],
  ])('%j with %d values is what BMv2 ends itself over', (format, values, problem) => {
    expect(parseLogFormat(format, values)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
