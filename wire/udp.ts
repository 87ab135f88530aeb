// SPDX-License-Identifier: Apache-2.0
/** UDP datagrams (RFC 768). Checksum 0 on the wire means that the sender computed none. */

import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { protocols } from './ipv4.ts';
import type { Addresses } from './tcp.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const udpHeaderBytes = 8;

export interface UdpDatagram {
  sourcePort: number;
  targetPort: number;
  isChecksummed: boolean;
  payload: Uint8Array;
}

/**
 * @returns the datagram; `payload` shares memory with `bytes`
 * @throws WireError cut-short, bad-length, bad-checksum
 */
export function decodeUdp(bytes: Uint8Array, addresses: Addresses): UdpDatagram {
  requireBytes(bytes, udpHeaderBytes, 'a UDP header');
  const view = viewOf(bytes);
  const length = view.getUint16(4);
  if (length < udpHeaderBytes) {
    throw new WireError('bad-length', `the UDP length is ${length}, less than its header`);
  }
  requireBytes(bytes, length, 'the UDP datagram');
  const datagram = bytes.subarray(0, length);
  const isChecksummed = view.getUint16(6) !== 0;
  if (isChecksummed && checksumOf(datagram, addresses) !== 0) {
    throw new WireError('bad-checksum', 'the UDP datagram is damaged');
  }
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    isChecksummed,
    payload: datagram.subarray(udpHeaderBytes),
  };
}

/** @throws WireError out-of-range, bad-length */
export function encodeUdp(datagram: UdpDatagram, addresses: Addresses): Uint8Array {
  requireBits(datagram.sourcePort, 16, 'the source port');
  requireBits(datagram.targetPort, 16, 'the target port');
  const bytes = new Uint8Array(udpHeaderBytes + datagram.payload.length);
  if (bytes.length > 0xffff) {
    throw new WireError('bad-length', `${datagram.payload.length} bytes do not fit a UDP datagram`);
  }
  const view = viewOf(bytes);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.targetPort);
  view.setUint16(4, bytes.length);
  bytes.set(datagram.payload, udpHeaderBytes);
  if (datagram.isChecksummed) {
    // A sum that comes out as 0 is sent as its other form, 0xffff.
    view.setUint16(6, checksumOf(bytes, addresses) || 0xffff);
  }
  return bytes;
}

function checksumOf(bytes: Uint8Array, { source, target }: Addresses): number {
  return internetChecksum(bytes, pseudoHeaderSum(source, target, protocols.udp, bytes.length));
}
