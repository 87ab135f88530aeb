// SPDX-License-Identifier: Apache-2.0
/**
 * What the engine would do if something else were wanted: `step` itself, on a copy of the state, against an imaginary switch
 * that takes every write at the speed of the real one, and against time that passes as fast as it can be computed.
 *
 *   copy of the state ──desired──> step ──write──> answered when the switch would have ──> step ... ──> at rest
 *                                    └──wake──> as soon as nothing else is due
 *
 * Nobody sends packets there: no digests, no new pins, no filters that fill up. Neighbours stay as they are.
 */

import { step } from './controller.ts';
import type { Address, Desired } from './desired.ts';
import type { Effect, Event, Millis } from './event.ts';
import type { State } from './model.ts';
import { unstableSlotCount, WAITING_FOR_WRITES } from './model.ts';
import type { EngineOptions } from './options.ts';
import type { RowUpdate } from './row.ts';

export const rehearsalLimits = {
  /** A thousand vips of a thousand slots take some ten thousand. Above, the rehearsal ends and says that it is not whole. */
  steps: 200_000,
  /** Two of the longest session timeouts. */
  spanMs: 48 * 3_600_000,
} as const;

/** prepare: until the commit, or what needs none. rotation: of the version, by the clock and not by what is wanted. */
export type WritePhase = 'prepare' | 'commit' | 'merge' | 'rotation';

export interface WriteCount {
  phase: WritePhase;
  table: RowUpdate['row']['table'];
  inserted: number;
  modified: number;
  deleted: number;
}

export interface Rehearsal {
  /** At rest: everything written, committed and merged. */
  state: State;
  endedAt: Millis;
  writes: WriteCount[];
  /** After the beginning: until the last commit is acknowledged, and until the last slot is stable again. Undefined: none was. */
  committedMs: number | undefined;
  mergedMs: number | undefined;
  commits: number;
  movedSlots: number;
  /** By pool id: the most slots that were unstable at once. */
  unstableSlots: ReadonlyMap<number, number>;
  /** What a change had to wait for besides writes, in the order in which it came up. */
  waitedFor: string[];
  /** Neighbours that nobody had to ask for before. */
  asked: Address[];
  /** Not: a limit was reached, or something waits for what does not happen here. */
  isWhole: boolean;
}

interface Answer {
  at: Millis;
  write: number;
}

/**
 * Pauses after each step: others may have their turn.
 *
 * @param state  must be ready; it becomes that of the rehearsal: whoever needs it as it is gives a copy
 * @param msPerUpdate  of the switch, in the long run; 0: it answers at once
 */
export function rehearse(
  state: State,
  desired: Desired,
  now: Millis,
  options: EngineOptions,
  msPerUpdate: number,
): Generator<undefined, Rehearsal> {
  keepNeighbours(state);
  return new Run(state, now, withoutProbing(options), msPerUpdate).until(desired);
}

/** Who is known is not asked again, and does not go. */
function keepNeighbours(state: State): void {
  for (const neighbour of state.learned.values()) neighbour.nextAt = Number.POSITIVE_INFINITY;
}

function withoutProbing(options: EngineOptions): EngineOptions {
  const never = Number.POSITIVE_INFINITY;
  return { ...options, neighbourReachableMs: never, solicitMs: never, solicitMaxMs: never };
}

class Run {
  private state: State;
  private readonly options: EngineOptions;
  private readonly msPerUpdate: number;
  private readonly startedAt: Millis;
  private now: Millis;
  /** In the order in which they come. */
  private answers: Answer[] = [];
  private wakeAt: Millis;
  private switchIsBusyUntil: Millis;
  private committedAt: Millis | undefined;
  private mergedAt: Millis | undefined;
  private readonly commitsBefore: number;
  private readonly movedBefore: number;
  /** Each with how many commits there were before it. */
  private readonly sent: { update: RowUpdate; commits: number; kind: 'commit' | 'rotation' | 'other' }[] = [];
  private readonly unstable = new Map<number, number>();
  private readonly waitedFor = new Set<string>();
  private readonly askedBefore: ReadonlySet<Address>;
  private readonly asked = new Set<Address>();

  constructor(state: State, now: Millis, options: EngineOptions, msPerUpdate: number) {
    this.state = state;
    this.now = now;
    this.startedAt = now;
    this.options = options;
    this.msPerUpdate = msPerUpdate;
    this.wakeAt = state.wakeAt;
    this.switchIsBusyUntil = now;
    this.commitsBefore = state.totals.commits;
    this.movedBefore = state.totals.movedSlots;
    this.askedBefore = new Set(state.solicitations.keys());
    for (const [write, entries] of state.ledger.writes) this.answerLater(write, entries.length);
  }

