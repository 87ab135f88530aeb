// SPDX-License-Identifier: Apache-2.0
/** What would come of another wish, before anything is touched; made of a rehearsal. As plain JSON-able data. */

import { formatAddress, formatEndpoint } from './address.ts';
import { step } from './controller.ts';
import type { BackendState, Desired, DesiredBackend, DesiredPool } from './desired.ts';
import type { Millis } from './event.ts';
import { createState, isOut, isServedBy, NO_BACKEND, newestColumn, type Pool, type State } from './model.ts';
import type { EngineOptions } from './options.ts';
import { type Rehearsal, rehearse, type WriteCount } from './rehearsal.ts';
import { backendOf, baseOf } from './slots.ts';
import type { ChangePhase } from './status.ts';

export interface Plan {
  /** Nothing would be written that will not be written anyway. */
  isEmpty: boolean;
  /** All, with the backends that would be other than they are, or will be when what is under way is done. */
  pools: PoolPlan[];
  /** Of the whole way to rest, what is under way already included. */
  writes: WriteCount[];
  /** Of these, what would be written if nothing else were wanted. */
  writesAnyway: WriteCount[];
  /** Slots whose new flows would go to another backend. */
  movedSlots: number;
  commits: number;
  /** From now on. Undefined: there is nothing to commit, or to merge. */
  committedMs: number | undefined;
  mergedMs: number | undefined;
  /** By which times were computed; measured since the start, or assumed. */
  speed: WriteSpeed;
  /** Neighbours that would be asked for: each writes two rows more when it answers. */
  neighboursAsked: string[];
  busy: Busy | undefined;
  /** What the change would have to wait for. */
  waitsFor: string[];
  /** A limit of the rehearsal was reached: counts are too low. */
  isWhole: boolean;
}

export interface WriteSpeed {
  updatesPerSecond: number;
  isMeasured: boolean;
}

/** What is under way already. */
export interface Busy {
  phase: ChangePhase;
  unsettledRows: number;
  unstableSlots: number;
}

export interface PoolPlan {
  name: string;
  /** replaced: slots or affinity are others; it is filled anew, and its connections are cut. */
  change: 'added' | 'removed' | 'replaced' | 'changed' | 'unchanged';
  slotCount: number;
  movedSlots: number;
  /** Of these, more than the new shares ask for. */
  collateralSlots: number;
  /** The most that would be unstable at once. */
  unstableSlots: number;
  /** Of the flows that are alive, as far as they are spread evenly over the slots: from 0 to 1. */
  flows: FlowShares;
  backends: BackendPlan[];
}

export interface FlowShares {
  /** They keep their backend, those that speak by a pin. */
  kept: number;
  /** They lose their connections. */
  cut: number;
}

export type BackendChange =
  | 'added'
  | 'removed'
  | 'drained'
  | 'disabled'
  | 'failed'
  | 'restored'
  | 'reweighted';

const changeInto = {
  active: 'restored',
  draining: 'drained',
  disabled: 'disabled',
  down: 'failed',
} as const satisfies Record<BackendState, BackendChange>;

export interface BackendPlan {
  name: string;
  address: string;
  /** Undefined: it is only given other slots. */
  change: BackendChange | undefined;
  weight: { from: number | undefined; to: number | undefined };
  /** Slots whose new flows it gets. */
  slots: { from: number; to: number };
}

/** Undefined while the engine does not know its switch. */
export function planOf(
  state: State,
  desired: Desired,
  now: Millis,
  options: EngineOptions,
  speed: WriteSpeed,
): Plan | undefined {
  return outcomeOf(planInSteps(state, desired, now, options, speed));
}

