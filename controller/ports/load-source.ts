// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of whoever knows how loaded backends are. */

export interface LoadTarget {
  /** Of the backend. */
  name: string;
  /** As text. */
  address: string;
  port: number;
  /** As configured. */
  weight: number;
}

export interface LoadReading {
  /** By the name of the backend: load for what it can carry, in any unit that is the same for all. Who is not known is not in it. */
  loads: ReadonlyMap<string, number>;
  /** Why it is not all that was asked for. */
  problem: string | undefined;
}

/** Never rejects; a reading that is late is a problem, and says what is known. */
export interface LoadSource {
  read(backends: readonly LoadTarget[], timeoutMs: number): Promise<LoadReading>;
}
