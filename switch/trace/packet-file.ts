// SPDX-License-Identifier: Apache-2.0
/**
 * Packets from a file: a capture, or hexadecimal text. In text an empty line ends a packet, # begins a comment, white
 * space means nothing, and `3:` before the first byte names the port.
 */

import { placeIn } from '../../p4runtime/text-format.ts';
import { parsePcap } from '../ports/pcap.ts';

export interface GivenPacket {
  /** Undefined where the file does not say. */
  port: number | undefined;
  frame: Uint8Array;
  /** Since the first one. */
  micros: number;
  /** Where it stands: "file:line", or "file, packet 3". */
  place: string;
}

/** Between two packets of a text. */
const microsBetween = 1000;
/** Packets of one file. */
export const packetsMax = 10_000;

/** A file that does not hold packets; the message names the file and the place in it. */
export class PacketFileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PacketFileError';
  }
}

/** @throws PacketFileError, PcapError */
export function parsePackets(content: Uint8Array, fileName: string): GivenPacket[] {
  const isCapture = /^(a1b2c3d4|d4c3b2a1|a1b23c4d|4d3cb2a1|0a0d0d0a)$/.test(
    Buffer.from(content.subarray(0, 4)).toString('hex'),
  );
  const packets = isCapture
    ? fromCapture(content, fileName)
    : fromText(new TextDecoder().decode(content), fileName);
  if (packets.length === 0) throw new PacketFileError(`${fileName}: there is no packet in it`);
  if (packets.length > packetsMax) {
    throw new PacketFileError(`${fileName}: ${packets.length} packets; ${packetsMax} are supported`);
  }
  return packets;
}

function fromCapture(content: Uint8Array, fileName: string): GivenPacket[] {
  const records = parsePcap(content, fileName);
  const first = records[0]?.timestampNs ?? 0n;
  return records.map(({ timestampNs, frame }, index) => ({
    port: undefined,
    frame,
    micros: Math.max(0, Number((timestampNs - first) / 1000n)),
    place: `${fileName}, packet ${index + 1}`,
  }));
}

function fromText(text: string, fileName: string): GivenPacket[] {
  const plain = text.replace(/#[^\n]*/g, (comment) => ' '.repeat(comment.length));
  const packets: GivenPacket[] = [];
  for (const { 0: paragraph, index } of plain.matchAll(/(?:[^\n]*\S[^\n]*(?:\n|$))+/g)) {
    const [label = '', port] = /^\s*(\d+)\s*:/.exec(paragraph) ?? [];
    const digits = paragraph.slice(label.length);
    const wrong = /[^0-9a-fA-F\s]/.exec(digits);
    const at = (offset: number) => placeIn(text, index + label.length + offset, fileName);
    if (wrong) throw new PacketFileError(`${at(wrong.index)}: '${wrong[0]}' is no hexadecimal digit`);
    const hex = digits.replace(/\s/g, '');
    if (hex === '') throw new PacketFileError(`${at(0)}: a port without a packet`);
    if (hex.length % 2 !== 0) throw new PacketFileError(`${at(0)}: an odd number of digits, ${hex.length}`);
    packets.push({
      port: port === undefined ? undefined : Number(port),
      frame: Uint8Array.from(Buffer.from(hex, 'hex')),
      micros: packets.length * microsBetween,
      place: placeIn(text, index + paragraph.search(/\S/), fileName),
    });
  }
  return packets;
}
