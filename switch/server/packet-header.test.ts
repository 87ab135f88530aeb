// SPDX-License-Identifier: Apache-2.0
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketMetadataSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import { Rules } from './compat.ts';
import { decodePacketIn, encodePacketOut } from './packet-header.ts';

const strict = new Rules('strict');

const header = {
  fields: [
    { id: 1, name: 'port', width: 9, isPadding: false },
    { id: 2, name: 'reason', width: 4, isPadding: false },
    { id: 3, name: '_pad', width: 3, isPadding: true },
  ],
  bytes: 2,
};
const metadata = (id: number, value: bigint, width = 16) =>
  create(PacketMetadataSchema, { metadataId: id, value: encodeValue(value, width) });

test('fields lie in order, most significant bit first', () => {
  const frame = encodePacketOut(
    strict,
    header,
    [metadata(1, 0x101n), metadata(2, 0xan)],
    Uint8Array.of(0xee),
  );
  expect([...frame!]).toEqual([0b10000000, 0b1_1010_000, 0xee]);
});

test('what was put before a packet is read back', () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, 511n),
      fc.bigInt(0n, 15n),
      fc.bigInt(0n, 7n),
      fc.uint8Array(),
      (a, b, c, payload) => {
        const given = [metadata(1, a), metadata(2, b), metadata(3, c)];
        const read = decodePacketIn(header, encodePacketOut(strict, header, given, payload)!);
        expect(read).toEqual({ metadata: given, payload });
      },
    ),
  );
});

test.each([
  ['a field is missing', [metadata(1, 1n)], "packet_out metadata 'reason' is missing"],
  ['a value is too wide', [metadata(1, 512n), metadata(2, 0n)], 'needs 10 bits'],
  ['an id is unknown', [metadata(9, 1n)], 'packet_out has no metadata 9'],
  ['an id comes twice', [metadata(1, 1n), metadata(1, 1n)], 'given twice'],
])('a packet-out is refused when %s', (_, given, message) => {
  expect(() => encodePacketOut(strict, header, given, new Uint8Array())).toThrow(message);
});

test('a frame shorter than its header is no packet-in', () => {
  expect(decodePacketIn(header, Uint8Array.of(1))).toBeUndefined();
});

test('without a header the frame is the payload', () => {
  expect(decodePacketIn(undefined, Uint8Array.of(1))).toEqual({ metadata: [], payload: Uint8Array.of(1) });
  expect(() => encodePacketOut(strict, undefined, [metadata(1, 1n)], new Uint8Array())).toThrow(
    'no packet_out header',
  );
});
