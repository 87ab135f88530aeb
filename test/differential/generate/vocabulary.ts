// SPDX-License-Identifier: Apache-2.0
/**
 * Values worth using: those that stand in entries, the edges of a width, small numbers. What a table was told is what
 * packets then carry, whichever field it was meant for.
 */
import type { Dice } from '../../../controller/core/testing/dice.ts';

/** Values remembered for one width; beyond it a random one is forgotten. */
const rememberedMax = 48;

export class Vocabulary {
  readonly #dice: Dice;
  readonly #byWidth = new Map<number, bigint[]>();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  remember(width: number, value: bigint): void {
    const values = this.#byWidth.get(width) ?? [];
    this.#byWidth.set(width, values);
    if (values.length < rememberedMax) values.push(value);
    else values[this.#dice.integer(0, rememberedMax - 1)] = value;
  }

  /** 0 <= value < 2^width */
  value(width: number): bigint {
    const dice = this.#dice;
    const remembered = this.#byWidth.get(width);
    const luck = dice.next();
    if (remembered && luck < 0.4) {
      const value = dice.pick(remembered);
      if (dice.chance(0.8)) return value;
      return BigInt.asUintN(width, value + (dice.chance(0.5) ? 1n : -1n));
    }
    if (luck < 0.6) return BigInt.asUintN(width, BigInt(dice.integer(0, 8)));
    if (luck < 0.75) return this.#edge(width);
    return this.random(width);
  }

  random(width: number): bigint {
    let value = 0n;
    for (let bits = 0; bits < width; bits += 30) {
      value = (value << 30n) | BigInt(this.#dice.integer(0, 2 ** 30 - 1));
    }
    return BigInt.asUintN(width, value);
  }

  #edge(width: number): bigint {
    const all = (1n << BigInt(width)) - 1n;
    const top = 1n << BigInt(width - 1);
    return this.#dice.pick([all, all - 1n, top, top - 1n, top + 1n, all >> 1n]) & all;
  }
}
