// SPDX-License-Identifier: Apache-2.0
/** The server side of the traffic: verifies every request, answers it in the server's name. */

import { answerPayload, encodeMessage, type Message, MessageReader, requestPayload } from './message.ts';
import type { Accept, Peer, Stream } from './stream.ts';

export interface Service {
  accept: Accept;
  /** Asks every open connection to leave in order. */
  sayGoodbye(): void;
  summary(): { open: number; accepted: number; requests: number; damaged: number };
}

/**
 * @param name  goes into every answer
 * @param onAccepted  is told of every connection before anything is read of it
 */
export function createService(name: string, onAccepted: (peer: Peer) => void = () => {}): Service {
  const streams = new Set<Stream>();
  const totals = { accepted: 0, requests: 0, damaged: 0 };

  function accept(stream: Stream, peer: Peer) {
    onAccepted(peer);
    const reader = new MessageReader();
    let expected = 1;
    streams.add(stream);
    totals.accepted += 1;

    const refuse = () => {
      totals.damaged += 1;
      streams.delete(stream);
      stream.destroy();
    };
    return {
      data(bytes: Uint8Array) {
        let messages: Message[];
        try {
          messages = reader.read(bytes);
        } catch {
          refuse();
          return;
        }
        for (const message of messages) {
          if (!isExpected(message, expected)) {
            refuse();
            return;
          }
          const { connection, number, payload } = message;
          expected += 1;
          totals.requests += 1;
          const answer = answerPayload(payload);
          stream.write(encodeMessage({ kind: 'answer', connection, number, server: name, payload: answer }));
        }
      },
      closed() {
        streams.delete(stream);
        stream.end();
      },
    };
  }

  return {
    accept,
    sayGoodbye() {
      for (const stream of streams) stream.write(encodeMessage({ kind: 'goodbye' }));
    },
    summary: () => ({ open: streams.size, ...totals }),
  };
}

function isExpected(message: Message, number: number): message is Extract<Message, { kind: 'request' }> {
  if (message.kind !== 'request' || message.number !== number) return false;
  return Buffer.compare(message.payload, requestPayload(message.connection, number)) === 0;
}
