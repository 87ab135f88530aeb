// SPDX-License-Identifier: Apache-2.0
/** What happens to the controller, and what it wants done: the two closed unions of `step`. */

import type { Address, Desired, MacAddress } from './desired.ts';
import type { Column, Row, RowUpdate } from './row.ts';

/** Milliseconds of a monotonic clock. */
export type Millis = number;

/** closed: full, unreachable, ... as the adapter understood the switch's answer. */
export type WriteFailureCode = 'exists' | 'missing' | 'full' | 'unavailable' | 'rejected';

export interface WriteFailure {
  /** Index into the write's updates. */
  index: number;
  code: WriteFailureCode;
  message: string;
}

/** Why the switch raised a flow digest (p4/core/types.p4, DIGEST_*). The last two are about flows that have a pin. */
export type DigestReason = 'old' | 'learn' | 'closing' | 'opening';

export type Event =
  /** The whole of what the operator wants; replaces what was wanted before. */
  | { kind: 'desired'; now: Millis; desired: Desired }
  /** We are primary and this is everything the switch holds. Every write still unanswered is answered by it. */
  | { kind: 'connected'; now: Millis; rows: readonly Row[] }
  /** No write will be answered until the next `connected`. */
  | { kind: 'disconnected'; now: Millis }
  | { kind: 'written'; now: Millis; write: number; failures: readonly WriteFailure[] }
  | {
      kind: 'flow-digest';
      now: Millis;
      reason: DigestReason;
      pool: number;
      slot: number;
      column: Column;
      backend: number;
      sourceAddress: Address;
      sourcePort: number;
    }
  | { kind: 'neighbour-digest'; now: Millis; port: number; address: Address; mac: MacAddress }
  | { kind: 'pin-idle'; now: Millis; pool: number; sourceAddress: Address; sourcePort: number }
  /** How many flows the active filter slots have admitted in all since the switch started (counter DECISION_NEW). */
  | { kind: 'admitted'; now: Millis; flows: number }
  /** Digests may have been lost up to now, although we are connected: one switch of a group was away. */
  | { kind: 'gap'; now: Millis }
  | { kind: 'tick'; now: Millis };

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a line of the log is about, for those who look for one thing. */
export const logTopics = [
  'commit',
  'merge',
  'backend',
  'pool',
  'switch',
  'health',
  'config',
  'leadership',
  'controller',
] as const;
export type LogTopic = (typeof logTopics)[number];

export type Effect =
  /**
   * Asynchronous; answered by one `written` with the same number. Updates of one write may be sent in any order and in
   * several requests, but two writes that touch the same row must reach the switch in the order of their effects.
   */
  | { kind: 'write'; write: number; updates: readonly RowUpdate[] }
  /** Send a `tick` at this time or soon after. A later `wake` replaces an earlier one. */
  | { kind: 'wake'; at: Millis }
  /** Ask for this neighbour by ARP or NDP out of `port`. */
  | { kind: 'solicit'; port: number; address: Address; sourceAddress: Address; sourceMac: MacAddress }
  | {
      kind: 'log';
      level: LogLevel;
      topic: LogTopic;
      message: string;
      fields: Readonly<Record<string, string | number | boolean>>;
    };
