// SPDX-License-Identifier: Apache-2.0
/** Pure placement: which backend serves each slot of a pool, as a function of the set {(backend, weight)}. */

import type { Ipv4Address } from './desired.ts';
import { identityHash } from './identity-hash.ts';

/** The owner of a slot that nobody serves. */
export const NOBODY = 0xffff;
/** Most slots a table may have: the switch takes the slot from 16 bits of a hash. */
export const MAX_SLOTS = 65_536;

export interface WeightedBackend {
  address: Ipv4Address;
  port: number;
  /** An integer >= 0, relative to the others; 0 gets no slot. */
  weight: number;
}

/** A backend's own order of all slots: (offset + i * skip) mod slotCount. An odd skip reaches every one of 2^k slots. */
export interface Permutation {
  offset: number;
  skip: number;
}

const OFFSET_SEED = 0x6576656e;
const SKIP_SEED = 0x6b65656c;

export function permutationOf(backend: WeightedBackend, slotCount: number): Permutation {
  return {
    offset: identityHash(backend.address, backend.port, OFFSET_SEED) & (slotCount - 1),
    skip: (identityHash(backend.address, backend.port, SKIP_SEED) & (slotCount - 1)) | 1,
  };
}

/**
 * Builds the Maglev table.
 *
 * In every round each backend earns its weight in credits; the heaviest weight buys the next free slot of the backend's
 * own permutation. So the heaviest take a turn in every round, the others as often as their weight says, and a small
 * change of a weight changes few turns. The result depends on the set of backends, not on their order.
 *
 * @param backends   no two with the same address and port
 * @param slotCount  a power of two up to MAX_SLOTS, because the switch takes the low bits of a hash
 * @returns slotCount indexes into `backends`; NOBODY everywhere when no backend has weight
 * @throws RangeError when slotCount is not such a power of two, or there are more backends than indexes
 *
 * Source: Eisenbud et al., "Maglev", NSDI 2016, section 3.4, pseudocode 1. The paper wants a prime table and any skip; we
 * want 2^k slots and odd skips. Both reach every slot.
 */
export function maglevTable(backends: readonly WeightedBackend[], slotCount: number): Uint16Array {
  checkSize(backends, slotCount);
  const table = new Uint16Array(slotCount).fill(NOBODY);
  const turns = turnOrder(backends);
  if (turns.length === 0) return table;

  const mask = slotCount - 1;
  const next = new Uint32Array(turns.length);
  const skips = new Uint32Array(turns.length);
  const weights = new Float64Array(turns.length);
  const credits = new Float64Array(turns.length);
  let heaviest = 0;
  turns.forEach((index, turn) => {
    const { offset, skip } = permutationOf(backends[index]!, slotCount);
    next[turn] = offset;
    skips[turn] = skip;
    weights[turn] = backends[index]!.weight;
    heaviest = Math.max(heaviest, weights[turn]!);
  });

  for (let free = slotCount; ; ) {
    for (let turn = 0; turn < turns.length; turn++) {
      const credit = credits[turn]! + weights[turn]!;
      if (credit < heaviest) {
        credits[turn] = credit;
        continue;
      }
      credits[turn] = credit - heaviest;
      const skip = skips[turn]!;
      let slot = next[turn]!;
      while (table[slot] !== NOBODY) slot = (slot + skip) & mask;
      table[slot] = turns[turn]!;
      next[turn] = (slot + skip) & mask;
      if (--free === 0) return table;
    }
  }
}

/** Indexes of the backends with weight in the order in which they take turns: by identity, never the caller's order. */
export function turnOrder(backends: readonly WeightedBackend[]): number[] {
  return backends
    .map((backend, index) => ({ backend, index, rank: identityHash(backend.address, backend.port, 0) }))
    .filter(({ backend }) => backend.weight > 0)
    .sort(
      (a, b) => a.rank - b.rank || a.backend.address - b.backend.address || a.backend.port - b.backend.port,
    )
    .map(({ index }) => index);
}

export function checkSize(backends: readonly WeightedBackend[], slotCount: number): void {
  if (!Number.isInteger(slotCount) || slotCount < 1 || slotCount > MAX_SLOTS || slotCount & (slotCount - 1)) {
    throw new RangeError(`slotCount is a power of two up to ${MAX_SLOTS}, not ${slotCount}`);
  }
  if (backends.length >= NOBODY) {
    throw new RangeError(`a table has at most ${NOBODY - 1} backends, not ${backends.length}`);
  }
}
