// SPDX-License-Identifier: Apache-2.0
/** Frames for fixtures, from the client to the vip unless they say otherwise. IPv6 where an address is. */
import type { IpAddress } from '../../wire/address.ts';
import { encodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { encodeIcmp, encodeIcmpv6, type IcmpMessage } from '../../wire/icmp.ts';
import { encodeIpv4, type Ipv4Packet, ipv4Defaults, protocols } from '../../wire/ipv4.ts';
import { encodeIpv6, type Ipv6Packet, ipv6Defaults } from '../../wire/ipv6.ts';
import { encodeTcp, type TcpSegment, tcpDefaults, tcpFlags } from '../../wire/tcp.ts';
import { encodeUdp } from '../../wire/udp.ts';
import { client, own, vip, vipPorts } from './lab.ts';

/** A packet's addresses, MAC addresses and header fields, all with defaults. */
export interface Around {
  source?: IpAddress;
  target?: IpAddress;
  sourceMac?: number;
  targetMac?: number;
  ttl?: number;
  ipv4?: Partial<Ipv4Packet>;
  ipv6?: Partial<Ipv6Packet>;
}

export interface Segment extends Around {
  sourcePort?: number;
  targetPort?: number;
  flags?: number;
  sequence?: number;
  acknowledgement?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
}

export interface Datagram extends Around {
  sourcePort?: number;
  targetPort?: number;
  payload?: Uint8Array;
  isChecksummed?: boolean;
}

export const clientFlow = 1000;
const someBytes = Uint8Array.of(1, 2, 3, 4, 5);

export const toVip: Around = { source: client.ipv4, target: vip.ipv4 };
export const toVipIpv6: Around = { source: client.ipv6, target: vip.ipv6 };

/** @returns the IP packet, without a frame around it */
export function ipPacket(around: Around, protocol: number, payload: Uint8Array): Uint8Array {
  const { source, target } = addressesOf(around);
  const { ttl = 64 } = around;
  return typeof source === 'bigint'
    ? encodeIpv6({
        ...ipv6Defaults,
        hopLimit: ttl,
        source,
        target: target as bigint,
        protocol,
        payload,
        ...around.ipv6,
      })
    : encodeIpv4({
        ...ipv4Defaults,
        ttl,
        source,
        target: target as number,
        protocol,
        payload,
        ...around.ipv4,
      });
}

export function frameOf(around: Around, packet: Uint8Array): Uint8Array {
  const { sourceMac = client.mac, targetMac = own.mac } = around;
  const etherType = packet[0]! >>> 4 === 6 ? etherTypes.ipv6 : etherTypes.ipv4;
  return encodeEthernet({ targetMac, sourceMac, etherType, payload: packet });
}

export const segmentOf = (segment: Segment): Uint8Array =>
  encodeTcp(
    {
      ...tcpDefaults,
      sourcePort: segment.sourcePort ?? clientFlow,
      targetPort: segment.targetPort ?? vipPorts.tcp,
      flags: segment.flags ?? tcpFlags.ack,
      sequence: segment.sequence ?? 1,
      acknowledgement: segment.acknowledgement ?? 2,
      payload: segment.payload ?? someBytes,
      ...(segment.options && { options: segment.options }),
    } satisfies TcpSegment,
    addressesOf(segment),
  );

export const datagramOf = (datagram: Datagram): Uint8Array =>
  encodeUdp(
    {
      sourcePort: datagram.sourcePort ?? clientFlow,
      targetPort: datagram.targetPort ?? vipPorts.udp,
      payload: datagram.payload ?? someBytes,
      isChecksummed: datagram.isChecksummed ?? true,
    },
    addressesOf(datagram),
  );

export const tcp = (segment: Segment = {}): Uint8Array =>
  frameOf(segment, ipPacket(segment, protocols.tcp, segmentOf(segment)));

export const udp = (datagram: Datagram = {}): Uint8Array =>
  frameOf(datagram, ipPacket(datagram, protocols.udp, datagramOf(datagram)));

export function icmp(around: Around, message: IcmpMessage): Uint8Array {
  const { source, target } = addressesOf(around);
  return typeof source === 'bigint'
    ? frameOf(around, ipPacket(around, protocols.icmpv6, encodeIcmpv6(message, { source, target })))
    : frameOf(around, ipPacket(around, protocols.icmp, encodeIcmp(message)));
}

/** What an ICMP error quotes: the IP header and 8 octets, or as many as are asked for. */
export const quoted = (packet: Uint8Array, octets = 8): Uint8Array =>
  packet.subarray(0, (packet[0]! >>> 4 === 6 ? 40 : (packet[0]! & 15) * 4) + octets);

function addressesOf({ source = client.ipv4, target }: Around): { source: IpAddress; target: IpAddress } {
  return { source, target: target ?? (typeof source === 'bigint' ? vip.ipv6 : vip.ipv4) };
}
