// SPDX-License-Identifier: Apache-2.0
/**
 * Segmentation in software: cuts a TCP or UDP super-frame (Linux GSO, "TSO") into the frames a network card would have
 * put on the wire, with complete headers and checksums. A P4 pipeline must see packets as they are on a wire.
 */

import { foldChecksum, sumWords } from './checksum.ts';

export type Offload = 'tcp' | 'udp';

export interface Segmentation {
  offload: Offload;
  /** Payload bytes of every segment but the last. */
  segmentBytes: number;
  /** Where the TCP or UDP header begins. */
  transportStart: number;
}

/** More segments than this from one frame is not a frame any Linux would build (64 KiB in pieces of 88 bytes or more). */
export const segmentsMax = 768;

const etherTypes = { ipv4: 0x0800, vlan: 0x8100, ipv6: 0x86dd, serviceVlan: 0x88a8 };
const protocols: Record<Offload, number> = { tcp: 6, udp: 17 };
const headerBytesMin: Record<Offload, number> = { tcp: 20, udp: 8 };
const tcpFlags = { fin: 0x01, psh: 0x08, cwr: 0x80 };

/**
 * @param scratch  where each segment is built; at least as long as the longest segment
 * @param emit     called for each segment in order, with a view of `scratch`
 * @returns false, and nothing is emitted, when this is not plain TCP or UDP directly over IPv4 or IPv6
 */
export function segmentFrame(
  frame: Uint8Array,
  { offload, segmentBytes, transportStart }: Segmentation,
  scratch: Uint8Array,
  emit: (segment: Uint8Array) => void,
): boolean {
  const network = networkHeaderOf(frame, transportStart, protocols[offload]);
  if (network === undefined || transportStart + headerBytesMin[offload] > frame.length) return false;
  const transportBytes = offload === 'tcp' ? (frame[transportStart + 12]! >> 4) * 4 : 8;
  const payloadStart = transportStart + transportBytes;
  const payloadBytes = frame.length - payloadStart;
  const count = Math.ceil(payloadBytes / segmentBytes);
  const isSane =
    transportBytes >= headerBytesMin[offload] && segmentBytes > 0 && payloadBytes > 0 && count <= segmentsMax;
  if (!isSane || payloadStart + Math.min(segmentBytes, payloadBytes) > scratch.length) return false;

  for (let index = 0; index < count; index += 1) {
    const from = payloadStart + index * segmentBytes;
    const to = Math.min(from + segmentBytes, frame.length);
    const segment = scratch.subarray(0, payloadStart + to - from);
    segment.set(frame.subarray(0, payloadStart));
    segment.set(frame.subarray(from, to), payloadStart);
    finishNetworkHeader(segment, network, transportStart, index);
    if (offload === 'tcp') {
      finishTcpHeader(segment, transportStart, index * segmentBytes, index === 0, index === count - 1);
    } else {
      writeWord(segment, transportStart + 4, segment.length - transportStart);
    }
    finishTransportChecksum(segment, network, transportStart, offload);
    emit(segment);
  }
  return true;
}

interface NetworkHeader {
  version: 4 | 6;
  start: number;
}

/** @returns undefined unless the transport header follows the network header directly */
function networkHeaderOf(
  frame: Uint8Array,
  transportStart: number,
  protocol: number,
): NetworkHeader | undefined {
  let at = 12;
  while (readWord(frame, at) === etherTypes.vlan || readWord(frame, at) === etherTypes.serviceVlan) at += 4;
  const etherType = readWord(frame, at);
  const start = at + 2;
  if (etherType === etherTypes.ipv4) {
    const follows = start + (frame[start]! & 0x0f) * 4 === transportStart && frame[start + 9] === protocol;
    return follows ? { version: 4, start } : undefined;
  }
  if (etherType === etherTypes.ipv6) {
    const follows = start + 40 === transportStart && frame[start + 6] === protocol;
    return follows ? { version: 6, start } : undefined;
  }
  return undefined;
}

function finishNetworkHeader(
  segment: Uint8Array,
  { version, start }: NetworkHeader,
  transportStart: number,
  index: number,
): void {
  if (version === 6) {
    writeWord(segment, start + 4, segment.length - start - 40);
    return;
  }
  writeWord(segment, start + 2, segment.length - start);
  writeWord(segment, start + 4, (readWord(segment, start + 4) + index) & 0xffff);
  writeWord(segment, start + 10, 0);
  writeWord(segment, start + 10, foldChecksum(sumWords(segment, start, transportStart)));
}

function finishTcpHeader(
  segment: Uint8Array,
  start: number,
  offset: number,
  isFirst: boolean,
  isLast: boolean,
): void {
  const sequence = (readWord(segment, start + 4) * 0x10000 + readWord(segment, start + 6) + offset) % 2 ** 32;
  writeWord(segment, start + 4, Math.floor(sequence / 0x10000));
  writeWord(segment, start + 6, sequence & 0xffff);
  // "Window reduced" is said once; the end of the stream and the push come with the last byte.
  if (!isFirst) segment[start + 13]! &= ~tcpFlags.cwr;
  if (!isLast) segment[start + 13]! &= ~(tcpFlags.fin | tcpFlags.psh);
}

function finishTransportChecksum(
  segment: Uint8Array,
  { version, start }: NetworkHeader,
  transportStart: number,
  offload: Offload,
): void {
  const at = transportStart + (offload === 'tcp' ? 16 : 6);
  writeWord(segment, at, 0);
  const addresses =
    version === 4 ? { from: start + 12, to: start + 20 } : { from: start + 8, to: start + 40 };
  const pseudoHeader = sumWords(segment, addresses.from, addresses.to) + protocols[offload];
  const length = segment.length - transportStart;
  const sum = sumWords(segment, transportStart, segment.length, pseudoHeader + length);
  writeWord(segment, at, foldChecksum(sum) || 0xffff);
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}
