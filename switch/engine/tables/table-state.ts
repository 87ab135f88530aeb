// SPDX-License-Identifier: Apache-2.0
/**
 * The entries of one table, as parallel typed arrays: row 0 is the default action, row h + 1 the entry with handle h.
 *
 * Rows are found through one open-addressing hash table. An exact table hashes its key words. Any other table hashes
 * masked key words together with the mask (tuple space search): one hash probe per distinct mask in use, masks with
 * the best entries first. Longest prefix match is the case where the prefix length is the priority. Entries with equal
 * masked words form a list, best first; only there do ranges and repeated keys cost anything. A table of one short
 * prefix is looked up in a trie instead (prefix-trie.ts).
 *
 * Source: Srinivasan, Suri, Varghese, "Packet Classification using Tuple Space Search", SIGCOMM 1999.
 */

import type { KeyPart } from '../pipeline.ts';
import { type KeyPlan, type PackedKey, packKey, unpackKey } from './key.ts';
import { PrefixTrie } from './prefix-trie.ts';

/** Where the parameters of each action stand in a row's data: action id -> first word and width of each. */
export type DataPlan = ReadonlyMap<number, readonly { at: number; width: number }[]>;

export const noAction = -1;

const firstRows = 16;
const firstSlots = 16;
const hashFactor = 0x9e3779b1 | 0;

/** One distinct mask. */
interface Tuple {
  id: number;
  key: string;
  masks: Int32Array;
  entries: number;
  /** No entry has a higher priority. May stay too high when entries go: that costs a probe, never a wrong answer. */
  top: number;
}

export class TableState {
  readonly name: string;
  readonly plan: KeyPlan;
  /** Words of action data per row. */
  readonly stride: number;
  readonly dataPlan: DataPlan;
  private readonly isPrefixOrder: boolean;

  /** Per row. Generated code reads these; the arrays are replaced when they grow. */
  action = new Int32Array(firstRows).fill(noAction);
  data: Uint32Array<ArrayBuffer>;
  packets = new Float64Array(firstRows);
  bytes = new Float64Array(firstRows);
  lastHit = new Float64Array(firstRows);
  keys: Int32Array<ArrayBuffer>;
  tuple = new Int32Array(firstRows);
  priority = new Int32Array(firstRows);
  /** The next worse row with the same masked key; 0 ends the list. */
  next = new Int32Array(firstRows);
  /** As `RangePlan` says. */
  bounds: Uint32Array<ArrayBuffer>;
  private idleMicros = new Float64Array(firstRows);
  private rowEnd = 1;

  /** Finds what the hash table finds, faster; only of a plan that `isPrefix`. */
  readonly trie: PrefixTrie | undefined;

  /** The hash table: rows that head a list, 0 where empty. */
  slots = new Int32Array(firstSlots);
  slotMask = firstSlots - 1;
  private usedSlots = 0;

  /** Tuples in the order of their tops, for generated code. */
  tupleCount = 0;
  tupleIds = new Int32Array(4);
  tupleTops = new Int32Array(4);
  tupleMasks: Int32Array<ArrayBuffer>;
  private order: Tuple[] = [];
  private readonly tuples = new Map<string, Tuple>();
  private readonly tuplesById: (Tuple | undefined)[] = [];

  constructor(name: string, plan: KeyPlan, stride: number, dataPlan: DataPlan) {
    this.name = name;
    this.plan = plan;
    this.stride = stride;
    this.dataPlan = dataPlan;
    this.isPrefixOrder =
      plan.fields.some((field) => field.kind === 'lpm') &&
      plan.fields.every((field) => field.kind === 'lpm' || field.kind === 'exact');
    this.data = new Uint32Array(firstRows * stride);
    this.keys = new Int32Array(firstRows * plan.words);
    this.bounds = new Uint32Array(firstRows * plan.boundWords);
    this.tupleMasks = new Int32Array(4 * plan.words);
    this.trie = plan.isPrefix ? new PrefixTrie((row) => this.priority[row]!) : undefined;
  }

  insert(
    handle: number,
    key: readonly KeyPart[],
    priority: number,
    action: number,
    data: readonly bigint[],
    idleMicros: number,
    nowMicros: number,
  ): void {
    const row = handle + 1;
    this.reserve(row);
    assert(this.action[row] === noAction, `the handle ${handle} of ${this.name} is free`);
    this.setAction(row, action, data);
    this.packets[row] = 0;
    this.bytes[row] = 0;
    this.lastHit[row] = nowMicros;
    this.idleMicros[row] = idleMicros;
    const packed = packKey(this.plan, key);
    this.keys.set(packed.words, row * this.plan.words);
    this.bounds.set(packed.ranges, row * packed.ranges.length);
    this.priority[row] = this.isPrefixOrder ? packed.prefixLength : priority;
    this.tuple[row] = this.plan.search === 'masked' ? this.joinTuple(packed, this.priority[row]!) : 0;
    this.link(row);
    this.trie?.insert(this.prefixBits(row), this.priority[row]!, row);
    if (row >= this.rowEnd) this.rowEnd = row + 1;
  }

