// SPDX-License-Identifier: Apache-2.0
/** IPv4 packets (RFC 791). The checksum is not a field: it is verified on the way in and computed on the way out. */

import { internetChecksum } from './checksum.ts';
import { requireBits, requireBytes, viewOf, WireError } from './wire-error.ts';

export const ipv4HeaderBytes = 20;
/** Of the payload, in IPv4's protocol field and in IPv6's next header alike; `ipv4` and `ipv6` are IP in IP. */
export const protocols = { icmp: 1, ipv4: 4, tcp: 6, udp: 17, ipv6: 41, gre: 47, icmpv6: 58 } as const;

export interface Ipv4Packet {
  source: number;
  target: number;
  protocol: number;
  ttl: number;
  trafficClass: number;
  identification: number;
  dontFragment: boolean;
  moreFragments: boolean;
  /** In units of 8 bytes. */
  fragmentOffset: number;
  /** A multiple of 4 bytes, at most 40. */
  options: Uint8Array;
  payload: Uint8Array;
}

export const ipv4Defaults: Readonly<Omit<Ipv4Packet, 'source' | 'target' | 'protocol' | 'payload'>> = {
  ttl: 64,
  trafficClass: 0,
  identification: 0,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  options: new Uint8Array(0),
};

/**
 * Bytes behind the total length are Ethernet padding and ignored.
 *
 * @returns the packet; `options` and `payload` share memory with `bytes`
 * @throws WireError cut-short, bad-version, bad-length, bad-checksum
 */
export function decodeIpv4(bytes: Uint8Array): Ipv4Packet {
  const { packet, totalBytes } = decodeIpv4Start(bytes);
  requireBytes(bytes, totalBytes, 'the IPv4 packet');
  return packet;
}

/**
 * The beginning of a packet, as an ICMP error quotes it: the header is whole, the payload need not be.
 *
 * @returns totalBytes: of the packet before it was cut
 * @throws WireError cut-short (within the header), bad-version, bad-length, bad-checksum
 */
export function decodeIpv4Start(bytes: Uint8Array): { packet: Ipv4Packet; totalBytes: number } {
  requireBytes(bytes, ipv4HeaderBytes, 'an IPv4 header');
  const view = viewOf(bytes);
  const version = view.getUint8(0) >>> 4;
  if (version !== 4) {
    throw new WireError('bad-version', `the version is ${version}, not 4`);
  }
  const headerBytes = (view.getUint8(0) & 15) * 4;
  const totalBytes = view.getUint16(2);
  if (headerBytes < ipv4HeaderBytes || totalBytes < headerBytes) {
    throw new WireError('bad-length', `header of ${headerBytes} bytes in a packet of ${totalBytes} bytes`);
  }
  requireBytes(bytes, headerBytes, 'the IPv4 header with its options');
  if (internetChecksum(bytes.subarray(0, headerBytes)) !== 0) {
    throw new WireError('bad-checksum', 'the IPv4 header is damaged');
  }
  const fragment = view.getUint16(6);
  const packet = {
    trafficClass: view.getUint8(1),
    identification: view.getUint16(4),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: fragment & 0x1fff,
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    source: view.getUint32(12),
    target: view.getUint32(16),
    options: bytes.subarray(ipv4HeaderBytes, headerBytes),
    payload: bytes.subarray(headerBytes, totalBytes),
  };
  return { packet, totalBytes };
}

/** @throws WireError out-of-range, bad-length (options or payload too long or crooked) */
export function encodeIpv4(packet: Ipv4Packet): Uint8Array {
  const { options, payload } = packet;
  const headerBytes = ipv4HeaderBytes + options.length;
  if (options.length % 4 !== 0 || options.length > 40 || headerBytes + payload.length > 0xffff) {
    throw new WireError('bad-length', `${options.length} bytes of options, ${payload.length} of payload`);
  }
  requireBits(packet.source, 32, 'the source address');
  requireBits(packet.target, 32, 'the target address');
  requireBits(packet.protocol, 8, 'the protocol');
  requireBits(packet.ttl, 8, 'the TTL');
  requireBits(packet.trafficClass, 8, 'the traffic class');
  requireBits(packet.identification, 16, 'the identification');
  requireBits(packet.fragmentOffset, 13, 'the fragment offset');

  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint8(0, (4 << 4) | (headerBytes / 4));
  view.setUint8(1, packet.trafficClass);
  view.setUint16(2, bytes.length);
  view.setUint16(4, packet.identification);
  view.setUint16(
    6,
    (packet.dontFragment ? 0x4000 : 0) | (packet.moreFragments ? 0x2000 : 0) | packet.fragmentOffset,
  );
  view.setUint8(8, packet.ttl);
  view.setUint8(9, packet.protocol);
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.target);
  bytes.set(options, ipv4HeaderBytes);
  view.setUint16(10, internetChecksum(bytes.subarray(0, headerBytes)));
  bytes.set(payload, headerBytes);
  return bytes;
}

/**
 * Cuts a packet as a router does.
 *
 * @param mtu  of each fragment, in bytes
 * @returns packets whose payloads make up the payload; [packet] when it fits
 * @throws WireError bad-length when not even 8 bytes of payload fit
 */
export function fragmentIpv4(packet: Ipv4Packet, mtu: number): Ipv4Packet[] {
  const headerBytes = ipv4HeaderBytes + packet.options.length;
  if (headerBytes + packet.payload.length <= mtu) return [packet];
  const pieceBytes = Math.floor((mtu - headerBytes) / 8) * 8;
  if (pieceBytes < 8) throw new WireError('bad-length', `no fragment fits an MTU of ${mtu} bytes`);
  const fragments: Ipv4Packet[] = [];
  for (let at = 0; at < packet.payload.length; at += pieceBytes) {
    fragments.push({
      ...packet,
      // We copy every option; which of them need it is RFC 791's first bit of each.
      dontFragment: false,
      moreFragments: packet.moreFragments || at + pieceBytes < packet.payload.length,
      fragmentOffset: packet.fragmentOffset + at / 8,
      payload: packet.payload.subarray(at, at + pieceBytes),
    });
  }
  return fragments;
}
