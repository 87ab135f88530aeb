// SPDX-License-Identifier: Apache-2.0
/** The whole core in its shell for Tofino, before the eyes of p4c's front end: its types, not its fit into the chip. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface TnaTools {
  /** p4test */
  executable: string;
  /** The folder with tna.p4. */
  includeFolder: string;
}

export function tnaTools({
  P4TEST: executable = 'p4test',
  TNA_INCLUDE: includeFolder,
}: Readonly<Record<string, string | undefined>>): TnaTools | { missing: string } {
  if (includeFolder === undefined) return { missing: "TNA_INCLUDE does not name the folder of p4c's tna.p4" };
  if (!existsSync(join(includeFolder, 'tna.p4'))) return { missing: `${includeFolder} has no tna.p4` };
  if (spawnSync(executable, ['--version']).error) return { missing: `${executable} cannot be run` };
  return { executable, includeFolder };
}

/**
 * @param p4Folder  the folder p4/ of the repository
 * @returns what the front end has found wrong; undefined when nothing
 */
export function checkTna(p4Folder: string, { executable, includeFolder }: TnaTools): string | undefined {
  const flags = ['--std', 'p4-16', '--validate', '-D__TARGET_TOFINO__=1', '-I', includeFolder];
  const result = spawnSync(executable, [...flags, join('tna', 'evenkeel.p4')], {
    cwd: p4Folder,
    encoding: 'utf8',
  });
  return result.status === 0 ? undefined : result.stderr || `${executable} ended with ${result.status}`;
}
