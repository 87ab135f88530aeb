// SPDX-License-Identifier: Apache-2.0
/** Which switch a run uses, and where it can run. */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { whyNoLab } from '../lab/capability.ts';
import { openMemoryNetwork } from './memory-network.ts';
import { openNamespaceNetwork, type SwitchProgram } from './namespace-network.ts';
import type { Network } from './network.ts';
import { programPath } from './programs.ts';

export type Target = 'embedded' | 'bmv2';

/** The environment variables that name a real simple_switch_grpc, and the program's name in PATH. */
const bmv2Variables = ['BMV2_SWITCH_EXE', 'EVENKEEL_BMV2'] as const;
const bmv2Program = 'simple_switch_grpc';

/** @returns the network, or why it cannot be had, with what would help */
export async function openNetwork(
  target: Target,
  inMemory: boolean,
): Promise<Network | { unavailable: string }> {
  const noLab = whyNoLab();
  if (target === 'bmv2') {
    const bmv2 = findBmv2();
    if ('unavailable' in bmv2) return bmv2;
    if (inMemory || noLab !== undefined) {
      return { unavailable: `BMv2 has only real interfaces: ${noLab ?? 'it cannot run in memory'}` };
    }
    return openNamespaceNetwork(bmv2);
  }
  if (inMemory) return openMemoryNetwork('as asked');
  if (noLab !== undefined) return openMemoryNetwork(noLab);
  return openNamespaceNetwork(embeddedSwitch());
}

export function embeddedSwitch(): SwitchProgram {
  return {
    name: 'embedded switch',
    command: [process.execPath, programPath('cli/evenkeel-switch-grpc.js')],
    takesOffloads: true,
  };
}

/** It finishes no checksums and cuts no frames: offloads must be off. */
export function findBmv2(): SwitchProgram | { unavailable: string } {
  for (const variable of bmv2Variables) {
    const path = process.env[variable];
    if (path === undefined || path === '') continue;
    if (isExecutable(path)) return bmv2At(path);
    return { unavailable: `${variable} is ${path}, which is no program that can be run` };
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, bmv2Program);
    if (folder !== '' && isExecutable(path)) return bmv2At(path);
  }
  return {
    unavailable: `${bmv2Program} was not found: put it into PATH, or its path into ${bmv2Variables[0]}`,
  };
}

function bmv2At(path: string): SwitchProgram {
  return { name: `BMv2 ${bmv2Program}`, command: [path], takesOffloads: false };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
