// SPDX-License-Identifier: Apache-2.0
/** Handles as BMv2 gives them out: always the lowest free one. Which member a hash chooses depends on it. */

export class HandlePool {
  readonly #isTaken: boolean[] = [];
  #lowestFree = 0;

  take(): number {
    const handle = this.#lowestFree;
    this.#isTaken[handle] = true;
    while (this.#isTaken[this.#lowestFree]) this.#lowestFree += 1;
    return handle;
  }

  release(handle: number): void {
    this.#isTaken[handle] = false;
    if (handle < this.#lowestFree) this.#lowestFree = handle;
  }

  /** Takes this handle, which must be free: one that was released, or that another pool gave out. */
  retake(handle: number): void {
    this.#isTaken[handle] = true;
    while (this.#isTaken[this.#lowestFree]) this.#lowestFree += 1;
  }
}
