// SPDX-License-Identifier: Apache-2.0
/**
 * How one backend is, by what its probes found, and what follows from it:
 *
 *   unknown ──passed, once──> up ──`fall` failures in a row──> down ──`rise` passes in a row──> up
 *      └────failed, once────────────────────────────────────────^
 *
 * Unhealthy is not dead, and only the dead lose their connections (docs/decisions/0020):
 *
 *   down: nobody listens any more, or silent for long ──> dead      its rows go to others, whose resets its clients get
 *   down: silent for a short time, or a wrong answer  ──> avoided   no new connections; those it has go on
 *   up, but it falls again and again                  ──> avoided   until it was quiet for a while (flap-damping.ts)
 */

import type { Millis } from './event.ts';
import {
  afterFall,
  afterTime,
  type Damping,
  type DampingOptions,
  dampingDefaults,
  undamped,
} from './flap-damping.ts';

/**
 * refused: its host answers that nobody listens. silent: nothing came back at all. slow: it was reached, and did not answer in
 * time. closed: it was reached, and hung up. wrong: it answered, and not as it should.
 */
export type FailureReason = 'refused' | 'silent' | 'slow' | 'closed' | 'wrong';

export type ProbeOutcome =
  | { kind: 'passed'; latencyMs: number }
  /** `detail` is for people: 'status 503'. */
  | { kind: 'failed'; reason: FailureReason; detail: string }
  /** We could not ask: no socket, no such command. It says nothing about the backend. */
  | { kind: 'void'; detail: string };

export interface HealthOptions {
  intervalMs: number;
  timeoutMs: number;
  /** Passes in a row until one that is down is up. */
  rise: number;
  /** Failures in a row until one that is up is down. */
  fall: number;
  /** Each interval is longer or shorter by up to this share of it. */
  jitter: number;
  /** Who has been silent for so long, as far as it was asked, is dead; before, it is avoided. */
  deadAfterMs: number;
  /** If fewer than this share of a pool were left, none of its checks is trusted; 0: never. See pool-health.ts. */
  floor: number;
  /** Undefined: one that flaps is not held out. */
  damping: DampingOptions | undefined;
}

export const healthDefaults: Readonly<HealthOptions> = {
  intervalMs: 1_000,
  timeoutMs: 1_000,
  rise: 2,
  fall: 3,
  jitter: 0.1,
  deadAfterMs: 10_000,
  floor: 0.5,
  damping: dampingDefaults,
};

export interface Health {
  state: 'unknown' | 'up' | 'down';
  since: Millis;
  /** Answers in a row, up to now, that speak against `state`. */
  against: number;
  /** The last answer, void ones apart. */
  last: Extract<ProbeOutcome, { kind: 'passed' | 'failed' }> | undefined;
  lastAt: Millis;
  /** From the first of the failures in a row, up to now, that are 'refused' or 'silent'; without what it was not asked. */
  goneMs: Millis | undefined;
  /** What speaks for its death. It is forgotten when it fails otherwise, or is up: a pass alone may be luck. */
  wasRefused: boolean;
  /** The longest that it was silent in a row; undefined: not at all. */
  silentMs: Millis | undefined;
  damping: Damping;
}

export function createHealth(now: Millis): Health {
  return {
    state: 'unknown',
    since: now,
    against: 0,
    last: undefined,
    lastAt: now,
    goneMs: undefined,
    wasRefused: false,
    silentMs: undefined,
    damping: undamped,
  };
}

/** @returns the health after this outcome; the one given is left as it is */
export function afterOutcome(
  health: Health,
  outcome: ProbeOutcome,
  now: Millis,
  options: HealthOptions,
): Health {
  if (outcome.kind === 'void') return health;
  const next: Health = {
    ...health,
    ...deathSigns(health, outcome, now, options),
    last: outcome,
    lastAt: now,
    damping: options.damping ? afterTime(health.damping, now, options.damping) : undamped,
  };
  const isPass = outcome.kind === 'passed';
  if (health.state === (isPass ? 'up' : 'down')) {
    next.against = 0;
    return next;
  }
  next.against = health.against + 1;
  const needed = health.state === 'unknown' ? 1 : isPass ? options.rise : options.fall;
  if (next.against < needed) return next;
  next.against = 0;
  next.state = isPass ? 'up' : 'down';
  next.since = now;
  if (isPass) Object.assign(next, noDeathSigns);
  // Who was never up has not fallen.
  if (!isPass && health.state === 'up' && options.damping)
    next.damping = afterFall(next.damping, now, options.damping);
  return next;
}

type DeathSigns = Pick<Health, 'goneMs' | 'wasRefused' | 'silentMs'>;

const noDeathSigns: DeathSigns = { goneMs: undefined, wasRefused: false, silentMs: undefined };

function deathSigns(
  health: Health,
  outcome: Exclude<ProbeOutcome, { kind: 'void' }>,
  now: Millis,
  options: HealthOptions,
): DeathSigns {
  const { wasRefused, silentMs } = health;
  if (outcome.kind === 'passed')
    return health.state === 'down' ? { goneMs: undefined, wasRefused, silentMs } : noDeathSigns;
  if (outcome.reason !== 'refused' && outcome.reason !== 'silent') return noDeathSigns;
  const goneMs =
    health.goneMs === undefined ? 0 : health.goneMs + Math.min(now - health.lastAt, longestGap(options));
  if (outcome.reason === 'refused') return { goneMs, wasRefused: true, silentMs };
  return { goneMs, wasRefused, silentMs: Math.max(silentMs ?? 0, goneMs) };
}

/** Between two answers, of one who is asked in time. What is beyond it nobody asked: we were stopped, or could not. */
function longestGap({ intervalMs, jitter, timeoutMs }: HealthOptions): Millis {
  return intervalMs * (1 + jitter) + timeoutMs;
}

/** trusted: as the operator wishes. avoided: no new connections. dead: its connections cannot be saved. */
export type Verdict = 'trusted' | 'avoided' | 'dead';

/**
 * What the checks alone say, whatever the rest of the pool does.
 *
 * @param isDraining  the operator gives it no new connections: that it does not listen any more says nothing about the old
 */
export function verdictOf(health: Health, isDraining: boolean, { deadAfterMs }: HealthOptions): Verdict {
  if (health.state !== 'down') return health.damping.isSuppressed ? 'avoided' : 'trusted';
  if (health.wasRefused && !isDraining) return 'dead';
  return health.silentMs !== undefined && health.silentMs >= deadAfterMs ? 'dead' : 'avoided';
}

/** The last answer was good, and nothing is held against it; who was not asked yet is believed to be well. */
export function isWell({ last, damping }: Health): boolean {
  return last?.kind !== 'failed' && !damping.isSuppressed;
}

/** @param dice  0 <= x < 1 */
export function nextProbeIn({ intervalMs, jitter }: HealthOptions, dice: number): Millis {
  return intervalMs * (1 + jitter * (2 * dice - 1));
}
