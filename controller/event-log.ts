// SPDX-License-Identifier: Apache-2.0
/** What happened lately, for `evenkeel events` and the dashboard: the last lines of the log, kept in memory. */
import type { LogLevel, LogTopic } from './core/event.ts';

export interface LogEntry {
  /** Counts up from 1; gaps are lines that were forgotten. */
  number: number;
  /** ISO 8601. */
  at: string;
  level: LogLevel;
  topic: LogTopic;
  message: string;
  fields: Readonly<Record<string, string | number | boolean>>;
}

/** The oldest is forgotten when one more comes. */
export const eventLogEntries = 1_000;

export class EventLog {
  private readonly entries: LogEntry[] = [];
  private readonly listeners = new Set<() => void>();
  private count = 0;
  private readonly limit: number;

  constructor(limit = eventLogEntries) {
    this.limit = limit;
  }

  add(entry: Omit<LogEntry, 'number'>): void {
    this.entries.push({ number: ++this.count, ...entry });
    if (this.entries.length > this.limit) this.entries.shift();
    for (const listener of this.listeners) listener();
  }

  /** Oldest first. */
  after(number: number): readonly LogEntry[] {
    return this.entries.filter((entry) => entry.number > number);
  }

  /** Calls back whenever there is more; who is slow asks `after` later and misses what was forgotten. @returns ends it */
  onEntry(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}
