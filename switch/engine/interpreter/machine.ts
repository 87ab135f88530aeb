// SPDX-License-Identifier: Apache-2.0
/** What the parts of the interpreter share. */

import type { Memory } from '../memory.ts';
import type { Observer } from '../observer.ts';
import type { Program } from '../program.ts';
import type { Surroundings } from './expressions.ts';
import type { Lookup } from './lookup.ts';

export interface Machine {
  program: Program;
  memory: Memory;
  dropPort: number;
  lookup: Lookup;
  diagnostic(what: string): void;
  log(text: string): void;
  /** May come and go between two packets. */
  observer: Observer | undefined;
}

const noParameters: readonly bigint[] = [];

/** Of an expression that stands in no action and no parser. */
export function plainly({ memory, diagnostic }: Machine): Surroundings {
  return { memory, parameters: noParameters, ahead: undefined, diagnostic };
}
