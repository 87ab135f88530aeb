// SPDX-License-Identifier: Apache-2.0
/**
 * ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443). Both have the same shape: type, code, checksum, four octets whose
 * meaning depends on the type, and the rest. Only ICMPv6's checksum covers the addresses.
 *
 *   echo                    rest = identifier, sequence       payload = any bytes
 *   an error                rest = next-hop MTU, if any       payload = the beginning of the packet in error
 */

import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { protocols } from './ipv4.ts';
import type { Addresses } from './tcp.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const icmpHeaderBytes = 8;

export const icmpTypes = {
  echoReply: 0,
  unreachable: 3,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

export const icmpv6Types = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
} as const;

/** Of `unreachable`, ICMP for IPv4. */
export const unreachableCodes = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
} as const;
/** Of `unreachable`, ICMPv6. */
export const unreachableCodesIpv6 = { noRoute: 0, prohibited: 1, address: 3, port: 4 } as const;

export interface IcmpMessage {
  type: number;
  code: number;
  /** The four octets behind the checksum. */
  rest: number;
  payload: Uint8Array;
}

export interface Echo {
  identifier: number;
  sequence: number;
  payload: Uint8Array;
}

/** @returns the message; `payload` shares memory with `bytes` @throws WireError cut-short, bad-checksum */
export function decodeIcmp(bytes: Uint8Array): IcmpMessage {
  return decode(bytes, 0, 'an ICMP message');
}

/** @throws WireError out-of-range */
export function encodeIcmp(message: IcmpMessage): Uint8Array {
  return encode(message, () => 0);
}

/** @returns the message; `payload` shares memory with `bytes` @throws WireError cut-short, bad-checksum */
export function decodeIcmpv6(bytes: Uint8Array, addresses: Addresses): IcmpMessage {
  return decode(bytes, sumOf(addresses, bytes.length), 'an ICMPv6 message');
}

/** @throws WireError out-of-range */
export function encodeIcmpv6(message: IcmpMessage, addresses: Addresses): Uint8Array {
  return encode(message, (length) => sumOf(addresses, length));
}

/** As `rest` and payload of an echo request or reply. @throws WireError out-of-range */
export function echo(type: number, { identifier, sequence, payload }: Echo): IcmpMessage {
  requireBits(identifier, 16, 'the identifier');
  requireBits(sequence, 16, 'the sequence number');
  return { type, code: 0, rest: identifier * 0x10000 + sequence, payload };
}

/** Of a message whose type says that it is an echo. */
export function echoOf({ rest, payload }: IcmpMessage): Echo {
  return { identifier: rest >>> 16, sequence: rest & 0xffff, payload };
}

/** "Too big for the next hop", quoting the packet. @throws WireError out-of-range */
export function fragmentationNeeded(mtu: number, quoted: Uint8Array): IcmpMessage {
  requireBits(mtu, 16, 'the next-hop MTU');
  const { unreachable: type } = icmpTypes;
  return { type, code: unreachableCodes.fragmentationNeeded, rest: mtu, payload: quoted };
}

/** The same of ICMPv6. */
export function packetTooBig(mtu: number, quoted: Uint8Array): IcmpMessage {
  return { type: icmpv6Types.packetTooBig, code: 0, rest: mtu, payload: quoted };
}

/** Whether the message is about another packet, and so must never be answered with an error. */
export function isIcmpError({ type }: IcmpMessage): boolean {
  // 4 (source quench) and 5 (redirect) quote packets too.
  return [3, 4, 5, 11, 12].includes(type);
}

export function isIcmpv6Error({ type }: IcmpMessage): boolean {
  return type < 128;
}

function decode(bytes: Uint8Array, sum: number, what: string): IcmpMessage {
  requireBytes(bytes, icmpHeaderBytes, what);
  if (internetChecksum(bytes, sum) !== 0) throw new WireError('bad-checksum', `${what} is damaged`);
  const view = viewOf(bytes);
  return {
    type: view.getUint8(0),
    code: view.getUint8(1),
    rest: view.getUint32(4),
    payload: bytes.subarray(icmpHeaderBytes),
  };
}

function encode({ type, code, rest, payload }: IcmpMessage, sum: (length: number) => number): Uint8Array {
  requireBits(type, 8, 'the ICMP type');
  requireBits(code, 8, 'the ICMP code');
  requireBits(rest, 32, 'the four octets behind the ICMP checksum');
  const bytes = new Uint8Array(icmpHeaderBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint8(0, type);
  view.setUint8(1, code);
  view.setUint32(4, rest);
  bytes.set(payload, icmpHeaderBytes);
  view.setUint16(2, internetChecksum(bytes, sum(bytes.length)));
  return bytes;
}

function sumOf({ source, target }: Addresses, length: number): number {
  return pseudoHeaderSum(source, target, protocols.icmpv6, length);
}