  *until(desired: Desired): Generator<undefined, Rehearsal> {
    this.send({ kind: 'desired', now: this.now, desired });
    let steps = 0;
    while (!isAtRest(this.state)) {
      const event = this.next();
      const isTooMuch = steps++ === rehearsalLimits.steps;
      if (event === undefined || isTooMuch || this.now > this.startedAt + rehearsalLimits.spanMs)
        return this.result(false);
      this.send(event);
      yield;
    }
    return this.result(true);
  }

  /** Whatever is due next; undefined: nothing ever. */
  private next(): Event | undefined {
    const [answer] = this.answers;
    if (answer !== undefined && answer.at <= this.wakeAt) {
      this.answers.shift();
      this.now = Math.max(this.now, answer.at);
      return { kind: 'written', now: this.now, write: answer.write, failures: [] };
    }
    if (this.wakeAt === Number.POSITIVE_INFINITY) return undefined;
    this.now = Math.max(this.now, this.wakeAt);
    this.wakeAt = Number.POSITIVE_INFINITY;
    return { kind: 'tick', now: this.now };
  }

  private send(event: Event): void {
    const commits = this.commitCount();
    const { state, effects } = step(this.state, event, this.options);
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
    if (this.commitCount() > commits) this.committedAt = this.now;
    this.observe();
  }

  private carryOut(effect: Effect): void {
    if (effect.kind === 'wake') this.wakeAt = effect.at;
    else if (effect.kind === 'solicit' && !this.askedBefore.has(effect.address))
      this.asked.add(effect.address);
    else if (effect.kind === 'write') {
      for (const update of effect.updates)
        this.sent.push({ update, commits: this.commitCount(), kind: this.kindOf(update) });
      this.answerLater(effect.write, effect.updates.length);
    }
  }

  private kindOf({ row }: RowUpdate): 'commit' | 'rotation' | 'other' {
    if (row.table !== 'version') return 'other';
    return this.state.versionChange?.kind === 'commit' ? 'commit' : 'rotation';
  }

  /** The switch does one write after the other. */
  private answerLater(write: number, updates: number): void {
    this.switchIsBusyUntil = Math.max(this.switchIsBusyUntil, this.now) + updates * this.msPerUpdate;
    this.answers.push({ at: this.switchIsBusyUntil, write });
  }

  private observe(): void {
    const { change, pools } = this.state;
    if (change.waitingFor !== undefined && change.waitingFor !== WAITING_FOR_WRITES)
      this.waitedFor.add(change.waitingFor);
    for (const { id, unstableCount, phase } of pools.values()) {
      if (phase === 'serving' && unstableCount > (this.unstable.get(id) ?? 0))
        this.unstable.set(id, unstableCount);
    }
    if (unstableSlotCount(this.state) > 0) this.mergedAt = undefined;
    else this.mergedAt ??= this.now;
  }

  private commitCount(): number {
    return this.state.totals.commits - this.commitsBefore;
  }

  private result(isWhole: boolean): Rehearsal {
    const { state, startedAt, committedAt, mergedAt } = this;
    const wasUnstable = this.unstable.size > 0;
    return {
      state,
      endedAt: this.now,
      writes: this.counts(),
      committedMs: committedAt === undefined ? undefined : committedAt - startedAt,
      mergedMs: wasUnstable && mergedAt !== undefined ? mergedAt - startedAt : undefined,
      commits: this.commitCount(),
      movedSlots: state.totals.movedSlots - this.movedBefore,
      unstableSlots: this.unstable,
      waitedFor: [...this.waitedFor],
      asked: [...this.asked],
      isWhole,
    };
  }

  private counts(): WriteCount[] {
    const commitsInAll = this.commitCount();
    const counts = new Map<string, WriteCount>();
    for (const { update, commits, kind } of this.sent) {
      const { table } = update.row;
      const isBefore = commits < commitsInAll || commitsInAll === 0;
      const phase = kind === 'other' ? (isBefore ? 'prepare' : 'merge') : kind;
      const key = `${phase}/${table}`;
      const count = counts.get(key) ?? { phase, table, inserted: 0, modified: 0, deleted: 0 };
      count[counterOf[update.operation]]++;
      counts.set(key, count);
    }
    return [...counts.values()];
  }
}

const counterOf = { insert: 'inserted', modify: 'modified', delete: 'deleted' } as const;

/** Nothing will be written any more but versions by the clock. Backends that leave stay for their pins. */
export function isAtRest(state: State): boolean {
  const { change, ledger, versionChange } = state;
  if (change.phase !== 'idle' || change.waitingFor !== undefined || versionChange !== undefined) return false;
  if (ledger.entries.size > 0 || state.mustAdvance) return false;
  if (state.seatWaitAt !== Number.POSITIVE_INFINITY) return false;
  for (const pool of state.pools.values()) {
    if (pool.phase !== 'serving' || pool.unstableCount > 0 || pool.movedCount > 0) return false;
    for (const backend of pool.backends.values())
      if (backend.state === 'leaving' && backend.pinRefs === 0) return false;
  }
  return true;
}
