// SPDX-License-Identifier: Apache-2.0
/** Choices that follow from a seed. */

export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 up to, without, `end`. */
  below(end: number): number {
    // Mulberry32 (Tommy Ettinger): every seed is good, neighbouring ones too.
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Any value of so many bits. */
  bits(width: number): bigint {
    let value = 0n;
    for (let at = 0; at < width; at += 16) value = (value << 16n) | BigInt(this.below(0x10000));
    return BigInt.asUintN(width, value);
  }

  /** One of few values, so that entries and packets meet; now and then any. */
  value(width: number): bigint {
    const max = (1n << BigInt(width)) - 1n;
    const chosen = this.below(12);
    if (chosen < 8) return BigInt(this.below(4)) & max;
    if (chosen === 8) return max;
    if (chosen === 9) return max >> 1n;
    if (chosen === 10) return max - (max >> 2n);
    return this.bits(width);
  }
}
