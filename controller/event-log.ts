// SPDX-License-Identifier: Apache-2.0
/** What happened lately, for `evenkeel events`: the last lines of the log, kept in memory. */
import type { LogLevel } from './core/event.ts';

export interface LogEntry {
  /** Counts up from 1; gaps are lines that were forgotten. */
  number: number;
  /** ISO 8601. */
  at: string;
  level: LogLevel;
  message: string;
  fields: Readonly<Record<string, string | number | boolean>>;
}

export const eventLogEntries = 1_000;

export class EventLog {
  private readonly entries: LogEntry[] = [];
  private count = 0;
  private readonly limit: number;

  constructor(limit = eventLogEntries) {
    this.limit = limit;
  }

  add(entry: Omit<LogEntry, 'number'>): void {
    this.entries.push({ number: ++this.count, ...entry });
    if (this.entries.length > this.limit) this.entries.shift();
  }

  /** Oldest first. */
  after(number: number): readonly LogEntry[] {
    return this.entries.filter((entry) => entry.number > number);
  }
}
