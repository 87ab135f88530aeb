// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandLogLevel, LogTarget } from './command-line.ts';
import { type LineLevel, LogFile, openLogSink } from './log-sink.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const levels: readonly LineLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];
const now = () => new Date(2026, 0, 2, 3, 4, 5, 67);
const filesIn = () =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));

function logged(log: LogTarget | undefined, logLevel: CommandLogLevel) {
  let out = '';
  let err = '';
  const sink = openLogSink({
    log,
    logLevel,
    now,
    thread: 9,
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  for (const each of levels) sink.write(each, `it is ${each}`);
  sink.close();
  return { out, err };
}

const line = (level: LineLevel) =>
  `[03:04:05.067] [bmv2] [${level[0]!.toUpperCase()}] [thread 9] it is ${level}\n`;

test.each<[CommandLogLevel, readonly LineLevel[]]>([
  ['trace', levels],
  ['info', ['info', 'warn', 'error']],
  ['error', ['error']],
  ['off', []],
])('the console gets level %s and above', (level, expected) => {
  expect(logged({ kind: 'console' }, level)).toEqual({ out: expected.map(line).join(''), err: '' });
});

test('without a log, what needs attention goes to stderr', () => {
  expect(logged(undefined, 'trace')).toEqual({ out: '', err: line('warn') + line('error') });
  expect(logged(undefined, 'off')).toEqual({ out: '', err: '' });
});

test('a file is continued, and makes room for the next when it is full', () => {
  const target = { kind: 'file', name: join(folder, 's1'), bytesMax: 8, filesMax: 2 } as const;
  for (const lines of [['one\n'], ['two\n', 'three\n'], ['four\n', 'five\n', 'six\n']]) {
    const file = new LogFile(target, () => {});
    for (const each of lines) file.write(each);
    file.close();
  }
  expect(filesIn()).toEqual({ 's1.txt': 'six\n', 's1.1.txt': 'five\n', 's1.2.txt': 'four\n' });
});

test('a file that keeps no others begins anew', () => {
  const target = { kind: 'file', name: join(folder, 's1'), bytesMax: 4, filesMax: 0 } as const;
  const file = new LogFile(target, () => {});
  file.write('one\n');
  file.write('two\n');
  file.close();
  expect(filesIn()).toEqual({ 's1.txt': 'two\n' });
});

test('a log that cannot go on says so once', () => {
  const complaints: string[] = [];
  const name = join(folder, 'gone', 's1');
  expect(() => new LogFile({ kind: 'file', name, bytesMax: 1, filesMax: 1 }, () => {})).toThrow(/ENOENT/);
  const file = new LogFile({ kind: 'file', name: join(folder, 's1'), bytesMax: 4, filesMax: 1 }, (text) =>
    complaints.push(text),
  );
  rmSync(folder, { recursive: true });
  file.write('one\n');
  file.write('two\n');
  file.write('three\n');
  expect(complaints).toEqual([expect.stringContaining('s1.txt: the log ends here: ENOENT')]);
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-log-'));
});
