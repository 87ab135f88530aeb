// SPDX-License-Identifier: Apache-2.0
/**
 * Drift: a switch does not hold what it was given, because somebody else has written to it.
 *
 *   read back ──all as it should be──> done
 *       └──differs──pause──> read again ──differs in the same way──> told ──> repaired, or adopted
 *
 * Rows that are written while a switch is read back, or that are not acknowledged, are not compared: what they are is the
 * business of the write. Only switches that participate are looked at; the others are given every row that differs anyway.
 */
import type { LogLevel, Millis } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { AdoptedRows } from '../ports/adopted-rows.ts';
import type { Clock } from '../ports/clock.ts';
import type { DriftControl, DriftKind, DriftReport, MemberDrift } from '../ports/switch.ts';
import { Alarm } from './alarm.ts';
import { Difference } from './difference.ts';
import { repairOrder } from './join-order.ts';
import type { Member } from './member.ts';
import type { SwitchGroupOptions } from './options.ts';
import { rowKey, sameRow, slotKey } from './row-key.ts';
import { rowText } from './row-text.ts';

export interface DriftWorld {
  readonly shadow: Map<RowKey, Row>;
  readonly members: readonly Member[];
  readonly options: SwitchGroupOptions;
  readonly clock: Clock;
  readonly adopted: AdoptedRows | undefined;
  log(level: LogLevel, message: string, member: Member, fields: Record<string, string | number>): void;
  /** Writes of the controller are not answered yet. */
  isWriting(): boolean;
  /** The group's rows are others than the controller knows: it begins anew with them. */
  beginAnew(): void;
}

interface Seen {
  /** By key: what the switch holds instead of what it should. */
  drifted: Map<RowKey, Row | undefined>;
  /** What it should hold, or a name for what it should not. */
  names: Map<RowKey, Row>;
  /** Of what was not remembered for want of room. */
  more: number;
  lookedAt: Millis | undefined;
  tookMs: Millis | undefined;
  rowsRead: number;
  looks: number;
  problem: string | undefined;
  /** Rows of others that are let be. */
  readonly tolerated: Map<RowKey, Row>;
}

type Found = Pick<Seen, 'drifted' | 'names' | 'more' | 'rowsRead'>;

export class Drift implements DriftControl {
  private readonly world: DriftWorld;
  private readonly seen: ReadonlyMap<Member, Seen>;
  private readonly alarm: Alarm;
  /** One thing after the other: there is one set of `touched` rows a switch. */
  private last: Promise<unknown> = Promise.resolve();
  /** What has yet to begin, by what it is. Who wants the same has it as well: so few wait, whoever asks how often. */
  private readonly waiting = new Map<string, Promise<void>>();
  private isClosed = false;

  constructor(world: DriftWorld) {
    this.world = world;
    this.seen = new Map(
      world.members.map((member) => [member, blank(world.adopted?.rows.get(member.name) ?? [])]),
    );
    this.alarm = new Alarm(world.clock, () => void this.look().then(() => this.lookLater()));
  }

  /** Looks from time to time, if the options say so. */
  start(): void {
    this.lookLater();
  }

  close(): void {
    this.isClosed = true;
    this.alarm.cancel();
  }

  report(): DriftReport[] {
    const { clock, members, options } = this.world;
    return members.map((member) => {
      const { lookedAt, tookMs, rowsRead, problem, drifted, names, tolerated } = this.seen.get(member)!;
      const rows = [...drifted].slice(0, options.driftRowsShown).map(([key, found]) => ({
        kind: this.kindOf(key, found),
        table: names.get(key)!.table,
        wanted: textOf(this.world.shadow.get(key)),
        found: textOf(found),
      }));
      return {
        switch: member.name,
        lookedMsAgo: lookedAt === undefined ? undefined : clock.now() - lookedAt,
        tookMs,
        rowsRead,
        problem,
        counts: this.countsOf(member),
        rows,
        tolerated: tolerated.size,
        adopted: [...tolerated.values()]
          .slice(0, options.driftRowsShown)
          .map((row) => ({ table: row.table, row: rowText(row) })),
      };
    });
  }

