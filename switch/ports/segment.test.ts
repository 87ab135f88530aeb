// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeChecksum, foldChecksum, sumWords } from './checksum.ts';
import { type Offload, segmentFrame } from './segment.ts';

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071, section 3', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(foldChecksum(sumWords(bytes, 0, bytes.length))).toBe(~0xddf2 & 0xffff);
  });

  it('is completed so that the whole adds up, whatever the bytes', () => {
    const frames = fc.uint8Array({ minLength: 8, maxLength: 70 });
    const pseudoHeaders = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(frames, pseudoHeaders, (frame, pseudoHeader) => {
        frame[4] = pseudoHeader >> 8;
        frame[5] = pseudoHeader & 0xff;
        expect(completeChecksum(frame, 2, 2)).toBe(true);
        expect(frame[4] !== 0 || frame[5] !== 0).toBe(true);
        expect(foldChecksum(sumWords(frame, 2, frame.length) + pseudoHeader)).toBe(0);
      }),
    );
  });

  it('is not completed outside the frame', () => {
    const frame = new Uint8Array(60);
    expect(completeChecksum(frame, 58, 16)).toBe(false);
    expect(frame).toEqual(new Uint8Array(60));
  });
});

interface Shape {
  version: 4 | 6;
  offload: Offload;
  hasVlan: boolean;
  payload: Uint8Array;
}

const macsAnd = (...rest: number[]) => [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...rest];

/** A super-frame as Linux would hand it over; checksums are left out, because segmentation makes its own. */
function superFrame({ version, offload, hasVlan, payload }: Shape): {
  frame: Uint8Array;
  transportStart: number;
} {
  const link = macsAnd(...(hasVlan ? [0x81, 0, 0, 5] : []), ...(version === 4 ? [8, 0] : [0x86, 0xdd]));
  const protocol = offload === 'tcp' ? 6 : 17;
  const network =
    version === 4
      ? [0x45, 0, 0, 0, 0xff, 0xff, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      : [0x60, 0, 0, 0, 0, 0, protocol, 64, ...Array(15).fill(0xfd), 1, ...Array(15).fill(0xfd), 2];
  const transport =
    offload === 'tcp'
      ? [
          0x1f,
          0x90,
          0,
          80,
          0xff,
          0xff,
          0xff,
          0xf0,
          0,
          0,
          0,
          9,
          0x80,
          0x99,
          1,
          0,
          0,
          0,
          0,
          0,
          ...Array(12).fill(1),
        ]
      : [0x1f, 0x90, 0, 80, 0, 0, 0, 0];
  return {
    frame: Uint8Array.of(...link, ...network, ...transport, ...payload),
    transportStart: link.length + network.length,
  };
}

function segmentsOf(shape: Shape, segmentBytes: number): Uint8Array[] {
  const { frame, transportStart } = superFrame(shape);
  const segments: Uint8Array[] = [];
  const options = { offload: shape.offload, segmentBytes, transportStart };
  expect(
    segmentFrame(frame, options, new Uint8Array(2048), (segment) => segments.push(segment.slice())),
  ).toBe(true);
  return segments;
}

const shapes = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  offload: fc.constantFrom('tcp' as const, 'udp' as const),
  hasVlan: fc.boolean(),
  payload: fc.uint8Array({ minLength: 1, maxLength: 900 }),
});
const segmentSizes = fc.integer({ min: 8, max: 500 });

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

describe('segmentation', () => {
  it('cuts the payload into pieces that make it up again, each with sums that add up', () => {
    fc.assert(
      fc.property(shapes, segmentSizes, (shape, segmentBytes) => {
        const { frame, transportStart } = superFrame(shape);
        const payloadStart = frame.length - shape.payload.length;
        const networkStart = transportStart - (shape.version === 4 ? 20 : 40);
        const hash = createHash('sha256');
        for (const segment of segmentsOf(shape, segmentBytes)) {
          expect(segment.length).toBeLessThanOrEqual(payloadStart + segmentBytes);
          hash.update(segment.subarray(payloadStart));
          const length = segment.length - transportStart;
          const addresses = shape.version === 4 ? networkStart + 12 : networkStart + 8;
          const pseudoHeader =
            sumWords(segment, addresses, transportStart) + length + (shape.offload === 'tcp' ? 6 : 17);
          expect(foldChecksum(sumWords(segment, transportStart, segment.length, pseudoHeader))).toBe(0);
          if (shape.version === 4) {
            expect(word(segment, networkStart + 2)).toBe(segment.length - networkStart);
            expect(foldChecksum(sumWords(segment, networkStart, transportStart))).toBe(0);
          } else {
            expect(word(segment, networkStart + 4)).toBe(length);
          }
          if (shape.offload === 'udp') expect(word(segment, transportStart + 4)).toBe(length);
        }
        expect(hash.digest('hex')).toBe(createHash('sha256').update(shape.payload).digest('hex'));
      }),
    );
  });

  it('advances sequence number and identification with wrap, and says FIN, PSH and CWR once', () => {
    const payload = new Uint8Array(40);
    const segments = segmentsOf({ version: 4, offload: 'tcp', hasVlan: false, payload }, 16);
    const fields = segments.map((segment) => ({
      sequence: word(segment, 38) * 0x10000 + word(segment, 40),
      identification: word(segment, 18),
      flags: segment[47],
    }));
    // 0x99 is CWR, ACK, PSH and FIN.
    expect(fields).toEqual([
      { sequence: 0xfffffff0, identification: 0xffff, flags: 0x90 },
      { sequence: 0x00000000, identification: 0x0000, flags: 0x10 },
      { sequence: 0x00000010, identification: 0x0001, flags: 0x19 },
    ]);
  });

  it.each([
    ['a tunnel', { transportStart: 54 }],
    ['the other protocol', { offload: 'udp' as const }],
    ['segments of nothing', { segmentBytes: 0 }],
    ['more segments than there can be', { segmentBytes: 1 }],
  ])('refuses %s, and emits nothing', (_what, change) => {
    const payload = new Uint8Array(1000);
    const { frame, transportStart } = superFrame({ version: 4, offload: 'tcp', hasVlan: false, payload });
    const options = { offload: 'tcp' as const, segmentBytes: 500, transportStart, ...change };
    const emit = () => expect.unreachable();
    expect(segmentFrame(frame, options, new Uint8Array(2048), emit)).toBe(false);
  });

  it('refuses any cut frame without reading beyond it', () => {
    const whole = superFrame({ version: 6, offload: 'tcp', hasVlan: true, payload: new Uint8Array(100) });
    for (let length = 0; length < whole.frame.length - 100; length += 1) {
      const options = { offload: 'tcp' as const, segmentBytes: 50, transportStart: whole.transportStart };
      const cut = whole.frame.subarray(0, length);
      expect(segmentFrame(cut, options, new Uint8Array(2048), () => expect.unreachable())).toBe(false);
    }
  });
});
