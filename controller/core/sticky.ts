// SPDX-License-Identifier: Apache-2.0
/** Sticky placement: as few slots move as the weights allow, starting from the table in force. */

import { checkSize, inverseOfOdd, NOBODY, permutationOf, turnOrder, type WeightedBackend } from './maglev.ts';

/**
 * Moves from the table in force to one whose shares are the weights' largest-remainder shares, moving no slot that need
 * not move:
 *
 * 1. a slot goes home when its home backend lacks slots and its owner has too many (or is gone),
 * 2. a backend that still has too many gives up the most willing slots, and among equals those it wanted least: the last of its
 *    Maglev permutation,
 * 3. backends that lack slots take turns to claim free ones along their permutations; so a replacement takes the seat of
 *    the backend it replaces.
 *
 * A table whose shares are right already comes back unchanged.
 *
 * @param inForce  per slot, the index into `backends` of today's owner; NOBODY when it has none or the owner is gone
 * @param home     per slot, the index of the backend it should return to if that is free of cost; NOBODY: none
 * @param willing  per slot, how cheaply it is given up: the higher, the sooner; absent: all alike
 * @returns per slot an index into `backends`; NOBODY everywhere when no backend has weight
 * @throws RangeError as maglevTable does
 */
export function stickyTable(
  backends: readonly WeightedBackend[],
  inForce: Uint16Array,
  home: Uint16Array,
  willing: Uint32Array = new Uint32Array(inForce.length),
): Uint16Array {
  const slotCount = inForce.length;
  checkSize(backends, slotCount);
  const turns = turnOrder(backends);
  if (turns.length === 0) return new Uint16Array(slotCount).fill(NOBODY);

  const table = inForce.slice();
  const counts = new Int32Array(backends.length);
  const mostWilling = new Uint32Array(backends.length);
  table.forEach((owner, slot) => {
    if (owner === NOBODY) return;
    counts[owner]!++;
    if (willing[slot]! > mostWilling[owner]!) mostWilling[owner] = willing[slot]!;
  });
  const targets = largestRemainderShares(backends, turns, counts, mostWilling, slotCount);

  sendHome(table, home, counts, targets);
  for (let index = 0; index < backends.length; index++) {
    const surplus = counts[index]! - targets[index]!;
    if (surplus > 0) release(table, index, surplus, backends[index]!, counts, willing);
  }
  claim(table, turns, counts, targets, backends);
  return table;
}

/**
 * How many slots each backend is due: whole shares first, then one each to the largest remainders. Among equal
 * remainders those who hold more today come first, so that nothing moves for the sake of rounding, those with nothing
 * cheap to give before the others; then those who lack slots anyway, so that a replacement is given the whole seat.
 */
export function largestRemainderShares(
  backends: readonly WeightedBackend[],
  turns: readonly number[],
  counts: Int32Array,
  mostWilling: Uint32Array,
  slotCount: number,
): Int32Array {
  const shares = new Int32Array(backends.length);
  const total = turns.reduce((sum, index) => sum + backends[index]!.weight, 0);
  // Integers all the way: slotCount * weight is below 2^32, so equal weights have equal remainders.
  const remainder = (index: number): number => (slotCount * backends[index]!.weight) % total;
  let left = slotCount;
  for (const index of turns) {
    shares[index] = Math.floor((slotCount * backends[index]!.weight) / total);
    left -= shares[index]!;
  }
  const rank = (index: number): number => {
    if (counts[index]! > shares[index]!) return 0;
    return counts[index]! < shares[index]! ? 1 : 2;
  };
  const byRemainder = turns.toSorted(
    (a, b) => remainder(b) - remainder(a) || rank(a) - rank(b) || mostWilling[a]! - mostWilling[b]!,
  );
  for (const index of byRemainder.slice(0, left)) shares[index]!++;
  return shares;
}

function sendHome(table: Uint16Array, home: Uint16Array, counts: Int32Array, targets: Int32Array): void {
  for (let slot = 0; slot < table.length; slot++) {
    const owner = table[slot]!;
    const goal = home[slot]!;
    if (goal === NOBODY || goal === owner || counts[goal]! >= targets[goal]!) continue;
    if (owner !== NOBODY && counts[owner]! <= targets[owner]!) continue;
    if (owner !== NOBODY) counts[owner]!--;
    counts[goal]!++;
    table[slot] = goal;
  }
}

function release(
  table: Uint16Array,
  index: number,
  surplus: number,
  backend: WeightedBackend,
  counts: Int32Array,
  willing: Uint32Array,
): void {
  const mask = table.length - 1;
  const { offset, skip } = permutationOf(backend, table.length);
  const inverse = inverseOfOdd(skip);
  const rank = (slot: number): number => Math.imul(slot - offset, inverse) & mask;
  const slots: number[] = [];
  for (let slot = 0; slot < table.length; slot++) if (table[slot] === index) slots.push(slot);
  slots.sort((a, b) => willing[b]! - willing[a]! || rank(b) - rank(a));
  for (const slot of slots.slice(0, surplus)) table[slot] = NOBODY;
  counts[index]! -= surplus;
}

function claim(
  table: Uint16Array,
  turns: readonly number[],
  counts: Int32Array,
  targets: Int32Array,
  backends: readonly WeightedBackend[],
): void {
  const mask = table.length - 1;
  const lacking = turns
    .filter((index) => counts[index]! < targets[index]!)
    .map((index) => {
      const { offset, skip } = permutationOf(backends[index]!, table.length);
      return { index, next: offset, skip, due: targets[index]! - counts[index]! };
    });
  for (let hungry = lacking.length; hungry > 0; ) {
    for (const claimant of lacking) {
      if (claimant.due === 0) continue;
      let slot = claimant.next;
      while (table[slot] !== NOBODY) slot = (slot + claimant.skip) & mask;
      table[slot] = claimant.index;
      claimant.next = (slot + claimant.skip) & mask;
      if (--claimant.due === 0) hungry--;
    }
  }
}
