// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialSettings, keysOf, pressed, type Settings, sortKeys } from './settings.ts';

const choices = { pools: ['web', 'dns'], page: 10, scrollMax: 25 };
const chosen = (typed: string, from: Partial<Settings> = {}): Settings =>
  keysOf(typed).reduce((settings, key) => pressed(settings, key, choices), { ...initialSettings, ...from });

const [up, down, left, right, pageDown, pageUp, home, shiftTab] = [
  '\x1b[A',
  '\x1b[B',
  '\x1b[D',
  '\x1b[C',
  '\x1b[6~',
  '\x1b[5~',
  '\x1b[H',
  '\x1b[Z',
];

describe('keys of top', () => {
  it.each<[typed: string, words: string, then: Partial<Settings>]>([
    ['q', 'quits', { hasQuit: true }],
    ['\x03', 'Ctrl-C quits', { hasQuit: true }],
    ['\x1b', 'escape quits', { hasQuit: true }],
    ['?', 'shows help', { showsHelp: true }],
    ['?\x1b', 'escape leaves the help alone', { showsHelp: false, hasQuit: false }],
    ['hh', 'h twice: help, and away', { showsHelp: false }],
    ['p', 'pauses', { isPaused: true }],
    [' p', 'goes on', { isPaused: false }],
    [right, 'sorts by the next column', { sort: 'name' }],
    ['>><', 'there and back', { sort: 'name' }],
    [left, 'sorts by the last column', { sort: 'pins' }],
    ['r', 'reverses', { isReversed: true }],
    ['\t', 'the first vip', { pool: 'web' }],
    ['\t\t', 'the second vip', { pool: 'dns' }],
    ['\t\t\t', 'all of them again', { pool: undefined }],
    [shiftTab, 'the last vip', { pool: 'dns' }],
    ['\ta', 'all of them', { pool: undefined }],
    [down + down + up, 'scrolls', { scroll: 1 }],
    [up, 'not above the first line', { scroll: 0 }],
    [pageDown + pageDown + pageDown, 'not below the last page', { scroll: 25 }],
    [pageDown + pageDown + pageUp, 'by pages', { scroll: 10 }],
    [pageDown + home, 'home', { scroll: 0 }],
    ['x\x1b[15~\x1b[1;5C', 'keys that mean nothing', {}],
  ])('%j: %s', (typed, _words, then) => {
    expect(chosen(typed)).toEqual({ ...initialSettings, ...then });
  });

  it('go to the first vip when the one that was shown is gone', () => {
    expect(chosen('\t', { pool: 'gone' }).pool).toBe('web');
  });

  it('never break, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'\x1b[]OABCDZ~;0159qr?hpa<>\t x') }), (typed) => {
        const { scroll, sort, pool } = chosen(typed);
        expect(scroll).toBeGreaterThanOrEqual(0);
        expect(scroll).toBeLessThanOrEqual(choices.scrollMax);
        expect(sortKeys).toContain(sort);
        expect([undefined, ...choices.pools]).toContain(pool);
      }),
    );
  });
});
