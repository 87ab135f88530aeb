// SPDX-License-Identifier: Apache-2.0
/**
 * IPv6 packets with their extension headers (RFC 8200).
 *
 *   IPv6 header | extension ... extension | payload
 *     next ------> kind    next -----------> protocol
 */

import { ipv6AddressBytes, readIpv6, writeIpv6 } from './address.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const ipv6HeaderBytes = 40;
/** No honest packet has more; a longer chain is refused as unsupported. */
export const extensionsMax = 16;
/** What a kind is followed by lies in RFC 8200, section 4; the authentication header in RFC 4302. */
export const extensionKinds = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  destinationOptions: 60,
} as const;
/** "Next header" when nothing follows. */
export const noNextHeader = 59;

const fragmentBytes = 8;

export interface Ipv6Extension {
  /** One of `extensionKinds`. */
  kind: number;
  /** What follows the bytes "next header" and "length" (or the reserved one); with these a multiple of 8 bytes. */
  data: Uint8Array;
}

export interface Ipv6Packet {
  source: bigint;
  target: bigint;
  /** Of the payload. */
  protocol: number;
  hopLimit: number;
  trafficClass: number;
  flowLabel: number;
  extensions: readonly Ipv6Extension[];
  payload: Uint8Array;
}

export const ipv6Defaults: Readonly<Omit<Ipv6Packet, 'source' | 'target' | 'protocol' | 'payload'>> = {
  hopLimit: 64,
  trafficClass: 0,
  flowLabel: 0,
  extensions: [],
};

/** What a fragment extension says. */
export interface Ipv6Fragment {
  /** In units of 8 bytes. */
  offset: number;
  moreFragments: boolean;
  identification: number;
}

/**
 * Bytes behind the payload length are Ethernet padding and ignored. In a fragment that is not the first, the payload
 * begins behind the fragment header, whatever kind of header it may be the middle of.
 *
 * @returns the packet; extensions and payload share memory with `bytes`
 * @throws WireError cut-short, bad-version, bad-length, unsupported (too many extensions)
 */
export function decodeIpv6(bytes: Uint8Array): Ipv6Packet {
  const { packet, totalBytes } = decodeIpv6Start(bytes);
  requireBytes(bytes, totalBytes, 'the IPv6 packet');
  return packet;
}

/**
 * The beginning of a packet, as an ICMPv6 error quotes it: the headers are whole, the payload need not be.
 *
 * @returns totalBytes: of the packet before it was cut
 * @throws WireError cut-short (within the headers), bad-version, bad-length, unsupported (too many extensions)
 */
export function decodeIpv6Start(bytes: Uint8Array): { packet: Ipv6Packet; totalBytes: number } {
  requireBytes(bytes, ipv6HeaderBytes, 'an IPv6 header');
  const view = viewOf(bytes);
  const start = view.getUint32(0);
  if (start >>> 28 !== 6) throw new WireError('bad-version', `the version is ${start >>> 28}, not 6`);
  const totalBytes = ipv6HeaderBytes + view.getUint16(4);
  const { extensions, protocol, payload } = decodeExtensions(
    view.getUint8(6),
    bytes.subarray(0, totalBytes),
    totalBytes,
  );
  const packet = {
    trafficClass: (start >>> 20) & 0xff,
    flowLabel: start & 0xfffff,
    hopLimit: view.getUint8(7),
    source: readIpv6(view, 8),
    target: readIpv6(view, 8 + ipv6AddressBytes),
    protocol,
    extensions,
    payload,
  };
  return { packet, totalBytes };
}

function decodeExtensions(firstKind: number, bytes: Uint8Array, totalBytes: number) {
  const extensions: Ipv6Extension[] = [];
  let protocol = firstKind;
  let at = ipv6HeaderBytes;
  while (isExtension(protocol)) {
    if (extensions.length === extensionsMax) {
      throw new WireError('unsupported', `more than ${extensionsMax} extension headers`);
    }
    const what = `extension header ${extensions.length + 1} (kind ${protocol}) at byte ${at}`;
    if (at + 8 > totalBytes) throw new WireError('bad-length', `${what} does not fit the packet`);
    requireBytes(bytes, at + 8, what);
    const length = extensionBytes(protocol, bytes[at + 1]!);
    if (at + length > totalBytes) throw new WireError('bad-length', `${what} does not fit the packet`);
    requireBytes(bytes, at + length, what);
    const extension = { kind: protocol, data: bytes.subarray(at + 2, at + length) };
    extensions.push(extension);
    protocol = bytes[at]!;
    at += length;
    if (extension.kind === extensionKinds.fragment && decodeFragment(extension.data).offset !== 0) break;
  }
  return { extensions, protocol, payload: bytes.subarray(at) };
}

function isExtension(kind: number): boolean {
  return (Object.values(extensionKinds) as number[]).includes(kind);
}

