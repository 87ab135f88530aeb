// SPDX-License-Identifier: Apache-2.0
/** How long requests took, counted in steps of two per cent: any number of them in little room. */

const step = Math.log(1.02);
const leastMs = 0.01;

export class Latencies {
  /** By step; as many as two per cent go into the longest latency. */
  readonly #counts: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  note(ms: number): void {
    const at = Math.max(0, Math.round(Math.log(Math.max(ms, leastMs) / leastMs) / step));
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count++;
  }

  /** @returns milliseconds, within one per cent; NaN when there are none */
  quantile(share: number): number {
    let left = share * this.#count;
    for (const [at, count = 0] of this.#counts.entries()) {
      left -= count;
      if (left <= 0 && count > 0) return leastMs * Math.exp(at * step);
    }
    return Number.NaN;
  }

  clear(): void {
    this.#counts.length = 0;
    this.#count = 0;
  }
}
