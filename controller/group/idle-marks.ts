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

  /** @returns whether all of them have said so by now; then the mark is gone */
  add(key: RowKey, event: PinIdle, by: object, all: readonly object[], now: Millis): boolean {
    let mark = this.marks.get(key);
    if (mark === undefined) {
      if (this.marks.size >= this.limit) {
        this.dropped++;
        return false;
      }
      mark = { event, firstAt: now, by: new Set() };
      this.marks.set(key, mark);
    }
    mark.by.add(by);
    if (!isAgreed(mark, all)) return false;
    this.marks.delete(key);
    return true;
  }

  /** Takes out the marks that were begun until then: pins that all agree on, and the others. */
  expire(until: Millis, all: readonly object[]): { idle: PinIdle[]; busy: RowKey[] } {
    const idle: PinIdle[] = [];
    const busy: RowKey[] = [];
    for (const [key, mark] of this.marks) {
      if (mark.firstAt > until) break;
      this.marks.delete(key);
      if (isAgreed(mark, all)) idle.push(mark.event);
      else busy.push(key);
    }
    return { idle, busy };
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
