// SPDX-License-Identifier: Apache-2.0
/** A line of `evenkeel events` for people. */
import type { LogLine } from '../controller/adapters/http/admin.ts';

export function eventText({ at, level, topic, message, fields }: LogLine): string {
  const details = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return `${[`${at}  ${level.padEnd(5)}  ${topic.padEnd(10)}  ${message}`, ...details].join('  ')}\n`;
}
