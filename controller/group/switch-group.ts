// SPDX-License-Identifier: Apache-2.0
/**
 * Many switches as one: under ECMP all of them hold the same rows, pins included, and the controller is that of one
 * switch. For a single switch it is the memory of what that switch should hold when it comes back without it.
 *
 *   disconnected ──connected──> gathering ──source chosen──> joining ──equal──> participating
 *        ^                          └────────group in force────^                 │
 *        └──lost, from anywhere               outdated <──too slow───────────────┘
 *                                                └──────answers again──> joining
 *
 * Limits: the switches are wired alike (the same port leads to the same network on all of them), since neighbours learned
 * by one are written to all. The group is as large as the smallest table of its switches. A switch that is away or outdated
 * should be withdrawn from ECMP: flows that only it has seen are kept if it is back within the session timeout.
 */
import type { LogLevel, Millis, WriteFailure } from '../core/event.ts';
import type { RowKey } from '../core/ledger.ts';
import type { DigestRates } from '../core/options.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import type { AdoptedRows } from '../ports/adopted-rows.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Solicitation, SwitchEvent, SwitchPort, SwitchStatus } from '../ports/switch.ts';
import { Alarm } from './alarm.ts';
import { Drift } from './drift.ts';
import { Era, isEra } from './era.ts';
import { FanOut } from './fan-out.ts';
import { Gathering } from './gathering.ts';
import { groupStatus } from './group-status.ts';
import { withLongerPin, withShorterPin } from './idle-marks.ts';
import { IdlePins } from './idle-pins.ts';
import { Join } from './join.ts';
import { Member, type MemberTarget } from './member.ts';
import { type SwitchGroupOptions, switchGroupDefaults } from './options.ts';
import { isBlank, isNewer, type Tables, tablesOf } from './source.ts';

export interface SwitchGroupWorld {
  clock: Clock;
  log: Log;
  /** Undefined: nobody remembers them beyond our life. */
  adopted?: AdoptedRows | undefined;
}

export class SwitchGroup implements SwitchPort {
  private readonly world: SwitchGroupWorld;
  private readonly options: SwitchGroupOptions;
  private readonly members: readonly Member[];
  /** Every row as last asked for. */
  private readonly shadow = new Map<RowKey, Row>();
  /** Some switch's tables have been in force, and nobody else has changed them since, as far as we know. */
  private isShadowKnown = false;
  /** Switches that are equal are let in one by one. */
  private isBeginning = false;
  /** 'connected' has been told. */
  private isReady = false;
  private isClosed = false;
  private listener: (event: SwitchEvent) => void = () => {};
  private readonly fanOut: FanOut;
  private readonly era: Era;
  private readonly joins = new Map<Member, Join>();
  private readonly idlePins: IdlePins;
  private admitted = 0;
  private readonly gathering: Gathering;
  private readonly watch: Alarm;
  private readonly retries = new Map<Member, Alarm>();
  readonly drift: Drift;

  /** @param targets  at least one */
  constructor(
    targets: readonly MemberTarget[],
    world: SwitchGroupWorld,
    options: Partial<SwitchGroupOptions> = {},
  ) {
    const { clock } = world;
    this.world = world;
    this.options = { ...switchGroupDefaults, ...options };
    this.members = targets.map((target) => new Member(target, this.shadow, clock));
    this.gathering = new Gathering({
      shadow: this.shadow,
      members: this.members,
      options: this.options,
      clock,
      onSource: (member) => {
        if (this.members.length > 1) this.log('info', 'its tables are in force for the group', member);
      },
      onInForce: (found) => this.beInForce(found),
    });
    this.watch = new Alarm(clock, () => this.checkLaggards());
    for (const member of this.members) this.retries.set(member, new Alarm(clock, () => this.rejoin(member)));
    const isClosing = (member: Member): boolean => this.joins.get(member)?.closingSince !== undefined;
    this.era = new Era({
      shadow: this.shadow,
      members: this.members,
      options: this.options,
      clock,
      isClosing,
      onRefused: (member, reason) =>
        this.log('warn', 'a switch cannot be told from those left behind', member, { reason }),
    });
    this.idlePins = new IdlePins({
      shadow: this.shadow,
      members: this.members,
      options: this.options,
      clock,
      participants: () => this.participants(),
      repair: (member, updates, onAnswer) => this.repair(member, updates, onAnswer),
      onIdle: (event) => this.listener(event),
    });
    this.fanOut = new FanOut({
      shadow: this.shadow,
      members: this.members,
      correctionsMax: this.options.correctionsMax,
      isClosing,
      whenSettled: (then) => this.era.whenSettled(then),
      repair: (member, updates) => this.repair(member, updates),
      onWritten: (write, failures) => this.listener({ kind: 'written', write, failures }),
    });
    this.drift = new Drift({
      shadow: this.shadow,
      members: this.members,
      options: this.options,
      clock,
      log: this.log.bind(this),
      adopted: world.adopted,
      isWriting: () => this.fanOut.size > 0 || this.members.some((member) => member.hasUnanswered),
      beginAnew: () => this.beginAnew(),
    });
  }

