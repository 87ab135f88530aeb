// SPDX-License-Identifier: Apache-2.0
/** A frame in words, every checksum in it verified. What is wrong with it stands in its place. */
import { formatIpv4, formatIpv6, formatMac, type IpAddress } from '../../wire/address.ts';
import { arpOperations, decodeArp } from '../../wire/arp.ts';
import { decodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { decodeGre } from '../../wire/gre.ts';
import { decodeGue } from '../../wire/gue.ts';
import {
  decodeIcmp,
  decodeIcmpv6,
  icmpTypes,
  icmpv6Types,
  isIcmpError,
  isIcmpv6Error,
} from '../../wire/icmp.ts';
import { decodeIpv4, decodeIpv4Start, protocols } from '../../wire/ipv4.ts';
import { decodeFragment, decodeIpv6, decodeIpv6Start, extensionKinds } from '../../wire/ipv6.ts';
import { decodeNeighbourAdvertisement } from '../../wire/ndp.ts';
import { decodeTcp, tcpFlags } from '../../wire/tcp.ts';
import { decodeUdp } from '../../wire/udp.ts';
import { hosts } from './lab.ts';

/** An IP packet of either version, as far as it was understood. */
interface Packet {
  source: IpAddress;
  target: IpAddress;
  protocol: number;
  ttl: number;
  payload: Uint8Array;
  isDontFragment: boolean;
  /** In units of 8 octets; undefined: no fragment. */
  fragment: { offset: number; moreFragments: boolean } | undefined;
}

const guePorts = [6080, 6081];

export function frameInWords(frame: Uint8Array): string {
  try {
    const { targetMac, etherType, payload } = decodeEthernet(frame);
    const to = hosts.find(({ mac }) => mac === targetMac)?.name ?? formatMac(targetMac);
    if (etherType === etherTypes.arp) return `to ${to}: ${arpInWords(payload)}`;
    return `to ${to}: ${packetInWords(payload)}`;
  } catch (error) {
    return String(error);
  }
}

function arpInWords(bytes: Uint8Array): string {
  const { operation, senderAddress, senderMac, targetAddress } = decodeArp(bytes);
  const what = operation === arpOperations.reply ? 'arp reply' : 'arp request';
  return `${what} ${formatIpv4(senderAddress)} is at ${formatMac(senderMac)} for ${formatIpv4(targetAddress)}`;
}

function packetInWords(bytes: Uint8Array): string {
  const packet = bytes[0]! >>> 4 === 6 ? fromIpv6(decodeIpv6(bytes)) : fromIpv4(decodeIpv4(bytes));
  return contentInWords(packet);
}

function contentInWords(packet: Packet): string {
  const { source, target, protocol, payload, ttl, fragment } = packet;
  const df = packet.isDontFragment ? ' df' : '';
  const between = `${format(source)} > ${format(target)}`;
  if (fragment) {
    const more = fragment.moreFragments ? ' and more' : '';
    // A first fragment still says its ports, and a checksum that covers what is not there.
    const first =
      fragment.offset === 0 ? ` ports ${portsOf(payload).join(' > ')} ${checksumOf(protocol, payload)}` : '';
    return `${between} fragment at ${fragment.offset * 8}${more}${first} ttl ${ttl}`;
  }
  switch (protocol) {
    case protocols.tcp: {
      const { sourcePort, targetPort, flags, sequence, acknowledgement } = decodeTcp(payload, packet);
      const numbers = flags & tcpFlags.rst ? ` seq ${sequence} ack ${acknowledgement}` : '';
      return `${end(source, sourcePort)} > ${end(target, targetPort)} tcp ${flagNames(flags)}${numbers} ttl ${ttl}`;
    }
    case protocols.udp: {
      const { sourcePort, targetPort, payload: data, isChecksummed } = decodeUdp(payload, packet);
      const ends = `${end(source, sourcePort)} > ${end(target, targetPort)}`;
      if (guePorts.includes(targetPort)) {
        return `${ends} gue ttl ${ttl}${df} [${packetInWords(decodeGue(data).payload)}]`;
      }
      return `${ends} udp${isChecksummed ? '' : ' unchecked'} ttl ${ttl}`;
    }
    case protocols.ipv4:
    case protocols.ipv6:
      return `${between} ipip ttl ${ttl}${df} [${packetInWords(payload)}]`;
    case protocols.gre:
      return `${between} gre ttl ${ttl}${df} [${packetInWords(decodeGre(payload).payload)}]`;
    case protocols.icmp:
    case protocols.icmpv6:
      return `${between} ${icmpInWords(packet)} ttl ${ttl}`;
    default:
      return `${between} protocol ${protocol} ttl ${ttl}`;
  }
}

function icmpInWords(packet: Packet): string {
  const isIpv6 = packet.protocol === protocols.icmpv6;
  const message = isIpv6 ? decodeIcmpv6(packet.payload, packet) : decodeIcmp(packet.payload);
  const { type, code, rest, payload } = message;
  if (isIpv6 ? isIcmpv6Error(message) : isIcmpError(message)) {
    const mtu = rest === 0 ? '' : ` mtu ${rest}`;
    return `icmp error ${type}/${code}${mtu} about [${quotedInWords(payload)}]`;
  }
  if (type === icmpv6Types.neighbourAdvertisement && isIpv6) {
    const told = decodeNeighbourAdvertisement(packet.payload, {
      source: packet.source,
      target: packet.target,
    });
    const flags = [told.isRouter && 'router', told.isSolicited && 'solicited', told.isOverride && 'override'];
    const mac = told.targetMac === undefined ? 'nowhere' : formatMac(told.targetMac);
    return `advertises ${formatIpv6(told.targetAddress)} at ${mac} (${flags.filter(Boolean).join(', ')})`;
  }
  const names: Readonly<Record<number, string>> = isIpv6
    ? { [icmpv6Types.echoReply]: 'echo reply', [icmpv6Types.echoRequest]: 'echo request' }
    : { [icmpTypes.echoReply]: 'echo reply', [icmpTypes.echoRequest]: 'echo request' };
  return `${names[type] ?? `icmp ${type}/${code}`} ${rest}`;
}

function quotedInWords(bytes: Uint8Array): string {
  const packet =
    bytes[0]! >>> 4 === 6 ? fromIpv6(decodeIpv6Start(bytes).packet) : fromIpv4(decodeIpv4Start(bytes).packet);
  const { source, target, payload, ttl, protocol, fragment } = packet;
  const hasPorts =
    (protocol === protocols.tcp || protocol === protocols.udp) && !fragment && payload.length >= 4;
  const ports = hasPorts ? portsOf(payload) : [undefined, undefined];
  // What it covers is not there to verify it.
  const checksum = hasPorts && protocol === protocols.udp ? `, ${checksumOf(protocol, payload)}` : '';
  return `${end(source, ports[0])} > ${end(target, ports[1])} ttl ${ttl}, ${payload.length} octets${checksum}`;
}

function fromIpv4(packet: ReturnType<typeof decodeIpv4>): Packet {
  const { fragmentOffset: offset, moreFragments, dontFragment } = packet;
  const fragment = offset !== 0 || moreFragments ? { offset, moreFragments } : undefined;
  return { ...packet, isDontFragment: dontFragment, fragment };
}

function fromIpv6(packet: ReturnType<typeof decodeIpv6>): Packet {
  const extension = packet.extensions.find(({ kind }) => kind === extensionKinds.fragment);
  return {
    ...packet,
    ttl: packet.hopLimit,
    isDontFragment: false,
    fragment: extension && decodeFragment(extension.data),
  };
}

const format = (address: IpAddress) =>
  typeof address === 'bigint' ? formatIpv6(address) : formatIpv4(address);

function end(address: IpAddress, port: number | undefined): string {
  if (port === undefined) return format(address);
  return typeof address === 'bigint' ? `[${format(address)}]:${port}` : `${format(address)}:${port}`;
}

const portsOf = (payload: Uint8Array) => [(payload[0]! << 8) | payload[1]!, (payload[2]! << 8) | payload[3]!];

/** The checksum of a TCP or UDP header, as it stands there. */
export function checksumOf(protocol: number, payload: Uint8Array): string {
  const at = protocol === protocols.tcp ? 16 : 6;
  return `checksum ${Buffer.from(payload.subarray(at, at + 2)).toString('hex')}`;
}

function flagNames(flags: number): string {
  const names = Object.entries(tcpFlags).filter(([, bit]) => flags & bit);
  return names.map(([name]) => name).join(' ');
}
