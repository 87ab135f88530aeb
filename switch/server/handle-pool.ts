// SPDX-License-Identifier: Apache-2.0
/**
 * Handles as BMv2 gives them out: always the lowest free one. Which member a hash chooses depends on it, and which of two
 * entries of the same priority wins.
 */

export class HandlePool {
  readonly #isTaken: boolean[] = [];
  /**
   * A binary heap, the lowest first: every free handle below `#isTaken.length`, some of them twice, and some that have
   * been taken again since.
   */
  readonly #released: number[] = [];

  take(): number {
    for (let handle = this.#popLowest(); handle !== undefined; handle = this.#popLowest()) {
      if (this.#isTaken[handle]) continue;
      this.#isTaken[handle] = true;
      return handle;
    }
    return this.#isTaken.push(true) - 1;
  }

  release(handle: number): void {
    this.#isTaken[handle] = false;
    this.#push(handle);
  }

  /** Takes this handle, which must be free: one that was released, or that another pool gave out. */
  retake(handle: number): void {
    while (this.#isTaken.length < handle) this.release(this.#isTaken.length);
    this.#isTaken[handle] = true;
  }

  #push(handle: number): void {
    const heap = this.#released;
    let at = heap.push(handle) - 1;
    for (let above = (at - 1) >> 1; at > 0 && heap[above]! > handle; above = (at - 1) >> 1) {
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = handle;
  }

  #popLowest(): number | undefined {
    const heap = this.#released;
    const lowest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return lowest;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below += 1;
      if (heap[below]! >= last) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return lowest;
  }
}
