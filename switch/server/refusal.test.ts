// SPDX-License-Identifier: Apache-2.0
/** Whatever a refusal says, it can be sent. */

import { expect, test } from 'vitest';
import { invalid, refusalTextMax } from './refusal.ts';

test('a text is sent as it is', () => {
  expect(invalid('table ‘a’\n  - 😀').message).toBe('table ‘a’\n  - 😀');
});

test('a long text is cut, between the halves of a character too', () => {
  const { message } = invalid('😀'.repeat(refusalTextMax));
  expect(message).toHaveLength(refusalTextMax);
  expect(message.endsWith('😀\ufffd…')).toBe(true);
});

test('half a character becomes one that can be encoded', () => {
  const { message } = invalid('half \ud800 of one');
  expect(message).toBe('half \ufffd of one');
  expect(() => encodeURI(message)).not.toThrow();
});
