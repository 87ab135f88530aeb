// SPDX-License-Identifier: Apache-2.0
/** Numbers and bytes side by side, first bit first: what is parsed, deparsed and hashed. */

export class BitString {
  private value = 0n;
  private bits = 0;

  /** The low `width` bits of `value`. */
  append(value: bigint, width: number): void {
    this.value = (this.value << BigInt(width)) | BigInt.asUintN(width, value);
    this.bits += width;
  }

  appendBytes(bytes: Uint8Array): void {
    this.append(numberOf(bytes), 8 * bytes.length);
  }

  /** Padded with zeroes behind the last bit. */
  toBytes(): Uint8Array {
    const bytes = Math.ceil(this.bits / 8);
    if (bytes === 0) return new Uint8Array(0);
    const padded = this.value << BigInt(8 * bytes - this.bits);
    const hex = padded.toString(16).padStart(2 * bytes, '0');
    return Uint8Array.from({ length: bytes }, (_, index) =>
      Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
    );
  }
}

/** `width` bits from bit `offset` of `bytes`, big-endian; bits behind the end are zero. */
export function bitsOf(bytes: Uint8Array, offset: number, width: number): bigint {
  const first = offset >> 3;
  const last = Math.ceil((offset + width) / 8);
  const there = bytes.subarray(first, last);
  const value = numberOf(there) << BigInt(8 * (last - first - there.length));
  return BigInt.asUintN(width, value >> BigInt(8 * last - offset - width));
}

/** Big-endian. */
function numberOf(bytes: Uint8Array): bigint {
  // Most fields are small.
  if (bytes.length <= 6) return BigInt(bytes.reduce((sum, byte) => sum * 256 + byte, 0));
  let hex = '0x';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return BigInt(hex);
}
