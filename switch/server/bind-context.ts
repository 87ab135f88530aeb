// SPDX-License-Identifier: Apache-2.0
/** What the parts of binding.ts share. */

import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Program } from '../engine/program.ts';
import type { FoundTrap } from './bound.ts';

export interface Context {
  p4info: P4Info;
  program: Program;
  problems: string[];
  traps: FoundTrap[];
}

export interface Named {
  preamble?: { id: number; name: string } | undefined;
}

export const nameOf = (object: Named): string => object.preamble?.name ?? '';
export const idOf = (object: Named): number => object.preamble?.id ?? 0;
