// SPDX-License-Identifier: Apache-2.0
/**
 * What simple_switch_grpc answered, kept under golden/: one file for each program, one line for each script. The
 * embedded switch is held to it where no simple_switch_grpc is at hand. record.ts writes it.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Script, scriptFromJson, scriptToJson, type Transcript } from './script.ts';

export interface Golden {
  readonly header: GoldenHeader;
  readonly recordings: readonly Recording[];
}

export interface GoldenHeader {
  /** What `simple_switch_grpc --version` printed. */
  readonly switch: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  /** SHA-256 of the program's JSON: another program would answer otherwise. */
  readonly program: string;
}

export interface Recording {
  readonly script: Script;
  readonly transcript: Transcript;
}

const folder = resolve('test/differential/golden');

export function readGolden(program: string): Golden {
  const [header, ...lines] = readFileSync(join(folder, `${program}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n');
  const recordings = lines.map((line) => {
    const { script, transcript } = JSON.parse(line);
    return { script: scriptFromJson(script), transcript };
  });
  return { header: JSON.parse(header!), recordings };
}

export function writeGolden(program: string, { header, recordings }: Golden): void {
  const lines = recordings.map(({ script, transcript }) => ({ script: scriptToJson(script), transcript }));
  const text = [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(join(folder, `${program}.jsonl`), text);
}

export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
