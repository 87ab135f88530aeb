// SPDX-License-Identifier: Apache-2.0
/** Texts that are not worth parsing. */

import { expect, test } from 'vitest';
import { checkProgramText, programLimits } from './program-text.ts';

const { depthMax, lengthMax } = programLimits;
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

test.each([
  ['as deep as may be', nested(depthMax)],
  ['deep again and again', nested(10).repeat(depthMax)],
  ['brackets in strings', `{"a": "${'['.repeat(depthMax + 1)}"}`],
  ['brackets after an escaped quote', `{"a": "\\"${'['.repeat(depthMax + 1)}"}`],
  ['as long as may be', ' '.repeat(lengthMax)],
])('%s: goes on to the parser', (_words, text) => {
  expect(() => checkProgramText(text)).not.toThrow();
});

test.each([
  ['one deeper', nested(depthMax + 1), /nests deeper than 4096/],
  ['deeper, and never closed', '{"a":['.repeat(depthMax), /nests deeper/],
  ['deeper after a string that ends in a backslash', `"\\\\"${nested(depthMax + 1)}`, /nests deeper/],
  ['one character more', ' '.repeat(lengthMax + 1), /the limit is 33554432/],
])('%s: is refused', (_words, text, reason) => {
  expect(() => checkProgramText(text)).toThrow(reason);
});
