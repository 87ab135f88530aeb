// SPDX-License-Identifier: Apache-2.0
/**
 * Whom the switch takes after where simple_switch_grpc and the P4Runtime specification differ:
 *
 * - `strict` refuses what either of them refuses, so that what works here works on both;
 * - `bmv2` does as simple_switch_grpc, leniencies included;
 * - `spec` does as the text of the specification.
 *
 * What exactly that means is data: compat-table.ts.
 */

import { type BehaviourName, behaviours } from './compat-table.ts';
import { Code, Refusal } from './refusal.ts';

export const compatModes = ['strict', 'bmv2', 'spec'] as const;
export type Compat = (typeof compatModes)[number];

export type AnswerOf<Name extends BehaviourName> = (typeof behaviours)[Name][Compat];

/** What one switch does, by the name of the situation. */
export class Rules {
  readonly compat: Compat;

  constructor(compat: Compat) {
    this.compat = compat;
  }

  answer<Name extends BehaviourName>(name: Name): AnswerOf<Name> {
    // The type of an indexed row is that of all rows, of which TypeScript cannot pick one.
    return behaviours[name][this.compat] as AnswerOf<Name>;
  }

  /** The refusal for a situation that this switch refuses. */
  refusal(name: BehaviourName, message: string): Refusal {
    const refusal = this.#refusalOf(name, message);
    if (refusal === undefined) throw new Error(`'${name}' is refused in mode ${this.compat}`);
    return refusal;
  }

  /** @throws Refusal unless this switch accepts the situation */
  allow(name: BehaviourName, message: string): void {
    const refusal = this.#refusalOf(name, message);
    if (refusal !== undefined) throw refusal;
  }

  refuses(name: BehaviourName): boolean {
    return this.#refusalOf(name, '') !== undefined;
  }

  #refusalOf(name: BehaviourName, message: string): Refusal | undefined {
    const code = Code[this.answer(name) as keyof typeof Code] as Code | undefined;
    return code === undefined ? undefined : new Refusal(code, message);
  }
}
