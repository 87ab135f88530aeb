// SPDX-License-Identifier: Apache-2.0
/** Seeded dice: the same seed gives the same payloads and pauses, on both ends of a connection. */

export interface Random {
  /** An unsigned 32-bit integer. */
  next(): number;
  /** An integer of `min`..`max`, both included. */
  between(min: number, max: number): number;
}

/** Source: Marsaglia, "Xorshift RNGs", 2003 (13, 17, 5). The seed is stirred, so that neighbours differ at once. */
export function seededRandom(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 13) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let round = 0; round < 4; round++) next();
  return { next, between: (min, max) => min + (next() % (max - min + 1)) };
}
