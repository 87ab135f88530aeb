// SPDX-License-Identifier: Apache-2.0
/**
 * The fewest rows of a longest-prefix table that give each slot its value.
 *
 * A block is 2^k slots that agree in all bits but the last k; blocks are numbered as the nodes of a binary tree: 1 is all 65,536
 * slots, 2n and 2n + 1 are the halves of n, 65,536 + slot is a slot alone.
 *
 *   values  a a a a a b a a    rows  [a a a a a a a a]     instead of the 4 blocks of equal content
 *                                               [b]
 */

import { assert } from './assert.ts';
import { MAX_SLOTS } from './maglev.ts';

/** Of a slot: no row covers it. */
export const NO_VALUE = 0;
/** Length of the longest prefix: the bits of a slot (p4/core/types.p4). */
export const SLOT_BITS = 16;

/** Rows by block: what the block's slots have, but for those of longer prefixes. */
export type PrefixRows = Map<number, number>;

/** Nodes that are not uniform: which values could stand here at no cost. Empty: a slot below has none, so no row may. */
type Choices = Map<number, readonly number[]>;

const noChoice: readonly number[] = [];

/**
 * @param values  per slot; their number a power of two, at most 65,536
 * @param isPreferred  of several rows that would do as well
 *
 * Source: Draves, King, Venkatachary, Zill, "Constructing Optimal IP Routing Tables", INFOCOM 1999 (ORTC), sections 3.2 and 3.3. Theirs has
 * a default route; here a slot may have no value, and then nothing above it has one.
 */
export function fewestRows(
  values: Readonly<Uint16Array>,
  isPreferred: (node: number, value: number) => boolean = () => false,
): PrefixRows {
  const size = values.length;
  assert(size <= MAX_SLOTS && (size & (size - 1)) === 0, 'slots are the low bits of a hash');
  const rows: PrefixRows = new Map();
  const runEnds = endsOfRuns(values);
  const choices: Choices = new Map();
  choose(values, runEnds, choices, 0, size);
  place(values, runEnds, choices, isPreferred, rows, 0, size, NO_VALUE);
  return rows;
}

/** The block of `size` slots from `slot` on. */
export function nodeOf(slot: number, size: number): number {
  return (MAX_SLOTS + slot) / size;
}

export function sizeOf(node: number): number {
  return MAX_SLOTS >> prefixLengthOf(node);
}

export function firstSlotOf(node: number): number {
  return node * sizeOf(node) - MAX_SLOTS;
}

export function prefixLengthOf(node: number): number {
  return 31 - Math.clz32(node);
}

/** Per slot: the first one behind it with another value. */
function endsOfRuns(values: Readonly<Uint16Array>): Uint32Array {
  const ends = new Uint32Array(values.length);
  let end = values.length;
  for (let slot = values.length - 1; slot >= 0; slot--) {
    if (slot + 1 < values.length && values[slot] !== values[slot + 1]) end = slot + 1;
    ends[slot] = end;
  }
  return ends;
}

/** From the slots up: a value that both halves could have costs one row for both. */
function choose(
  values: Readonly<Uint16Array>,
  runEnds: Uint32Array,
  choices: Choices,
  slot: number,
  size: number,
): readonly number[] {
  if (runEnds[slot]! >= slot + size) return values[slot] === NO_VALUE ? noChoice : [values[slot]!];
  const half = size / 2;
  const left = choose(values, runEnds, choices, slot, half);
  const right = choose(values, runEnds, choices, slot + half, half);
  const chosen = left.length === 0 || right.length === 0 ? noChoice : common(left, right);
  choices.set(nodeOf(slot, size), chosen);
  return chosen;
}

/** What both have; if that is nothing, what either has. */
function common(left: readonly number[], right: readonly number[]): readonly number[] {
  if (left.length === 1 && right.length === 1) return left[0] === right[0] ? left : [left[0]!, right[0]!];
  const shared = right.length > 8 ? sharedOf(left, new Set(right)) : left.filter((v) => right.includes(v));
  return shared.length > 0 ? shared : [...left, ...right];
}

function sharedOf(left: readonly number[], right: ReadonlySet<number>): number[] {
  return left.filter((value) => right.has(value));
}

/** From the whole down: a row wherever what is inherited is none of the choices. */
function place(
  values: Readonly<Uint16Array>,
  runEnds: Uint32Array,
  choices: Choices,
  isPreferred: (node: number, value: number) => boolean,
  rows: PrefixRows,
  slot: number,
  size: number,
  inherited: number,
): void {
  const node = nodeOf(slot, size);
  if (runEnds[slot]! >= slot + size) {
    if (values[slot] !== inherited) rows.set(node, values[slot]!);
    return;
  }
  const chosen = choices.get(node)!;
  let value = inherited;
  if (chosen.length > 0 && !chosen.includes(inherited)) {
    value = chosen.find((choice) => isPreferred(node, choice)) ?? chosen[0]!;
    rows.set(node, value);
  }
  const half = size / 2;
  place(values, runEnds, choices, isPreferred, rows, slot, half, value);
  place(values, runEnds, choices, isPreferred, rows, slot + half, half, value);
}
