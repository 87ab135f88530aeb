// SPDX-License-Identifier: Apache-2.0
/**
 * The switch's hash of a flow, so that the controller can say which slot a flow falls into. Must agree bit for bit with
 * p4/v1model/services.p4 (SwitchFlowHash) and p4/core/vip.p4.
 */

import type { Ipv4Address } from './desired.ts';

/** The 5-tuple as it arrives from the client. */
export interface Flow {
  sourceAddress: Ipv4Address;
  targetAddress: Ipv4Address;
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

const FLOW_BYTES = 13;
const CRC32_TABLE = crcTable(0xedb88320);
const CRC16_TABLE = crcTable(0xa001);
/** One flow's, used again for the next: a simulation hashes millions. */
const bytes = new Uint8Array(FLOW_BYTES);
const view = new DataView(bytes.buffer);

export function flowHash(flow: Flow, slotMask: number): FlowHash {
  layOut(flow);
  let crc32 = 0xffffffff;
  let crc16 = 0;
  for (let at = 0; at < FLOW_BYTES; at++) {
    const byte = bytes[at]!;
    crc32 = CRC32_TABLE[(crc32 ^ byte) & 0xff]! ^ (crc32 >>> 8);
    crc16 = CRC16_TABLE[(crc16 ^ byte) & 0xff]! ^ (crc16 >>> 8);
  }
  crc32 = ~crc32 >>> 0;
  return { crc32, crc16, slot: crc32 & 0xffff & slotMask, rowA: crc32 >>> 16, rowB: crc16 };
}

/** {source, target, protocol, source port, target port} in network order, into `bytes`. */
function layOut(flow: Flow): void {
  view.setUint32(0, flow.sourceAddress);
  view.setUint32(4, flow.targetAddress);
  view.setUint8(8, flow.protocol);
  view.setUint16(9, flow.sourcePort);
  view.setUint16(11, flow.targetPort);
}

/** CRC32 is IEEE 802.3, CRC16 is ARC; both reflected, one byte at a time. */
function crcTable(reflectedPolynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    return crc >>> 0;
  });
}
