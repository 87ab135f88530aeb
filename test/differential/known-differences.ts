// SPDX-License-Identifier: Apache-2.0
/**
 * Where the embedded switch and simple_switch_grpc differ on purpose or by nature: each with what is right and why.
 * A difference that is not here is a failure.
 */
import type { Difference } from './compare.ts';
import type { Rule } from './duel.ts';
import type { Step } from './script.ts';

export interface KnownDifference {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** What each switch does, which is right, and why. */
  readonly explanation: string;
  matches(difference: Difference, step: Step): boolean;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    name: 'masked-key-unreadable',
    rules: ['same', 'accepted'],
    explanation:
      'A key `field & CONSTANT` and an entry with bits outside the constant: simple_switch_grpc keeps the entry without ' +
      'those bits, does not find it again, and answers every read of the table with INTERNAL. We answer with the entry ' +
      'as it was written, as the specification has it. Both match packets alike.',
    matches: ({ where, first, second }) =>
      where === 'table Match.expression_table' && first === 'code 0' && second === 'code 13',
  },
];

export function knownDifference(difference: Difference, step: Step, rule: Rule): KnownDifference | undefined {
  return knownDifferences.find((known) => known.rules.includes(rule) && known.matches(difference, step));
}
