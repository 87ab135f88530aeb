// SPDX-License-Identifier: Apache-2.0
/**
 * Holds what flaps out until it has been quiet for a while: each fall costs a penalty, which decays by half in every half-life.
 *
 *   falls ──> penalty > suppressAbove: suppressed ──decays──> penalty < reuseBelow: reusable
 *
 * Source: RFC 2439, section 4 (figure of merit, cutoff and reuse thresholds, maximum hold-down time).
 */

import type { Millis } from './event.ts';

export interface DampingOptions {
  /** Added at each fall. */
  fallPenalty: number;
  suppressAbove: number;
  reuseBelow: number;
  halfLifeMs: Millis;
  /** Nothing is suppressed for longer than this after its last fall, however often it fell: it bounds the penalty. */
  suppressMaxMs: Millis;
}

/** Three falls within about a half-life suppress; one that was suppressed by three is reused after about two. */
export const dampingDefaults: Readonly<DampingOptions> = {
  fallPenalty: 1_000,
  suppressAbove: 2_000,
  reuseBelow: 750,
  halfLifeMs: 120_000,
  suppressMaxMs: 600_000,
};

export interface Damping {
  /** As of `at`. */
  penalty: number;
  at: Millis;
  isSuppressed: boolean;
}

export const undamped: Readonly<Damping> = { penalty: 0, at: 0, isSuppressed: false };

export function penaltyAt({ penalty, at }: Damping, now: Millis, { halfLifeMs }: DampingOptions): number {
  return penalty * 2 ** (-Math.max(0, now - at) / halfLifeMs);
}

export function afterFall(damping: Damping, now: Millis, options: DampingOptions): Damping {
  const most = options.reuseBelow * 2 ** (options.suppressMaxMs / options.halfLifeMs);
  const penalty = Math.min(most, penaltyAt(damping, now, options) + options.fallPenalty);
  return { penalty, at: now, isSuppressed: damping.isSuppressed || penalty > options.suppressAbove };
}

/** As time passes. @returns the same object unless it becomes reusable */
export function afterTime(damping: Damping, now: Millis, options: DampingOptions): Damping {
  if (!damping.isSuppressed || now < reusableAt(damping, options)) return damping;
  return { penalty: penaltyAt(damping, now, options), at: now, isSuppressed: false };
}

/** When a suppressed one is reusable if it does not fall again. */
export function reusableAt({ penalty, at }: Damping, { reuseBelow, halfLifeMs }: DampingOptions): Millis {
  return at + Math.max(0, halfLifeMs * Math.log2(penalty / reuseBelow));
}
