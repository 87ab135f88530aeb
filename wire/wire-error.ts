// SPDX-License-Identifier: Apache-2.0
/** Why bytes could not be read as a packet, or a packet not be written as bytes. */

/**
 * cut-short: fewer bytes than the header needs or promises. bad-version, bad-length, bad-checksum: the header contradicts
 * itself or its payload. unsupported: well formed, but nothing we speak. out-of-range: a field does not fit its bits.
 */
export type WireErrorCode =
  | 'cut-short'
  | 'bad-version'
  | 'bad-length'
  | 'bad-checksum'
  | 'unsupported'
  | 'out-of-range';

export class WireError extends Error {
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string) {
    super(`${code}: ${message}`);
    this.name = 'WireError';
    this.code = code;
  }
}

/** @throws WireError cut-short */
export function requireBytes(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length < length) {
    throw new WireError('cut-short', `${what} needs ${length} bytes, there are ${bytes.length}`);
  }
}

/** @throws WireError out-of-range unless `value` is an integer of at most `bits` bits */
export function requireBits(value: number, bits: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** bits) {
    throw new WireError('out-of-range', `${what} must be an integer of ${bits} bits, it is ${value}`);
  }
}

/** @throws WireError out-of-range unless `value` has at most `bits` bits */
export function requireBigBits(value: bigint, bits: number, what: string): void {
  if (value < 0n || value >> BigInt(bits) !== 0n) {
    throw new WireError('out-of-range', `${what} must be an integer of ${bits} bits, it is ${value}`);
  }
}

/** @returns a view of the same bytes; numbers on the wire are big-endian, which is DataView's default */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
