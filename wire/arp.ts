// SPDX-License-Identifier: Apache-2.0
/** ARP for IPv4 over Ethernet (RFC 826). */

import { readMac, writeMac } from './address.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const arpBytes = 28;
export const arpOperations = { request: 1, reply: 2 } as const;

const ethernetHardware = 1;
const ipv4Protocol = 0x0800;
const macBytes = 6;
const ipv4Bytes = 4;

export interface ArpPacket {
  operation: number;
  senderMac: number;
  senderAddress: number;
  targetMac: number;
  targetAddress: number;
}

/** Bytes behind the packet are padding. @throws WireError cut-short, unsupported (other hardware or protocol) */
export function decodeArp(bytes: Uint8Array): ArpPacket {
  requireBytes(bytes, arpBytes, 'an ARP packet');
  const view = viewOf(bytes);
  if (
    view.getUint16(0) !== ethernetHardware ||
    view.getUint16(2) !== ipv4Protocol ||
    view.getUint8(4) !== macBytes ||
    view.getUint8(5) !== ipv4Bytes
  ) {
    throw new WireError('unsupported', 'the ARP packet is not about IPv4 over Ethernet');
  }
  return {
    operation: view.getUint16(6),
    senderMac: readMac(view, 8),
    senderAddress: view.getUint32(14),
    targetMac: readMac(view, 18),
    targetAddress: view.getUint32(24),
  };
}

/** @throws WireError out-of-range */
export function encodeArp(packet: ArpPacket): Uint8Array {
  requireBits(packet.operation, 16, 'the ARP operation');
  requireBits(packet.senderAddress, 32, 'the sender address');
  requireBits(packet.targetAddress, 32, 'the target address');
  const bytes = new Uint8Array(arpBytes);
  const view = viewOf(bytes);
  view.setUint16(0, ethernetHardware);
  view.setUint16(2, ipv4Protocol);
  view.setUint8(4, macBytes);
  view.setUint8(5, ipv4Bytes);
  view.setUint16(6, packet.operation);
  writeMac(view, 8, packet.senderMac);
  view.setUint32(14, packet.senderAddress);
  writeMac(view, 18, packet.targetMac);
  view.setUint32(24, packet.targetAddress);
  return bytes;
}
