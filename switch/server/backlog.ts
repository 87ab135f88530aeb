// SPDX-License-Identifier: Apache-2.0
/**
 * What waits in a stream for a client that reads slowly, bounded in messages and in bytes. Beyond either limit nothing
 * more is taken: whoever sends decides what becomes of it.
 */

/** The part of a stream of grpc-js that is needed here. */
export interface Sink<Message> {
  write(message: Message, onSent: () => void): unknown;
}

export interface BacklogLimits {
  messagesMax: number;
  /** A message above it goes when it goes alone. */
  bytesMax: number;
}

export class Backlog<Message> {
  readonly #sink: Sink<Message>;
  readonly #limits: BacklogLimits;
  readonly #onRoom: () => void;
  #messages = 0;
  #bytes = 0;

  /** @param onRoom  called after each message that has been sent */
  constructor(sink: Sink<Message>, limits: BacklogLimits, onRoom: () => void = () => {}) {
    this.#sink = sink;
    this.#limits = limits;
    this.#onRoom = onRoom;
  }

  /**
   * Sends the message, or has it wait.
   *
   * @param bytes  about how much it holds
   * @returns false when there is no room; it has not been sent then
   */
  offer(message: Message, bytes: number): boolean {
    const { messagesMax, bytesMax } = this.#limits;
    if (this.#messages >= messagesMax) return false;
    if (this.#messages > 0 && this.#bytes + bytes > bytesMax) return false;
    this.#messages += 1;
    this.#bytes += bytes;
    this.#sink.write(message, () => {
      this.#messages -= 1;
      this.#bytes -= bytes;
      this.#onRoom();
    });
    return true;
  }
}
