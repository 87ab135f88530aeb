// SPDX-License-Identifier: Apache-2.0
/**
 * The journal's text: one record a line, each with its checksum.
 *
 *   8 hexadecimal digits (CRC-32 of what follows), a space, JSON, a newline
 *
 * The first record says what the file is; each further one replaces or deletes (null) entries. A record counts when its
 * line is whole and its checksum right; what comes after one that is not is of a write that was cut off, or damaged.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';

const header = { journal: 'evenkeel book', format: 1 } as const;

const recordSchema = z.record(z.string(), z.string().nullable());

export function headerLine(): string {
  return lineOf(header);
}

export function recordLine(changes: ReadonlyMap<string, string | undefined>): string {
  return lineOf(Object.fromEntries([...changes].map(([name, text]) => [name, text ?? null])));
}

export interface JournalContent {
  entries: Map<string, string>;
  records: number;
  /** Bytes at the end that do not count. */
  lostBytes: number;
}

/** @returns undefined when this is something else than a journal, which should not be overwritten */
export function readJournal(bytes: Buffer): JournalContent | undefined {
  const entries = new Map<string, string>();
  let end = 0;
  let records = -1;
  while (end < bytes.length) {
    const newline = bytes.indexOf(0x0a, end);
    const line = newline < 0 ? undefined : bytes.subarray(end, newline);
    const value = line && contentOf(line);
    if (value === undefined) break;
    if (records < 0) {
      if (JSON.stringify(value) !== JSON.stringify(header)) return undefined;
    } else {
      const record = recordSchema.safeParse(value);
      if (!record.success) break;
      apply(entries, record.data);
    }
    records++;
    end = newline + 1;
  }
  // Cut off within the first line it is ours; with another first line it is not.
  if (records < 0 && !Buffer.from(headerLine()).subarray(0, bytes.length).equals(bytes)) return undefined;
  return { entries, records: Math.max(records, 0), lostBytes: bytes.length - end };
}

function apply(entries: Map<string, string>, record: z.output<typeof recordSchema>): void {
  for (const [name, text] of Object.entries(record)) {
    if (text === null) entries.delete(name);
    else entries.set(name, text);
  }
}

function lineOf(value: unknown): string {
  const json = JSON.stringify(value);
  return `${checksum(Buffer.from(json))} ${json}\n`;
}

function contentOf(line: Buffer): unknown {
  const json = line.subarray(9);
  if (line.subarray(0, 9).toString() !== `${checksum(json)} `) return undefined;
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}

const checksum = (bytes: Buffer): string => crc32(bytes).toString(16).padStart(8, '0');
