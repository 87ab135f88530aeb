// SPDX-License-Identifier: Apache-2.0
/**
 * Addresses as numbers and as text. On the inside they are numbers: 10.0.0.1 is 0x0a000001, MACs are below 2^48.
 * IPv6 addresses are bigints, so that the family of an address is the type of its number.
 */

import { requireBigBits, requireBits, WireError } from './wire-error.ts';

export const broadcastMac = 0xffffffffffff;
export const ipv6AddressBytes = 16;

/** Of IPv4 (number) or of IPv6 (bigint). */
export type IpAddress = number | bigint;

/** @throws WireError out-of-range */
export function formatIpv4(address: number): string {
  requireBits(address, 32, 'an IPv4 address');
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** @throws WireError out-of-range unless `text` is four decimal numbers of 0..255 without leading zeros */
export function parseIpv4(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    throw new WireError('out-of-range', `'${text}' is no IPv4 address such as 10.0.0.1`);
  }
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/** The one text of RFC 5952: lower case, no leading zeros, the first of the longest runs of zeros as `::`. @throws WireError out-of-range */
export function formatIpv6(address: bigint): string {
  requireBigBits(address, 128, 'an IPv6 address');
  const groups = ipv6Groups(address);
  if (address >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(address & 0xffff_ffffn))}`;
  const text = groups.map((group) => group.toString(16));
  let [start, length] = [-1, 1];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  if (start === -1) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(start + length).join(':')}`;
}

/** @throws WireError out-of-range unless `text` is an address of RFC 4291, section 2.2, without a zone */
export function parseIpv6(text: string): bigint {
  const refuse = () => new WireError('out-of-range', `'${text}' is no IPv6 address such as 2001:db8::1`);
  const halves = text.split('::');
  if (halves.length > 2) throw refuse();
  const [head, tail] = halves.map((half, index) => {
    const parts = half === '' ? [] : half.split(':');
    const last = parts.at(-1);
    // 64:ff9b::192.0.2.1; only the end of the address may be written so.
    if (last?.includes('.') && index === halves.length - 1) {
      const address = parseIpv4(last);
      parts.splice(-1, 1, (address >>> 16).toString(16), (address & 0xffff).toString(16));
    }
    if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) throw refuse();
    return parts.map((part) => Number.parseInt(part, 16));
  });
  const zeros = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? zeros !== 0 : zeros < 1) throw refuse();
  const groups = [...head!, ...new Array<number>(zeros).fill(0), ...(tail ?? [])];
  return groups.reduce((address, group) => (address << 16n) | BigInt(group), 0n);
}

function ipv6Groups(address: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((address >> BigInt(112 - 16 * i)) & 0xffffn));
}

/** Reads 128 bits at `offset`. */
export function readIpv6(view: DataView, offset: number): bigint {
  return (view.getBigUint64(offset) << 64n) | view.getBigUint64(offset + 8);
}

/** @throws WireError out-of-range */
export function writeIpv6(view: DataView, offset: number, address: bigint): void {
  requireBigBits(address, 128, 'an IPv6 address');
  view.setBigUint64(offset, address >> 64n);
  view.setBigUint64(offset + 8, address & 0xffff_ffff_ffff_ffffn);
}

/** @throws WireError out-of-range */
export function formatMac(mac: number): string {
  requireBits(mac, 48, 'a MAC address');
  return mac.toString(16).padStart(12, '0').match(/../g)!.join(':');
}

/** @throws WireError out-of-range unless `text` is six pairs of hexadecimal digits with colons between */
export function parseMac(text: string): number {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new WireError('out-of-range', `'${text}' is no MAC address such as 02:00:00:00:00:01`);
  }
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** Reads 48 bits at `offset`. */
export function readMac(view: DataView, offset: number): number {
  return view.getUint16(offset) * 0x100000000 + view.getUint32(offset + 2);
}

/** @throws WireError out-of-range */
export function writeMac(view: DataView, offset: number, mac: number): void {
  requireBits(mac, 48, 'a MAC address');
  view.setUint16(offset, Math.floor(mac / 0x100000000));
  view.setUint32(offset + 2, mac % 0x100000000);
}
