// SPDX-License-Identifier: Apache-2.0
/** Where people read what happens. */
import type { LogLevel } from '../core/event.ts';

export type Log = (
  level: LogLevel,
  message: string,
  fields?: Readonly<Record<string, string | number | boolean>>,
) => void;