  start(listener: (event: SwitchEvent) => void): void {
    this.listener = listener;
    for (const member of this.members) member.port.start((event) => this.receive(member, event));
    this.drift.start();
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    if (!this.isReady) return;
    const { idleAgreeMs } = this.options;
    const isShared = this.members.length > 1;
    this.fanOut.write(
      write,
      isShared ? updates.map((update) => withLongerPin(update, idleAgreeMs)) : updates,
    );
    this.watchLaggards();
  }

  solicit(solicitation: Solicitation): void {
    for (const member of this.members) if (member.state !== 'disconnected') member.port.solicit(solicitation);
  }

  limit(rates: DigestRates): void {
    for (const { port } of this.members) port.limit?.(rates);
  }

  status(): SwitchStatus {
    return groupStatus(this.members, this.isReady, this.world.clock.now(), (member) => this.drift.of(member));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.isReady = false;
    this.listener = () => {};
    this.gathering.close();
    this.drift.close();
    this.idlePins.close();
    for (const alarm of [this.watch, ...this.retries.values()]) alarm.cancel();
    for (const join of this.joins.values()) join.stop();
    await Promise.all(this.members.map(({ port }) => port.close()));
  }

  private receive(member: Member, event: SwitchEvent): void {
    if (this.isClosed) return;
    switch (event.kind) {
      case 'connected':
        if (member.state !== 'disconnected') this.lost(member);
        this.connected(member, this.drift.withoutTolerated(member, event.rows), event.wasDeposed ?? false);
        return;
      case 'disconnected':
        if (member.state !== 'disconnected') this.lost(member);
        return;
      case 'written':
        member.answered(event.write, event.failures);
        this.rejoin(member);
        this.watchLaggards();
        return;
      case 'pin-idle':
        if (this.isReady && member.state === 'participating') this.idlePins.heard(member, event);
        return;
      case 'admitted':
        this.count(member, event.flows);
        return;
      case 'flow-digest':
      case 'neighbour-digest':
      case 'gap':
        // What a switch says of a flow is what it does with it, also while it is behind.
        if (this.isReady && member.state !== 'gathering') this.listener(event);
    }
  }

  /** The first count of a switch is where it starts from. */
  private count(member: Member, flows: number): void {
    const before = member.admitted ?? flows;
    // Below the last count: the switch has counted from zero since.
    this.admitted += flows >= before ? flows - before : flows;
    member.admitted = flows;
    if (this.isReady) this.listener({ kind: 'admitted', flows: this.admitted });
  }

  private connected(member: Member, rows: readonly Row[], wasDeposed: boolean): void {
    if (!this.isShadowKnown) {
      this.gathering.add(member, rows);
      return;
    }
    const isInForce = this.members.some(({ state }) => state !== 'disconnected');
    if (!isInForce && !this.isOurs(member, rows, wasDeposed)) {
      this.log('warn', 'somebody else has written to the switch: it is the source of truth', member);
      this.isShadowKnown = false;
      this.gathering.add(member, rows);
      return;
    }
    member.difference.measure(rows);
    this.join(member, isBlank(rows));
  }

  /** Nobody but us has been at the switch: what the group held is still what it should hold. */
  private isOurs(member: Member, rows: readonly Row[], wasDeposed: boolean): boolean {
    if (wasDeposed) return false;
    if (isBlank(rows)) return true;
    if (member.wasInStep) return member.difference.explains(rows);
    return !isNewer(tablesOf(rows), tablesOf([...this.shadow.values()]));
  }

