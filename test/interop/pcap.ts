// SPDX-License-Identifier: Apache-2.0
/** Frames as a file for tshark: pcap with its classic header, all taken at time 0. */

const ethernet = 1;
const snapBytes = 0xffff;

export function encodePcap(frames: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapBytes, 16);
  header.writeUInt32LE(ethernet, 20);
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...records]);
}
