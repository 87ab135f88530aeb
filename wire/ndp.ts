// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbour discovery: who has this IPv6 address, and at which MAC address (RFC 4861, sections 4.3 and 4.4).
 *
 * The functions make and read ICMPv6 messages. Around them belongs an IPv6 packet with hop limit `ndpHopLimit`: one that
 * came through a router has less, and must not be believed.
 */

import { ipv6AddressBytes, readIpv6, readMac, writeIpv6, writeMac } from './address.ts';
import { decodeIcmpv6, encodeIcmpv6, icmpv6Types } from './icmp.ts';
import type { Addresses } from './tcp.ts';
import { requireBytes, viewOf, WireError } from './wire-error.ts';

export const ndpHopLimit = 255;
export const ndpOptionKinds = { sourceMac: 1, targetMac: 2 } as const;

export interface NeighbourSolicitation {
  /** Who is looked for. */
  targetAddress: bigint;
  /** Of who asks; absent when he has no address yet (source `::`). */
  sourceMac: number | undefined;
}

export interface NeighbourAdvertisement {
  /** Who is advertised. */
  targetAddress: bigint;
  targetMac: number | undefined;
  isRouter: boolean;
  /** An answer to a solicitation, not an announcement. */
  isSolicited: boolean;
  /** Replaces what the receiver knew before. */
  isOverride: boolean;
}

const routerFlag = 0x80000000;
const solicitedFlag = 0x40000000;
const overrideFlag = 0x20000000;
const macOptionBytes = 8;

/** @param addresses  of the IPv6 packet around it @throws WireError cut-short, bad-length, bad-checksum, unsupported */
export function decodeNeighbourSolicitation(bytes: Uint8Array, addresses: Addresses): NeighbourSolicitation {
  const { targetAddress, mac } = decode(
    bytes,
    addresses,
    icmpv6Types.neighbourSolicitation,
    ndpOptionKinds.sourceMac,
  );
  return { targetAddress, sourceMac: mac };
}

/** @param addresses  of the IPv6 packet around it @throws WireError out-of-range */
export function encodeNeighbourSolicitation(
  message: NeighbourSolicitation,
  addresses: Addresses,
): Uint8Array {
  const payload = body(message.targetAddress, ndpOptionKinds.sourceMac, message.sourceMac);
  return encodeIcmpv6({ type: icmpv6Types.neighbourSolicitation, code: 0, rest: 0, payload }, addresses);
}

/** @param addresses  of the IPv6 packet around it @throws WireError cut-short, bad-length, bad-checksum, unsupported */
export function decodeNeighbourAdvertisement(
  bytes: Uint8Array,
  addresses: Addresses,
): NeighbourAdvertisement {
  const { neighbourAdvertisement } = icmpv6Types;
  const { targetAddress, mac, flags } = decode(
    bytes,
    addresses,
    neighbourAdvertisement,
    ndpOptionKinds.targetMac,
  );
  return {
    targetAddress,
    targetMac: mac,
    isRouter: (flags & routerFlag) !== 0,
    isSolicited: (flags & solicitedFlag) !== 0,
    isOverride: (flags & overrideFlag) !== 0,
  };
}

/** @param addresses  of the IPv6 packet around it @throws WireError out-of-range */
export function encodeNeighbourAdvertisement(
  message: NeighbourAdvertisement,
  addresses: Addresses,
): Uint8Array {
  const flags =
    (message.isRouter ? routerFlag : 0) +
    (message.isSolicited ? solicitedFlag : 0) +
    (message.isOverride ? overrideFlag : 0);
  const payload = body(message.targetAddress, ndpOptionKinds.targetMac, message.targetMac);
  return encodeIcmpv6({ type: icmpv6Types.neighbourAdvertisement, code: 0, rest: flags, payload }, addresses);
}

/** Where a solicitation for the address goes: ff02::1:ff and its last 24 bits (RFC 4291, section 2.7.1). */
export function solicitedNodeAddress(address: bigint): bigint {
  return 0xff02_0000_0000_0000_0000_0001_ff00_0000n | (address & 0xff_ffffn);
}

/** Of an IPv6 multicast address: 33:33 and its last 32 bits (RFC 2464, section 7). */
export function multicastMac(address: bigint): number {
  return 0x3333_0000_0000 + Number(address & 0xffff_ffffn);
}

function decode(bytes: Uint8Array, addresses: Addresses, type: number, optionKind: number) {
  const message = decodeIcmpv6(bytes, addresses);
  if (message.type !== type || message.code !== 0) {
    throw new WireError(
      'unsupported',
      `ICMPv6 of type ${message.type}, code ${message.code}; looked for type ${type}`,
    );
  }
  requireBytes(message.payload, ipv6AddressBytes, 'the target address');
  const targetAddress = readIpv6(viewOf(message.payload), 0);
  const mac = findMac(message.payload.subarray(ipv6AddressBytes), optionKind);
  return { targetAddress, mac, flags: message.rest };
}

/** Options of other kinds are passed over (RFC 4861, section 4.6). */
function findMac(options: Uint8Array, kind: number): number | undefined {
  for (let at = 0; at < options.length; ) {
    requireBytes(options, at + macOptionBytes, `the neighbour discovery option at byte ${at}`);
    const length = options[at + 1]! * 8;
    if (length === 0 || at + length > options.length) {
      throw new WireError('bad-length', `the neighbour discovery option at byte ${at} has ${length} bytes`);
    }
    if (options[at] === kind && length === macOptionBytes) return readMac(viewOf(options), at + 2);
    at += length;
  }
  return undefined;
}

function body(targetAddress: bigint, optionKind: number, mac: number | undefined): Uint8Array {
  const bytes = new Uint8Array(ipv6AddressBytes + (mac === undefined ? 0 : macOptionBytes));
  const view = viewOf(bytes);
  writeIpv6(view, 0, targetAddress);
  if (mac !== undefined) {
    bytes[ipv6AddressBytes] = optionKind;
    bytes[ipv6AddressBytes + 1] = macOptionBytes / 8;
    writeMac(view, ipv6AddressBytes + 2, mac);
  }
  return bytes;
}
