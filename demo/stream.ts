// SPDX-License-Identifier: Apache-2.0
/** A TCP connection as the traffic sees it, whether the kernel's or one in memory. */

/**
 * ended: the other side finished in order. refused: a reset answered our SYN. reset: a reset later on.
 * failed: anything else the network stack reports (unreachable, timed out, ...).
 */
export type StreamEnd = 'ended' | 'refused' | 'reset' | 'failed';

export interface Stream {
  readonly localPort: number;
  write(bytes: Uint8Array): void;
  /** Finishes our side after what was written. */
  end(): void;
  /** Gives up without a word to the handlers. */
  destroy(): void;
}

export interface StreamHandlers {
  opened(): void;
  data(bytes: Uint8Array): void;
  /** Called once, at the latest after everything else; not after `destroy`. */
  closed(how: StreamEnd): void;
}

/** Opens a connection to the vip. */
export type Dial = (handlers: StreamHandlers) => Stream;

/** The other end of an accepted connection. */
export interface Peer {
  address: string;
  port: number;
}

/** Called for each accepted connection; what it returns is told what happens. */
export type Accept = (stream: Stream, peer: Peer) => Omit<StreamHandlers, 'opened'>;