  /** For the status of a member. */
  of(member: Member): MemberDrift {
    const { lookedAt, looks, problem } = this.seen.get(member)!;
    const lookedMsAgo = lookedAt === undefined ? undefined : Math.round(this.world.clock.now() - lookedAt);
    return { counts: this.countsOf(member), lookedMsAgo, looks, problem };
  }

  look(name?: string): Promise<void> {
    return this.each('look', name, (member) => this.audit(member));
  }

  repair(name?: string): Promise<void> {
    return this.each('repair', name, async (member) => {
      await this.audit(member);
      const { drifted } = this.seen.get(member)!;
      if (drifted.size === 0) return;
      const refused = await this.write(member, drifted);
      this.world.log('info', 'rows are written as they should be', member, { rows: drifted.size });
      await this.audit(member);
      if (refused !== undefined) this.seen.get(member)!.problem = `it refuses a row: ${refused}`;
    });
  }

  adopt(name?: string): Promise<void> {
    return this.each('adopt', name, async (member) => {
      await this.audit(member);
      if (this.seen.get(member)!.drifted.size > 0) await this.takeAsIs(member);
    });
  }

  release(name?: string): Promise<void> {
    return this.each('release', name, async (member) => {
      const { tolerated } = this.seen.get(member)!;
      const rows = tolerated.size;
      if (rows > 0) {
        tolerated.clear();
        this.world.log('info', 'rows of others are no longer let be', member, { rows });
      }
      const problem = rows > 0 ? await this.remember() : undefined;
      await this.audit(member);
      if (problem !== undefined) this.seen.get(member)!.problem = notKept(problem);
    });
  }

  /** Without the rows of others that are let be, and that no row of ours has taken the place of. */
  withoutTolerated(member: Member, rows: readonly Row[]): readonly Row[] {
    const { tolerated } = this.seen.get(member)!;
    if (tolerated.size === 0) return rows;
    return rows.filter((row) => {
      const key = rowKey(row);
      return this.world.shadow.has(key) || !sameRow(tolerated.get(key), row);
    });
  }

  private each(
    action: Exclude<keyof DriftControl, 'report'>,
    name: string | undefined,
    work: (member: Member) => Promise<void>,
  ): Promise<void> {
    const what = JSON.stringify([action, name]);
    const same = this.waiting.get(what);
    if (same !== undefined) return same;
    const next = this.last.then(async () => {
      this.waiting.delete(what);
      for (const member of this.world.members)
        if (!this.isClosed && (name === undefined || member.name === name)) await work(member);
    });
    this.waiting.set(what, next);
    this.last = next;
    return next;
  }

  private lookLater(): void {
    const { auditMs, auditRest } = this.world.options;
    if (auditMs === undefined || this.isClosed) return;
    let tookMs = 0;
    for (const { tookMs: own = 0 } of this.seen.values()) tookMs += own;
    this.alarm.setAt(this.world.clock.now() + Math.max(auditMs, auditRest * tookMs));
  }

  /** Twice, if it is not as it should be. */
  private async audit(member: Member): Promise<void> {
    const seen = this.seen.get(member)!;
    const { drifted: before, tolerated } = seen;
    const toleratedBefore = tolerated.size;
    const first = await this.readBack(member);
    if (first === undefined) return;
    const isNews = [...first.drifted].some(
      ([key, found]) => !before.has(key) || !sameRow(before.get(key), found),
    );
    let confirmed = first;
    if (isNews) {
      await this.pause(this.world.options.auditConfirmMs);
      const second = await this.readBack(member);
      if (second === undefined) return;
      confirmed = both(first, second);
    }
    Object.assign(seen, confirmed);
    // Gone, or others now.
    if (tolerated.size < toleratedBefore) await this.remember();
    if (isNews && confirmed.drifted.size > 0) this.tell(member);
    else if (before.size > 0 && confirmed.drifted.size === 0)
      this.world.log('info', 'the switch holds what it should again', member, {});
  }

