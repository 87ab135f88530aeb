// SPDX-License-Identifier: Apache-2.0
/**
 * Generic UDP encapsulation: what a UDP datagram to `guePort` carries (draft-ietf-intarea-gue-09).
 *
 *   variant 0   | 2 variant | 1 control | 5 header length | 8 protocol | 16 flags | extensions | payload
 *   variant 1   an IPv4 or IPv6 packet and nothing else: its first bits, 01, are the variant
 */

import { protocols } from './ipv4.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const guePort = 6080;
export const gueHeaderBytes = 4;

export interface GuePacket {
  variant: 0 | 1;
  /** A message to the tunnel's other end; `protocol` is then a type of messages. */
  isControl: boolean;
  /** Of the payload: `protocols.ipv4` or `protocols.ipv6`. */
  protocol: number;
  flags: number;
  /** A multiple of 4 bytes, at most 124. */
  extensions: Uint8Array;
  payload: Uint8Array;
}

export const gueDefaults: Readonly<Omit<GuePacket, 'protocol' | 'payload'>> = {
  variant: 0,
  isControl: false,
  flags: 0,
  extensions: new Uint8Array(0),
};

/** @returns the packet; extensions and payload share memory with `bytes` @throws WireError cut-short, bad-version */
export function decodeGue(bytes: Uint8Array): GuePacket {
  requireBytes(bytes, gueHeaderBytes, 'a GUE header');
  const view = viewOf(bytes);
  const first = view.getUint8(0);
  const variant = first >>> 6;
  if (variant === 1) {
    const version = first >>> 4;
    if (version !== 4 && version !== 6) {
      throw new WireError('bad-version', `GUE of variant 1 carries IP of version ${version}`);
    }
    const protocol = version === 4 ? protocols.ipv4 : protocols.ipv6;
    return { ...gueDefaults, variant, protocol, payload: bytes };
  }
  if (variant !== 0) throw new WireError('bad-version', `the variant of GUE is ${variant}, not 0 or 1`);
  const headerBytes = gueHeaderBytes + (first & 0x1f) * 4;
  requireBytes(bytes, headerBytes, 'the GUE header with its extensions');
  return {
    variant,
    isControl: (first & 0x20) !== 0,
    protocol: view.getUint8(1),
    flags: view.getUint16(2),
    extensions: bytes.subarray(gueHeaderBytes, headerBytes),
    payload: bytes.subarray(headerBytes),
  };
}

/** @throws WireError out-of-range, bad-length (crooked or too long extensions) */
export function encodeGue({
  variant,
  isControl,
  protocol,
  flags,
  extensions,
  payload,
}: GuePacket): Uint8Array {
  if (variant === 1) return payload;
  if (extensions.length % 4 !== 0 || extensions.length > 0x1f * 4) {
    throw new WireError('bad-length', `${extensions.length} bytes of GUE extensions`);
  }
  requireBits(protocol, 8, 'the protocol');
  requireBits(flags, 16, 'the flags');
  const headerBytes = gueHeaderBytes + extensions.length;
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint8(0, (isControl ? 0x20 : 0) | (extensions.length / 4));
  view.setUint8(1, protocol);
  view.setUint16(2, flags);
  bytes.set(extensions, gueHeaderBytes);
  bytes.set(payload, headerBytes);
  return bytes;
}
