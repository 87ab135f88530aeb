// SPDX-License-Identifier: Apache-2.0
/** Sticky placement: as few slots move as the weights allow, starting from the table in force. */

import {
  checkSize,
  fewSlots,
  firstInPermutation,
  inverseOfOdd,
  NOBODY,
  permutationOf,
  turnOrder,
  type WeightedBackend,
} from './maglev.ts';

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
  const placement = placementAtHome(backends, inForce, home, willing);
  if (placement === undefined) return new Uint16Array(inForce.length).fill(NOBODY);
  const { table, turns, counts, targets } = placement;
  release(table, counts, targets, backends, willing);
  claim(table, turns, counts, targets, backends);
  return table;
}

/** A table on its way to the shares that are due. */
export interface Placement {
  table: Uint16Array;
  /** The backends in the order in which they take turns: those with weight. */
  turns: readonly number[];
  /** By index of the backend: how many slots it has in `table`, and how many it is due. */
  counts: Int32Array;
  targets: Int32Array;
}

/**
 * The shares that are due, and the table in force with those slots at home that may go there: what any placement starts
 * with. Its parameters are `stickyTable`'s.
 *
 * @returns undefined when no backend has weight
 * @throws RangeError as maglevTable does
 */
export function placementAtHome(
  backends: readonly WeightedBackend[],
  inForce: Uint16Array,
  home: Uint16Array,
  willing: Uint32Array,
): Placement | undefined {
  const slotCount = inForce.length;
  checkSize(backends, slotCount);
  const turns = turnOrder(backends);
  if (turns.length === 0) return undefined;

  const table = inForce.slice();
  const counts = new Int32Array(backends.length);
  const mostWilling = new Uint32Array(backends.length);
  for (let slot = 0; slot < slotCount; slot++) {
    const owner = table[slot]!;
    if (owner === NOBODY) continue;
    counts[owner]!++;
    if (willing[slot]! > mostWilling[owner]!) mostWilling[owner] = willing[slot]!;
  }
  const targets = largestRemainderShares(backends, turns, counts, mostWilling, slotCount);
  sendHome(table, home, counts, targets);
  return { table, turns, counts, targets };
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

/** Backends with too many give up what they want least. */
function release(
  table: Uint16Array,
  counts: Int32Array,
  targets: Int32Array,
  backends: readonly WeightedBackend[],
  willing: Uint32Array,
): void {
  if (!counts.some((count, index) => count > targets[index]!)) return;
  const slotCount = table.length;
  const mask = slotCount - 1;
  const slotsOf = slotsByOwner(table, counts);
  for (let index = 0; index < backends.length; index++) {
    const surplus = counts[index]! - targets[index]!;
    if (surplus <= 0) continue;
    const { offset, skip } = permutationOf(backends[index]!, slotCount);
    const inverse = inverseOfOdd(skip);
    // Willingness before the place in the permutation: as numbers, below 2^52, they are sorted several times as fast.
    const slots = slotsOf(index);
    const keys = new Float64Array(slots.length);
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      keys[i] = willing[slot]! * slotCount + (Math.imul(slot - offset, inverse) & mask);
    }
    for (const key of largest(keys, surplus)) {
      table[(offset + Math.imul(key % slotCount, skip)) & mask] = NOBODY;
    }
    counts[index]! -= surplus;
  }
}

/** The `count` largest of them, in no order of use to the caller; few are found without sorting all. */
function largest(keys: Float64Array, count: number): Float64Array {
  if (count * 8 > keys.length) return keys.sort().subarray(keys.length - count);
  const found = keys.slice(0, count).sort();
  for (let i = count; i < keys.length; i++) {
    const key = keys[i]!;
    if (key < found[0]!) continue;
    let place = 0;
    for (; place + 1 < count && found[place + 1]! < key; place++) found[place] = found[place + 1]!;
    found[place] = key;
  }
  return found;
}

/** The slots of each owner, of whom there are `counts`. */
function slotsByOwner(table: Uint16Array, counts: Int32Array): (owner: number) => Uint32Array {
  const ends = new Uint32Array(counts.length);
  let total = 0;
  counts.forEach((count, owner) => {
    ends[owner] = total;
    total += count;
  });
  const slots = new Uint32Array(total);
  for (let slot = 0; slot < table.length; slot++) {
    const owner = table[slot]!;
    if (owner !== NOBODY) slots[ends[owner]!++] = slot;
  }
  return (owner) => slots.subarray(ends[owner]! - counts[owner]!, ends[owner]!);
}

interface Claimant {
  index: number;
  next: number;
  skip: number;
  due: number;
}

/** Free slots, as many as are lacking, go to those who lack them: one in every turn. */
function claim(
  table: Uint16Array,
  turns: readonly number[],
  counts: Int32Array,
  targets: Int32Array,
  backends: readonly WeightedBackend[],
): void {
  let lacking: Claimant[] = turns
    .filter((index) => counts[index]! < targets[index]!)
    .map((index) => {
      const { offset, skip } = permutationOf(backends[index]!, table.length);
      return { index, next: offset, skip, due: targets[index]! - counts[index]! };
    });
  const mask = table.length - 1;
  const few = fewSlots(table.length);
  let free = lacking.reduce((sum, { due }) => sum + due, 0);
  let freeSlots: Int32Array | undefined;
  while (lacking.length > 0) {
    for (const claimant of lacking) {
      const { index, skip } = claimant;
      let slot = claimant.next;
      if (free > few) {
        while (table[slot] !== NOBODY) slot = (slot + skip) & mask;
        free--;
      } else {
        freeSlots ??= slotsOfNobody(table, free);
        const first = firstInPermutation(freeSlots, free, slot, skip, mask);
        slot = freeSlots[first]!;
        freeSlots[first] = freeSlots[--free]!;
      }
      table[slot] = index;
      claimant.next = (slot + skip) & mask;
      claimant.due--;
    }
    if (lacking.some(({ due }) => due === 0)) lacking = lacking.filter(({ due }) => due > 0);
  }
}

function slotsOfNobody(table: Uint16Array, count: number): Int32Array {
  const slots = new Int32Array(count);
  let found = 0;
  for (let slot = 0; found < count; slot++) if (table[slot] === NOBODY) slots[found++] = slot;
  return slots;
}
