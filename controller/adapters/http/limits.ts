// SPDX-License-Identifier: Apache-2.0
/** How much the admin API takes. What comes above is refused with a status that says so, and counts for nothing else. */

export const adminLimits = {
  /** 413 above. */
  bodyBytes: 64 * 1024,
  /** 429 above, of all clients together: it protects the controller, not one client from another. */
  requestsPerSecond: 500,
  requestsAtOnce: 1_000,
  /** 429 above; only what is allowed to change anything counts. */
  changesPerSecond: 20,
  changesAtOnce: 100,
  /** 429 above: looks at switches, repairs and adoptions that wait for each other. */
  driftsAtOnce: 8,
  /** 503 above. */
  eventStreams: 64,
  /** Closed at once above. */
  connections: 512,
  /** A client that does not finish its TLS handshake, its headers, or its request, is cut off. */
  headersMs: 10_000,
  requestMs: 30_000,
} as const;
