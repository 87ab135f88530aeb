// SPDX-License-Identifier: Apache-2.0
/** What does not fit in a configuration whose parts are well-formed each, and what the checks of it have in common. */
import type { Address } from '../core/desired.ts';

export type Path = readonly (string | number)[];

export interface Inconsistency {
  severity: 'error' | 'warning';
  path: Path;
  wrong: string;
  right: string;
  /** The other place, where two do not fit together. */
  elsewhere?: Path | undefined;
}

export function error(path: Path, wrong: string, right: string, elsewhere?: Path): Inconsistency {
  return { severity: 'error', path, wrong, right, elsewhere };
}

export function warning(path: Path, wrong: string, right: string): Inconsistency {
  return { severity: 'warning', path, wrong, right };
}

export function* tooMany(
  path: Path,
  count: number,
  most: number,
  what = String(path.at(-1)),
): Generator<Inconsistency> {
  if (count > most) yield error(path, `${count} ${what}`, `at most ${most}`);
}

/**
 * A unicast address that means the same everywhere: neither 0/8, loopback, multicast nor broadcast; for IPv6 neither
 * unspecified, loopback, an IPv4 address in disguise, link-local nor multicast (RFC 4291).
 */
export function isHost(address: Address): boolean {
  if (typeof address === 'bigint')
    return address >> 48n !== 0n && address >> 118n !== 0x3fan && address >> 120n !== 0xffn;
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** 'a, b or c'. */
export const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

export const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;
