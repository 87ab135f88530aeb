// SPDX-License-Identifier: Apache-2.0
/**
 * Brings one switch to what the group holds, while the group goes on:
 *
 *   round ──> round ──> ... ──> closing round ──> equal
 *
 * A round gives it what it lacks, in the order of join-order.ts. What the group is asked meanwhile is left for the next
 * round, which is shorter. When little is left, new writes wait for this switch too, and stand behind the last rows.
 */
import type { Millis, WriteFailure } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { Shadow } from './difference.ts';
import { type JoinStep, joinOrder } from './join-order.ts';
import type { Member } from './member.ts';
import type { SwitchGroupOptions } from './options.ts';
import { sameRow, versionKey } from './row-key.ts';

export interface JoinWorld {
  shadow: Shadow;
  options: SwitchGroupOptions;
  now(): Millis;
  /** Writes that wait for this switch and touch the row are under way. */
  isHeld(key: RowKey): boolean;
  /** The switch refuses the row. @returns whether the group gives it up */
  givesUp(key: RowKey, failure: WriteFailure): boolean;
  onEqual(): void;
  onFailed(failure: WriteFailure): void;
}

export class Join {
  readonly startedAt: Millis;
  /** New writes wait for this switch too, since then. */
  closingSince: Millis | undefined;
  /** Rows sent in all. */
  rows = 0;
  /** The switch was new or restarted: it has no flows of its own. */
  readonly wasBlank: boolean;
  private readonly member: Member;
  private readonly world: JoinWorld;
  private steps: JoinStep[] = [];
  private step = 0;
  private position = 0;
  private inFlight = 0;
  private version: Row | undefined;
  private failure: WriteFailure | undefined;
  /** What the group no longer has goes first, and the switch serves nobody meanwhile: it has no room for both. */
  private makesRoom = false;
  private mustBeginAnew = false;
  private isOver = false;

  constructor(member: Member, wasBlank: boolean, world: JoinWorld) {
    this.member = member;
    this.wasBlank = wasBlank;
    this.world = world;
    this.startedAt = world.now();
  }

  start(): void {
    if (this.rest() === 0) this.finish();
    else this.begin();
  }

  /** Answers that are still to come change nothing here. */
  stop(): void {
    this.isOver = true;
  }

  private begin(): void {
    const { member, world } = this;
    const { shadow, options } = world;
    // The very last row is given to who is waited for.
    if (member.difference.size <= Math.max(1, options.joinTailRows)) this.closingSince ??= world.now();
    this.version = shadow.get(versionKey);
    this.steps = joinOrder(member.difference, shadow, {
      makesRoom: this.makesRoom,
      isLeftBehind: this.closingSince === undefined,
    });
    this.mustBeginAnew = false;
    this.step = 0;
    this.position = 0;
    this.pump();
  }

  /** Sends what is due. A step is acknowledged before the next begins. */
  private pump(): void {
    const { options, shadow } = this.world;
    while (!this.isOver && this.inFlight < options.joinUpdatesInFlight) {
      const step = this.steps[this.step];
      // The rows of the steps to come may be needed by a version that this round does not know.
      const isOvertaken = this.closingSince === undefined && shadow.get(versionKey) !== this.version;
      if (step === undefined || isOvertaken || this.mustBeginAnew || this.failure) {
        if (this.inFlight === 0) this.roundOver();
        return;
      }
      if (this.position < step.keys.length) {
        this.send(step);
      } else {
        if (this.inFlight > 0) return;
        this.step++;
        this.position = 0;
      }
    }
  }

  private send({ phase, keys }: JoinStep): void {
    const { difference } = this.member;
    const { options, shadow } = this.world;
    const updates: RowUpdate[] = [];
    const sent: RowKey[] = [];
    while (updates.length < options.joinBatch && this.position < keys.length) {
      const key = keys[this.position++]!;
      const held = difference.rows.get(key);
      if (held === undefined) continue;
      const wanted = phase === 'withdrawn' ? undefined : phase === 'version' ? this.version : shadow.get(key);
      if (!held.isDoubtful && sameRow(held.row, wanted)) continue;
      updates.push(
        wanted === undefined
          ? { operation: 'delete', row: held.name }
          : { operation: held.row === undefined ? 'insert' : 'modify', row: wanted },
      );
      sent.push(key);
      difference.doubt(key, held.name);
    }
    if (updates.length === 0) return;
    this.inFlight += updates.length;
    this.rows += updates.length;
    this.member.write(updates, options.correctionsMax, (failures) => {
      if (this.isOver) return;
      this.inFlight -= updates.length;
      for (const failure of failures) {
        if (failure.code === 'full' && this.canMakeRoom()) this.mustBeginAnew = true;
        else if (!this.world.givesUp(sent[failure.index]!, failure)) this.failure = failure;
      }
      if (this.mustBeginAnew) this.makesRoom = true;
      this.pump();
    });
  }

  private canMakeRoom(): boolean {
    if (this.makesRoom) return false;
    for (const [key, { row }] of this.member.difference.rows)
      if (row !== undefined && !this.world.shadow.has(key)) return true;
    return false;
  }

  private roundOver(): void {
    if (this.failure) {
      this.isOver = true;
      this.world.onFailed(this.failure);
    } else if (this.rest() === 0) {
      this.finish();
    } else {
      this.begin();
    }
  }

  private finish(): void {
    this.isOver = true;
    this.world.onEqual();
  }

  /** Rows that are behind, and that no write which waits will bring right. */
  private rest(): number {
    let rest = 0;
    for (const key of this.member.difference.rows.keys()) if (!this.world.isHeld(key)) rest++;
    return rest;
  }
}
