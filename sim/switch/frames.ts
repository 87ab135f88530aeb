// SPDX-License-Identifier: Apache-2.0
/** Packets of the simulator as frames on a wire, and back. */

import { requireIpv4 } from '../../controller/core/address.ts';
import { encodeEthernet, ethernetHeaderBytes, etherTypes } from '../../wire/ethernet.ts';
import { decodeIpv4, encodeIpv4, ipv4Defaults, protocols } from '../../wire/ipv4.ts';
import { decodeTcp, encodeTcp, tcpDefaults, tcpFlags } from '../../wire/tcp.ts';
import { decodeUdp, encodeUdp } from '../../wire/udp.ts';
import type { Flow, Packet, PacketFlags } from './sim-switch.ts';

const clientMac = 0x020000000001;
const switchMac = 0x0200000000fe;
/** Something for the checksum to cover. */
const payload = new Uint8Array([1, 2, 3, 4]);
const { syn, ack, fin, rst } = tcpFlags;
const flagBits: Readonly<Record<PacketFlags, number>> = { syn, ack, fin: fin | ack, rst };

export function frameOf({ flow, flags }: Packet): Uint8Array {
  return encodeEthernet({
    targetMac: switchMac,
    sourceMac: clientMac,
    etherType: etherTypes.ipv4,
    payload: encodeIpv4({
      source: requireIpv4(flow.sourceAddress),
      target: requireIpv4(flow.targetAddress),
      protocol: flow.protocol,
      payload: segmentOf(flow, flags),
      // Field by field: a spread costs more than the rest of the frame.
      ttl: ipv4Defaults.ttl,
      trafficClass: ipv4Defaults.trafficClass,
      identification: ipv4Defaults.identification,
      dontFragment: ipv4Defaults.dontFragment,
      moreFragments: ipv4Defaults.moreFragments,
      fragmentOffset: ipv4Defaults.fragmentOffset,
      options: ipv4Defaults.options,
    }),
  });
}

function segmentOf(flow: Flow, flags: PacketFlags): Uint8Array {
  const { sourcePort, targetPort } = flow;
  const addresses = { source: requireIpv4(flow.sourceAddress), target: flow.targetAddress };
  switch (flow.protocol) {
    case protocols.tcp:
      return encodeTcp(
        {
          sourcePort,
          targetPort,
          sequence: 1,
          acknowledgement: flags === 'syn' ? 0 : 2,
          flags: flagBits[flags],
          window: tcpDefaults.window,
          urgent: tcpDefaults.urgent,
          options: tcpDefaults.options,
          payload,
        },
        addresses,
      );
    case protocols.udp:
      return encodeUdp({ sourcePort, targetPort, isChecksummed: true, payload }, addresses);
    default:
      return payload;
  }
}

/**
 * Whom a frame is for.
 *
 * @throws WireError when a checksum is wrong
 */
export function targetOf(frame: Uint8Array): { address: number; port: number } {
  const packet = decodeIpv4(frame.subarray(ethernetHeaderBytes));
  const decode = packet.protocol === protocols.tcp ? decodeTcp : decodeUdp;
  return { address: packet.target, port: decode(packet.payload, packet).targetPort };
}
