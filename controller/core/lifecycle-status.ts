// SPDX-License-Identifier: Apache-2.0
/** Where backends are between their first connection and their last, beyond what the engine is told. Plain JSON-able data. */
import type { BackendState } from './desired.ts';

export interface PoolLifecycleStatus {
  pool: string;
  backends: BackendLifecycleStatus[];
}

export interface BackendLifecycleStatus {
  backend: string;
  /** As configured. */
  wish: BackendState;
  weight: number;
  /** Of its drain, from now: milliseconds; 0 when it has passed, and what was left has been given up. */
  deadlineMs: number | undefined;
  /** Of its weight: below 1 while it fills. */
  share: number;
  /** Until it has the whole: milliseconds. 0 unless it fills. */
  fillMs: number;
  /** Whose seat it takes. */
  replaces: string | undefined;
}
