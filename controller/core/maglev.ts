// SPDX-License-Identifier: Apache-2.0
/** Pure placement: which backend serves each slot of a pool, as a function of the set {(backend, weight)}. */

import { compareAddresses } from './address.ts';
import type { Address } from './desired.ts';
import { identityHash } from './identity-hash.ts';

/** The owner of a slot that nobody serves. */
export const NOBODY = 0xffff;
/** More than there are indexes of backends. */
const INDEXES = 1 << 16;
/** Most slots of a pool on a switch: it takes the slot from 16 bits of a hash. */
export const MAX_SLOTS = 65_536;
/** Most slots of a table, for uses other than our switch; it has been measured so far. */
export const MAX_TABLE_SLOTS = 1 << 20;

export interface WeightedBackend {
  address: Address;
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
 * change of a weight changes few turns. The result depends on the set of backends, not on their order; it is part of the
 * wire contract.
 *
 * @param backends   no two with the same address and port
 * @param slotCount  a power of two up to MAX_TABLE_SLOTS, because the switch takes the low bits of a hash
 * @returns slotCount indexes into `backends`; NOBODY everywhere when no backend has weight
 * @throws RangeError when slotCount is not such a power of two, or there are more backends than indexes
 *
 * Source: Eisenbud et al., "Maglev", NSDI 2016, section 3.4, pseudocode 1. The paper wants a prime table and any skip; we
 * want 2^k slots and odd skips. Both reach every slot.
 */
export function maglevTable(backends: readonly WeightedBackend[], slotCount: number): Uint16Array {
  checkSize(backends, slotCount);
  const table = new Uint16Array(slotCount).fill(NOBODY);
  const turns = turnsUntilFull(backends, slotCount);
  if (turns.length === 0) return table;

  const next = new Int32Array(backends.length);
  const skips = new Int32Array(backends.length);
  backends.forEach((backend, index) => {
    const { offset, skip } = permutationOf(backend, slotCount);
    next[index] = offset;
    skips[index] = skip;
  });
  const progress: Progress = {
    table,
    turns,
    next,
    skips,
    isTaken: new Int32Array(Math.ceil(slotCount / 32)),
  };
  const few = fewSlots(slotCount);
  fillTheLast(progress, takeTurns(progress, slotCount - few), few);
  return table;
}

interface Progress {
  table: Uint16Array;
  /** Indexes of backends; after the last comes the first again. */
  turns: Uint16Array;
  /** By index: the slot to try next, and the step from there. */
  next: Int32Array;
  skips: Int32Array;
  /** One bit per slot: it stays in the cache where the table does not. */
  isTaken: Int32Array;
}

/** @returns the turn that comes after these */
function takeTurns({ table, turns, next, skips, isTaken }: Progress, count: number): number {
  const mask = table.length - 1;
  let turn = 0;
  for (let left = count; left > 0; left--) {
    const index = turns[turn]!;
    const skip = skips[index]!;
    let slot = next[index]!;
    // A shift takes the low five bits of its count.
    while ((isTaken[slot >>> 5]! >>> slot) & 1) slot = (slot + skip) & mask;
    isTaken[slot >>> 5]! |= 1 << slot;
    table[slot] = index;
    next[index] = (slot + skip) & mask;
    if (++turn === turns.length) turn = 0;
  }
  return turn;
}

function fillTheLast(
  { table, turns, next, skips, isTaken }: Progress,
  firstTurn: number,
  count: number,
): void {
  const mask = table.length - 1;
  const freeSlots = new Int32Array(count);
  let free = 0;
  for (let slot = 0; free < count; slot++) {
    const word = isTaken[slot >>> 5]!;
    if (word === -1) slot |= 31;
    else if (((word >>> slot) & 1) === 0) freeSlots[free++] = slot;
  }
  for (let turn = firstTurn; free > 0; turn = (turn + 1) % turns.length) {
    const index = turns[turn]!;
    const first = firstInPermutation(freeSlots, free, next[index]!, skips[index]!, mask);
    table[freeSlots[first]!] = index;
    freeSlots[first] = freeSlots[--free]!;
  }
}

/**
 * Which of the first `count` free slots comes first in a permutation, from slot `from` on. One look at each of them; a
 * backend that tries slot after slot meets its first free one after slotCount / count looks.
 */
export function firstInPermutation(
  freeSlots: Int32Array,
  count: number,
  from: number,
  skip: number,
  mask: number,
): number {
  const inverse = inverseOfOdd(skip);
  let first = 0;
  let firstStep = mask + 1;
  for (let i = 0; i < count; i++) {
    const step = Math.imul(freeSlots[i]! - from, inverse) & mask;
    if (step >= firstStep) continue;
    first = i;
    firstStep = step;
  }
  return first;
}

/** So many free slots are found sooner from their side than by trying. */
export function fewSlots(slotCount: number): number {
  return Math.ceil(Math.sqrt(slotCount));
}

/**
 * Whose turn it is, in backend indexes, round after round, until the table is full at the latest. The order may end
 * before; then it begins again.
 */
function turnsUntilFull(backends: readonly WeightedBackend[], slotCount: number): Uint16Array {
  const order = turnOrder(backends);
  if (order.length === 0) return new Uint16Array(0);
  let heaviest = 0;
  let total = 0;
  let common = 0;
  for (const index of order) {
    const { weight } = backends[index]!;
    heaviest = Math.max(heaviest, weight);
    total += weight;
    common = greatestCommonDivisor(common, weight);
  }
  // After r rounds a backend has had floor(r * weight / heaviest) turns, and all credits are 0 again after
  // heaviest / common rounds: with equal weights, after one.
  const roundsUntilFull = Math.ceil(((slotCount + order.length) * heaviest) / total);
  const rounds = Math.min(heaviest / common, roundsUntilFull);

  // Sorted by round, by counting; within a round they keep the order of turns.
  const place = new Uint32Array(rounds + 2);
  const turns = new Uint16Array(slotCount + 2 * order.length);
  for (const isCounting of [true, false]) {
    for (const index of order) {
      // The n-th turn falls in round ceil(n * heaviest / weight), found without a division for each.
      const { weight } = backends[index]!;
      const whole = Math.floor(heaviest / weight);
      const rest = heaviest % weight;
      let owed = rest;
      for (let round = whole; ; round += whole, owed += rest) {
        if (owed > 0) {
          owed -= weight;
          round++;
        }
        if (round > rounds) break;
        if (isCounting) place[round + 1]!++;
        else turns[place[round]!++] = index;
      }
    }
    if (isCounting) for (let round = 1; round < place.length; round++) place[round]! += place[round - 1]!;
  }
  return turns.subarray(0, place.at(-1));
}

/** Indexes of the backends with weight in the order in which they take turns: by identity, never the caller's order. */
export function turnOrder(backends: readonly WeightedBackend[]): number[] {
  const rankOf = ({ address, port }: WeightedBackend) => identityHash(address, port, 0);
  // As numbers they are sorted several times as fast.
  const keys = new Float64Array(backends.length);
  let count = 0;
  backends.forEach((backend, index) => {
    if (backend.weight > 0) keys[count++] = rankOf(backend) * INDEXES + index;
  });
  const sorted = keys.subarray(0, count).sort();
  const order: number[] = [];
  let hasTies = false;
  let rankBefore = -1;
  for (const key of sorted) {
    const rank = Math.floor(key / INDEXES);
    order.push(key - rank * INDEXES);
    hasTies ||= rank === rankBefore;
    rankBefore = rank;
  }
  if (!hasTies) return order;
  return order
    .map((index) => ({ index, backend: backends[index]! }))
    .sort(
      (a, b) =>
        rankOf(a.backend) - rankOf(b.backend) ||
        compareAddresses(a.backend.address, b.backend.address) ||
        a.backend.port - b.backend.port,
    )
    .map(({ index }) => index);
}

/** The inverse of an odd number modulo 2^32, by Newton's iteration: each step doubles the bits that are right. */
export function inverseOfOdd(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

export function checkSize(backends: readonly WeightedBackend[], slotCount: number): void {
  const isPowerOfTwo = Number.isInteger(slotCount) && (slotCount & (slotCount - 1)) === 0;
  if (!isPowerOfTwo || slotCount < 1 || slotCount > MAX_TABLE_SLOTS) {
    throw new RangeError(`slotCount is a power of two up to ${MAX_TABLE_SLOTS}, not ${slotCount}`);
  }
  if (backends.length >= NOBODY) {
    throw new RangeError(`a table has at most ${NOBODY - 1} backends, not ${backends.length}`);
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
