// SPDX-License-Identifier: Apache-2.0
/**
 * TCP segments (RFC 9293). The checksum is not a field; it needs the addresses of the IP packet around the segment, so
 * both directions take them.
 */

import type { IpAddress } from './address.ts';
import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { protocols } from './ipv4.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const tcpHeaderBytes = 20;
export const tcpFlags = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/** Of the IP packet that carries the segment; both of one family. */
export interface Addresses {
  source: IpAddress;
  target: IpAddress;
}

export interface TcpSegment {
  sourcePort: number;
  targetPort: number;
  sequence: number;
  acknowledgement: number;
  /** Bits of `tcpFlags`. */
  flags: number;
  window: number;
  urgent: number;
  /** A multiple of 4 bytes, at most 40. */
  options: Uint8Array;
  payload: Uint8Array;
}

export const tcpDefaults: Readonly<Pick<TcpSegment, 'window' | 'urgent' | 'options' | 'payload'>> = {
  window: 0xffff,
  urgent: 0,
  options: new Uint8Array(0),
  payload: new Uint8Array(0),
};

/**
 * @returns the segment; `options` and `payload` share memory with `bytes`
 * @throws WireError cut-short, bad-length, bad-checksum
 */
export function decodeTcp(bytes: Uint8Array, addresses: Addresses): TcpSegment {
  requireBytes(bytes, tcpHeaderBytes, 'a TCP header');
  const view = viewOf(bytes);
  const headerBytes = (view.getUint8(12) >>> 4) * 4;
  if (headerBytes < tcpHeaderBytes || headerBytes > bytes.length) {
    throw new WireError('bad-length', `header of ${headerBytes} bytes in a segment of ${bytes.length} bytes`);
  }
  if (checksumOf(bytes, addresses) !== 0) {
    throw new WireError('bad-checksum', 'the TCP segment is damaged');
  }
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    urgent: view.getUint16(18),
    options: bytes.subarray(tcpHeaderBytes, headerBytes),
    payload: bytes.subarray(headerBytes),
  };
}

/** @throws WireError out-of-range, bad-length (options too long or crooked) */
export function encodeTcp(segment: TcpSegment, addresses: Addresses): Uint8Array {
  const { options, payload } = segment;
  if (options.length % 4 !== 0 || options.length > 40) {
    throw new WireError('bad-length', `${options.length} bytes of TCP options`);
  }
  requireBits(segment.sourcePort, 16, 'the source port');
  requireBits(segment.targetPort, 16, 'the target port');
  requireBits(segment.sequence, 32, 'the sequence number');
  requireBits(segment.acknowledgement, 32, 'the acknowledgement');
  requireBits(segment.flags, 8, 'the flags');
  requireBits(segment.window, 16, 'the window');
  requireBits(segment.urgent, 16, 'the urgent pointer');

  const headerBytes = tcpHeaderBytes + options.length;
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.targetPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgement);
  view.setUint8(12, (headerBytes / 4) << 4);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  view.setUint16(18, segment.urgent);
  bytes.set(options, tcpHeaderBytes);
  bytes.set(payload, headerBytes);
  view.setUint16(16, checksumOf(bytes, addresses));
  return bytes;
}

function checksumOf(bytes: Uint8Array, { source, target }: Addresses): number {
  return internetChecksum(bytes, pseudoHeaderSum(source, target, protocols.tcp, bytes.length));
}
