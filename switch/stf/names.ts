// SPDX-License-Identifier: Apache-2.0
/** How a name in an STF file finds its thing in the program: exactly, or as the end of exactly one name. */

import type { KeyField } from '../engine/program.ts';

/** What is wrong with a statement, in words; the runner adds the line. */
export class StatementError extends Error {}

/** @throws StatementError when nothing, or more than one thing, has the name */
export function findNamed<T extends { name: string }>(what: string, name: string, things: readonly T[]): T {
  const exact = things.find((thing) => thing.name === name);
  if (exact !== undefined) return exact;
  // Whole parts first: `frames` is `Ingress.frames` although there is `Ingress.all_frames`.
  const byParts = things.filter((thing) => thing.name.endsWith(`.${name}`));
  const candidates = byParts.length > 0 ? byParts : things.filter((thing) => thing.name.endsWith(name));
  if (candidates.length === 1) return candidates[0]!;
  const names = (candidates.length > 1 ? candidates : things).map((thing) => thing.name).join(', ');
  if (candidates.length > 1) throw new StatementError(`${what} '${name}' may be ${names}`);
  throw new StatementError(`there is no ${what} '${name}'${names === '' ? '' : `; there are ${names}`}`);
}

/**
 * Finds the key field. STF cannot write everything: `stack$0.field` is `stack[0].field`, and `valid` is the hidden
 * validity field.
 *
 * @throws StatementError
 */
export function findKeyField(name: string, key: readonly KeyField[]): number {
  const written = name.replace(/\$(\d+)/g, '[$1]');
  const spellings = [
    written,
    `${written}$`,
    `${written}.$valid$`,
    written.replace(/(^|\.)valid$/, '$1$valid$'),
  ];
  for (const spelling of spellings) {
    const index = key.findIndex((field) => field.name === spelling);
    if (index >= 0) return index;
  }
  for (const spelling of spellings) {
    const indexes = key.flatMap((field, index) => (field.name.endsWith(`.${spelling}`) ? [index] : []));
    if (indexes.length === 1) return indexes[0]!;
    if (indexes.length > 1) {
      const names = indexes.map((index) => key[index]!.name).join(', ');
      throw new StatementError(`the key field '${name}' may be ${names}`);
    }
  }
  throw new StatementError(
    `there is no key field '${name}'; there are ${key.map((field) => field.name).join(', ')}`,
  );
}
