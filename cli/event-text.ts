// SPDX-License-Identifier: Apache-2.0
/** A line of `evenkeel events` for people: when, how grave, about what, what happened, and its details. */
import type { LogLine } from '../controller/adapters/http/admin.ts';

export function eventText({ at, level, topic, message, fields }: LogLine): string {
  const details = Object.entries(fields).map(([name, value]) => `${name}=${quoted(String(value))}`);
  const line = [`${at}  ${level.padEnd(5)}  ${topic.padEnd(10)}  ${message}`, ...details].join('  ');
  // Reasons are often somebody else's words: none of them moves the cursor, or makes a second line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return `${line.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')}\n`;
}

/** Where a value ends is seen. */
const quoted = (value: string): string => (/[\s"]|^$/.test(value) ? JSON.stringify(value) : value);
