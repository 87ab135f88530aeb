// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the PNG of a screenshot smaller. Browsers filter every row, which suits photographs; flat colours and text
 * compress better as they are.
 *
 * Source: W3C, Portable Network Graphics, 3rd edition, sections 5 (chunks) and 9 (filters).
 */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signatureBytes = 8;

/** @throws Error unless it has 8 bits for each of three or four channels, and no interlacing */
export function smallerPng(png: Buffer): Buffer {
  const parts = chunksOf(png);
  const header = parts.find(({ type }) => type === 'IHDR')!.data;
  const width = header.readUInt32BE(0);
  const channels = { 2: 3, 6: 4 }[header[9]!];
  if (header[8] !== 8 || channels === undefined || header[12] !== 0)
    throw new Error('not the kind of PNG that a screenshot is');
  const image = inflateSync(
    Buffer.concat(parts.filter(({ type }) => type === 'IDAT').map(({ data }) => data)),
  );
  const rows = deflateSync(unfiltered(image, width * channels, channels), { level: 9, memLevel: 9 });
  return Buffer.concat([
    png.subarray(0, signatureBytes),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Every row with filter 0: its bytes as they are. */
function unfiltered(image: Buffer, rowBytes: number, pixelBytes: number): Buffer {
  const rows = Buffer.from(image);
  for (let start = 0; start < rows.length; start += rowBytes + 1) {
    const filter = rows[start]!;
    rows[start] = 0;
    for (let x = 0; x < rowBytes; x++) {
      const at = start + 1 + x;
      const left = x < pixelBytes ? 0 : rows[at - pixelBytes]!;
      const isFirst = start === 0;
      const above = isFirst ? 0 : rows[at - rowBytes - 1]!;
      const corner = isFirst || x < pixelBytes ? 0 : rows[at - rowBytes - 1 - pixelBytes]!;
      rows[at] = rows[at]! + predicted(filter, left, above, corner);
    }
  }
  return rows;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  if (filter !== 4) return 0;
  const estimate = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((value) => Math.abs(estimate - value));
  if (toLeft! <= toAbove! && toLeft! <= toCorner!) return left;
  return toAbove! <= toCorner! ? above : corner;
}

function chunksOf(png: Buffer): { type: string; data: Buffer }[] {
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = signatureBytes; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.push({
      type: png.toString('latin1', at + 4, at + 8),
      data: png.subarray(at + 8, at + 8 + length),
    });
    at += 12 + length;
  }
  return chunks;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(4 + body.length + 4);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), 4 + body.length);
  return frame;
}
