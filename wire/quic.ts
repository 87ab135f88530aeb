// SPDX-License-Identifier: Apache-2.0
/** The part of QUIC packets that every version shares: where the connection ids are (RFC 8999). */

import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const quicVersion1 = 1;
/** Of version 1 (RFC 9000, section 17.2); `rest` has the length that the invariants allow. */
export const connectionIdBytesMax = 20;
/** Types of long headers, as in version 1. */
export const quicPacketTypes = { initial: 0, zeroRtt: 1, handshake: 2, retry: 3 } as const;

const longForm = 0x80;
const fixedBit = 0x40;

export interface QuicLongHeader {
  form: 'long';
  /** The first byte's low seven bits, which belong to the version; in version 1: the fixed bit, two bits of type, four more. */
  firstBits: number;
  version: number;
  targetConnectionId: Uint8Array;
  sourceConnectionId: Uint8Array;
  /** Token, length, packet number, frames: protected, or as the version has it. */
  rest: Uint8Array;
}

export interface QuicShortHeader {
  form: 'short';
  firstBits: number;
  /** Its length is not on the wire: the reader knows what it issues. */
  targetConnectionId: Uint8Array;
  rest: Uint8Array;
}

export type QuicPacket = QuicLongHeader | QuicShortHeader;

/**
 * @param connectionIdBytes  of the connection ids that servers issue; for short headers
 * @returns parts that share memory with `bytes`
 * @throws WireError cut-short
 */
export function decodeQuic(bytes: Uint8Array, connectionIdBytes: number): QuicPacket {
  requireBytes(bytes, 1, 'a QUIC packet');
  const firstBits = bytes[0]! & ~longForm;
  if ((bytes[0]! & longForm) === 0) {
    requireBytes(bytes, 1 + connectionIdBytes, 'a QUIC short header');
    const targetConnectionId = bytes.subarray(1, 1 + connectionIdBytes);
    return { form: 'short', firstBits, targetConnectionId, rest: bytes.subarray(1 + connectionIdBytes) };
  }
  requireBytes(bytes, 6, 'a QUIC long header');
  const targetEnd = 6 + bytes[5]!;
  requireBytes(bytes, targetEnd + 1, "a QUIC long header's destination connection id");
  const sourceEnd = targetEnd + 1 + bytes[targetEnd]!;
  requireBytes(bytes, sourceEnd, "a QUIC long header's source connection id");
  return {
    form: 'long',
    firstBits,
    version: viewOf(bytes).getUint32(1),
    targetConnectionId: bytes.subarray(6, targetEnd),
    sourceConnectionId: bytes.subarray(targetEnd + 1, sourceEnd),
    rest: bytes.subarray(sourceEnd),
  };
}

/** @throws WireError out-of-range, bad-length (a connection id of more than 255 bytes) */
export function encodeQuic(packet: QuicPacket): Uint8Array {
  requireBits(packet.firstBits, 7, "the first byte's low bits");
  if (packet.form === 'short') {
    return Uint8Array.of(packet.firstBits, ...packet.targetConnectionId, ...packet.rest);
  }
  const { targetConnectionId, sourceConnectionId } = packet;
  requireBits(packet.version, 32, 'the version');
  for (const { length } of [targetConnectionId, sourceConnectionId]) {
    if (length > 255) throw new WireError('bad-length', `a connection id of ${length} bytes`);
  }
  const version = new Uint8Array(4);
  viewOf(version).setUint32(0, packet.version);
  return Uint8Array.of(
    longForm | packet.firstBits,
    ...version,
    targetConnectionId.length,
    ...targetConnectionId,
    sourceConnectionId.length,
    ...sourceConnectionId,
    ...packet.rest,
  );
}

/** First bits of version 1: the fixed bit, and the type of a long header. */
export function longHeaderBits(type: number): number {
  requireBits(type, 2, 'the type of a QUIC packet');
  return fixedBit | (type << 4);
}

/** First bits of version 1's short header. */
export const shortHeaderBits = fixedBit;
