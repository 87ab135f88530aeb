// SPDX-License-Identifier: Apache-2.0
/** GRE (RFC 2784) with the optional key and sequence number of RFC 2890. */

import { internetChecksum } from './checksum.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const greHeaderBytes = 4;

const checksumFlag = 0x8000;
const keyFlag = 0x2000;
const sequenceFlag = 0x1000;
/** Reserved, and not to be passed over: RFC 2784, section 2.3, of the bits that RFC 1701 had a meaning for. */
const reservedFlags = 0x4c00;

export interface GrePacket {
  /** An ether type: `etherTypes.ipv4` or `etherTypes.ipv6`. */
  protocol: number;
  key: number | undefined;
  sequence: number | undefined;
  isChecksummed: boolean;
  payload: Uint8Array;
}

export const greDefaults: Readonly<Omit<GrePacket, 'protocol' | 'payload'>> = {
  key: undefined,
  sequence: undefined,
  isChecksummed: false,
};

/**
 * @returns the packet; `payload` shares memory with `bytes`
 * @throws WireError cut-short, bad-version, bad-checksum, unsupported (source routes and other bits of RFC 1701)
 */
export function decodeGre(bytes: Uint8Array): GrePacket {
  requireBytes(bytes, greHeaderBytes, 'a GRE header');
  const view = viewOf(bytes);
  const flags = view.getUint16(0);
  if ((flags & 7) !== 0) throw new WireError('bad-version', `the version of GRE is ${flags & 7}, not 0`);
  if ((flags & reservedFlags) !== 0) {
    throw new WireError('unsupported', `GRE with reserved flags 0x${flags.toString(16)}`);
  }
  const headerBytes = headerBytesOf(flags);
  requireBytes(bytes, headerBytes, 'the GRE header with its optional fields');
  const isChecksummed = (flags & checksumFlag) !== 0;
  if (isChecksummed && internetChecksum(bytes) !== 0) {
    throw new WireError('bad-checksum', 'the GRE packet is damaged');
  }
  const keyAt = greHeaderBytes + (isChecksummed ? 4 : 0);
  return {
    protocol: view.getUint16(2),
    key: flags & keyFlag ? view.getUint32(keyAt) : undefined,
    sequence: flags & sequenceFlag ? view.getUint32(headerBytes - 4) : undefined,
    isChecksummed,
    payload: bytes.subarray(headerBytes),
  };
}

/** @throws WireError out-of-range */
export function encodeGre({ protocol, key, sequence, isChecksummed, payload }: GrePacket): Uint8Array {
  requireBits(protocol, 16, 'the protocol');
  const flags =
    (isChecksummed ? checksumFlag : 0) |
    (key === undefined ? 0 : keyFlag) |
    (sequence === undefined ? 0 : sequenceFlag);
  const headerBytes = headerBytesOf(flags);
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, flags);
  view.setUint16(2, protocol);
  if (key !== undefined) {
    requireBits(key, 32, 'the key');
    view.setUint32(greHeaderBytes + (isChecksummed ? 4 : 0), key);
  }
  if (sequence !== undefined) {
    requireBits(sequence, 32, 'the sequence number');
    view.setUint32(headerBytes - 4, sequence);
  }
  bytes.set(payload, headerBytes);
  if (isChecksummed) view.setUint16(4, internetChecksum(bytes));
  return bytes;
}

function headerBytesOf(flags: number): number {
  return [checksumFlag, keyFlag, sequenceFlag].reduce(
    (bytes, flag) => bytes + (flags & flag ? 4 : 0),
    greHeaderBytes,
  );
}
