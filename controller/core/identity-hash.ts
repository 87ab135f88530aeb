// SPDX-License-Identifier: Apache-2.0
/**
 * A backend's place in every Maglev table follows from its address and port alone, so that any two controllers agree
 * without talking. This hash is therefore part of the wire contract: changing it moves every slot of every pool.
 */

import { wordsOf } from './address.ts';
import type { Address } from './desired.ts';

/**
 * Mixes a backend's address and port with a seed into 32 bits.
 *
 * Source: the 32-bit finalizer of MurmurHash3 (public domain), applied to the address, word by word, and then to the port.
 */
export function identityHash(address: Address, port: number, seed: number): number {
  let hash = seed;
  if (typeof address === 'number') hash = avalanche(hash ^ address);
  else for (const word of wordsOf(address)) hash = avalanche(hash ^ word);
  return avalanche(hash + Math.imul(port + 1, 0x9e3779b1));
}

/** Every bit of the input flips every bit of the output with a chance of about one half. */
function avalanche(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
