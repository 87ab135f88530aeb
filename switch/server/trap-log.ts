// SPDX-License-Identifier: Apache-2.0
/** Tells the operator, once for each program, when a trap (traps.ts) is stepped on. */

import type { Rules } from './compat.ts';
import { type TrapName, traps } from './traps.ts';

/** Lines for one program; further ones are counted, and the count is told. */
export const trapLinesMax = 64;

export class TrapLog {
  readonly #rules: Rules;
  readonly #log: (level: 'warn', line: string) => void;
  readonly #told = new Set<string>();
  #lines = 0;

  constructor(rules: Rules, log: (level: 'warn', line: string) => void) {
    this.#rules = rules;
    this.#log = log;
  }

  /**
   * @param where  a construct of the program, or the request; each is told once
   * @param every  tell each `where`, not only the first
   */
  note(name: TrapName, where: string, every = false): void {
    // Who asks for the specification does not ask about simple_switch_grpc.
    if (this.#rules.compat === 'spec') return;
    const key = every ? `${name} ${where}` : name;
    if (this.#told.has(key) || this.#lines > trapLinesMax) return;
    this.#told.add(key);
    this.#lines += 1;
    if (this.#lines > trapLinesMax) {
      this.#log('warn', `more than ${trapLinesMax} traps in this program: the rest is not told`);
      return;
    }
    const { real, instead } = traps[name];
    this.#log('warn', `trap ${name}: ${where}: ${real}; ${instead}`);
  }
}
