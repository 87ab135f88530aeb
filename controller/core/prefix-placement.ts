// SPDX-License-Identifier: Apache-2.0
/**
 * Placement for prefix tables: as few slots move as the weights allow, and they move in blocks, so that backends own few
 * aligned blocks of slots (a buddy allocator).
 */

import { NOBODY, type WeightedBackend } from './maglev.ts';
import { placementAtHome } from './sticky.ts';

/** Of a block whose slots do not all have the same owner. */
const MIXED = -1;
/** How many steps up, and down again, the tree of blocks is searched for neighbours of a block. */
const NEIGHBOURHOOD = 4;

interface Move {
  /** By index of the backend, the last one nobody's: slots it is still to give up, or to get. */
  surplus: Int32Array;
  lacking: Int32Array;
}

/**
 * Moves from the table in force to one whose shares are the weights' largest-remainder shares, moving no slot that need
 * not move:
 *
 * 1. a slot goes home when its home backend lacks slots and its owner has too many (or is gone),
 * 2. of the most willing slots first, whole blocks move, the largest first: such as become one with their buddy rather than others,
 * 3. a block is halved only where the smaller ones of its owner do not make up what it is to give.
 *
 * A table whose shares are right already comes back unchanged.
 *
 * @param inForce  per slot, the index into `backends` of today's owner; NOBODY when it has none or the owner is gone
 * @param home     per slot, the index of the backend it should return to if that is free of cost; NOBODY: none
 * @param willing  per slot, how cheaply it is given up: the higher, the sooner; absent: all alike
 * @returns per slot an index into `backends`; NOBODY everywhere when no backend has weight
 * @throws RangeError as maglevTable does
 */
export function prefixTable(
  backends: readonly WeightedBackend[],
  inForce: Uint16Array,
  home: Uint16Array,
  willing: Uint32Array = new Uint32Array(inForce.length),
): Uint16Array {
  const slotCount = inForce.length;
  const placement = placementAtHome(backends, inForce, home, willing);
  if (placement === undefined) return new Uint16Array(slotCount).fill(NOBODY);
  const { table, turns, counts, targets } = placement;

  const nobody = backends.length;
  const move: Move = {
    surplus: new Int32Array(nobody + 1),
    lacking: new Int32Array(nobody),
  };
  let held = 0;
  counts.forEach((count, index) => {
    held += count;
    move.surplus[index] = Math.max(0, count - targets[index]!);
    move.lacking[index] = Math.max(0, targets[index]! - count);
  });
  move.surplus[nobody] = slotCount - held;
  if (move.surplus.every((count) => count === 0)) return table;

  const owners = new BlockOwners(table, nobody);
  for (const level of willingness(table, willing, move.surplus)) {
    moveBlocks(owners, turns, move, level === undefined ? undefined : (slot) => willing[slot] === level);
  }
  return owners.table();
}

/** The levels in which slots are given up, the most willing first; undefined: all alike. */
function willingness(
  table: Uint16Array,
  willing: Uint32Array,
  surplus: Int32Array,
): readonly (number | undefined)[] {
  const levels = new Set<number>();
  for (let slot = 0; slot < table.length; slot++) {
    const owner = table[slot]!;
    if (owner !== NOBODY && surplus[owner]! > 0) levels.add(willing[slot]!);
  }
  if (levels.size <= 1) return [undefined];
  // Nobody's slots are given in any case, together with the first.
  return [...levels].sort((a, b) => b - a);
}

/** Who owns each block, as a binary tree: node 1 is all slots, 2n and 2n + 1 the halves of n. */
class BlockOwners {
  readonly slotCount: number;
  private readonly nobody: number;
  private readonly nodes: Int32Array;

  constructor(table: Uint16Array, nobody: number) {
    this.slotCount = table.length;
    this.nobody = nobody;
    this.nodes = new Int32Array(2 * table.length);
    for (let slot = 0; slot < table.length; slot++) {
      this.nodes[table.length + slot] = table[slot] === NOBODY ? nobody : table[slot]!;
    }
    for (let node = table.length - 1; node >= 1; node--) this.refresh(node);
  }

  table(): Uint16Array {
    return Uint16Array.from(this.nodes.subarray(this.slotCount), (owner) =>
      owner === this.nobody ? NOBODY : owner,
    );
  }

  ownerOf(node: number): number {
    return this.nodes[node]!;
  }

  /** Who gets a whole block of twice the size by owning this one too. */
  ownerOfBuddy(node: number): number {
    return node === 1 ? MIXED : this.nodes[node ^ 1]!;
  }

  sizeOf(node: number): number {
    return this.slotCount >> (31 - Math.clz32(node));
  }

  firstSlotOf(node: number): number {
    return node * this.sizeOf(node) - this.slotCount;
  }

  give(node: number, owner: number): void {
    for (let first = node, count = 1; first < this.nodes.length; first *= 2, count *= 2) {
      this.nodes.fill(owner, first, first + count);
    }
    for (let above = node >> 1; above >= 1; above >>= 1) this.refresh(above);
  }

  /** Somebody of the closest blocks around who takes it. */
  neighbourOf(node: number, isTaker: (owner: number) => boolean): number | undefined {
    for (let above = node, steps = 0; above > 1 && steps < NEIGHBOURHOOD; above >>= 1, steps++) {
      const taker = this.ownerWithin(above ^ 1, NEIGHBOURHOOD, isTaker);
      if (taker !== undefined) return taker;
    }
    return undefined;
  }