  private beInForce(found: ReadonlyMap<Member, Tables>): void {
    this.isShadowKnown = true;
    this.era.found();
    if (found.size < this.members.length) this.idlePins.oneIsAway();
    // Told apart from 'disconnected' before the first of them is done.
    for (const member of found.keys()) member.enter('joining');
    this.isBeginning = true;
    for (const [member, tables] of found) this.join(member, tables.isBlank);
    this.isBeginning = false;
    this.era.look();
  }

  private join(member: Member, wasBlank: boolean): void {
    this.retries.get(member)!.cancel();
    member.enter('joining');
    const rows = member.difference.size;
    if (rows > 0) this.log('info', wasBlank ? 'a blank switch joins' : 'a switch joins', member, { rows });
    const join = new Join(member, wasBlank, {
      shadow: this.shadow,
      options: this.options,
      now: () => this.world.clock.now(),
      isHeld: (key) => this.fanOut.isHeld(member, key),
      givesUp: (key, failure) => this.givesUp(member, key, failure),
      onEqual: () => this.participate(member, join),
      onFailed: (failure) => this.joinFailed(member, failure),
    });
    this.joins.set(member, join);
    join.start();
    this.watchLaggards();
  }

  private participate(member: Member, join: Join): void {
    this.joins.delete(member);
    member.enter('participating');
    member.wasInStep = true;
    this.fanOut.deliver(member);
    if (join.rows > 0)
      this.log('info', 'the switch participates: it may carry traffic', member, {
        rows: join.rows,
        durationMs: Math.round(this.world.clock.now() - join.startedAt),
      });
    if (!this.isReady) {
      this.isReady = true;
      this.listener({ kind: 'connected', rows: this.rowsAsked() });
    } else if (!join.wasBlank) {
      // Slots that were stable to it and unstable to the group: it has told nothing of their flows.
      this.listener({ kind: 'gap' });
    }
    if (!this.isBeginning) this.era.look();
    this.watchLaggards();
  }

  /**
   * With nobody else to hold a row, a switch that refuses it has the last word. While others are away, which may serve by
   * that row, only when it has refused it again and again.
   */
  private givesUp(member: Member, key: RowKey, { code, message }: WriteFailure): boolean {
    if (this.isReady || (code !== 'full' && code !== 'rejected')) return false;
    const refusals = member.countRefusal(key);
    if (code === 'rejected' && this.members.length > 1 && refusals < this.options.refusalsMax) return false;
    const held = member.difference.rows.get(key);
    const asked = this.shadow.get(key);
    const kept = code === 'full' ? undefined : held?.row;
    if (kept === undefined) this.shadow.delete(key);
    else this.shadow.set(key, kept);
    member.difference.holds(key, kept, held?.name ?? asked!);
    for (const other of this.members) if (other !== member) other.difference.leftBehind(key, asked, kept);
    this.log('warn', 'a row is given up: the switch refuses it', member, { code, reason: message });
    return true;
  }

  private joinFailed(member: Member, { code, message }: WriteFailure): void {
    this.joins.delete(member);
    this.era.leaves(member);
    this.release(member);
    const problem = `it cannot be given the rows of the group (${code}): ${message}`;
    if (member.problem !== problem) this.log('warn', problem, member);
    member.problem = problem;
    this.retries.get(member)!.setAt(this.world.clock.now() + this.options.joinRetryMs);
  }

  /** Once it has answered everything, and unless it is joining already or is to do so later. */
  private rejoin(member: Member): void {
    if (member.state !== 'outdated' && member.state !== 'joining') return;
    if (member.hasUnanswered || this.joins.has(member) || this.retries.get(member)!.isSet) return;
    const { problem } = member;
    this.join(member, false);
    if (member.state === 'joining') member.problem = problem;
  }

  private lost(member: Member): void {
    const wasParticipating = member.state === 'participating';
    member.forgetUnanswered();
    member.tables = undefined;
    this.leave(member);
    member.enter('disconnected');
    this.gathering.lost();
    if (!wasParticipating) {
      this.release(member);
    } else if (this.participants().length > 0) {
      this.log('warn', 'a switch is lost; withdraw it from ECMP', member);
      this.release(member);
      this.listener({ kind: 'gap' });
    } else {
      this.isReady = false;
      this.fanOut.forget();
      this.era.forget();
      this.idlePins.forget();
      this.listener({ kind: 'disconnected' });
    }
  }

