// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  answerPayload,
  encodeMessage,
  type Message,
  MessageError,
  MessageReader,
  requestPayload,
} from './message.ts';

const messages: Message[] = [
  { kind: 'request', connection: 7, number: 1, payload: requestPayload(7, 1) },
  { kind: 'answer', connection: 7, number: 1, server: 's1-2', payload: answerPayload(requestPayload(7, 1)) },
  { kind: 'goodbye' },
];
const stream = Buffer.concat(messages.map(encodeMessage));
const plain = (message: Message) =>
  message.kind === 'goodbye' ? message : { ...message, payload: [...message.payload] };

describe('a stream of messages', () => {
  test('is read back, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 8 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const reader = new MessageReader();
        const read = edges.slice(1).flatMap((end, i) => reader.read(stream.subarray(edges[i]!, end)));
        expect(read.map(plain)).toEqual(messages.map(plain));
      }),
    );
  });

  test('with one changed bit is refused, or waits for bytes that never come', () => {
    fc.assert(
      fc.property(fc.nat(stream.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(stream);
        damaged[bit >>> 3]! ^= 1 << (bit & 7);
        let read: Message[] = [];
        try {
          read = new MessageReader().read(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
        expect(read.length).toBeLessThan(messages.length);
      }),
    );
  });
});

test('payloads differ by connection and by number, and an answer differs from its request', () => {
  const payloads = [requestPayload(1, 1), requestPayload(1, 2), requestPayload(2, 1)];
  expect(new Set(payloads.map((payload) => Buffer.from(payload).toString('hex'))).size).toBe(3);
  expect(answerPayload(payloads[0]!)).not.toEqual(payloads[0]);
  expect(answerPayload(answerPayload(payloads[0]!))).toEqual(payloads[0]);
});
