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
    /** In use, and as configured in the same units: 256 for one, or fewer where weights are large. */
    weight: number;
    configured: number;
    /** Smoothed; undefined: never read. */
    load: number | undefined;
  }[];
}
