// SPDX-License-Identifier: Apache-2.0
/**
 * Classic pcap files of Ethernet frames: reading in either byte order, microseconds or nanoseconds; writing in
 * little-endian nanoseconds. The format is that of pcap-savefile(5).
 */

import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';

export type PcapErrorCode =
  /** Not a classic pcap file of Ethernet frames. */
  | 'wrong-format'
  /** The file ends within a record, or a record cannot be right. */
  | 'damaged'
  /** Longer than `pcapBytesMax`. */
  | 'too-long';

/** A capture that cannot be read. The message names the file and the byte at which it goes wrong. */
export class PcapError extends Error {
  readonly code: PcapErrorCode;
  readonly byteOffset: number;

  constructor(code: PcapErrorCode, name: string, byteOffset: number, message: string) {
    super(`${name}: byte ${byteOffset}: ${message}`);
    this.name = 'PcapError';
    this.code = code;
    this.byteOffset = byteOffset;
  }
}

export interface PcapRecord {
  timestampNs: bigint;
  frame: Uint8Array;
}

/** What is read into memory at once. */
export const pcapBytesMax = 512 * 1024 * 1024;
/** As in libpcap: a longer record means that the file is damaged. */
export const pcapFrameBytesMax = 262_144;

const magics = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d, pcapng: 0x0a0d0d0a };
const fileHeaderBytes = 24;
const recordHeaderBytes = 16;
const ethernetLinkType = 1;
const nsPerSecond = 1_000_000_000n;

/** @throws PcapError; or the error of the file system */
export function readPcapFile(path: string): PcapRecord[] {
  const { size } = statSync(path);
  if (size > pcapBytesMax) {
    throw new PcapError(
      'too-long',
      path,
      pcapBytesMax,
      `the file has ${size} bytes; ${pcapBytesMax} are supported`,
    );
  }
  return parsePcap(readFileSync(path), path);
}

/**
 * @param name  of the file, for errors
 * @returns the records in the order of the file; their frames are views of `bytes`
 * @throws PcapError
 */
