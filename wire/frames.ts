// SPDX-License-Identifier: Apache-2.0
/** Whole frames, as a host of a scene or of a test sends them: layer within layer. */
import { arpOperations, decodeArp, encodeArp } from './arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from './ethernet.ts';
import { encodeIpv4, ipv4Defaults, protocols } from './ipv4.ts';
import { encodeIpv6, ipv6Defaults } from './ipv6.ts';
import { type Addresses, encodeTcp, type TcpSegment, tcpDefaults } from './tcp.ts';

export interface Way extends Addresses {
  sourceMac: number;
  targetMac: number;
}

/** What a frame of TCP may leave open: the first octet of an empty segment. */
const segmentDefaults = { ...tcpDefaults, sequence: 1, acknowledgement: 1 };

/** @throws WireError out-of-range, bad-length */
export function encodeTcpFrame(
  segment: Pick<TcpSegment, 'sourcePort' | 'targetPort' | 'flags'> & Partial<TcpSegment>,
  { source, target, sourceMac, targetMac }: Way,
): Uint8Array {
  const payload = encodeTcp({ ...segmentDefaults, ...segment }, { source, target });
  const around = { protocol: protocols.tcp, payload };
  if (typeof source === 'number' && typeof target === 'number')
    return encodeEthernet({
      targetMac,
      sourceMac,
      etherType: etherTypes.ipv4,
      payload: encodeIpv4({ ...ipv4Defaults, ...around, source, target }),
    });
  return encodeEthernet({
    targetMac,
    sourceMac,
    etherType: etherTypes.ipv6,
    payload: encodeIpv6({ ...ipv6Defaults, ...around, source: BigInt(source), target: BigInt(target) }),
  });
}

/**
 * @param macOf  of the host with this address
 * @returns what that host answers; undefined when the frame is no ARP
 * @throws WireError cut-short, unsupported
 */
export function answerArp(frame: Uint8Array, macOf: (address: number) => number): Uint8Array | undefined {
  const { etherType, payload } = decodeEthernet(frame);
  if (etherType !== etherTypes.arp) return undefined;
  const asked = decodeArp(payload);
  const mac = macOf(asked.targetAddress);
  const answer = encodeArp({
    operation: arpOperations.reply,
    senderMac: mac,
    senderAddress: asked.targetAddress,
    targetMac: asked.senderMac,
    targetAddress: asked.senderAddress,
  });
  return encodeEthernet({ targetMac: asked.senderMac, sourceMac: mac, etherType, payload: answer });
}
