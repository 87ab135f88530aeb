// SPDX-License-Identifier: Apache-2.0
/** Where the load of a pool's backends is read. Plain JSON-able data. */

export type LoadQuery =
  /** GET of each backend, `url` with {address}, {port} and {name}; `field` leads to the number: load.cpu, cpus.0.busy. */
  | { kind: 'http'; url: string; field: string }
  /** An instant query; the label says whose value it is: by its name, its ADDRESS:PORT or its address. */
  | { kind: 'prometheus'; url: string; query: string; label: string }
  /** What the switch has forwarded to each, a second, for its configured weight. */
  | { kind: 'switch'; count: 'bytes' | 'packets' };