function extensionBytes(kind: number, length: number): number {
  if (kind === extensionKinds.fragment) return fragmentBytes;
  // The authentication header counts in words of 4 bytes, and it too leaves out the first 8 bytes.
  return kind === extensionKinds.authentication ? (length + 2) * 4 : (length + 1) * 8;
}

/** @throws WireError out-of-range, bad-length (a crooked extension, too long a packet), unsupported (no extension's kind) */
export function encodeIpv6(packet: Ipv6Packet): Uint8Array {
  const { extensions, payload } = packet;
  requireBits(packet.protocol, 8, 'the protocol');
  requireBits(packet.hopLimit, 8, 'the hop limit');
  requireBits(packet.trafficClass, 8, 'the traffic class');
  requireBits(packet.flowLabel, 20, 'the flow label');
  const extensionsBytes = extensions.reduce((sum, { data }) => sum + 2 + data.length, 0);
  if (extensionsBytes + payload.length > 0xffff) {
    throw new WireError(
      'bad-length',
      `${payload.length} bytes of payload behind ${extensionsBytes} of extensions`,
    );
  }
  const bytes = new Uint8Array(ipv6HeaderBytes + extensionsBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint32(0, ((6 << 28) | (packet.trafficClass << 20) | packet.flowLabel) >>> 0);
  view.setUint16(4, bytes.length - ipv6HeaderBytes);
  view.setUint8(6, extensions[0]?.kind ?? packet.protocol);
  view.setUint8(7, packet.hopLimit);
  writeIpv6(view, 8, packet.source);
  writeIpv6(view, 8 + ipv6AddressBytes, packet.target);
  let at = ipv6HeaderBytes;
  extensions.forEach((extension, index) => {
    bytes[at] = extensions[index + 1]?.kind ?? packet.protocol;
    bytes[at + 1] = lengthOf(extension);
    bytes.set(extension.data, at + 2);
    at += 2 + extension.data.length;
  });
  bytes.set(payload, at);
  return bytes;
}

/** The byte that says how long an extension is. */
function lengthOf({ kind, data }: Ipv6Extension): number {
  const length = 2 + data.length;
  if (!isExtension(kind)) throw new WireError('unsupported', `${kind} is no kind of an extension header`);
  const unit = kind === extensionKinds.authentication ? 4 : 8;
  const isFragment = kind === extensionKinds.fragment;
  if (length < 8 || length % unit !== 0 || length / unit > 256 || (isFragment && length !== fragmentBytes)) {
    throw new WireError('bad-length', `an extension header of kind ${kind} cannot have ${length} bytes`);
  }
  if (isFragment) return 0;
  return kind === extensionKinds.authentication ? length / 4 - 2 : length / 8 - 1;
}

/** @throws WireError cut-short */
export function decodeFragment(data: Uint8Array): Ipv6Fragment {
  requireBytes(data, fragmentBytes - 2, 'a fragment extension');
  const view = viewOf(data);
  const word = view.getUint16(0);
  return { offset: word >>> 3, moreFragments: (word & 1) !== 0, identification: view.getUint32(2) };
}

/** @throws WireError out-of-range */
export function fragmentExtension({ offset, moreFragments, identification }: Ipv6Fragment): Ipv6Extension {
  requireBits(offset, 13, 'the fragment offset');
  requireBits(identification, 32, 'the identification');
  const data = new Uint8Array(fragmentBytes - 2);
  const view = viewOf(data);
  view.setUint16(0, (offset << 3) | (moreFragments ? 1 : 0));
  view.setUint32(2, identification);
  return { kind: extensionKinds.fragment, data };
}

/** An extension with options that all may skip, to any length. @param bytes  of the whole extension, a multiple of 8 */
export function paddingExtension(kind: number, bytes: number): Ipv6Extension {
  const data = new Uint8Array(bytes - 2);
  // Pad1 is a byte of zeros; so zeros are options, each of one byte.
  return { kind, data };
}

/**
 * Cuts a packet as its sender does; its extensions count as parts of every fragment.
 *
 * @param mtu  of each fragment, in bytes
 * @throws WireError bad-length when not even 8 bytes of payload fit
 */
export function fragmentIpv6(packet: Ipv6Packet, mtu: number, identification: number): Ipv6Packet[] {
  const extensionsBytes = packet.extensions.reduce((sum, { data }) => sum + 2 + data.length, 0);
  const room = mtu - ipv6HeaderBytes - extensionsBytes - fragmentBytes;
  const pieceBytes = Math.floor(room / 8) * 8;
  if (pieceBytes < 8) throw new WireError('bad-length', `no fragment fits an MTU of ${mtu} bytes`);
  const fragments: Ipv6Packet[] = [];
  for (let at = 0; at < packet.payload.length; at += pieceBytes) {
    const moreFragments = at + pieceBytes < packet.payload.length;
    const extension = fragmentExtension({ offset: at / 8, moreFragments, identification });
    fragments.push({
      ...packet,
      extensions: [...packet.extensions, extension],
      payload: packet.payload.subarray(at, at + pieceBytes),
    });
  }
  return fragments;
}
