// SPDX-License-Identifier: Apache-2.0
/** The factors by which weights follow load, as notes for who leads next. */
import { NoteKeeper, type NoteKeeperWorld } from './note-keeper.ts';

/** ln(factor) by backend. */
export type Factors = ReadonlyMap<string, number>;

/** By vip. */
export type FactorKeeper = NoteKeeper<Factors>;

export function factorKeeper(world: NoteKeeperWorld): FactorKeeper {
  return new NoteKeeper(world, {
    encode: (factors) => JSON.stringify(Object.fromEntries(factors)),
    decode: factorsIn,
    unreadable: 'weights by load do not go on from those of before',
    unwritable: 'weights by load are not kept',
  });
}

/** @throws Error when it is something else */
function factorsIn(text: string): Factors {
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return new Map(
    entries.filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]),
    ),
  );
}
