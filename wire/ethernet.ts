// SPDX-License-Identifier: Apache-2.0
/** Ethernet II frames, without the frame check sequence: the network card owns that. */

import { readMac, writeMac } from './address.ts';
import { requireBits, requireBytes, viewOf } from './wire-error.ts';

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const ethernetHeaderBytes = 14;

export interface EthernetFrame {
  targetMac: number;
  sourceMac: number;
  etherType: number;
  /** May carry padding behind the packet: short frames are filled up to 60 bytes. */
  payload: Uint8Array;
}

/** @returns the frame; `payload` shares memory with `bytes` @throws WireError cut-short */
export function decodeEthernet(bytes: Uint8Array): EthernetFrame {
  requireBytes(bytes, ethernetHeaderBytes, 'an Ethernet header');
  const view = viewOf(bytes);
  return {
    targetMac: readMac(view, 0),
    sourceMac: readMac(view, 6),
    etherType: view.getUint16(12),
    payload: bytes.subarray(ethernetHeaderBytes),
  };
}

/** @throws WireError out-of-range */
export function encodeEthernet(frame: EthernetFrame): Uint8Array {
  requireBits(frame.etherType, 16, 'the ether type');
  const bytes = new Uint8Array(ethernetHeaderBytes + frame.payload.length);
  const view = viewOf(bytes);
  writeMac(view, 0, frame.targetMac);
  writeMac(view, 6, frame.sourceMac);
  view.setUint16(12, frame.etherType);
  bytes.set(frame.payload, ethernetHeaderBytes);
  return bytes;
}
