// SPDX-License-Identifier: Apache-2.0
/**
 * One switch of the group: the writes it has not answered, and what it holds. What is sent to it is always what the
 * group's row is at that moment, and its port keeps the order of writes to a row; so the last write to a row wins,
 * whoever asked for it.
 */
import type { Millis, WriteFailure } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { RowUpdate } from '../core/row.ts';
import type { Clock } from '../ports/clock.ts';
import type { MemberState, SwitchPort } from '../ports/switch.ts';
import { Difference, type Shadow } from './difference.ts';
import { rowKey } from './row-key.ts';
import type { Tables } from './source.ts';

export interface MemberTarget {
  /** What the operator calls it. */
  name: string;
  port: SwitchPort;
}

type OnAnswer = (failures: readonly WriteFailure[]) => void;

interface SentWrite {
  readonly sentAt: Millis;
  readonly updates: readonly RowUpdate[];
  readonly onAnswer: OnAnswer;
}

export class Member {
  readonly name: string;
  readonly port: SwitchPort;
  readonly difference: Difference;
  state: MemberState = 'disconnected';
  since: Millis;
  /** It has been equal to the group once: the difference tells what it holds even while it is away. */
  wasInStep = false;
  /** Read from it, while its state is 'gathering'. */
  tables: Tables | undefined;
  /** Flows its filters have admitted, as counted last. */
  admitted: number | undefined;
  /** It fails what it is asked since then: it does not answer, as far as the others are concerned. */
  failingSince: Millis | undefined;
  /** Why it does not participate. */
  problem: string | undefined;
  /** While it is read back: rows that are, or were meanwhile, under way. */
  touched: Set<RowKey> | undefined;
  private readonly shadow: Shadow;
  private readonly clock: Clock;
  private readonly writes = new Map<number, SentWrite>();
  /** How often it has refused a row since it participated last or was lost: no more rows than it lacks. */
  private readonly refusals = new Map<RowKey, number>();
  private nextWrite = 1;

  constructor({ name, port }: MemberTarget, shadow: Shadow, clock: Clock) {
    this.name = name;
    this.port = port;
    this.shadow = shadow;
    this.clock = clock;
    this.difference = new Difference(shadow);
    this.since = clock.now();
  }

  enter(state: MemberState, problem?: string): void {
    this.state = state;
    if (state === 'participating' || state === 'disconnected') this.refusals.clear();
    this.since = this.clock.now();
    this.problem = problem;
  }

  /** @returns how often by now */
  countRefusal(key: RowKey): number {
    const count = (this.refusals.get(key) ?? 0) + 1;
    this.refusals.set(key, count);
    return count;
  }

  get hasUnanswered(): boolean {
    return this.writes.size > 0;
  }

  /** From now until `touched` is taken away, it gathers the rows that are written. */
  watchTouched(): Set<RowKey> {
    const touched = new Set<RowKey>();
    for (const { updates } of this.writes.values()) for (const { row } of updates) touched.add(rowKey(row));
    this.touched = touched;
    return touched;
  }

  /** Since when we wait for it; undefined: we do not. */
  get waitedForSince(): Millis | undefined {
    for (const { sentAt } of this.writes.values()) return Math.min(sentAt, this.failingSince ?? sentAt);
    return this.failingSince;
  }

  /**
   * Sends updates, each of them the group's row of now. 'exists' and 'missing' are set right here, since switches may
   * differ: `onDone` hears of what could not be done.
   */
  write(updates: readonly RowUpdate[], corrections: number, onDone: OnAnswer): void {
    const onAnswer: OnAnswer = (failures) => {
      const again: { index: number; update: RowUpdate }[] = [];
      const final = this.learn(updates, failures, (failure, update) => {
        const wanted = this.shadow.get(rowKey(update.row));
        // No row is wanted by now; whoever decided so has sent a delete behind this.
        if (wanted === undefined) return true;
        if (corrections === 0) return false;
        const operation = failure.code === 'exists' ? 'modify' : 'insert';
        again.push({ index: failure.index, update: { operation, row: wanted } });
        return true;
      });
      if (again.length === 0) {
        onDone(final);
        return;
      }
      const corrected = again.map(({ update }) => update);
      this.write(corrected, corrections - 1, (failures) =>
        onDone([
          ...final,
          ...failures.map((failure) => ({ ...failure, index: again[failure.index]!.index })),
        ]),
      );
    };
    if (this.touched) for (const { row } of updates) this.touched.add(rowKey(row));
    const write = this.nextWrite++;
    this.writes.set(write, { sentAt: this.clock.now(), updates, onAnswer });
    this.port.write(write, updates);
  }

  /** Answers to writes of an earlier connection are not ours any more. */
  answered(write: number, failures: readonly WriteFailure[]): void {
    const sent = this.writes.get(write);
    this.writes.delete(write);
    sent?.onAnswer(failures);
  }

  /** What it was asked and has not answered may be done or not. */
  doubtUnanswered(): void {
    for (const { updates } of this.writes.values())
      for (const { row } of updates) this.difference.doubt(rowKey(row), row);
  }

  /** No answer will come. */
  forgetUnanswered(): void {
    this.doubtUnanswered();
    this.writes.clear();
    this.failingSince = undefined;
  }

  /** Takes down what the answer says of the rows. @returns failures that `correct` did not take on */
  private learn(
    updates: readonly RowUpdate[],
    failures: readonly WriteFailure[],
    correct: (failure: WriteFailure, update: RowUpdate) => boolean,
  ): WriteFailure[] {
    const { difference } = this;
    const isUnavailable = failures.some(({ code }) => code === 'unavailable');
    this.failingSince = isUnavailable ? (this.failingSince ?? this.clock.now()) : undefined;
    if (failures.length === 0 && difference.size === 0) return [];
    const failed = new Map(failures.map((failure) => [failure.index, failure]));
    const final: WriteFailure[] = [];
    for (const [index, update] of updates.entries()) {
      const { operation, row } = update;
      const failure = failed.get(index);
      const key = rowKey(row);
      if (failure === undefined) {
        if (difference.size > 0) difference.holds(key, operation === 'delete' ? undefined : row, row);
      } else if (failure.code === 'missing') {
        difference.holds(key, undefined, row);
        if (operation !== 'delete' && !correct(failure, update)) final.push(refusal(failure));
      } else if (failure.code === 'exists') {
        difference.doubt(key, row);
        if (!correct(failure, update)) final.push(refusal(failure));
      } else {
        difference.doubt(key, row);
        final.push(failure);
      }
    }
    return final;
  }
}

function refusal({ index, code, message }: WriteFailure): WriteFailure {
  return { index, code: 'rejected', message: `neither insert nor modify fits (${code}: ${message})` };
}