  /** An entry that is modified is idle from then on, like a new one. Source: BMv2, match_units.cpp, set_entry_ttl. */
  modify(
    handle: number,
    action: number,
    data: readonly bigint[],
    idleMicros: number,
    nowMicros: number,
  ): void {
    const row = this.rowOf(handle);
    this.setAction(row, action, data);
    this.lastHit[row] = nowMicros;
    this.idleMicros[row] = idleMicros;
  }

  delete(handle: number): void {
    const row = this.rowOf(handle);
    this.unlink(row);
    this.trie?.remove(this.prefixBits(row), this.priority[row]!, row, this.heirOf(row));
    if (this.plan.search === 'masked') this.leaveTuple(this.tuple[row]!);
    this.action[row] = noAction;
    this.idleMicros[row] = 0;
  }

  /** @param action  `noAction` for a table that does nothing on a miss */
  setDefault(action: number, data: readonly bigint[]): void {
    this.setAction(0, action, data);
  }

  /** The row of an entry that exists. */
  rowOf(handle: number): number {
    const row = handle + 1;
    assert(
      row >= 1 && row < this.action.length && this.action[row] !== noAction,
      `${this.name} has an entry ${handle}`,
    );
    return row;
  }

  /** The key of a row as its entry gave it, bits that no packet is asked about cleared. */
  keyOf(row: number): KeyPart[] {
    const { plan, priority, bounds } = this;
    const { words, boundWords } = plan;
    const at = row * words;
    const masks = plan.search === 'masked' ? this.tuplesById[this.tuple[row]!]!.masks : undefined;
    const prefixLength = this.isPrefixOrder ? priority[row]! : undefined;
    return unpackKey(plan, {
      words: this.keys.subarray(at, at + words),
      masks: masks ?? new Int32Array(words).fill(-1),
      ranges: [...bounds.subarray(row * boundWords, (row + 1) * boundWords)],
      prefixLength,
    });
  }

  /** Handles of entries that were not hit for as long as their timeout. */
  idleHandles(nowMicros: number): number[] {
    const idle: number[] = [];
    for (let row = 1; row < this.rowEnd; row++) {
      const timeout = this.idleMicros[row]!;
      if (timeout > 0 && nowMicros - this.lastHit[row]! >= timeout) idle.push(row - 1);
    }
    return idle;
  }

  /** Of a table with a trie: the prefix as the high bits of a word. */
  private prefixBits(row: number): number {
    return this.keys[row]! << (32 - this.plan.fields[0]!.width);
  }

  /** Of a table with a trie: the row that takes over from one that has been unlinked, 0 when there is none. */
  private heirOf(row: number): number {
    const key = this.keys[row]!;
    const length = this.priority[row]!;
    for (const { id, masks, top } of this.order) {
      if (top > length) continue;
      const masked = Int32Array.of(key & masks[0]!);
      for (let slot = hashOf(id, masked, 0, 1) & this.slotMask; ; slot = (slot + 1) & this.slotMask) {
        const heir = this.slots[slot]!;
        if (heir === 0) break;
        if (this.tuple[heir] === id && this.keys[heir] === masked[0]) return heir;
      }
    }
    return 0;
  }

  private setAction(row: number, action: number, data: readonly bigint[]): void {
    this.action[row] = action;
    if (action === noAction) return;
    const parameters = this.dataPlan.get(action);
    assert(parameters !== undefined, `${this.name} has an action ${action}`);
    assert(parameters.length === data.length, `an action of ${this.name} gets all its parameters`);
    storeData(this.data, row * this.stride, parameters, data);
  }

  /** Makes room for a row, by doubling. */
  private reserve(row: number): void {
    if (row < this.action.length) return;
    let rows = this.action.length;
    while (rows <= row) rows *= 2;
    const action = new Int32Array(rows).fill(noAction);
    action.set(this.action);
    this.action = action;
    this.data = grown(this.data, new Uint32Array(rows * this.stride));
    this.packets = grown(this.packets, new Float64Array(rows));
    this.bytes = grown(this.bytes, new Float64Array(rows));
    this.lastHit = grown(this.lastHit, new Float64Array(rows));
    this.idleMicros = grown(this.idleMicros, new Float64Array(rows));
    this.keys = grown(this.keys, new Int32Array(rows * this.plan.words));
    this.tuple = grown(this.tuple, new Int32Array(rows));
    this.priority = grown(this.priority, new Int32Array(rows));
    this.next = grown(this.next, new Int32Array(rows));
    this.bounds = grown(this.bounds, new Uint32Array(rows * this.plan.boundWords));
  }

  private link(row: number): void {
    const slot = this.findSlot(row);
    const head = this.slots[slot]!;
    if (head === 0) {
      this.next[row] = 0;
      this.slots[slot] = row;
      this.usedSlots += 1;
      if (this.usedSlots * 2 > this.slots.length) this.growSlots();
    } else if (this.isBetter(row, head)) {
      this.next[row] = head;
      this.slots[slot] = row;
    } else {
      let before = head;
      while (this.next[before] !== 0 && this.isBetter(this.next[before]!, row)) before = this.next[before]!;
      this.next[row] = this.next[before]!;
      this.next[before] = row;
    }
  }

