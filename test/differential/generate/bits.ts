// SPDX-License-Identifier: Apache-2.0
/** A packet while it is made: bits are appended, and some are pinned because a parser state needs them so. */

const bitsMax = 8 * 2048;

export class BitWriter {
  readonly #bits = new Uint8Array(bitsMax);
  readonly #pinned = new Uint8Array(bitsMax);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length > bitsMax / 2;
  }

  append(value: bigint, width: number): number {
    const offset = this.#length;
    this.#length += width;
    this.#write(offset, value, width, false);
    return offset;
  }

  skip(width: number): void {
    this.#length += width;
  }

  /** Sets bits that were appended, or that will be. @returns false when others want them otherwise */
  pin(offset: number, value: bigint, width: number, mask = (1n << BigInt(width)) - 1n): boolean {
    if (offset < 0 || offset + width > bitsMax) return false;
    for (let bit = 0; bit < width; bit++) {
      const shift = BigInt(width - 1 - bit);
      const wanted = Number((value >> shift) & 1n);
      const isWanted = ((mask >> shift) & 1n) === 1n;
      if (isWanted && this.#pinned[offset + bit] === 1 && this.#bits[offset + bit] !== wanted) return false;
    }
    this.#write(offset, value, width, true, mask);
    return true;
  }

  read(offset: number, width: number): bigint {
    let value = 0n;
    for (let bit = 0; bit < width; bit++) value = (value << 1n) | BigInt(this.#bits[offset + bit] ?? 0);
    return value;
  }

  /** Whole bytes; the rest of the last is zero. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.#length / 8));
    for (let bit = 0; bit < this.#length; bit++) bytes[bit >> 3]! |= this.#bits[bit]! << (7 - (bit & 7));
    return bytes;
  }

  #write(offset: number, value: bigint, width: number, pins: boolean, mask?: bigint): void {
    for (let bit = 0; bit < width && offset + bit < bitsMax; bit++) {
      const shift = BigInt(width - 1 - bit);
      if (mask !== undefined && ((mask >> shift) & 1n) === 0n) continue;
      if (!pins && this.#pinned[offset + bit] === 1) continue;
      this.#bits[offset + bit] = Number((value >> shift) & 1n);
      if (pins) this.#pinned[offset + bit] = 1;
    }
  }
}
