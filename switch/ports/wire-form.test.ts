// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { foldChecksum, sumWords } from './checksum.ts';
import { type KernelFrame, restoreWireForm, superFrameBytesMax } from './wire-form.ts';

const vlanValid = 1 << 4;
const vlanProtocolValid = 1 << 6;
const start = 32;
const addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

interface Offload {
  flags?: number;
  gsoType?: number;
  gsoBytes?: number;
  checksumStart?: number;
  checksumOffset?: number;
}

/** A frame as the kernel hands it over: behind a virtio_net_hdr. */
function kernelFrame(bytes: number[], offload: Offload = {}, status = 0, vlan = 0): KernelFrame {
  const memory = new Uint8Array(start + bytes.length);
  const header = new DataView(memory.buffer, start - 10, 10);
  header.setUint8(0, offload.flags ?? 0);
  header.setUint8(1, offload.gsoType ?? 0);
  header.setUint16(4, offload.gsoBytes ?? 0, true);
  header.setUint16(6, offload.checksumStart ?? 0, true);
  header.setUint16(8, offload.checksumOffset ?? 0, true);
  memory.set(bytes, start);
  return { memory, start, length: bytes.length, status, vlan };
}

function restore(frame: KernelFrame): { reason: string | undefined; frames: number[][] } {
  const frames: number[][] = [];
  const reason = restoreWireForm(frame, new Uint8Array(superFrameBytesMax), (bytes) =>
    frames.push([...bytes]),
  );
  return { reason, frames };
}

const plain = [...addresses, 0x08, 0x06, 1, 2, 3];
/** UDP from port 1 to 2 with two bytes; its checksum holds the sum of the pseudo header so far. */
const datagram = [0, 1, 0, 2, 0, 10, 0x14, 0x2a, 7, 8];
const udp = [...addresses, 0x08, 0x00, ...Array(20).fill(0x45), ...datagram];

it('leaves a frame alone that is as it was on the wire', () => {
  expect(restore(kernelFrame(plain))).toEqual({ reason: undefined, frames: [plain] });
});

it.each([
  ['802.1Q where the kernel does not say', vlanValid, 0x0000_2005, [0x81, 0x00, 0x20, 0x05]],
  ['what the kernel says', vlanValid | vlanProtocolValid, 0x88a8_0fff, [0x88, 0xa8, 0x0f, 0xff]],
])('puts back a VLAN tag, with %s', (_what, status, vlan, tag) => {
  const restored = restore(kernelFrame(plain, {}, status, vlan));
  expect(restored.frames).toEqual([[...addresses, ...tag, ...plain.slice(12)]]);
});

it.each([
  ['without', 0],
  ['with', 4],
])('finishes a checksum %s a VLAN tag to be put back', (_what, tagBytes) => {
  const offload = { flags: 1, checksumStart: 34, checksumOffset: 6 };
  const { frames } = restore(kernelFrame(udp, offload, tagBytes > 0 ? vlanValid : 0, 5));
  const frame = Uint8Array.from(frames[0]!);
  expect(frame).toHaveLength(udp.length + tagBytes);
  expect(foldChecksum(sumWords(frame, 34 + tagBytes, frame.length, 0x142a))).toBe(0);
});

it.each([
  ['a checksum beyond the end', { flags: 1, checksumStart: 42, checksumOffset: 16 }, 'receive-checksum'],
  ['an unknown kind of super-frame', { flags: 1, gsoType: 3, gsoBytes: 100 }, 'receive-offload'],
  ['a super-frame whose checksum is not ours', { gsoType: 1, gsoBytes: 100 }, 'receive-offload'],
  [
    'a super-frame that is no TCP',
    { flags: 1, gsoType: 1, gsoBytes: 100, checksumStart: 34 },
    'receive-offload',
  ],
])('drops %s', (_what, offload, reason) => {
  expect(restore(kernelFrame(udp, offload))).toEqual({ reason, frames: [] });
});
