// SPDX-License-Identifier: Apache-2.0
/**
 * What the text of a program may be at most: parsing takes time in which the switch does nothing else, and brackets
 * within brackets take much more of it than anything a compiler writes.
 */

import { invalid } from './refusal.ts';

export const programLimits = {
  /** UTF-16 units; p4c writes some MiB for the largest programs. */
  lengthMax: 32 * 2 ** 20,
  /** Brackets around brackets; expressions, which nest deepest, take three each. */
  depthMax: 4096,
} as const;

/** @throws Refusal INVALID_ARGUMENT */
export function checkProgramText(text: string): void {
  const { lengthMax, depthMax } = programLimits;
  if (text.length > lengthMax) {
    throw invalid(`the program has ${text.length} characters; the limit is ${lengthMax}`);
  }
  if (nestsDeeperThan(depthMax, text)) throw invalid(`the program nests deeper than ${depthMax}`);
}

const [quote, backslash] = [0x22, 0x5c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

function nestsDeeperThan(depthMax: number, text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (isInString) {
      if (unit === backslash) index += 1;
      else if (unit === quote) isInString = false;
    } else if (unit === quote) isInString = true;
    else if (unit === openBracket || unit === openBrace) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (unit === closeBracket || unit === closeBrace) depth -= 1;
  }
  return false;
}
