// SPDX-License-Identifier: Apache-2.0
/** Names of vips, backends and switches: typed on command lines, read in logs. */
import { text } from './field.ts';
import { type Parsed, show } from './scalar.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const nameField = text(
  'name: letters, digits, `.`, `-`, `_`; at most 63',
  namePattern.source,
  parseName,
);

function parseName(input: unknown): Parsed<string> {
  const right =
    'letters, digits, dots, dashes and underscores, at most 63, starting with a letter or a digit';
  if (typeof input !== 'string')
    return { wrong: `${show(input)} is not a name`, right: `${right}; numbers in quotes` };
  return namePattern.test(input) ? { value: input } : { wrong: `'${input}' is not a name`, right };
}