  private unlink(row: number): void {
    const slot = this.findSlot(row);
    const head = this.slots[slot]!;
    if (head !== row) {
      let before = head;
      while (this.next[before] !== row) before = this.next[before]!;
      this.next[before] = this.next[row]!;
    } else if (this.next[row] !== 0) {
      this.slots[slot] = this.next[row]!;
    } else {
      this.emptySlot(slot);
    }
  }

  /** Higher priority first; on a tie the older place, as BMv2 does. */
  private isBetter(row: number, other: number): boolean {
    const difference = this.priority[row]! - this.priority[other]!;
    return difference > 0 || (difference === 0 && row < other);
  }

  /** The slot whose list has the masked key of `row`, or the empty slot where it belongs. */
  private findSlot(row: number): number {
    let slot = this.hash(row) & this.slotMask;
    while (this.slots[slot] !== 0 && !this.sameKey(this.slots[slot]!, row)) slot = (slot + 1) & this.slotMask;
    return slot;
  }

  private sameKey(row: number, other: number): boolean {
    if (this.tuple[row] !== this.tuple[other]) return false;
    const { words } = this.plan;
    for (let word = 0; word < words; word++) {
      if (this.keys[row * words + word] !== this.keys[other * words + word]) return false;
    }
    return true;
  }

  private hash(row: number): number {
    const { words } = this.plan;
    return hashOf(this.tuple[row]!, this.keys, row * words, words);
  }

  /** Removes without a tombstone: followers that were pushed on by this one move back. */
  private emptySlot(slot: number): void {
    let hole = slot;
    for (let at = (slot + 1) & this.slotMask; this.slots[at] !== 0; at = (at + 1) & this.slotMask) {
      const home = this.hash(this.slots[at]!) & this.slotMask;
      const isBetween = hole <= at ? hole < home && home <= at : hole < home || home <= at;
      if (isBetween) continue;
      this.slots[hole] = this.slots[at]!;
      hole = at;
    }
    this.slots[hole] = 0;
    this.usedSlots -= 1;
  }

  private growSlots(): void {
    const old = this.slots;
    this.slots = new Int32Array(old.length * 2);
    this.slotMask = this.slots.length - 1;
    for (const row of old) if (row !== 0) this.slots[this.findSlot(row)] = row;
  }

  /** @returns the id of the tuple with these masks */
  private joinTuple(packed: PackedKey, priority: number): number {
    const key = packed.masks.join();
    let tuple = this.tuples.get(key);
    if (!tuple) {
      const free = this.tuplesById.indexOf(undefined);
      const id = free < 0 ? this.tuplesById.length : free;
      tuple = { id, key, masks: packed.masks, entries: 0, top: priority };
      this.tuples.set(key, tuple);
      this.tuplesById[id] = tuple;
      this.order.push(tuple);
      this.sortTuples();
    } else if (priority > tuple.top) {
      tuple.top = priority;
      this.sortTuples();
    }
    tuple.entries += 1;
    return tuple.id;
  }

  private leaveTuple(id: number): void {
    const tuple = this.tuplesById[id]!;
    tuple.entries -= 1;
    if (tuple.entries > 0) return;
    this.tuplesById[id] = undefined;
    this.tuples.delete(tuple.key);
    this.order = this.order.filter((other) => other !== tuple);
    this.sortTuples();
  }

  private sortTuples(): void {
    this.order.sort((first, second) => second.top - first.top);
    const { words } = this.plan;
    if (this.order.length > this.tupleIds.length) {
      this.tupleIds = new Int32Array(this.order.length * 2);
      this.tupleTops = new Int32Array(this.order.length * 2);
      this.tupleMasks = new Int32Array(this.order.length * 2 * words);
    }
    for (const [index, tuple] of this.order.entries()) {
      this.tupleIds[index] = tuple.id;
      this.tupleTops[index] = tuple.top;
      this.tupleMasks.set(tuple.masks, index * words);
    }
    this.tupleCount = this.order.length;
  }
}

/** The same as in the code of `emitFind`. */
export function hashOf(tuple: number, words: Int32Array, at: number, count: number): number {
  let hash = tuple;
  for (let word = 0; word < count; word++) {
    hash = Math.imul(hash ^ words[at + word]!, hashFactor);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** Writes the parameters of an action as words from `base` on. */
export function storeData(
  words: Uint32Array,
  base: number,
  parameters: readonly { at: number; width: number }[],
  data: readonly bigint[],
): void {
  for (const [index, { at, width }] of parameters.entries()) {
    const value = BigInt.asUintN(width, data[index]!);
    for (let word = 0; 32 * word < width; word++) {
      words[base + at + word] =
        width <= 32 ? Number(value) : Number(BigInt.asUintN(32, value >> BigInt(32 * word)));
    }
  }
}

/** A broken promise of the owner or of ours. */
function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`broken promise: ${promise}`);
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
