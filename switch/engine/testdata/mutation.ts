// SPDX-License-Identifier: Apache-2.0
/** Damage to JSON trees, from a seed: what hostile-json.test.ts sends to the loader. */

export type Random = (below: number) => number;

/** Mulberry32 by Tommy Ettinger, public domain: small, and good enough to wander about. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Container = Record<string | number, unknown>;

interface Place {
  parent: Container;
  key: string | number;
}

/** Changes `json` in one to `changesMax` places. */
export function damage(json: unknown, random: Random, changesMax = 4): void {
  const changes = 1 + random(changesMax);
  for (let change = 0; change < changes; change++) {
    const places = placesOf(json);
    if (places.length > 0) damageAt(places[random(places.length)]!, places, random);
  }
}

function damageAt({ parent, key }: Place, places: readonly Place[], random: Random): void {
  const value = parent[key];
  const other = places[random(places.length)]!;
  switch (random(9)) {
    case 0:
      parent[key] = junk[random(junk.length)]!();
      return;
    case 1:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      return;
    case 2:
      if (Array.isArray(parent)) parent.splice(random(parent.length + 1), 0, structuredClone(value));
      else parent[key] = structuredClone(other.parent[other.key]);
      return;
    case 3:
      // Copies: one may stand inside the other, and a tree must stay one.
      parent[key] = structuredClone(other.parent[other.key]);
      other.parent[other.key] = structuredClone(value);
      return;
    case 4:
      if (Array.isArray(value)) value.reverse();
      else parent[key] = similar(value, random);
      return;
    default:
      parent[key] = sameKind(value, places, random) ?? similar(value, random);
  }
}

/** A value found elsewhere that might stand here. */
function sameKind(value: unknown, places: readonly Place[], random: Random): unknown {
  const candidates = places.filter(({ parent, key }) => kindOf(parent[key]) === kindOf(value));
  if (candidates.length === 0) return undefined;
  const { parent, key } = candidates[random(candidates.length)]!;
  return structuredClone(parent[key]);
}

function kindOf(value: unknown): string {
  if (typeof value === 'string' && value.startsWith('0x')) return 'hex';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

function similar(value: unknown, random: Random): unknown {
  if (typeof value === 'number') return numbers[random(numbers.length)];
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string') return null;
  if (value.startsWith('0x')) return hexes[random(hexes.length)];
  return words[random(words.length)];
}

const numbers = [
  -1,
  0,
  1,
  2,
  31,
  32,
  33,
  63,
  64,
  65,
  400,
  65_535,
  65_536,
  2 ** 24,
  2 ** 31,
  2 ** 53,
  1.5,
  1e300,
];
const hexes = [
  '0x',
  '0x0',
  '0x00',
  '-0x1',
  '0xff',
  '0x0800',
  `0x${'f'.repeat(64)}`,
  `0x${'1'.repeat(40_000)}`,
];
const words = [
  '',
  '__proto__',
  'constructor',
  '$valid$',
  'standard_metadata',
  'a*/ throw 1 /*',
  'b\n throw 1 //',
  '`$(x)` \\',
  '*',
  'push',
  'pop',
  '_jump',
  '_jump_if_zero',
  '/',
  '%',
  '<<',
  'dereference_header_stack',
  'lookahead',
  'extract_VL',
];

const junk: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1e12,
  () => 'x',
  () => '0x1',
  () => [],
  () => ({}),
  () => ({ toString: 1, valueOf: 2 }),
  () => ({ type: 'field', value: ['scalars', '$valid$'] }),
  () => ({ type: 'expression', value: { op: '-', left: null, right: { type: 'hexstr', value: '0x1' } } }),
  () => nested(300),
];

function nested(depth: number): unknown {
  let value: unknown = { type: 'hexstr', value: '0x1' };
  for (let level = 0; level < depth; level++)
    value = { type: 'expression', value: { op: '~', left: null, right: value } };
  return value;
}

function placesOf(root: unknown): Place[] {
  const places: Place[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      // Where the source came from says nothing to anybody.
      if (key === 'source_info') continue;
      places.push({ parent: node as Container, key: Array.isArray(node) ? Number(key) : key });
      walk((node as Container)[key]);
    }
  };
  walk(root);
  return places;
}
