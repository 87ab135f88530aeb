// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { EventLog } from './event-log.ts';
import { createLogger } from './logger.ts';

const entry = (message: string) => ({
  at: '2026-01-01T00:00:00.000Z',
  level: 'info' as const,
  topic: 'controller' as const,
  message,
  fields: {},
});

it('a log forgets the oldest lines, not their numbers', () => {
  const log = new EventLog(3);
  for (const message of ['a', 'b', 'c', 'd', 'e']) log.add(entry(message));
  expect(log.after(0).map(({ number, message }) => `${number} ${message}`)).toEqual(['3 c', '4 d', '5 e']);
  expect(log.after(4).map(({ message }) => message)).toEqual(['e']);
});

it('a line of the log is JSON for machines and text for people', () => {
  const lines: string[] = [];
  createLogger('json', 'info', (line) => lines.push(line)).info({ rows: 3, pool: 'web' }, 'committed');
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', msg: 'committed', rows: 3, pool: 'web' });
  const text = createLogger('text', 'warn', (line) => lines.push(line));
  text.info('not said');
  text.warn({ rows: 3, pool: 'web' }, 'trouble');
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} warn {2}trouble {2}rows=3 {2}pool=web\n$/),
  ]);
});
