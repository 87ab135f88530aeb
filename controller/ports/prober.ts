// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of whoever asks backends how they are. */
import type { ProbeOutcome } from '../core/health.ts';

/** How a backend is asked. Plain JSON-able data. */
export type Check =
  /** Passed when it accepts a connection. */
  | { kind: 'tcp' }
  | {
      kind: 'http';
      /** Over TLS. */
      tls: boolean;
      /** TLS: whether its certificate must be valid for `host`. */
      verify: boolean;
      path: string;
      /** Of the Host header and of TLS; undefined: the backend's address. */
      host: string | undefined;
      /** Inclusive. */
      statuses: readonly { least: number; most: number }[];
      /** Must occur in the first bytes of the body. */
      body: string | undefined;
    }
  /** Passed when it answers; with what, unless `expect` is undefined. */
  | { kind: 'udp'; send: Uint8Array; expect: Uint8Array | undefined }
  /** grpc.health.v1.Health/Check of this service; '': of the server as a whole. */
  | { kind: 'grpc'; service: string }
  /** Passed when the command exits with 0. No shell reads it. */
  | { kind: 'command'; argv: readonly string[] };

export interface ProbeTarget {
  pool: string;
  backend: string;
  /** As text: what sockets take. */
  address: string;
  port: number;
}

export interface Probe {
  target: ProbeTarget;
  check: Check;
  /** From when it begins; one that waits for its turn waits as long as it must. */
  timeoutMs: number;
}

/** Each call of `probe` is answered once, never during the call, and not at all once it was cancelled. */
export interface Prober {
  /** @returns the function that cancels it */
  probe(probe: Probe, answer: (outcome: ProbeOutcome) => void): () => void;
  /** Cancels everything. */
  close(): Promise<void>;
}
