// SPDX-License-Identifier: Apache-2.0
/** The compiled P4 program that comes with evenkeel. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Program {
  /** evenkeel.p4info.txtpb */
  p4info: Uint8Array;
  /** evenkeel.json, for BMv2 and the embedded switch. */
  deviceConfig: Uint8Array;
}

/** @throws Error when the installation is incomplete */
export function loadProgram(): Program {
  const folder = programFolder();
  return {
    p4info: readFileSync(join(folder, 'evenkeel.p4info.txtpb')),
    deviceConfig: readFileSync(join(folder, 'evenkeel.json')),
  };
}

function programFolder(): string {
  // From the sources, and from dist/.
  const candidates = ['..', '../..'].map((up) => join(import.meta.dirname, up, 'p4', 'build'));
  const found = candidates.find((candidate) => existsSync(join(candidate, 'evenkeel.json')));
  if (found === undefined)
    throw new Error(`the P4 program is missing: no evenkeel.json in ${candidates.join(' or ')}`);
  return found;
}
