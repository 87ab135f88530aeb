// SPDX-License-Identifier: Apache-2.0
/** How a backend is asked whether it is well. Plain JSON-able data. */

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
  /** Passed when it answers; with these bytes somewhere, unless `expect` is undefined. */
  | { kind: 'udp'; send: Uint8Array; expect: Uint8Array | undefined }
  /** grpc.health.v1.Health/Check of this service; '': of the server as a whole. */
  | { kind: 'grpc'; service: string }
  /** Passed when the command exits with 0. No shell reads it. */
  | { kind: 'command'; argv: readonly string[] };
