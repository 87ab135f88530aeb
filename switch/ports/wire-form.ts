// SPDX-License-Identifier: Apache-2.0
/**
 * Gives a frame that the kernel handed over the form it would have on a wire: checksums that the sender left to the
 * hardware are finished, VLAN tags that the kernel keeps apart are back in their place, super-frames are cut up.
 */

import { completeChecksum } from './checksum.ts';
import type { DropReason } from './port.ts';
import { type Offload, segmentFrame } from './segment.ts';

/** The longest frame of Linux without "big TCP", with room for two VLAN tags. */
export const superFrameBytesMax = 65_536 + 32;

/** struct virtio_net_hdr, which stands right before the frame, and its constants. */
const vnet = { needsChecksum: 1, gsoNone: 0, gsoTcp4: 1, gsoTcp6: 4, gsoUdp: 5, gsoEcn: 0x80 };
export const vnetHeaderBytes = 10;

/** Flags of tp_status, in the ring and in struct tpacket_auxdata. */
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
const vlanTagBytes = 4;
const vlanEtherType = 0x8100;

export interface KernelFrame {
  memory: Uint8Array;
  /** Where the frame begins in `memory`, right behind its virtio_net_hdr. */
  start: number;
  length: number;
  /** tp_status. */
  status: number;
  /** tp_vlan_tci in the low half, tp_vlan_tpid in the high half; valid iff `status` says so. */
  vlan: number;
}

/**
 * Whether a frame is as on the wire already: no checksum to finish, nothing to cut, no VLAN tag kept apart. Most are.
 *
 * @param start   of the frame in `memory`
 * @param status  tp_status
 */
export function hasWireForm(memory: Uint8Array, start: number, status: number): boolean {
  const header = start - vnetHeaderBytes;
  const isTouched = (memory[header]! & vnet.needsChecksum) | memory[header + 1]!;
  return isTouched === 0 && (status & TP_STATUS_VLAN_VALID) === 0;
}

/**
 * Works in place: the frame and the bytes before it are overwritten.
 *
 * @param scratch  for segments, `superFrameBytesMax` long
 * @param deliver  called for each frame as on the wire; the views are valid during the call
 * @returns why nothing was delivered, or undefined
 */
export function restoreWireForm(
  { memory, start, length, status, vlan }: KernelFrame,
  scratch: Uint8Array,
  deliver: (frame: Uint8Array) => void,
): DropReason | undefined {
  const header = start - vnetHeaderBytes;
  const needsChecksum = (memory[header]! & vnet.needsChecksum) !== 0;
  const gsoType = memory[header + 1]! & ~vnet.gsoEcn;
  const segmentBytes = readLittleEndian(memory, header + 4);
  let transportStart = readLittleEndian(memory, header + 6);
  if (needsChecksum && gsoType === vnet.gsoNone) {
    const checksumOffset = readLittleEndian(memory, header + 8);
    const frame = memory.subarray(start, start + length);
    if (!completeChecksum(frame, transportStart, checksumOffset)) return 'receive-checksum';
  }

  let frameStart = start;
  if ((status & TP_STATUS_VLAN_VALID) !== 0) {
    const etherType = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? vlan >>> 16 : vlanEtherType;
    // Overwrites the virtio_net_hdr, which has been read.
    frameStart -= vlanTagBytes;
    transportStart += vlanTagBytes;
    insertVlanTag(memory, frameStart, etherType, vlan & 0xffff);
  }
  const frame = memory.subarray(frameStart, start + length);
  if (gsoType === vnet.gsoNone) {
    deliver(frame);
    return undefined;
  }
  const offload = offloadOf(gsoType);
  if (offload === undefined || !needsChecksum) return 'receive-offload';
  const isSegmented = segmentFrame(frame, { offload, segmentBytes, transportStart }, scratch, deliver);
  return isSegmented ? undefined : 'receive-offload';
}

/** Moves the two addresses forward to `at` and writes the tag behind them. */
function insertVlanTag(memory: Uint8Array, at: number, etherType: number, tag: number): void {
  memory.copyWithin(at, at + vlanTagBytes, at + vlanTagBytes + 12);
  memory[at + 12] = etherType >> 8;
  memory[at + 13] = etherType & 0xff;
  memory[at + 14] = tag >> 8;
  memory[at + 15] = tag & 0xff;
}

function offloadOf(gsoType: number): Offload | undefined {
  if (gsoType === vnet.gsoTcp4 || gsoType === vnet.gsoTcp6) return 'tcp';
  return gsoType === vnet.gsoUdp ? 'udp' : undefined;
}

function readLittleEndian(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
