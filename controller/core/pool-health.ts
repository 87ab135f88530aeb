// SPDX-License-Identifier: Apache-2.0
/**
 * Which verdicts of the checks are acted upon, in a pool. That many backends fail at once is more often the fault of the checks, of
 * the network between, or of a load that the rest could not carry alone:
 *
 * - *panic*: if fewer than the floor were left, none of the checks is trusted, as if there were none;
 * - *doubt*: while fewer than the floor passed their *last* probe, nobody new is put out. So when all fail at once, nobody has been
 *   declared dead by the time of the panic (with `fall` >= 2: everybody's first failure comes before anybody's second);
 * - who was spared is put out only by a failure, not because the others came back a probe sooner than it.
 *
 * Source of the first: Envoy's panic threshold (docs: load balancing, panic threshold), HealthyPanicThreshold 50 %.
 */

import type { Millis } from './event.ts';
import {
  afterOutcome,
  createHealth,
  type Health,
  type HealthOptions,
  isWell,
  type ProbeOutcome,
  type Verdict,
  verdictOf,
} from './health.ts';

export interface MemberWish {
  name: string;
  isDraining: boolean;
  /** The others are no help to the pool: they are judged, not counted. */
  weight: number;
}

export interface Member {
  wish: MemberWish;
  health: Health;
  /** What its checks say. */
  own: Verdict;
  /** What is acted upon. */
  verdict: Verdict;
  verdictSince: Millis;
}

export interface PoolHealth {
  options: HealthOptions;
  members: Map<string, Member>;
  isPanicking: boolean;
  /** Of the members that count: all, those whose own verdict is 'trusted', those who are well. */
  counted: number;
  trusted: number;
  well: number;
}

/** What was not so before. */
export type HealthChange =
  | { kind: 'verdict'; member: Member; before: Verdict }
  | { kind: 'panic'; isPanicking: boolean; trusted: number; counted: number };

export function createPoolHealth(options: HealthOptions): PoolHealth {
  return { options, members: new Map(), isPanicking: false, counted: 0, trusted: 0, well: 0 };
}

/** These are the backends of the pool now. Who was there before keeps its health; who comes is unknown. */
export function setMembers(
  pool: PoolHealth,
  wishes: readonly MemberWish[],
  options: HealthOptions,
  now: Millis,
): HealthChange[] {
  const before = pool.members;
  pool.options = options;
  pool.members = new Map();
  for (const wish of wishes) {
    const member = before.get(wish.name) ?? newMember(wish, now);
    member.wish = wish;
    member.own = verdictOf(member.health, wish.isDraining, options);
    pool.members.set(wish.name, member);
  }
  count(pool);
  return judgeAll(pool, now);
}

/** Forgets what is known about a member: its address is another, or its check. */
export function forgetMember(pool: PoolHealth, name: string): void {
  pool.members.delete(name);
}

/** Does nothing for one that is not of the pool any more. */
export function noteOutcome(
  pool: PoolHealth,
  name: string,
  outcome: ProbeOutcome,
  now: Millis,
): HealthChange[] {
  const member = pool.members.get(name);
  if (member === undefined) return [];
  tally(pool, member, -1);
  member.health = afterOutcome(member.health, outcome, now, pool.options);
  member.own = verdictOf(member.health, member.wish.isDraining, pool.options);
  tally(pool, member, 1);
  // Only a panic that begins or ends concerns the others.
  if (isBelowFloor(pool, pool.trusted) !== pool.isPanicking) return judgeAll(pool, now);
  return judge(pool, member, now);
}

function judgeAll(pool: PoolHealth, now: Millis): HealthChange[] {
  const { trusted, counted } = pool;
  const changes: HealthChange[] = [];
  const isPanicking = isBelowFloor(pool, trusted);
  if (isPanicking !== pool.isPanicking) {
    pool.isPanicking = isPanicking;
    changes.push({ kind: 'panic', isPanicking, trusted, counted });
  }
  for (const member of pool.members.values()) changes.push(...judge(pool, member, now));
  return changes;
}

const severity: Readonly<Record<Verdict, number>> = { trusted: 0, avoided: 1, dead: 2 };

function judge(pool: PoolHealth, member: Member, now: Millis): HealthChange[] {
  const { own, verdict: before, health } = member;
  let verdict: Verdict = own;
  if (pool.isPanicking) verdict = 'trusted';
  else if (severity[own] > severity[before]) {
    const isDue = !isWell(health) && !isBelowFloor(pool, pool.well);
    if (!isDue) verdict = before;
  }
  if (verdict === before) return [];
  member.verdict = verdict;
  member.verdictSince = now;
  return [{ kind: 'verdict', member, before }];
}

function isBelowFloor({ counted, options }: PoolHealth, left: number): boolean {
  return left < counted * options.floor;
}

function newMember(wish: MemberWish, now: Millis): Member {
  return { wish, health: createHealth(now), own: 'trusted', verdict: 'trusted', verdictSince: now };
}

function count(pool: PoolHealth): void {
  pool.counted = 0;
  pool.trusted = 0;
  pool.well = 0;
  for (const member of pool.members.values()) tally(pool, member, 1);
}

function tally(pool: PoolHealth, { wish, own, health }: Member, by: 1 | -1): void {
  if (wish.isDraining || wish.weight === 0) return;
  pool.counted += by;
  if (own === 'trusted') pool.trusted += by;
  if (isWell(health)) pool.well += by;
}
