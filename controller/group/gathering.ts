// SPDX-License-Identifier: Apache-2.0
/**
 * A controller that knows of no tables yet: it waits for the switches to connect, finds out whose tables are in force
 * (source.ts), and how far each switch is from them.
 *
 * There may be a million rows on each of sixteen switches: they are looked at in slices of `sliceRows`, a turn of the event
 * loop for each. Until the last of them nobody participates, so nothing changes meanwhile.
 */
import type { RowKey } from '../core/ledger.ts';
import type { Row } from '../core/row.ts';
import type { Clock } from '../ports/clock.ts';
import { Alarm } from './alarm.ts';
import type { Member } from './member.ts';
import type { SwitchGroupOptions } from './options.ts';
import { rowKey } from './row-key.ts';
import { adopted, isNewer, newest, type Tables, tablesOf } from './source.ts';

export interface GatheringWorld {
  readonly shadow: Map<RowKey, Row>;
  readonly members: readonly Member[];
  readonly options: SwitchGroupOptions;
  readonly clock: Clock;
  onSource(member: Member): void;
  /** The shadow holds the rows in force, and every switch that was found its difference to them. */
  onInForce(found: ReadonlyMap<Member, Tables>): void;
}

export class Gathering {
  private readonly world: GatheringWorld;
  private readonly patience: Alarm;
  /** The rows in force are being put together; whoever connects now is not waited for, but looked at. */
  private isChoosing = false;
  private isClosed = false;

  constructor(world: GatheringWorld) {
    this.world = world;
    this.patience = new Alarm(world.clock, () => this.choose());
  }

  add(member: Member, rows: readonly Row[]): void {
    const { members, options, clock } = this.world;
    member.tables = tablesOf(rows);
    member.enter('gathering');
    if (this.isChoosing) return;
    if (this.found().length === members.length) this.choose();
    else if (!this.patience.isSet) this.patience.setAt(clock.now() + options.gatherMs);
  }

  /** A switch is gone. */
  lost(): void {
    if (this.found().length === 0) this.patience.cancel();
  }

  close(): void {
    this.isClosed = true;
    this.patience.cancel();
  }

  private choose(): void {
    this.patience.cancel();
    const found = this.found();
    if (found.length === 0) return;
    const tables = found.map((member) => member.tables!);
    const best = newest(tables);
    this.world.onSource(found[best]!);
    this.isChoosing = true;
    this.inTurns(this.putInForce(tables[best]!));
  }

  private inTurns(slices: Iterator<undefined>): void {
    if (this.isClosed || slices.next().done) return;
    this.world.clock.after(0, () => this.inTurns(slices));
  }

  private *putInForce(source: Tables): Generator<undefined> {
    const { shadow, members } = this.world;
    const { sliceRows } = this.world.options;
    shadow.clear();
    let untilPause = sliceRows;
    for (const row of source.rows) {
      shadow.set(rowKey(row), row);
      if (--untilPause > 0) continue;
      untilPause = sliceRows;
      yield;
    }
    for (const member of members) {
      member.wasInStep = false;
      member.difference.rows.clear();
    }
    const measured = new Map<Member, Tables>();
    // A switch may be lost meanwhile, or be back with other tables, or come only now.
    const next = (): Member | undefined =>
      this.found().find((member) => measured.get(member) !== member.tables);
    for (let member = next(); member !== undefined; member = next()) {
      const tables = member.tables!;
      yield* member.difference.measureInSlices(tables.rows, sliceRows);
      measured.set(member, tables);
      if (!isNewer(source, tables)) this.adopt(member);
    }
    this.isChoosing = false;
    const found = this.found();
    for (const member of found) member.tables = undefined;
    this.world.onInForce(new Map(found.map((member) => [member, measured.get(member)!])));
  }

  /** What flows may have met on this switch. */
  private adopt({ difference }: Member): void {
    const { shadow, members } = this.world;
    for (const row of adopted(shadow, difference)) {
      const key = rowKey(row);
      const before = shadow.get(key);
      shadow.set(key, row);
      for (const member of members) member.difference.leftBehind(key, before, row);
    }
  }

  private found(): Member[] {
    return this.world.members.filter(({ state }) => state === 'gathering');
  }
}
