// SPDX-License-Identifier: Apache-2.0
/**
 * Writes of the controller on their way to every switch. One is answered when all switches that are waited for have
 * answered. A new row that one of them has no room for is taken back from the others, so that they stay equal. Nothing else
 * is taken back: flows may have met it. The controller hears that it is in doubt, and writes it again.
 */
import type { WriteFailure, WriteFailureCode } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { Member } from './member.ts';
import { rowKey } from './row-key.ts';

interface Pending {
  readonly write: number;
  readonly updates: readonly RowUpdate[];
  /** The group's rows before. */
  readonly before: readonly (Row | undefined)[];
  readonly waiting: Set<Member>;
  readonly failures: Map<Member, readonly WriteFailure[]>;
}

export interface FanOutWorld {
  readonly shadow: Map<RowKey, Row>;
  readonly members: readonly Member[];
  readonly correctionsMax: number;
  /** It is equal but for a few rows, and waited for; what it is asked stands behind them. */
  isClosing(member: Member): boolean;
  /** The switch holds something else in these rows, and should not. */
  repair(member: Member, updates: readonly RowUpdate[]): void;
  /** Calls back when what has been done may be acknowledged. */
  whenSettled(then: () => void): void;
  onWritten(write: number, failures: readonly WriteFailure[]): void;
}

/** The first of these that a switch answers is what the controller hears. */
const severity: readonly WriteFailureCode[] = ['full', 'rejected', 'unavailable', 'exists', 'missing'];

export class FanOut {
  private readonly world: FanOutWorld;
  private readonly pending = new Set<Pending>();
  private readonly held = new Map<Member, Pending[]>();

  constructor(world: FanOutWorld) {
    this.world = world;
  }

  /** How many are not answered: bounded by what the controller sends without an answer. */
  get size(): number {
    return this.pending.size;
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    const { shadow, members } = this.world;
    const keys = updates.map(({ row }) => rowKey(row));
    const before = keys.map((key) => shadow.get(key));
    updates.forEach(({ operation, row }, i) => {
      if (operation === 'delete') shadow.delete(keys[i]!);
      else shadow.set(keys[i]!, row);
    });
    const pending: Pending = { write, updates, before, waiting: new Set(), failures: new Map() };
    this.pending.add(pending);
    for (const member of members) {
      if (member.state === 'participating') {
        pending.waiting.add(member);
        continue;
      }
      keys.forEach((key, i) => {
        member.difference.leftBehind(key, before[i], shadow.get(key));
      });
      if (!this.world.isClosing(member)) continue;
      pending.waiting.add(member);
      this.held.set(member, [...(this.held.get(member) ?? []), pending]);
    }
    for (const member of pending.waiting) if (member.state === 'participating') this.send(pending, member);
  }

  /** A write that waits for this switch will bring the row right. */
  isHeld(member: Member, key: RowKey): boolean {
    const held = this.held.get(member);
    return held?.some(({ updates }) => updates.some(({ row }) => rowKey(row) === key)) ?? false;
  }

  /** The last rows of its join have been acknowledged: now comes what stood behind them. */
  deliver(member: Member): void {
    const held = this.held.get(member) ?? [];
    this.held.delete(member);
    for (const pending of held) this.send(pending, member);
  }

  /** It is no longer waited for, and what it said of writes under way does not count. */
  release(member: Member): void {
    this.held.delete(member);
    for (const pending of [...this.pending]) {
      pending.failures.delete(member);
      if (pending.waiting.delete(member) && pending.waiting.size === 0) this.finish(pending);
    }
  }

  /** None of them will be answered. */
  forget(): void {
    this.pending.clear();
    this.held.clear();
  }

  private send(pending: Pending, member: Member): void {
    member.write(pending.updates, this.world.correctionsMax, (failures) => {
      if (!this.pending.has(pending) || !pending.waiting.delete(member)) return;
      if (failures.length > 0) pending.failures.set(member, failures);
      if (pending.waiting.size === 0) this.finish(pending);
    });
  }

  private finish(pending: Pending): void {
    this.pending.delete(pending);
    const failures = merged(pending);
    const { updates } = pending;
    const refused = failures.filter(
      ({ code, index }) => code === 'full' && updates[index]!.operation === 'insert',
    );
    if (refused.length > 0) this.takeBack(pending, refused);
    const isShared = this.world.members.length > 1;
    const told = failures.map((failure) =>
      isShared && failure.code === 'rejected' ? inDoubt(failure) : failure,
    );
    this.world.whenSettled(() => this.world.onWritten(pending.write, told));
  }

  /** The controller hears that the row is as before; so it has to be. */
  private takeBack({ updates, before, failures }: Pending, refused: readonly WriteFailure[]): void {
    const { shadow, members } = this.world;
    const repairs = new Map<Member, RowUpdate[]>();
    for (const { index } of refused) {
      const { operation, row } = updates[index]!;
      const key = rowKey(row);
      const asked = shadow.get(key);
      const old = before[index];
      if (old === undefined) shadow.delete(key);
      else shadow.set(key, old);
      for (const member of members) {
        const said = failures.get(member)?.find((failure) => failure.index === index)?.code;
        if (member.state !== 'participating') {
          member.difference.leftBehind(key, asked, old);
        } else if (said === 'full' || said === 'rejected') {
          member.difference.holds(key, old, row);
        } else {
          member.difference.doubt(key, row);
          const back: RowUpdate =
            old === undefined
              ? { operation: 'delete', row }
              : { operation: operation === 'delete' ? 'insert' : 'modify', row: old };
          repairs.set(member, [...(repairs.get(member) ?? []), back]);
        }
      }
    }
    for (const [member, repair] of repairs) this.world.repair(member, repair);
  }
}

/** Other switches may have it. */
function inDoubt(failure: WriteFailure): WriteFailure {
  return { ...failure, code: 'unavailable' };
}

/** One failure an update: the gravest, with the name of the switch. */
function merged({ failures }: Pending): WriteFailure[] {
  const gravest = new Map<number, WriteFailure>();
  for (const [member, ofMember] of failures) {
    for (const failure of ofMember) {
      const known = gravest.get(failure.index);
      if (known && severity.indexOf(known.code) <= severity.indexOf(failure.code)) continue;
      gravest.set(failure.index, { ...failure, message: `${member.name}: ${failure.message}` });
    }
  }
  return [...gravest.values()].sort((a, b) => a.index - b.index);
}
