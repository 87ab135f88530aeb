// SPDX-License-Identifier: Apache-2.0
/** Keys of table entries as a client may send them: right, or wrong in one way. */
import { create } from '@bufbuild/protobuf';
import type { Dice } from '../../../controller/core/testing/dice.ts';
import { type FieldMatch, FieldMatchSchema } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { MatchFieldInfo, TableInfo } from '../../../p4runtime/p4info.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Minimal big-endian bytes, zero being one byte. */
export function canonical(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

export function padded(value: bigint, length: number): Uint8Array {
  const bytes = canonical(value);
  const result = new Uint8Array(Math.max(length, bytes.length));
  result.set(bytes, result.length - bytes.length);
  return result;
}

/** Mostly canonical, sometimes with leading zero bytes. */
export function spelled(dice: Dice, value: bigint, width: number): Uint8Array {
  if (dice.chance(0.75)) return canonical(value);
  return padded(value, Math.ceil(width / 8) + (dice.chance(0.2) ? 1 : 0));
}

/** A value that does not fit, whatever its width. */
export function tooWide(width: number): Uint8Array {
  return canonical(1n << BigInt(width));
}

export class KeyMaker {
  readonly #dice: Dice;
  readonly #vocabulary: Vocabulary;

  constructor(dice: Dice, vocabulary: Vocabulary) {
    this.#dice = dice;
    this.#vocabulary = vocabulary;
  }

  /** A key that fits the table. */
  match({ fields }: TableInfo): FieldMatch[] {
    const match: FieldMatch[] = [];
    for (const field of fields) {
      const one = this.#field(field);
      if (one) match.push(one);
    }
    if (this.#dice.chance(0.1)) match.reverse();
    return match;
  }

  priority({ hasPriority }: TableInfo): number {
    if (!hasPriority) return 0;
    // Few, so that ties are common.
    return this.#dice.chance(0.9) ? this.#dice.integer(1, 4) : this.#dice.integer(1, 2 ** 31 - 2);
  }

  /** @returns undefined for a field left out */
  #field({ id, kind, bitwidth }: MatchFieldInfo): FieldMatch | undefined {
    const dice = this.#dice;
    if (kind !== 'exact' && dice.chance(0.2)) return undefined;
    const value = this.#vocabulary.value(bitwidth);
    const all = (1n << BigInt(bitwidth)) - 1n;
    const spell = (number: bigint) => spelled(dice, number, bitwidth);
    switch (kind) {
      case 'exact':
      case 'optional':
        this.#vocabulary.remember(bitwidth, value);
        return create(FieldMatchSchema, {
          fieldId: id,
          fieldMatchType: { case: kind, value: { value: spell(value) } },
        });
      case 'lpm': {
        const prefixLen = dice.chance(0.3) ? bitwidth : dice.integer(1, bitwidth);
        const prefix = (value >> BigInt(bitwidth - prefixLen)) << BigInt(bitwidth - prefixLen);
        this.#vocabulary.remember(bitwidth, prefix);
        if (prefixLen > 8) this.#vocabulary.remember(bitwidth, value);
        const lpm = { value: spell(prefix), prefixLen };
        return create(FieldMatchSchema, { fieldId: id, fieldMatchType: { case: kind, value: lpm } });
      }
      case 'ternary': {
        const mask = this.#mask(bitwidth);
        if (mask === 0n) return undefined;
        this.#vocabulary.remember(bitwidth, value);
        const ternary = { value: spell(value & mask), mask: spell(mask) };
        return create(FieldMatchSchema, { fieldId: id, fieldMatchType: { case: kind, value: ternary } });
      }
      case 'range': {
        const other = dice.chance(0.3) ? value : this.#vocabulary.value(bitwidth);
        const [low, high] = value < other ? [value, other] : [other, value];
        if (low === 0n && high === all) return undefined;
        this.#vocabulary.remember(bitwidth, low);
        this.#vocabulary.remember(bitwidth, high);
        // Written short, a bound of ff, ffff, ... is taken for the end of a shorter field by simple_switch_grpc.
        const length = Math.ceil(bitwidth / 8);
        const range = { low: padded(low, length), high: padded(high, length) };
        return create(FieldMatchSchema, { fieldId: id, fieldMatchType: { case: kind, value: range } });
      }
    }
  }

  #mask(width: number): bigint {
    const dice = this.#dice;
    const all = (1n << BigInt(width)) - 1n;
    const luck = dice.next();
    if (luck < 0.4) return all;
    if (luck < 0.6) return all ^ (all >> BigInt(dice.integer(0, width)));
    if (luck < 0.8) return 1n << BigInt(dice.integer(0, width - 1));
    return this.#vocabulary.random(width);
  }

  /** Makes the match wrong in one way; some of the ways are no error everywhere. */
  spoil(table: TableInfo, match: FieldMatch[]): void {
    const dice = this.#dice;
    if (match.length === 0) {
      match.push(create(FieldMatchSchema, { fieldId: 1 }));
      return;
    }
    const victim = dice.pick(match);
    const width = table.fields.find(({ id }) => id === victim.fieldId)?.bitwidth ?? 8;
    const given = victim.fieldMatchType;
    const ways: (() => void)[] = [
      () => {
        victim.fieldId = dice.pick([0, 77, 4_000_000_000]);
      },
      () => match.push(dice.pick(match)),
      () => match.splice(match.indexOf(victim), 1),
      () => {
        victim.fieldMatchType = { case: undefined };
      },
      () => {
        const kind = given.case === 'exact' ? 'optional' : 'exact';
        victim.fieldMatchType = create(FieldMatchSchema, {
          fieldMatchType: { case: kind, value: { value: Uint8Array.of(1) } },
        }).fieldMatchType;
      },
    ];
    switch (given.case) {
      case 'exact':
      case 'optional':
        ways.push(
          () => {
            given.value.value = tooWide(width);
          },
          () => {
            given.value.value = new Uint8Array(0);
          },
        );
        break;
      case 'lpm':
        ways.push(
          () => {
            given.value.prefixLen = dice.pick([0, -1, width + 1, 1000]);
          },
          () => {
            given.value.value = tooWide(width);
          },
          () => {
            given.value.value = canonical((1n << BigInt(width)) - 1n);
          },
        );
        break;
      case 'ternary':
        ways.push(
          () => {
            given.value.mask = Uint8Array.of(0);
          },
          () => {
            given.value.mask = tooWide(width);
          },
          () => {
            given.value.value = canonical((1n << BigInt(width)) - 1n);
          },
          () => {
            given.value.mask = new Uint8Array(0);
          },
        );
        break;
      case 'range':
        ways.push(
          () => {
            const { low, high } = given.value;
            given.value.low = high;
            given.value.high = low;
          },
          () => {
            given.value.low = Uint8Array.of(0);
            given.value.high = canonical((1n << BigInt(width)) - 1n);
          },
          () => {
            given.value.high = tooWide(width);
          },
        );
    }
    dice.pick(ways)();
  }
}
