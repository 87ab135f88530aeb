// SPDX-License-Identifier: Apache-2.0
/** A distribution of a few values, given as steps of its cumulative distribution. */

import type { Dice } from '../kernel/dice.ts';

export class StepCdf {
  readonly mean: number;
  readonly #upTo: Float64Array;
  readonly #values: Float64Array;
  /** The same, of values weighted by themselves. */
  readonly #biasedUpTo: Float64Array;

  /** @param steps  [cumulative probability, value], in ascending probability, the last one 1 */
  constructor(steps: readonly (readonly [number, number])[]) {
    this.#upTo = Float64Array.from(steps, ([upTo]) => upTo);
    this.#values = Float64Array.from(steps, ([, value]) => value);
    const shares = steps.map(([upTo, value], i) => value * (upTo - (i > 0 ? steps[i - 1]![0] : 0)));
    this.mean = shares.reduce((sum, share) => sum + share, 0);
    let sum = 0;
    this.#biasedUpTo = Float64Array.from(shares, (share) => (sum += share) / this.mean);
    this.#biasedUpTo[steps.length - 1] = 1;
  }

  draw(dice: Dice): number {
    return this.#values[stepOf(this.#upTo, dice.next())]!;
  }

  /**
   * Draws a value with a probability in proportion to itself: the length of a flow that is alive at a given moment, rather
   * than of one that begins then.
   */
  drawBiased(dice: Dice): number {
    return this.#values[stepOf(this.#biasedUpTo, dice.next())]!;
  }
}

/** The first step beyond x; few enough steps to look at one after the other. */
function stepOf(upTo: Float64Array, x: number): number {
  let step = 0;
  while (x >= upTo[step]!) step++;
  return step;
}
