// SPDX-License-Identifier: Apache-2.0
/** The log of a process: JSON lines for machines, or the same as text for people. */
import { type Logger, pino } from 'pino';

export type LogFormat = 'text' | 'json';

export function createLogger(
  format: LogFormat,
  level: 'debug' | 'info' | 'warn' | 'error',
  write: (line: string) => void,
): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino(
    { ...options, formatters },
    { write: format === 'json' ? write : (line) => write(asText(line)) },
  );
}

/** '12:30:01.250 info  the controller runs  admin=http://127.0.0.1:9580' */
function asText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${[`${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}`, ...details].join('  ')}\n`;
}
