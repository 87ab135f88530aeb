// SPDX-License-Identifier: Apache-2.0
/** How many parts a request has, without decoding it. */

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import { WriteRequestSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { hasTooManyParts } from './decoding.ts';

const write = (init: MessageInitShape<typeof WriteRequestSchema>) =>
  toBinary(WriteRequestSchema, create(WriteRequestSchema, init));

const requests: Record<string, [request: Uint8Array, parts: number]> = {
  'empty updates': [write({ updates: new Array(50).fill({}) }), 50],
  'an update, its entity, its entry and two fields': [
    write({
      updates: [
        {
          entity: {
            entity: {
              case: 'tableEntry',
              value: { match: [{ fieldId: 1 }, { fieldId: 2 }], metadata: new Uint8Array(9) },
            },
          },
        },
      ],
    }),
    5,
  ],
  'fields nobody knows': [Uint8Array.from([0x78, 1, 0x78, 2, 0x7a, 1, 0, 0x7a, 0]), 4],
};

describe.each(Object.entries(requests))('%s', (_words, [request, parts]) => {
  test(`are ${parts} parts`, () => {
    expect(hasTooManyParts(WriteRequestSchema, request, parts)).toBe(false);
    expect(hasTooManyParts(WriteRequestSchema, request, parts - 1)).toBe(true);
  });
});

test('a packed list has as many elements as bytes, at most', () => {
  const info = create(P4InfoSchema, { tables: [{ directResourceIds: [1, 2, 3, 4, 5, 6] }] });
  expect(hasTooManyParts(P4InfoSchema, toBinary(P4InfoSchema, info), 7)).toBe(false);
  expect(hasTooManyParts(P4InfoSchema, toBinary(P4InfoSchema, info), 6)).toBe(true);
});

test('what is no protobuf is left to the decoder', () => {
  expect(hasTooManyParts(WriteRequestSchema, new Uint8Array(20).fill(0xff), 3)).toBe(false);
});

test('lengths that lie do not count forever', () => {
  const lie = Uint8Array.from([0x22, 0xff, 0xff, 0xff, 0x7f, 0x22, 0x00, 0x22, 0x00]);
  expect(hasTooManyParts(WriteRequestSchema, lie, 100)).toBe(false);
});
