// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { eventText } from './event-text.ts';

const line = {
  number: 1,
  at: '2026-01-01T12:00:00.000Z',
  level: 'info',
  topic: 'commit',
  message: 'committed',
} as const;

it('says when, how grave, about what, what happened, and its details', () => {
  expect(eventText({ ...line, fields: { pools: 'web', movedSlots: 12, isLast: true } })).toBe(
    '2026-01-01T12:00:00.000Z  info   commit      committed  pools=web  movedSlots=12  isLast=true\n',
  );
});

it('shows where a detail ends', () => {
  expect(eventText({ ...line, fields: { why: 'refused: 3 times', who: '', quote: 'a"b' } })).toContain(
    'committed  why="refused: 3 times"  who=""  quote="a\\"b"\n',
  );
});

it('lets nobody move the cursor or make a second line', () => {
  expect(eventText({ ...line, message: 'a\nb\x1b[2J', fields: { why: 'c\rd' } })).toMatch(
    /a\?b\?\[2J {2}why="c\\rd"\n$/,
  );
});
