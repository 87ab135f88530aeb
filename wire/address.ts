// SPDX-License-Identifier: Apache-2.0
/** Addresses as numbers and as text. On the inside they are numbers: 10.0.0.1 is 0x0a000001, MACs are below 2^48. */

import { requireBits, WireError } from './wire-error.ts';

export const broadcastMac = 0xffffffffffff;

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
