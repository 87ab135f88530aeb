// SPDX-License-Identifier: Apache-2.0
/**
 * The manifest of p4/build: which sources, through which p4c, gave the compiled program that is checked in. A test compares
 * it with the sources as they are, so that a stale build cannot land.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Manifest {
  /** What `p4c-bm2-ss --version` printed. */
  compiler: string;
  /** SHA-256 of every P4 source below p4/, by path. */
  sources: Record<string, string>;
  /** SHA-256 of every file that came out, by name in p4/build. */
  outputs: Record<string, string>;
}

/** The P4 sources that make up the compiled program. The TNA shell is not among them. */
const sourceFolders = ['core', 'v1model'];

export const programName = 'evenkeel';

/** @param p4Folder  the folder p4/ of the repository */
export function hashSources(p4Folder: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const folder of sourceFolders) {
    for (const name of readdirSync(join(p4Folder, folder)).sort()) {
      if (name.endsWith('.p4')) hashes[`${folder}/${name}`] = hashFile(join(p4Folder, folder, name));
    }
  }
  return hashes;
}

export function hashFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
