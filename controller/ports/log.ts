// SPDX-License-Identifier: Apache-2.0
/** Where people read what happens. */
import type { LogLevel, LogTopic } from '../core/event.ts';

export type Log = (
  level: LogLevel,
  message: string,
  fields?: Readonly<Record<string, string | number | boolean>>,
  topic?: LogTopic,
) => void;

/** The same log for a part of the controller: what it says is about this. */
export const about =
  (log: Log, topic: LogTopic): Log =>
  (level, message, fields, own = topic) =>
    log(level, message, fields, own);