  /** The rows in force are others now, by decree; the switches that lack some of them join anew. */
  private beginAnew(): void {
    if (!this.isReady) return;
    this.idlePins.forget();
    for (const member of this.participants()) if (member.difference.size > 0) this.joinAnew(member);
    this.fanOut.forget();
    this.listener({ kind: 'disconnected' });
    this.listener({ kind: 'connected', rows: this.rowsAsked() });
  }

  private setAside(member: Member): void {
    this.log('warn', 'a switch does not answer in time: the others go on; withdraw it from ECMP', member, {
      unansweredMs: Math.round(this.world.clock.now() - (member.waitedForSince ?? member.since)),
    });
    member.doubtUnanswered();
    member.failingSince = undefined;
    this.leave(member);
    member.enter('outdated', 'it does not answer in time');
    this.release(member);
    if (!member.hasUnanswered)
      this.retries.get(member)!.setAt(this.world.clock.now() + this.options.joinRetryMs);
  }

  /** Nobody waits for it any longer. */
  private release(member: Member): void {
    this.fanOut.release(member);
    this.era.look();
  }

  /** It is about to be in another state. */
  private leave(member: Member): void {
    if (member.state === 'participating') this.idlePins.oneIsAway();
    this.era.leaves(member);
    this.idlePins.armed(member);
    this.retries.get(member)!.cancel();
    this.joins.get(member)?.stop();
    this.joins.delete(member);
  }

  /** Rows that are not as they should be on one switch only: it is brought right on its own, or joins anew. */
  private repair(member: Member, updates: readonly RowUpdate[], onAnswer = () => {}): void {
    member.write(updates, this.options.correctionsMax, (failures) => {
      onAnswer();
      if (failures.length === 0 || member.state !== 'participating') return;
      // Nobody else would carry the traffic. An odd pin goes when it is idle.
      if (this.participants().length === 1) return;
      member.doubtUnanswered();
      this.joinAnew(member);
    });
    this.watchLaggards();
  }

  private joinAnew(member: Member): void {
    this.leave(member);
    this.join(member, false);
    this.release(member);
  }

  private checkLaggards(): void {
    const overdue = this.members
      .filter((member) => (this.waitedForSince(member) ?? Number.POSITIVE_INFINITY) <= this.overdueAt())
      .sort((a, b) => this.waitedForSince(a)! - this.waitedForSince(b)!);
    for (const member of overdue) {
      const isLast = member.state === 'participating' && this.participants().length === 1;
      if (!isLast) this.setAside(member);
    }
    this.watchLaggards();
  }

  private watchLaggards(): void {
    if (this.watch.isSet) return;
    const { laggardMs } = this.options;
    let since: Millis | undefined;
    for (const member of this.members) {
      const own = this.waitedForSince(member);
      if (own !== undefined) since = Math.min(own, since ?? own);
    }
    if (since === undefined) return;
    // The last one may be overdue for long, and need not be looked at all the time.
    this.watch.setAt(Math.max(since + laggardMs, this.world.clock.now() + laggardMs / 10));
  }

  /** What is unanswered since then is late. */
  private overdueAt(): Millis {
    return this.world.clock.now() - this.options.laggardMs;
  }

  private waitedForSince(member: Member): Millis | undefined {
    if (member.state !== 'participating' && member.state !== 'joining') return undefined;
    const own = member.waitedForSince;
    const closing = this.joins.get(member)?.closingSince;
    // Nobody waits for the end of a join while no switch participates.
    if (closing === undefined || !this.isReady) return own;
    return Math.min(closing, own ?? closing);
  }

  /** Those of the engine, as it asked for them. */
  private rowsAsked(): Row[] {
    const rows: Row[] = [];
    const longerMs = this.members.length > 1 ? this.options.idleAgreeMs : 0;
    for (const row of this.shadow.values()) if (!isEra(row)) rows.push(withShorterPin(row, longerMs));
    return rows;
  }

  private participants(): Member[] {
    return this.members.filter(({ state }) => state === 'participating');
  }

  private log(
    level: LogLevel,
    message: string,
    { name }: Member,
    fields: Record<string, string | number> = {},
  ): void {
    this.world.log(level, message, { switch: name, ...fields });
  }
}
