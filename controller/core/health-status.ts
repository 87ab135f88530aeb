// SPDX-License-Identifier: Apache-2.0
/** What the checks know about backends, for people and programs. */

import type { Millis } from './event.ts';
import { penaltyAt, reusableAt } from './flap-damping.ts';
import type { Verdict } from './health.ts';
import type { Member, PoolHealth } from './pool-health.ts';

/** Plain JSON-able data. */
export interface PoolHealthStatus {
  pool: string;
  /** tcp, http, udp, grpc, command. */
  check: string;
  /** Fewer than the floor are left: none of the checks is trusted. */
  isPanicking: boolean;
  backends: BackendHealthStatus[];
}

export interface BackendHealthStatus {
  backend: string;
  /** By its checks alone. unknown: not asked yet. */
  state: 'unknown' | 'up' | 'down';
  stateMs: number;
  /** What is acted upon. trusted: as the operator says. avoided: no new connections. dead: its connections are given up. */
  verdict: Verdict;
  verdictMs: number;
  /** Why its last probe failed, 'refused: connection refused'; undefined when it passed. */
  failure: string | undefined;
  /** Of the last probe, if it passed. */
  latencyMs: number | undefined;
  /** Why it could not be asked lately; it says nothing about the backend. */
  problem: string | undefined;
  /** Of RFC 2439; and until when it is held out if it does not fall again: milliseconds from now. */
  penalty: number;
  suppressedMs: number | undefined;
}

/** Why a member is not trusted. */
export function reasonOf({ health: { last, damping, state } }: Member): string {
  if (state !== 'down' && damping.isSuppressed) return 'flapping';
  return failureOf(last) ?? 'flapping';
}

function failureOf(last: Member['health']['last']): string | undefined {
  return last?.kind === 'failed' ? `${last.reason}: ${last.detail}` : undefined;
}

export function backendHealth(
  { wish, health, verdict, verdictSince }: Member,
  { options }: PoolHealth,
  problem: string | undefined,
  now: Millis,
): BackendHealthStatus {
  const { last, damping } = health;
  const { damping: limits } = options;
  return {
    backend: wish.name,
    state: health.state,
    stateMs: now - health.since,
    verdict,
    verdictMs: now - verdictSince,
    failure: failureOf(last),
    latencyMs: last?.kind === 'passed' ? last.latencyMs : undefined,
    problem,
    penalty: limits === undefined ? 0 : Math.round(penaltyAt(damping, now, limits)),
    suppressedMs:
      limits && damping.isSuppressed ? Math.max(0, Math.round(reusableAt(damping, limits) - now)) : undefined,
  };
}
