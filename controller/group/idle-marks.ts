// SPDX-License-Identifier: Apache-2.0
/**
 * A flow passes through one switch of the group at a time, and its pin is idle on all the others. So a pin is idle when
 * all of them say so within `agreeMs`; when they do not, its timeout begins anew on all of them, which also
 * brings them back into step.
 *
 * What they said at different times covers less than the timeout: a flow that changes switch may have been
 * on the one until shortly before the last word and go to the other right after the first. So pins are written with a timeout that
 * is longer by `agreeMs`, and what the words have in common is the timeout that was asked for. Limit: words count from when they
 * are heard. If one is late by more than another (a controller that is stopped, a clock that stands still), a flow that changes switch after
 * a silence within that time of its session timeout may be forgotten.
 */
import type { Millis } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { SwitchEvent } from '../ports/switch.ts';

export type PinIdle = Extract<SwitchEvent, { kind: 'pin-idle' }>;

interface Mark {
  readonly event: PinIdle;
  readonly firstAt: Millis;
  readonly by: Set<object>;
  /** When the last of them said so first. */
  lastAt: Millis;
}

export class IdleMarks {
  /** Marks that found no room, in all: the switch tells them again. */
  dropped = 0;
  /** Oldest first. */
  private readonly marks = new Map<RowKey, Mark>();
  private readonly agreeMs: number;
  private readonly limit: number;

  constructor(agreeMs: number, limit: number) {
    this.agreeMs = agreeMs;
    this.limit = limit;
  }

  add(key: RowKey, event: PinIdle, by: object, now: Millis): void {
    const mark = this.marks.get(key);
    if (mark !== undefined) {
      if (!mark.by.has(by)) mark.lastAt = now;
      mark.by.add(by);
    } else if (this.marks.size < this.limit) {
      this.marks.set(key, { event, firstAt: now, by: new Set([by]), lastAt: now });
    } else {
      this.dropped++;
    }
  }

  /** Whether all of them have said so in time; then the mark is gone. */
  takeAgreed(key: RowKey, all: readonly object[]): boolean {
    const mark = this.marks.get(key);
    if (mark === undefined || !this.isAgreed(mark, all)) return false;
    return this.marks.delete(key);
  }

  /** Takes out marks whose time is over: pins that all agree on, and so many others at most. */
  expire(now: Millis, all: readonly object[], othersMax: number): { agreed: PinIdle[]; others: RowKey[] } {
    const agreed: PinIdle[] = [];
    const others: RowKey[] = [];
    for (const [key, mark] of this.marks) {
      if (mark.firstAt > now - this.agreeMs || others.length === othersMax) break;
      this.marks.delete(key);
      if (this.isAgreed(mark, all)) agreed.push(mark.event);
      else others.push(key);
    }
    return { agreed, others };
  }

  /** When the first of them is to be looked at. */
  get dueAt(): Millis | undefined {
    for (const { firstAt } of this.marks.values()) return firstAt + this.agreeMs;
    return undefined;
  }

  clear(): void {
    this.marks.clear();
  }

  private isAgreed({ by, firstAt, lastAt }: Mark, all: readonly object[]): boolean {
    return lastAt - firstAt <= this.agreeMs && all.every((member) => by.has(member));
  }
}

/** As the switches of a group are to hold it, which agree within `agreeMs`. */
export function withLongerPin(update: RowUpdate, agreeMs: Millis): RowUpdate {
  const { row } = update;
  if (row.table !== 'pin' || row.idleTimeoutMs === 0) return update;
  return { ...update, row: { ...row, idleTimeoutMs: row.idleTimeoutMs + agreeMs } };
}

/** As it was asked for. A pin that was written before there was a group has no time to spare: it seems to expire sooner. */
export function withShorterPin(row: Row, agreeMs: Millis): Row {
  if (row.table !== 'pin' || row.idleTimeoutMs === 0) return row;
  return { ...row, idleTimeoutMs: Math.max(1, row.idleTimeoutMs - agreeMs) };
}