  private async readBack(member: Member): Promise<Found | undefined> {
    const seen = this.seen.get(member)!;
    const { clock } = this.world;
    const { since } = member;
    const startedAt = clock.now();
    const isThere = (): boolean =>
      member.state === 'participating' && member.since === since && !this.isClosed;
    if (!isThere() || member.port.readBack === undefined) {
      seen.problem = member.port.readBack ? 'it does not participate' : 'it cannot be read back';
      return undefined;
    }
    const touched = member.watchTouched();
    try {
      const rows = await member.port.readBack();
      if (!isThere()) {
        seen.problem = 'it was lost while it was read back';
        return undefined;
      }
      const found = await this.compare(member, rows, touched);
      seen.problem = undefined;
      seen.lookedAt = clock.now();
      seen.tookMs = clock.now() - startedAt;
      seen.looks++;
      return found;
    } catch (error) {
      seen.problem = `it cannot be read back: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    } finally {
      member.touched = undefined;
    }
  }

  private async compare(member: Member, rows: readonly Row[], touched: ReadonlySet<RowKey>): Promise<Found> {
    const { shadow, options } = this.world;
    const { tolerated } = this.seen.get(member)!;
    const differing = new Map<RowKey, { name: Row; found: Row | undefined }>();
    const there = new Set<RowKey>();
    let untilPause = options.sliceRows;
    for (const row of rows) {
      const key = rowKey(row);
      there.add(key);
      const wanted = shadow.get(key);
      if (!sameRow(wanted, row)) differing.set(key, { name: row, found: row });
      if (--untilPause > 0) continue;
      untilPause = options.sliceRows;
      await this.pause(0);
    }
    for (const [key, row] of shadow) if (!there.has(key)) differing.set(key, { name: row, found: undefined });
    for (const [key, row] of tolerated)
      if (!there.has(key) || shadow.has(key)) tolerated.delete(key);
      else if (!sameRow(differing.get(key)?.found, row)) tolerated.delete(key);
    const found: Found = { drifted: new Map(), names: new Map(), more: 0, rowsRead: rows.length };
    for (const [key, { name, found: row }] of differing) {
      // Looked up only now: whatever was written since the beginning is among them, and other rows are as they were then.
      if (touched.has(key) || member.difference.rows.has(key) || tolerated.has(key)) continue;
      if (found.drifted.size >= options.driftRowsMax) {
        found.more++;
        continue;
      }
      found.drifted.set(key, row);
      found.names.set(key, name);
    }
    return found;
  }

  /** In the order of a join; each step is acknowledged before the next. @returns why a row was refused */
  private async write(
    member: Member,
    drifted: ReadonlyMap<RowKey, Row | undefined>,
  ): Promise<string | undefined> {
    const { shadow, options } = this.world;
    const { names } = this.seen.get(member)!;
    const difference = new Difference(shadow);
    for (const [key, row] of drifted)
      difference.rows.set(key, { name: names.get(key)!, row, isDoubtful: false });
    let refused: string | undefined;
    for (const step of repairOrder(difference, shadow)) {
      for (let from = 0; from < step.length; from += options.joinBatch) {
        if (member.state !== 'participating') return 'it was lost';
        const updates = step.slice(from, from + options.joinBatch).flatMap((key): RowUpdate[] => {
          const { row, name } = difference.rows.get(key)!;
          const wanted = shadow.get(key);
          if (wanted === undefined) return row === undefined ? [] : [{ operation: 'delete', row: name }];
          return [{ operation: row === undefined ? 'insert' : 'modify', row: wanted }];
        });
        refused ??= await this.answered(member, updates);
      }
    }
    return refused;
  }

  private answered(member: Member, updates: readonly RowUpdate[]): Promise<string | undefined> {
    if (updates.length === 0) return Promise.resolve(undefined);
    const { correctionsMax, laggardMs } = this.world.options;
    return new Promise((resolve) => {
      // A switch that is lost answers nothing.
      const cancel = this.world.clock.after(laggardMs, () => resolve('it does not answer in time'));
      member.write(updates, correctionsMax, (failures) => {
        cancel();
        // It is still no more than drift: to be seen the next time.
        for (const { index } of failures) member.difference.rows.delete(rowKey(updates[index]!.row));
        resolve(failures[0]?.message);
      });
    });
  }

  private async takeAsIs(member: Member): Promise<void> {
    const { shadow, clock, options } = this.world;
    const seen = this.seen.get(member)!;
    const until = clock.now() + options.adoptPatienceMs;
    while (this.world.isWriting()) {
      if (clock.now() >= until) {
        seen.problem = 'it is being written to all the time; try again when the change under way is done';
        return;
      }
      await this.pause(50);
    }
    const adopted = new Map<RowKey, Row | undefined>();
    const strangers = new Map<RowKey, Row>();
    for (const [key, found] of seen.drifted) {
      if (found !== undefined && !shadow.has(key) && !this.isOurs(found)) strangers.set(key, found);
      else if (!sameRow(found, shadow.get(key))) adopted.set(key, found);
    }
    const tolerated = strangers.size;
    if (seen.tolerated.size + tolerated > options.adoptedRowsMax) {
      seen.problem = `nothing is adopted: ${seen.tolerated.size + tolerated} rows of others would be more than the ${options.adoptedRowsMax} that can be let be`;
      return;
    }
    for (const [key, row] of strangers) seen.tolerated.set(key, row);
    Object.assign(seen, { drifted: new Map(), names: new Map(), more: 0 });
    this.world.log('warn', 'what the switch holds is taken as what it should hold', member, {
      rows: adopted.size,
      tolerated,
    });
    if (adopted.size > 0) this.takeInForce(member, adopted);
    const problem = tolerated > 0 ? await this.remember() : undefined;
    if (problem !== undefined) seen.problem = notKept(problem);
  }

  private takeInForce(member: Member, adopted: ReadonlyMap<RowKey, Row | undefined>): void {
    const { shadow, members } = this.world;
    for (const [key, row] of adopted) {
      const before = shadow.get(key);
      if (row === undefined) shadow.delete(key);
      else shadow.set(key, row);
      for (const other of members) if (other !== member) other.difference.leftBehind(key, before, row);
    }
    this.world.beginAnew();
  }

  /** @returns why the next controller will not know what was adopted */
  private async remember(): Promise<string | undefined> {
    const rows = [...this.seen].map(([{ name }, { tolerated }]) => [name, [...tolerated.values()]] as const);
    return this.world.adopted?.keep(new Map(rows));
  }

  /** The engine knows what to do with it: it is of a pool that is served. Anything else it would delete. */
  private isOurs(row: Row): boolean {
    if (row.table !== 'slot' && row.table !== 'slot_version' && row.table !== 'pin') return false;
    const { shadow } = this.world;
    const slotZero = { pool: row.pool, slot: 0 };
    const isServed = shadow.has(slotKey(slotZero)) || shadow.has(slotKey({ ...slotZero, byPrefix: true }));
    return isServed && shadow.has(`backend/${row.backend}`);
  }

  private tell(member: Member): void {
    const { missing, changed, foreign } = this.countsOf(member);
    const tables = new Set([...this.seen.get(member)!.names.values()].map(({ table }) => table));
    this.world.log('warn', 'somebody else has written to the switch', member, {
      missing,
      changed,
      foreign,
      tables: [...tables].join(' '),
    });
  }

  private countsOf(member: Member): Record<DriftKind, number> {
    const counts = { missing: 0, changed: 0, foreign: 0 };
    const { drifted, more } = this.seen.get(member)!;
    for (const [key, found] of drifted) counts[this.kindOf(key, found)]++;
    // Whatever they are: they were not looked at one by one.
    counts.changed += more;
    return counts;
  }

  private kindOf(key: RowKey, found: Row | undefined): DriftKind {
    if (found === undefined) return 'missing';
    return this.world.shadow.has(key) ? 'changed' : 'foreign';
  }

  private pause(ms: Millis): Promise<void> {
    return new Promise((resolve) => this.world.clock.after(ms, resolve));
  }
}

function notKept(problem: string): string {
  return `done, but the next controller does not know it: ${problem}`;
}

function blank(adopted: readonly Row[]): Seen {
  return {
    drifted: new Map(),
    names: new Map(),
    more: 0,
    lookedAt: undefined,
    tookMs: undefined,
    rowsRead: 0,
    looks: 0,
    problem: undefined,
    tolerated: new Map(adopted.map((row) => [rowKey(row), row])),
  };
}

function both(first: Found, second: Found): Found {
  const drifted = new Map<RowKey, Row | undefined>();
  for (const [key, found] of second.drifted)
    if (first.drifted.has(key) && sameRow(first.drifted.get(key), found)) drifted.set(key, found);
  return { ...second, drifted, more: Math.min(first.more, second.more) };
}

const textOf = (row: Row | undefined): string | undefined => row && rowText(row);
