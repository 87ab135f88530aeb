// SPDX-License-Identifier: Apache-2.0
/** Why does this flow go there? As plain JSON-able data. */

import type { Protocol } from './desired.ts';
import type { Column, FilterSlot } from './row.ts';

/** What an operator types. Addresses are unsigned 32-bit integers. */
export interface FlowQuestion {
  sourceAddress: number;
  sourcePort: number;
  vipAddress: number;
  vipPort: number;
  protocol: Protocol;
}

export interface Explanation {
  /** Undefined when no pool serves this vip; then only `why` says more. */
  pool: string | undefined;
  hash: { crc32: number; crc16: number; rowA: number; rowB: number } | undefined;
  slot: number | undefined;
  stable: boolean | undefined;
  pin: { backend: string; acknowledged: boolean } | undefined;
  /** Backend of the slot; while it is unstable, of flows older than the change. */
  base: string | undefined;
  /** What each column 1..3 says at this slot; `live` iff a live filter slot refers to it. Empty when stable. */
  columns: { column: Column; backend: string; live: boolean }[];
  activeFilter: FilterSlot;
  /** Every backend the flow may go to, and when. Exactly one when only one is possible. */
  outcomes: { backend: string; when: string }[];
  /** One or two sentences. */
  why: string;
}