export function parsePcap(bytes: Uint8Array, name = 'pcap'): PcapRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { isLittleEndian, fractionNs } = parseFileHeader(view, name);
  const records: PcapRecord[] = [];
  let at = fileHeaderBytes;
  while (at < bytes.length) {
    if (at + recordHeaderBytes > bytes.length) {
      const left = bytes.length - at;
      throw new PcapError(
        'damaged',
        name,
        at,
        `the file ends ${left} bytes into a record header of ${recordHeaderBytes}`,
      );
    }
    const seconds = view.getUint32(at, isLittleEndian);
    const fraction = view.getUint32(at + 4, isLittleEndian);
    const length = view.getUint32(at + 8, isLittleEndian);
    const wireLength = view.getUint32(at + 12, isLittleEndian);
    const start = at + recordHeaderBytes;
    if (length > pcapFrameBytesMax) {
      throw new PcapError(
        'damaged',
        name,
        at + 8,
        `a frame of ${length} bytes cannot be (at most ${pcapFrameBytesMax})`,
      );
    }
    if (start + length > bytes.length) {
      const left = bytes.length - start;
      throw new PcapError(
        'damaged',
        name,
        start,
        `the file ends ${left} bytes into a frame of ${length} bytes`,
      );
    }
    if (length < wireLength) {
      const message = `only ${length} of the frame's ${wireLength} bytes were captured; capture whole frames (-s 0)`;
      throw new PcapError('damaged', name, at + 8, message);
    }
    const timestampNs = BigInt(seconds) * nsPerSecond + BigInt(fraction) * fractionNs;
    records.push({ timestampNs, frame: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return records;
}

function parseFileHeader(view: DataView, name: string): { isLittleEndian: boolean; fractionNs: bigint } {
  if (view.byteLength < fileHeaderBytes) {
    const message = `a pcap file begins with a header of ${fileHeaderBytes} bytes, this one has ${view.byteLength} in all`;
    throw new PcapError('wrong-format', name, view.byteLength, message);
  }
  const big = view.getUint32(0, false);
  const little = view.getUint32(0, true);
  if (big === magics.pcapng) {
    const message = 'this is pcapng; convert it first (editcap -F pcap in.pcapng out.pcap)';
    throw new PcapError('wrong-format', name, 0, message);
  }
  const isLittleEndian = little === magics.microseconds || little === magics.nanoseconds;
  const magic = isLittleEndian ? little : big;
  if (magic !== magics.microseconds && magic !== magics.nanoseconds) {
    const message = `0x${big.toString(16).padStart(8, '0')} is not how a pcap file begins`;
    throw new PcapError('wrong-format', name, 0, message);
  }
  // The upper half says whether frames carry an FCS, and how long it is.
  const linkType = view.getUint32(20, isLittleEndian) & 0xffff;
  if (linkType !== ethernetLinkType) {
    const message = `link type ${linkType}, but only Ethernet (${ethernetLinkType}) is supported`;
    throw new PcapError('wrong-format', name, 20, message);
  }
  return { isLittleEndian, fractionNs: magic === magics.microseconds ? 1000n : 1n };
}

export interface PcapWriterOptions {
  /** The file ends here, with a whole record; further frames are not written. */
  fileBytesMax: number;
}

export const pcapWriterDefaults: Readonly<PcapWriterOptions> = { fileBytesMax: 1024 * 1024 * 1024 };

const writeBufferBytes = 128 * 1024;

/** Writes one file. Buffers; what must be on disk needs a flush. */
export class PcapWriter {
  readonly path: string;
  readonly #fd: number;
  readonly #fileBytesMax: number;
  #buffer = Buffer.alloc(writeBufferBytes);
  #buffered = 0;
  #written = 0;
  #isClosed = false;

  /** Creates or empties the file. @throws the error of the file system */
  constructor(path: string, options: Partial<PcapWriterOptions> = {}) {
    this.path = path;
    this.#fileBytesMax = options.fileBytesMax ?? pcapWriterDefaults.fileBytesMax;
    this.#fd = openSync(path, 'w');
    this.#buffer.writeUInt32LE(magics.nanoseconds, 0);
    this.#buffer.writeUInt16LE(2, 4);
    this.#buffer.writeUInt16LE(4, 6);
    this.#buffer.writeUInt32LE(pcapFrameBytesMax, 16);
    this.#buffer.writeUInt32LE(ethernetLinkType, 20);
    this.#buffered = fileHeaderBytes;
    this.flush();
  }

  /** @returns false when the file is full; the frame is not in it then */
  write(frame: Uint8Array, timestampNs: bigint): boolean {
    const length = recordHeaderBytes + frame.length;
    if (this.#written + this.#buffered + length > this.#fileBytesMax) return false;
    if (this.#buffered + length > this.#buffer.length) this.flush();
    if (length > this.#buffer.length) this.#buffer = Buffer.alloc(length);
    const at = this.#buffered;
    this.#buffer.writeUInt32LE(Number(timestampNs / nsPerSecond), at);
    this.#buffer.writeUInt32LE(Number(timestampNs % nsPerSecond), at + 4);
    this.#buffer.writeUInt32LE(frame.length, at + 8);
    this.#buffer.writeUInt32LE(frame.length, at + 12);
    this.#buffer.set(frame, at + recordHeaderBytes);
    this.#buffered += length;
    return true;
  }

  /** @throws the error of the file system; what could not be written is then forgotten */
  flush(): void {
    const end = this.#buffered;
    this.#buffered = 0;
    for (let at = 0; at < end; ) {
      const written = writeSync(this.#fd, this.#buffer, at, end - at);
      at += written;
      this.#written += written;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.flush();
    } finally {
      closeSync(this.#fd);
    }
  }
}
