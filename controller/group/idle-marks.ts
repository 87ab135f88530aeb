// SPDX-License-Identifier: Apache-2.0
/**
 * A flow passes through one switch of the group at a time, and its pin is idle on all the others. So a pin is idle when
 * all of them say so at about the same time; when they do not, its timeout begins anew on all of them, which also
 * brings them back into step.
 */
import type { Millis } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { SwitchEvent } from '../ports/switch.ts';

export type PinIdle = Extract<SwitchEvent, { kind: 'pin-idle' }>;

interface Mark {
  readonly event: PinIdle;
  readonly firstAt: Millis;
  readonly by: Set<object>;
}

export class IdleMarks {
  /** Marks that found no room, in all: the switch tells them again. */
  dropped = 0;
  /** Oldest first. */
  private readonly marks = new Map<RowKey, Mark>();
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  add(key: RowKey, event: PinIdle, by: object, now: Millis): void {
    const mark = this.marks.get(key);
    if (mark !== undefined) mark.by.add(by);
    else if (this.marks.size < this.limit) this.marks.set(key, { event, firstAt: now, by: new Set([by]) });
    else this.dropped++;
  }

  /** Whether all of them have said so; then the mark is gone. */
  takeAgreed(key: RowKey, all: readonly object[]): boolean {
    const mark = this.marks.get(key);
    if (mark === undefined || !isAgreed(mark, all)) return false;
    return this.marks.delete(key);
  }

  /** Takes out the marks that were begun until then: pins that all agree on, and the others. */
  expire(until: Millis, all: readonly object[]): { agreed: PinIdle[]; others: RowKey[] } {
    const agreed: PinIdle[] = [];
    const others: RowKey[] = [];
    for (const [key, mark] of this.marks) {
      if (mark.firstAt > until) break;
      this.marks.delete(key);
      if (isAgreed(mark, all)) agreed.push(mark.event);
      else others.push(key);
    }
    return { agreed, others };
  }

  get oldestAt(): Millis | undefined {
    for (const { firstAt } of this.marks.values()) return firstAt;
    return undefined;
  }

  clear(): void {
    this.marks.clear();
  }
}

function isAgreed({ by }: Mark, all: readonly object[]): boolean {
  return all.every((member) => by.has(member));
}
