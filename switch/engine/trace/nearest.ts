// SPDX-License-Identifier: Apache-2.0
/** What somebody who mistyped a name may have meant. */

import { distance as editDistance } from 'fastest-levenshtein';

/** Names told. */
const namesMax = 3;

export function nearest(written: string, names: readonly string[]): string {
  const wanted = written.toLowerCase();
  // Who stops early is as near as who mistypes a letter.
  const distance = (name: string) => (name.startsWith(wanted) ? 1 : editDistance(wanted, name));
  const near = [...new Set(names)]
    .map((name) => {
      const suffixes = name.split('.').map((_, index, parts) => parts.slice(index).join('.').toLowerCase());
      return { name, distance: Math.min(...suffixes.map(distance)) };
    })
    .filter((candidate) => candidate.distance <= Math.max(2, written.length / 3))
    .sort((first, second) => first.distance - second.distance)
    .slice(0, namesMax)
    .map(({ name }) => name);
  return near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'no name comes near';
}
