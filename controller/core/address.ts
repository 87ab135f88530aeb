// SPDX-License-Identifier: Apache-2.0
/** Addresses of both families: as text, as keys, and in networks. Two are the same address iff they are `===`. */

import { assert } from './assert.ts';
import type { Address, Ipv4Address, Ipv6Address } from './desired.ts';

export type Family = 'ipv4' | 'ipv6';

export const ADDRESS_BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };

const GROUPS = 8;

export function familyOf(address: Address): Family {
  return typeof address === 'number' ? 'ipv4' : 'ipv6';
}

/** Where an IPv6 address would be a mistake of ours. */
export function requireIpv4(address: Address): Ipv4Address {
  assert(typeof address === 'number', 'only IPv4 comes here');
  return address;
}

/** Where an IPv4 address would be a mistake of ours. */
export function requireIpv6(address: Address): Ipv6Address {
  assert(typeof address === 'bigint', 'only IPv6 comes here');
  return address;
}

/** -1, 0 or 1: IPv4 before IPv6, and by number. */
export function compareAddresses(left: Address, right: Address): number {
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1;
  return left < right ? -1 : Number(left > right);
}

/** 10.0.0.1 for 0x0a000001; 2001:db8::1, as RFC 5952 wants it, for a bigint. */
export function formatAddress(address: Address): string {
  if (typeof address === 'bigint') return formatIpv6(address);
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** '10.0.0.1:80', '[2001:db8::1]:80'. */
export function formatEndpoint({ address, port }: { address: Address; port: number }): string {
  const text = formatAddress(address);
  return typeof address === 'bigint' ? `[${text}]:${port}` : `${text}:${port}`;
}

/** 10.0.0.1 or 2001:db8::1 (RFC 4291, section 2.2, without the form that ends in an IPv4 address); undefined for others. */
export function parseAddressText(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** Part of a row's key: 1 and 1n print alike, and are not the same address. An IPv4 address is its number. */
export function addressKey(address: Address): string {
  return typeof address === 'number' ? String(address) : `${address.toString(16)}:`;
}

/** The first address of the network. */
export function networkOf<A extends Address>(address: A, prefixLength: number): A;
export function networkOf(address: Address, prefixLength: number): Address {
  if (typeof address === 'bigint') {
    const hostBits = BigInt(ADDRESS_BITS.ipv6 - prefixLength);
    return (address >> hostBits) << hostBits;
  }
  // A shift by 32 is a shift by 0 in JavaScript.
  return prefixLength === 0 ? 0 : (address & (0xffffffff << (32 - prefixLength))) >>> 0;
}

/** No address is in a network of the other family. */
export function isInside(address: Address, prefix: Address, prefixLength: number): boolean {
  return (
    typeof address === typeof prefix && networkOf(address, prefixLength) === networkOf(prefix, prefixLength)
  );
}

/** The 32-bit words of an IPv6 address, first word first. */
export function wordsOf(address: Ipv6Address): [number, number, number, number] {
  const word = (shift: bigint): number => Number((address >> shift) & 0xffff_ffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}

function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

function parseIpv6(text: string): Ipv6Address | undefined {
  const [head, tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const before = groupsOf(head!);
  const after = tail === undefined ? [] : groupsOf(tail);
  if (before === undefined || after === undefined) return undefined;
  const left = GROUPS - before.length - after.length;
  // '::' stands for one group at least (RFC 5952: for two; senders of one are understood).
  if (tail === undefined ? left !== 0 : left < 1) return undefined;
  const groups = [...before, ...new Array<number>(left).fill(0), ...after];
  return groups.reduce((address, group) => (address << 16n) | BigInt(group), 0n);
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  return parts.map((part) => Number.parseInt(part, 16));
}

function formatIpv6(address: Ipv6Address): string {
  const groups = wordsOf(address).flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeros(groups);
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}
