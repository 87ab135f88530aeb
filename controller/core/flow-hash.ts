// SPDX-License-Identifier: Apache-2.0
/**
 * The switch's hash of a flow, so that the controller can say which slot a flow falls into. Must agree bit for bit with
 * p4/v1model/services.p4 (SwitchFlowHash) and p4/core/vip.p4.
 */

import { requireIpv6, wordsOf } from './address.ts';
import type { Address, Affinity, Ipv6Address } from './desired.ts';

/** The 5-tuple as it arrives from the client; both addresses are of one family. */
export interface Flow {
  sourceAddress: Address;
  targetAddress: Address;
  /** IP protocol number. */
  protocol: number;
  sourcePort: number;
  targetPort: number;
}

export interface FlowHash {
  crc32: number;
  crc16: number;
  slot: number;
  /** Index into the first row of every filter slot. */
  rowA: number;
  /** Index into the second row. */
  rowB: number;
}

const MOST_FLOW_BYTES = 37;
const CRC32_TABLE = crcTable(0xedb88320);
const CRC16_TABLE = crcTable(0xa001);
/** One flow's, used again for the next: a simulation hashes millions. */
const bytes = new Uint8Array(MOST_FLOW_BYTES);
const view = new DataView(bytes.buffer);

/** @param affinity  source: the slot follows from the source address alone; the filter rows are the flow's own */
export function flowHash(flow: Flow, slotMask: number, affinity: Affinity = 'none'): FlowHash {
  const flowBytes = layOut(flow);
  let crc32 = 0xffffffff;
  let crc16 = 0;
  for (let at = 0; at < flowBytes; at++) {
    const byte = bytes[at]!;
    crc32 = CRC32_TABLE[(crc32 ^ byte) & 0xff]! ^ (crc32 >>> 8);
    crc16 = CRC16_TABLE[(crc16 ^ byte) & 0xff]! ^ (crc16 >>> 8);
  }
  crc32 = ~crc32 >>> 0;
  const chosenBy = affinity === 'none' ? crc32 : sourceHash(flow.sourceAddress);
  return { crc32, crc16, slot: chosenBy & 0xffff & slotMask, rowA: crc32 >>> 16, rowB: crc16 };
}

/** CRC32 of the source address, which `layOut` has put in front. */
function sourceHash(sourceAddress: Address): number {
  let crc32 = 0xffffffff;
  const addressBytes = typeof sourceAddress === 'number' ? 4 : 16;
  for (let at = 0; at < addressBytes; at++) crc32 = CRC32_TABLE[(crc32 ^ bytes[at]!) & 0xff]! ^ (crc32 >>> 8);
  return ~crc32 >>> 0;
}

/** {source, target, protocol, source port, target port} in network order, into `bytes`. @returns how many */
function layOut(flow: Flow): number {
  const { sourceAddress, targetAddress } = flow;
  let end = 8;
  if (typeof sourceAddress === 'number' && typeof targetAddress === 'number') {
    view.setUint32(0, sourceAddress);
    view.setUint32(4, targetAddress);
  } else {
    layOutIpv6(requireIpv6(sourceAddress), 0);
    layOutIpv6(requireIpv6(targetAddress), 16);
    end = 32;
  }
  view.setUint8(end, flow.protocol);
  view.setUint16(end + 1, flow.sourcePort);
  view.setUint16(end + 3, flow.targetPort);
  return end + 5;
}

function layOutIpv6(address: Ipv6Address, start: number): void {
  wordsOf(address).forEach((word, index) => {
    view.setUint32(start + 4 * index, word);
  });
}

/** CRC32 is IEEE 802.3, CRC16 is ARC; both reflected, one byte at a time. */
function crcTable(reflectedPolynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    return crc >>> 0;
  });
}
