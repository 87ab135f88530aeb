// SPDX-License-Identifier: Apache-2.0
/**
 * AnchorHash: a consistent hash over buckets that are removed and added in the order of a stack, and JET's question to it:
 * would this key go elsewhere if buckets of the horizon were added?
 *
 * Source: Mendelson et al., "AnchorHash", ToN 2020, algorithm 3 (the arrays A, K, W, L, R); Mendelson et al., "Load
 * Balancing with JET", CoNEXT 2021, section 4.2. Written from the papers' pseudocode.
 */

export class AnchorHash {
  readonly capacity: number;
  working: number;
  /** A: 0 for a working bucket, else how many worked after its removal. */
  readonly #removedAt: Int32Array;
  /** K: who took the removed bucket's place. */
  readonly #successor: Int32Array;
  /** W: the working buckets, in the first `working` places; L: where a bucket stands in it. */
  readonly #places: Int32Array;
  readonly #placeOf: Int32Array;
  /** R */
  readonly #removed: number[] = [];

  /** @param working  buckets 0 .. working-1 work, those up to `capacity` were removed before */
  constructor(working: number, capacity: number) {
    this.capacity = capacity;
    this.working = capacity;
    this.#removedAt = new Int32Array(capacity);
    this.#successor = Int32Array.from({ length: capacity }, (_, bucket) => bucket);
    this.#places = this.#successor.slice();
    this.#placeOf = this.#successor.slice();
    for (let bucket = capacity - 1; bucket >= working; bucket--) this.remove(bucket);
  }

  /**
   * @param horizon  how many buckets, those that would be added first, may be added while the flow lives
   * @returns the key's bucket; as ~bucket when adding one of the horizon would take the key away from it
   */
  find(key: number, horizon: number): number {
    const soon = this.working + horizon;
    let isUnsafe = false;
    let bucket = below(mixed(key, 0xffff), this.capacity);
    for (let removedAt = this.#removedAt[bucket]!; removedAt > 0; removedAt = this.#removedAt[bucket]!) {
      if (removedAt < soon) isUnsafe = true;
      let candidate = below(mixed(key, bucket), removedAt);
      // Removed before `bucket` was, or with it: whoever took the place then.
      while (this.#removedAt[candidate]! >= removedAt) candidate = this.#successor[candidate]!;
      bucket = candidate;
    }
    return isUnsafe ? ~bucket : bucket;
  }

  remove(bucket: number): void {
    const working = --this.working;
    const last = this.#places[working]!;
    this.#removedAt[bucket] = working;
    this.#places[this.#placeOf[bucket]!] = last;
    this.#placeOf[last] = this.#placeOf[bucket]!;
    this.#successor[bucket] = last;
    this.#removed.push(bucket);
  }

  /** @returns the bucket that works again: the one removed last; undefined when none is left */
  add(): number | undefined {
    const bucket = this.#removed.pop();
    if (bucket === undefined) return undefined;
    const working = this.working++;
    this.#removedAt[bucket] = 0;
    this.#placeOf[this.#places[working]!] = working;
    this.#places[this.#placeOf[bucket]!] = bucket;
    this.#successor[bucket] = bucket;
    return bucket;
  }
}

/** The finisher of MurmurHash3 over both. */
function mixed(key: number, bucket: number): number {
  let hash = (key ^ Math.imul(bucket + 1, 0x9e3779b1)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A 32-bit hash as a number below n. */
function below(hash: number, n: number): number {
  return Math.floor((hash / 0x1_0000_0000) * n);
}
