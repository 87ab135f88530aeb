// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capturePorts } from './capture.ts';
import { MemoryPorts } from './memory.ts';
import { PcapError, PcapWriter, parsePcap, readPcapFile } from './pcap.ts';
import { ReplayPorts } from './replay.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'evenkeel-pcap-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const frame = (...bytes: number[]) => Uint8Array.from(bytes);

/** A capture with one frame, 01 02 03, at 5.000007 s, as tcpdump writes it on either kind of machine. */
function microsecondCapture(isLittleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(24 + 16 + 3);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of [
    [0, 0xa1b2c3d4],
    [16, 65535],
    [20, 1],
    [24, 5],
    [28, 7],
    [32, 3],
    [36, 3],
  ] as const) {
    view.setUint32(at, value, isLittleEndian);
  }
  view.setUint16(4, 2, isLittleEndian);
  view.setUint16(6, 4, isLittleEndian);
  bytes.set([1, 2, 3], 40);
  return bytes;
}

function errorOf(work: () => unknown): PcapError {
  try {
    work();
  } catch (error) {
    if (error instanceof PcapError) return error;
  }
  throw new Error('no PcapError was thrown');
}

describe('a pcap file', () => {
  it.each([true, false])('is read in either byte order (little-endian: %s)', (isLittleEndian) => {
    expect(parsePcap(microsecondCapture(isLittleEndian))).toEqual([
      { timestampNs: 5_000_007_000n, frame: frame(1, 2, 3) },
    ]);
  });

  it('gives back what was written, to the nanosecond', () => {
    const path = join(directory, 'x.pcap');
    const records = Array.from({ length: 300 }, (_, index) => ({
      timestampNs: 1_700_000_000_000_000_001n + BigInt(index),
      frame: Buffer.alloc(index * 7, index),
    }));
    const writer = new PcapWriter(path);
    for (const record of records) expect(writer.write(record.frame, record.timestampNs)).toBe(true);
    writer.close();
    const read = readPcapFile(path);
    expect(read.map(({ timestampNs }) => timestampNs)).toEqual(records.map(({ timestampNs }) => timestampNs));
    expect(read.every(({ frame }, index) => records[index]!.frame.equals(frame))).toBe(true);
    expect(read.map(({ frame }) => frame.length)).toEqual(records.map(({ frame }) => frame.length));
  });

  it('ends with a whole record when it is full', () => {
    const path = join(directory, 'x.pcap');
    const writer = new PcapWriter(path, { fileBytesMax: 24 + 2 * (16 + 10) + 5 });
    const written = [1, 2, 3].map(() => writer.write(new Uint8Array(10), 0n));
    writer.close();
    expect(written).toEqual([true, true, false]);
    expect(readPcapFile(path)).toHaveLength(2);
  });

  const whole = microsecondCapture(true);
  const changed = (at: number, ...bytes: number[]) => {
    const copy = whole.slice();
    copy.set(bytes, at);
    return copy;
  };
  it.each([
    ['nothing', new Uint8Array(0), 'wrong-format', 0, 'header of 24 bytes'],
    [
      'text',
      new TextEncoder().encode('#include <stdio.h> // not a capture'),
      'wrong-format',
      0,
      '0x23696e63',
    ],
    ['pcapng', changed(0, 0x0a, 0x0d, 0x0d, 0x0a), 'wrong-format', 0, 'editcap'],
    ['raw IP', changed(20, 101), 'wrong-format', 20, 'link type 101'],
    ['half a record header', whole.subarray(0, 30), 'damaged', 24, '6 bytes into a record header'],
    ['half a frame', whole.subarray(0, 42), 'damaged', 40, '2 bytes into a frame of 3'],
    ['an absurd length', changed(32, 0xff, 0xff, 0xff, 0x7f), 'damaged', 32, '2147483647'],
    ['a frame that was cut', changed(36, 100), 'damaged', 32, 'only 3 of the frame'],
  ])('of %s is refused with the byte at fault', (_what, bytes, code, byteOffset, message) => {
    const error = errorOf(() => parsePcap(bytes, 'x.pcap'));
    expect(error).toMatchObject({ code, byteOffset });
    expect(error.message).toContain(`x.pcap: byte ${byteOffset}: `);
    expect(error.message).toContain(message);
  });
});

const ports = [
  { port: 1, interfaceName: 'veth1' },
  { port: 2, interfaceName: 'veth2' },
];

function writeCapture(name: string, records: readonly [bigint, ...number[]][]): void {
  const writer = new PcapWriter(join(directory, name));
  for (const [timestampNs, ...bytes] of records) writer.write(Uint8Array.from(bytes), timestampNs);
  writer.close();
}

it('replays the captures of all ports in the order of time, and records what is sent at that time', () => {
  writeCapture('veth1_in.pcap', [
    [10n, 1],
    [30n, 3],
  ]);
  writeCapture('veth2_in.pcap', [
    [20n, 2],
    [30n, 4],
  ]);
  const replay = new ReplayPorts(ports, directory);
  while (!replay.isDone) replay.poll(0, (port, bytes) => replay.send(3 - port, bytes));
  replay.send(9, frame(1));
  replay.close();
  expect(readPcapFile(join(directory, 'veth2_out.pcap'))).toEqual([
    { timestampNs: 10n, frame: Buffer.of(1) },
    { timestampNs: 30n, frame: Buffer.of(3) },
  ]);
  expect(readPcapFile(join(directory, 'veth1_out.pcap')).map(({ frame }) => frame[0])).toEqual([2, 4]);
  expect(replay.counters().get(9)?.drops).toEqual({ 'unknown-port': 1 });
});

it('captures both directions of any ports, under the names that BMv2 gives', () => {
  const inner = new MemoryPorts([1, 2]);
  let nowNs = 100n;
  const captured = capturePorts(inner, ports, directory, { nowNs: () => nowNs++ });
  inner.inject(1, frame(1, 2));
  captured.poll(0, (_port, bytes) => captured.send(2, bytes));
  captured.flush();
  expect(readPcapFile(join(directory, 'veth1_in.pcap'))).toEqual([
    { timestampNs: 100n, frame: Buffer.of(1, 2) },
  ]);
  expect(readPcapFile(join(directory, 'veth2_out.pcap'))).toEqual([
    { timestampNs: 101n, frame: Buffer.of(1, 2) },
  ]);
  expect(readFileSync(join(directory, 'veth2_in.pcap'))).toHaveLength(24);
  captured.close();
});

it('ends a full capture with one word of complaint, and goes on switching', () => {
  const inner = new MemoryPorts([1, 2]);
  const complaints: string[] = [];
  const captured = capturePorts(inner, ports, directory, {
    fileBytesMax: 24 + 16 + 1,
    diagnostic: (message) => complaints.push(message),
  });
  for (let index = 0; index < 3; index += 1) captured.send(1, frame(index));
  captured.close();
  expect(inner.collect(1)).toHaveLength(3);
  expect(readPcapFile(join(directory, 'veth1_out.pcap'))).toHaveLength(1);
  expect(complaints).toEqual([
    expect.stringContaining('veth1_out.pcap: the capture ends here: it has reached 41 bytes'),
  ]);
});