  /** How many slots around a block its owner has: of its parent's parent and so on. */
  company(node: number): number {
    const owner = this.nodes[node]!;
    let slots = 0;
    for (let above = node, steps = 0; above > 1 && steps < NEIGHBOURHOOD; above >>= 1, steps++) {
      // Closer ones count for more.
      slots += this.slotsWithin(above ^ 1, NEIGHBOURHOOD, owner) / this.sizeOf(above);
    }
    return slots;
  }

  private slotsWithin(node: number, depth: number, owner: number): number {
    const found = this.nodes[node]!;
    if (found !== MIXED) return found === owner ? this.sizeOf(node) : 0;
    if (depth === 0) return 0;
    return this.slotsWithin(2 * node, depth - 1, owner) + this.slotsWithin(2 * node + 1, depth - 1, owner);
  }

  private ownerWithin(node: number, depth: number, isTaker: (owner: number) => boolean): number | undefined {
    const owner = this.nodes[node]!;
    if (owner !== MIXED) return owner !== this.nobody && isTaker(owner) ? owner : undefined;
    if (depth === 0) return undefined;
    return (
      this.ownerWithin(2 * node, depth - 1, isTaker) ?? this.ownerWithin(2 * node + 1, depth - 1, isTaker)
    );
  }

  /** The largest blocks of those who are to give, by size: blocks[k] are of 2^k slots. */
  blocksOf(isGiving: (owner: number) => boolean, isOffered: (slot: number) => boolean): number[][] {
    const blocks: number[][] = Array.from({ length: Math.log2(this.slotCount) + 1 }, () => []);
    const visit = (node: number): void => {
      const owner = this.nodes[node]!;
      const size = this.sizeOf(node);
      if (owner !== MIXED && !isGiving(owner)) return;
      if (owner !== MIXED && (owner === this.nobody || this.isOffered(node, size, isOffered))) {
        blocks[Math.log2(size)]!.push(node);
      } else if (size > 1) {
        visit(2 * node);
        visit(2 * node + 1);
      }
    };
    visit(1);
    return blocks;
  }

  private isOffered(node: number, size: number, isOffered: (slot: number) => boolean): boolean {
    const first = this.firstSlotOf(node);
    for (let slot = first; slot < first + size; slot++) if (!isOffered(slot)) return false;
    return true;
  }

  private refresh(node: number): void {
    const left = this.nodes[2 * node]!;
    this.nodes[node] = left === this.nodes[2 * node + 1] ? left : MIXED;
  }
}

/** Blocks with little of the same owner around them. */
function isolatedFirst(owners: BlockOwners, nodes: readonly number[]): number[] {
  if (nodes.length < 2) return [...nodes];
  const company = new Map(nodes.map((node) => [node, owners.company(node)]));
  return nodes.toSorted((a, b) => company.get(a)! - company.get(b)! || a - b);
}

/** Moves what is offered, as far as it is to move, from the largest blocks down to single slots. */
function moveBlocks(
  owners: BlockOwners,
  turns: readonly number[],
  { surplus, lacking }: Move,
  isOffered: (slot: number) => boolean = () => true,
): void {
  const blocks = owners.blocksOf((owner) => surplus[owner]! > 0, isOffered);
  const smaller = new Int32Array(surplus.length);
  for (const [k, nodes] of blocks.entries())
    for (const node of nodes) smaller[owners.ownerOf(node)]! += 1 << k;

  for (let k = blocks.length - 1; k >= 0; k--) {
    const size = 1 << k;
    // In a fixed order, whoever asks.
    const nodes = blocks[k]!.sort((a, b) => a - b);
    for (const node of nodes) smaller[owners.ownerOf(node)]! -= size;
    const give = (node: number, to: number): void => {
      surplus[owners.ownerOf(node)]! -= size;
      lacking[to]! -= size;
      owners.give(node, to);
    };
    const kept: number[] = [];
    for (const node of nodes) {
      const buddy = owners.ownerOfBuddy(node);
      const isMerged = buddy >= 0 && buddy < lacking.length && lacking[buddy]! >= size;
      if (isMerged && surplus[owners.ownerOf(node)]! >= size) give(node, buddy);
      else kept.push(node);
    }
    // Whoever lacks most has most use of a large block, unless a neighbour of the block lacks it too.
    const takers = turns.filter((index) => lacking[index]! >= size).sort((a, b) => lacking[b]! - lacking[a]!);
    let taker = 0;
    const left: number[] = [];
    for (const node of isolatedFirst(owners, kept)) {
      while (taker < takers.length && lacking[takers[taker]!]! < size) taker++;
      const isGiven = taker < takers.length && surplus[owners.ownerOf(node)]! >= size;
      if (isGiven) give(node, owners.neighbourOf(node, (index) => lacking[index]! >= size) ?? takers[taker]!);
      else left.push(node);
    }
    // A block too large to be given whole is halved where the smaller ones of its owner do not make up the rest.
    for (const node of left.reverse()) {
      const owner = owners.ownerOf(node);
      if (size === 1 || smaller[owner]! >= surplus[owner]!) continue;
      blocks[k - 1]!.push(2 * node, 2 * node + 1);
      smaller[owner]! += size;
    }
  }
}