function outcomeOf<Outcome>(steps: Generator<undefined, Outcome>): Outcome {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Without a switch: from one that has held what was wanted since it was filled, and that nothing ever happened to. */
export function planBetween(
  before: Desired,
  after: Desired,
  options: EngineOptions,
  speed: WriteSpeed,
): Plan | undefined {
  const { state } = step(createState(), { kind: 'desired', now: 0, desired: before }, options);
  step(state, { kind: 'connected', now: 0, rows: [] }, options);
  const filled = outcomeOf(rehearse(state, before, 0, options, 0));
  return planOf(filled.state, after, filled.endedAt, options, speed);
}

/**
 * As planOf, with pauses. The state is copied before the first of them, and may go on. A copy is made in one piece: with 100,000
 * pins it takes about half a second.
 */
export function* planInSteps(
  state: State,
  desired: Desired,
  now: Millis,
  options: EngineOptions,
  speed: WriteSpeed,
): Generator<undefined, Plan | undefined> {
  if (!state.isReady || state.desired === undefined) return undefined;
  const before = structuredClone(state);
  yield;
  const msPerUpdate = 1_000 / speed.updatesPerSecond;
  const wished = yield* rehearse(structuredClone(before), desired, now, options, msPerUpdate);
  const busy = busyWith(before);
  // What is under way comes to its end either way: the plan tells what is other than that end.
  const anyway = busy && (yield* rehearse(before, before.desired!, now, options, msPerUpdate));
  const pools = poolPlans(anyway?.state ?? before, desired, wished);
  const writesAnyway = anyway?.writes ?? [];
  const hasWrites = withoutClock(wished.writes) !== withoutClock(writesAnyway);
  return {
    isEmpty: !hasWrites && pools.every(({ change }) => change === 'unchanged'),
    pools,
    writes: wished.writes,
    writesAnyway,
    movedSlots: pools.reduce((sum, pool) => sum + pool.movedSlots, 0),
    commits: wished.commits,
    committedMs: wished.committedMs,
    mergedMs: wished.mergedMs,
    speed,
    neighboursAsked: wished.asked.map(formatAddress),
    busy,
    waitsFor: wished.waitedFor,
    isWhole: wished.isWhole,
  };
}

function busyWith({ change, ledger, pools }: State): Busy | undefined {
  let unstableSlots = 0;
  for (const { phase, unstableCount } of pools.values())
    if (phase === 'serving') unstableSlots += unstableCount;
  const isPending = change.phase !== 'idle' || change.waitingFor !== undefined;
  if (!isPending && ledger.entries.size === 0 && unstableSlots === 0) return undefined;
  return { phase: change.phase, unsettledRows: ledger.entries.size, unstableSlots };
}

/** Versions are rotated by the clock. */
function withoutClock(writes: readonly WriteCount[]): string {
  const counted = writes.filter(({ phase }) => phase !== 'rotation').map((count) => JSON.stringify(count));
  return counted.sort().join();
}

function poolPlans(state: State, desired: Desired, wished: Rehearsal): PoolPlan[] {
  const plans: PoolPlan[] = [];
  const before = [...state.pools.values()].filter(({ phase }) => phase !== 'leaving');
  for (const wish of desired.pools) {
    const was = before.find((pool) => isServedBy(pool, wish));
    const is = [...wished.state.pools.values()].find((pool) => isServedBy(pool, wish));
    const isOther = was === undefined && before.some((pool) => isSameVip(pool, wish));
    plans.push(poolPlan({ state, was, wished, is, wish, isOther }));
  }
  for (const was of before) {
    if (desired.pools.some((wish) => isServedBy(was, wish) || isSameVip(was, wish))) continue;
    plans.push(poolPlan({ state, was, wished, is: undefined, wish: undefined, isOther: false }));
  }
  return plans;
}

interface PoolInQuestion {
  state: State;
  was: Pool | undefined;
  wished: Rehearsal;
  is: Pool | undefined;
  wish: DesiredPool | undefined;
  isOther: boolean;
}

function poolPlan({ state, was, wished, is, wish, isOther }: PoolInQuestion): PoolPlan {
  const slotCount = (is ?? was)!.slotCount;
  const from = was && ownersOf(state, was);
  const to = is && ownersOf(wished.state, is);
  const backends = backendPlans(was, from, to, wish);
  const movedSlots = from && to ? differing(from, to) : 0;
  const gained = backends.reduce((sum, { slots }) => sum + Math.max(0, slots.to - slots.from), 0);
  const unstableSlots = is ? (wished.unstableSlots.get(is.id) ?? 0) : 0;
  const isSame = was !== undefined && wish !== undefined && isDescribedBy(state, was, wish);
  return {
    name: (wish ?? was)!.name,
    change: isOther
      ? 'replaced'
      : was === undefined
        ? 'added'
        : wish === undefined
          ? 'removed'
          : isSame && movedSlots === 0 && backends.every(({ change }) => change === undefined)
            ? 'unchanged'
            : 'changed',
    slotCount,
    movedSlots,
    collateralSlots: was && is ? Math.max(0, movedSlots - gained) : 0,
    unstableSlots,
    flows: isOther ? { kept: 0, cut: 1 } : flowShares(was, is, wish, from, to),
    backends: backends.filter(({ change, slots }) => change !== undefined || slots.from !== slots.to),
  };
}

/** Per slot, the endpoint that new flows are sent to. Ids may change hands, endpoints do not. */
function ownersOf(state: State, pool: Pool): string[] {
  const column = newestColumn(state);
  const names = new Map<number, string>([[NO_BACKEND, '']]);
  for (const backend of pool.backends.values()) names.set(backend.id, formatEndpoint(backend));
  return Array.from({ length: pool.slotCount }, (_, slot) => names.get(backendOf(pool, slot, column)) ?? '');
}

function differing(from: readonly string[], to: readonly string[]): number {
  let count = 0;
  for (const [slot, owner] of from.entries()) if (owner !== to[slot]) count++;
  return count;
}

function backendPlans(
  was: Pool | undefined,
  from: readonly string[] | undefined,
  to: readonly string[] | undefined,
  wish: DesiredPool | undefined,
): BackendPlan[] {
  const plans: BackendPlan[] = [];
  const before = tally(from);
  const after = tally(to);
  const known = new Map(
    [...(was?.backends.values() ?? [])].map((backend) => [formatEndpoint(backend), backend]),
  );
  const plan = (
    endpoint: string,
    name: string,
    change: BackendChange | undefined,
    to: number | undefined,
  ) => {
    plans.push({
      name,
      address: endpoint,
      change,
      weight: { from: known.get(endpoint)?.weight, to },
      slots: { from: before.get(endpoint) ?? 0, to: after.get(endpoint) ?? 0 },
    });
  };
  for (const wanted of wish?.backends ?? []) {
    const endpoint = formatEndpoint(wanted);
    const now = known.get(endpoint);
    plan(endpoint, wanted.name, changeOf(now, wanted), wanted.weight);
  }
  const wanted = new Set(plans.map(({ address }) => address));
  for (const [endpoint, { name, state }] of known)
    if (!wanted.has(endpoint)) plan(endpoint, name, state === 'leaving' ? undefined : 'removed', undefined);
  return plans;
}

function changeOf(
  now: { weight: number; state: string } | undefined,
  wanted: DesiredBackend,
): BackendChange | undefined {
  if (now === undefined || now.state === 'leaving') return 'added';
  if (now.state !== wanted.state) return changeInto[wanted.state];
  return now.weight === wanted.weight ? undefined : 'reweighted';
}

function tally(owners: readonly string[] | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners ?? []) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

/** Everything of a pool that is not of its backends. */
function isDescribedBy(state: State, pool: Pool, wish: DesiredPool): boolean {
  const wanted = state.desired?.pools.find((other) => isServedBy(pool, other));
  if (wanted === undefined) return false;
  const { backends: _, ...of } = wanted;
  const { backends: __, ...other } = wish;
  return JSON.stringify(of, bigText) === JSON.stringify(other, bigText);
}

const bigText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

/** Flows are where the base of their slot is, but for those that came since it is unstable. */
function flowShares(
  was: Pool | undefined,
  is: Pool | undefined,
  wish: DesiredPool | undefined,
  from: readonly string[] | undefined,
  to: readonly string[] | undefined,
): FlowShares {
  if (was === undefined || from === undefined) return { kept: 0, cut: 0 };
  const isCutOff =
    is === undefined || wish === undefined || to === undefined || wish.forwarding !== was.forwarding;
  if (isCutOff) return { kept: 0, cut: 1 };
  const dying = new Set(
    wish.backends
      .filter((wanted) => {
        const { address, port } = wanted;
        const now = [...was.backends.values()].find(
          (backend) => backend.address === address && backend.port === port,
        );
        return isOut(wanted) && now !== undefined && !isOut(now);
      })
      .map(formatEndpoint),
  );
  let kept = 0;
  let cut = 0;
  for (const [slot, owner] of from.entries()) {
    if (baseOf(was, slot) === NO_BACKEND) continue;
    if (dying.has(owner)) cut++;
    else if (owner !== to[slot]) kept++;
  }
  return { kept: kept / was.slotCount, cut: cut / was.slotCount };
}

function isSameVip({ vip }: Pool, wish: DesiredPool): boolean {
  const { address, protocol, port } = wish.vip;
  return vip.address === address && vip.protocol === protocol && vip.port === port;
}
