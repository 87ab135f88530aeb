// SPDX-License-Identifier: Apache-2.0
/** Sends the pieces of a long answer at the pace of its reader. */

import type { ServerWritableStream } from '@grpc/grpc-js';

/**
 * Ends the call when all pieces are sent. A piece is made when the one before it has left, so that a reader who does
 * not read costs the switch one piece.
 *
 * @throws what making a piece throws
 */
export async function sendPaced<Message>(
  call: ServerWritableStream<unknown, Message>,
  pieces: AsyncIterable<Message>,
): Promise<void> {
  let resume = () => {};
  // A call that is cancelled never says that a message was sent.
  for (const event of ['cancelled', 'close']) call.once(event, () => resume());
  for await (const piece of pieces) {
    if (call.cancelled || call.destroyed) return;
    await new Promise<void>((resolve) => {
      resume = resolve;
      call.write(piece, () => resolve());
    });
  }
  call.end();
}
