// SPDX-License-Identifier: Apache-2.0
/** Log lines in BMv2's form, and where they go: so that what reads the one's log reads the other's. */

import { closeSync, existsSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { CommandLine, CommandLogLevel, LogTarget } from './command-line.ts';

export type LineLevel = Exclude<CommandLogLevel, 'off'>;

const levels: readonly LineLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];

export interface LogSink {
  write(level: LineLevel, text: string): void;
  close(): void;
}

export interface LogSinkOptions extends Pick<CommandLine, 'log' | 'logLevel'> {
  out: (text: string) => void;
  err: (text: string) => void;
  now: () => Date;
  /** What the lines give as their thread. */
  thread: number;
}

/** Whether lines of this level are written anywhere. */
export function isLogged(
  { log, logLevel }: Pick<CommandLine, 'log' | 'logLevel'>,
  level: LineLevel,
): boolean {
  if (logLevel === 'off') return false;
  const rank = levels.indexOf(level);
  return rank >= levels.indexOf(logLevel) && (log !== undefined || rank >= levels.indexOf('warn'));
}

/** @throws the error of the file system when the log file cannot be opened; later trouble ends the log, not the switch */
export function openLogSink({ log, logLevel, out, err, now, thread }: LogSinkOptions): LogSink {
  const file = log?.kind === 'file' ? new LogFile(log, err) : undefined;
  const write = file ? (line: string) => file.write(line) : log === undefined ? err : out;
  return {
    write(level, text) {
      if (isLogged({ log, logLevel }, level)) write(lineOf(level, text, now(), thread));
    },
    close: () => file?.close(),
  };
}

/** `[13:37:00.123] [bmv2] [I] [thread 42] text`, in local time. */
export function lineOf(level: LineLevel, text: string, now: Date, thread: number): string {
  const time = `${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, '0')}`;
  return `[${time}] [bmv2] [${level[0]!.toUpperCase()}] [thread ${thread}] ${text}\n`;
}

/** `NAME.txt`, continued if it exists; when it is full it becomes `NAME.1.txt`, and that one `NAME.2.txt`. */
export class LogFile {
  readonly #target: Extract<LogTarget, { kind: 'file' }>;
  readonly #complain: (text: string) => void;
  #fd: number | undefined;
  #bytes: number;

  /** @throws the error of the file system */
  constructor(target: Extract<LogTarget, { kind: 'file' }>, complain: (text: string) => void) {
    this.#target = target;
    this.#complain = complain;
    this.#fd = openSync(this.#path(0), 'a');
    this.#bytes = fstatSync(this.#fd).size;
  }

  write(line: string): void {
    if (this.#fd === undefined) return;
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes + bytes.length > this.#target.bytesMax) this.#fd = this.#rotate(this.#fd);
      this.#bytes += bytes.length;
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (cause) {
      this.close();
      this.#complain(`${this.#path(0)}: the log ends here: ${(cause as Error).message}\n`);
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #rotate(fd: number): number {
    closeSync(fd);
    this.#fd = undefined;
    for (let age = this.#target.filesMax; age > 0; age--) {
      if (existsSync(this.#path(age - 1))) renameSync(this.#path(age - 1), this.#path(age));
    }
    if (this.#target.filesMax === 0) rmSync(this.#path(0));
    this.#bytes = 0;
    return openSync(this.#path(0), 'a');
  }

  #path(age: number): string {
    return `${this.#target.name}${age === 0 ? '' : `.${age}`}.txt`;
  }
}
