// SPDX-License-Identifier: Apache-2.0
/**
 * Pins that switches of a group call idle: the controller is told of those on which all agree; the timeouts of the others begin
 * anew on all switches.
 */
import type { Millis } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import { pinKey } from '../core/pins.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { Clock } from '../ports/clock.ts';
import { Alarm } from './alarm.ts';
import { IdleMarks, type PinIdle } from './idle-marks.ts';
import type { Member } from './member.ts';
import type { SwitchGroupOptions } from './options.ts';

export interface IdlePinsWorld {
  readonly shadow: ReadonlyMap<RowKey, Row>;
  readonly members: readonly Member[];
  readonly options: SwitchGroupOptions;
  readonly clock: Clock;
  participants(): Member[];
  /** Writes to one switch alone. */
  repair(member: Member, updates: readonly RowUpdate[], onAnswer: () => void): void;
  onIdle(event: PinIdle): void;
}

export class IdlePins {
  private readonly world: IdlePinsWorld;
  private readonly marks: IdleMarks;
  /** Switches that have not answered to pins whose timeout begins anew. */
  private readonly arming = new Set<Member>();
  /** A switch has ceased to participate then, last. */
  private lastLossAt: Millis = Number.NEGATIVE_INFINITY;
  private readonly due: Alarm;

  constructor(world: IdlePinsWorld) {
    const { idleAgreeMs, idleMarksMax } = world.options;
    this.world = world;
    this.marks = new IdleMarks(idleAgreeMs, idleMarksMax);
    this.due = new Alarm(world.clock, () => this.check());
  }

  /** A switch that participates says so. */
  heard(member: Member, event: PinIdle): void {
    const { members, shadow, clock } = this.world;
    const key = keyOf(event);
    // A pin of which the group does not know is nobody's.
    if (members.length === 1 || !shadow.has(key)) {
      this.world.onIdle(event);
      return;
    }
    this.marks.add(key, event, member, clock.now());
    if (this.isSilent(key) && this.marks.takeAgreed(key, this.world.participants())) this.world.onIdle(event);
    else this.watch();
  }

  /** A switch ceases to participate, or has not been there from the beginning. */
  oneIsAway(): void {
    this.lastLossAt = this.world.clock.now();
  }

  /** It has answered, or will not. */
  armed(member: Member): void {
    if (this.arming.delete(member)) this.watch();
  }

  forget(): void {
    this.marks.clear();
  }

  close(): void {
    this.due.cancel();
  }

  /** The flow may have passed through a switch that has been lost since: its silence on the others says nothing yet. */
  private isSilent(key: RowKey): boolean {
    const { shadow, clock } = this.world;
    const row = shadow.get(key);
    return row?.table !== 'pin' || clock.now() >= this.lastLossAt + row.idleTimeoutMs;
  }

  /** A batch at a time: the next one when all have answered this. */
  private check(): void {
    const { shadow, options, clock } = this.world;
    const all = this.world.participants();
    const { agreed, others } = this.marks.expire(clock.now(), all, options.joinBatch);
    const busy = others;
    for (const event of agreed) {
      const key = keyOf(event);
      if (this.isSilent(key)) this.world.onIdle(event);
      else busy.push(key);
    }
    const updates = busy.flatMap((key): RowUpdate[] => {
      const row = shadow.get(key);
      return row === undefined ? [] : [{ operation: 'modify', row }];
    });
    if (updates.length > 0) {
      for (const member of all) this.arming.add(member);
      for (const member of all) this.world.repair(member, updates, () => this.armed(member));
    }
    this.watch();
  }

  private watch(): void {
    const { dueAt } = this.marks;
    if (dueAt !== undefined && this.arming.size === 0 && !this.due.isSet) this.due.setAt(dueAt);
  }
}

const keyOf = (event: PinIdle): RowKey => pinKey(event.pool, event.sourceAddress, event.sourcePort);
