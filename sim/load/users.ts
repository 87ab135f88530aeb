// SPDX-License-Identifier: Apache-2.0
/** Users of a service: they come as they like, ask, think and ask again over one connection each, and go. */
import type { Dice } from '../kernel/dice.ts';

export interface UsersOptions {
  seed: number;
  /** There at a time, on average, if nobody waits. */
  connections: number;
  /** Exponential. Who waits for an answer then gets it and goes. */
  meanLifeMs: number;
  /** From an answer, or from the beginning, to the next request. */
  pauseMs: { min: number; max: number };
  /** Of a request, in CPU time. Each user has a cost of his own, exponential. */
  meanCostMs: number;
}

export interface Life {
  lifeMs: number;
  costMs: number;
}

export function lifeOf({ meanLifeMs, meanCostMs }: UsersOptions, dice: Dice): Life {
  return { lifeMs: dice.exponential(meanLifeMs), costMs: dice.exponential(meanCostMs) };
}
