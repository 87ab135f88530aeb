// SPDX-License-Identifier: Apache-2.0
/** Frames of many TCP flows, each an acknowledgement in the middle of its connection, padded to a size. */

import { encodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { encodeIpv4, ipv4Defaults, protocols } from '../../wire/ipv4.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../../wire/tcp.ts';

export interface Flows {
  /** How many different flows, in turn. */
  count: number;
  /** Of a frame, without FCS: 60 is the least that Ethernet carries. */
  frameBytes: number;
  sourceMac: number;
  targetMac: number;
  /** Of the first flow; the next has the next one. */
  sourceAddress: number;
  sourcePort: number;
  /** Flows go to these in turn. */
  targetAddresses: readonly number[];
  targetPort: number;
  /** Left out: an acknowledgement. */
  flags?: number;
}

const headersBytes = 14 + 20 + 20;

/** @returns one frame per flow */
export function framesOf(flows: Flows): Uint8Array[] {
  return Array.from({ length: flows.count }, (_, flow) => frameOf(flows, flow));
}

function frameOf(flows: Flows, flow: number): Uint8Array {
  const { frameBytes, sourceMac, targetMac, sourcePort, targetPort, targetAddresses } = flows;
  const source = flows.sourceAddress + flow;
  const target = targetAddresses[flow % targetAddresses.length]!;
  const segment = {
    ...tcpDefaults,
    sourcePort: sourcePort + (flow % 10_000),
    targetPort,
    flags: flows.flags ?? tcpFlags.ack,
    sequence: flow,
    acknowledgement: 1,
    payload: new Uint8Array(Math.max(0, frameBytes - headersBytes)),
  };
  const payload = encodeIpv4({
    ...ipv4Defaults,
    source,
    target,
    protocol: protocols.tcp,
    payload: encodeTcp(segment, { source, target }),
  });
  return encodeEthernet({ targetMac, sourceMac, etherType: etherTypes.ipv4, payload });
}
