// SPDX-License-Identifier: Apache-2.0
/** What is known of the load of backends, as plain JSON-able data. */

export interface LoadStatus {
  pool: string;
  /** http, prometheus, switch. */
  source: string;
  /** Why not all loads are known. */
  problem: string | undefined;
  /** How often weights were changed. */
  changes: number;
  backends: {
    backend: string;
    /** In use; 256 for one of the configuration unless load says otherwise. */
    weight: number;
    /** Smoothed; undefined: never read. */
    load: number | undefined;
  }[];
}
