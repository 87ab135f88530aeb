// SPDX-License-Identifier: Apache-2.0
/**
 * What client and server say to each other, so that a lost, reordered, damaged or misdelivered byte cannot hide.
 *
 *   frame:    length of the body (u32) | body | CRC-32 of the body (u32)
 *   request:  0 (u8) | connection (u32) | number (u32) | payload
 *   answer:   1 (u8) | connection (u32) | number (u32) | length (u8) and name of the server | payload, turned
 *   goodbye:  2 (u8): the server asks to be left; what is outstanding will still be answered
 *
 * Payloads are pseudo-random by connection and number: both ends know what must come.
 */

import { crc32 } from 'node:zlib';
import { seededRandom } from './random.ts';

export const payloadBytesMax = 4_000;
const bodyBytesMax = payloadBytesMax + 300;

export type Message =
  | { kind: 'request'; connection: number; number: number; payload: Uint8Array }
  | { kind: 'answer'; connection: number; number: number; server: string; payload: Uint8Array }
  | { kind: 'goodbye' };

/** What arrived is not what was sent. */
export class MessageError extends Error {
  override name = 'MessageError';
}

export function encodeMessage(message: Message): Uint8Array {
  const body = encodeBody(message);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(body.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

function encodeBody(message: Message): Uint8Array {
  if (message.kind === 'goodbye') return Uint8Array.of(2);
  const server = message.kind === 'answer' ? Buffer.from(message.server) : Buffer.alloc(0);
  const head = Buffer.alloc(message.kind === 'answer' ? 10 + server.length : 9);
  head.writeUInt8(message.kind === 'answer' ? 1 : 0, 0);
  head.writeUInt32BE(message.connection, 1);
  head.writeUInt32BE(message.number, 5);
  if (message.kind === 'answer') {
    head.writeUInt8(server.length, 9);
    head.set(server, 10);
  }
  return Buffer.concat([head, message.payload]);
}

/** Cuts a byte stream into messages. */
export class MessageReader {
  #waiting: Buffer = Buffer.alloc(0);

  /** @throws MessageError when the stream is damaged; the reader is of no use after that */
  read(chunk: Uint8Array): Message[] {
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    const messages: Message[] = [];
    while (this.#waiting.length >= 4) {
      const length = this.#waiting.readUInt32BE(0);
      if (length < 1 || length > bodyBytesMax) throw new MessageError(`a message of ${length} bytes`);
      if (this.#waiting.length < length + 8) break;
      const body = this.#waiting.subarray(4, length + 4);
      if (crc32(body) !== this.#waiting.readUInt32BE(length + 4)) throw new MessageError('wrong checksum');
      messages.push(decodeBody(body));
      this.#waiting = this.#waiting.subarray(length + 8);
    }
    return messages;
  }
}

function decodeBody(body: Buffer): Message {
  const kind = body.readUInt8(0);
  if (kind === 2 && body.length === 1) return { kind: 'goodbye' };
  if (kind > 1 || body.length < 9 + kind) throw new MessageError(`no message: kind ${kind}`);
  const connection = body.readUInt32BE(1);
  const number = body.readUInt32BE(5);
  if (kind === 0) return { kind: 'request', connection, number, payload: body.subarray(9) };
  const payloadAt = 10 + body.readUInt8(9);
  if (payloadAt > body.length) throw new MessageError('the name of the server is cut off');
  const server = body.toString('utf8', 10, payloadAt);
  return { kind: 'answer', connection, number, server, payload: body.subarray(payloadAt) };
}

/** The payload of a request: its length and bytes follow from connection and number. */
export function requestPayload(connection: number, number: number): Uint8Array {
  const random = seededRandom(Math.imul(connection, 0x01000193) ^ number);
  const payload = new Uint8Array(random.between(100, payloadBytesMax));
  const words = new DataView(payload.buffer);
  for (let i = 0; i + 4 <= payload.length; i += 4) words.setUint32(i, random.next());
  return payload;
}

/** The payload of the answer: turned around and inverted, so that a mere echo would be noticed. */
export function answerPayload(request: Uint8Array): Uint8Array {
  const payload = new Uint8Array(request.length);
  for (let i = 0; i < request.length; i++) payload[i] = ~request[request.length - 1 - i]!;
  return payload;
}
