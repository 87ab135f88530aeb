// SPDX-License-Identifier: Apache-2.0
/**
 * Which switches hold what the group held last, written on the switches themselves: whoever is in charge next may
 * know nothing else. Versions do not tell, since slots are merged and pins come and go within one.
 *
 * A row that no packet can meet holds a time. As soon as the group goes on without a switch that may hold it, those that
 * remain are given a later one, and nothing more is acknowledged to the controller until they hold it. A switch that joins
 * is given it last. So switches with the latest one hold all that was ever acknowledged; the others are behind.
 *
 * A switch that refuses the row is asked `refusalsMax` times; then it counts as if it had it.
 */
import { requireIpv4 } from '../core/address.ts';
import type { RowKey } from '../core/ledger.ts';
import type { ReturnPathRow, Row } from '../core/row.ts';
import { returnPathKey } from '../core/rows.ts';
import type { Clock } from '../ports/clock.ts';
import { Alarm } from './alarm.ts';
import type { Held } from './difference.ts';
import type { Member } from './member.ts';
import type { SwitchGroupOptions } from './options.ts';

/** Return paths are asked about TCP and UDP only. */
const nowhere = { address: 0, protocol: 0, port: 0 };

export const eraKey: RowKey = returnPathKey(nowhere);

/** 48 bits: milliseconds since 1970 until the year 10889. */
function eraRow(ms: number): ReturnPathRow {
  return {
    table: 'return_path',
    ...nowhere,
    vipAddress: Math.floor(ms / 65_536),
    vipPort: ms % 65_536,
  };
}

export function isEra(row: Row): boolean {
  return row.table === 'return_path' && row.address === 0 && row.protocol === 0 && row.port === 0;
}

/** 0: no switch was ever left behind. */
export function eraOf(rows: Iterable<Row>): number {
  for (const row of rows) if (row.table === 'return_path' && isEra(row)) return msOf(row);
  return 0;
}

function msOf(row: Row | undefined): number {
  return row?.table === 'return_path' ? requireIpv4(row.vipAddress) * 65_536 + row.vipPort : 0;
}

export interface EraWorld {
  readonly shadow: Map<RowKey, Row>;
  readonly members: readonly Member[];
  readonly options: SwitchGroupOptions;
  readonly clock: Clock;
  /** Writes wait for it: what it lacks has not been acknowledged. */
  isClosing(member: Member): boolean;
  onRefused(member: Member, reason: string): void;
}

export class Era {
  private readonly world: EraWorld;
  /** What is to be acknowledged: no more than the controller sends without an answer. */
  private queue: (() => void)[] = [];
  /** Switches that have not answered, and how often they have refused. */
  private readonly waiting = new Map<Member, number>();
  private readonly retry: Alarm;
  /** What was known of those left behind at the last change: none of it is the row of now. */
  private readonly known = new WeakMap<Member, Held | undefined>();
  /** Switches that were waited for and are not any longer: they lack what has been acknowledged since. */
  private readonly left = new Set<Member>();
  /** A switch that is no longer of the group may hold it. */
  private isShared = false;

  constructor(world: EraWorld) {
    this.world = world;
    this.retry = new Alarm(world.clock, () => {
      for (const [member, refusals] of this.waiting) if (refusals > 0) this.write(member, 'modify');
    });
  }

  /** The tables in force were found, and this is in charge of them only since. */
  found(): void {
    this.isShared = this.world.members.length === 1 && this.world.shadow.has(eraKey);
  }

  /** Calls back when no switch that is behind can pass for one that is not; at once, if none can. */
  whenSettled(then: () => void): void {
    this.queue.push(then);
    this.look();
  }

  /** This switch is about to be waited for no longer. */
  leaves(member: Member): void {
    this.left.add(member);
  }

  /** A switch is no longer waited for. */
  look(): void {
    for (const member of this.waiting.keys())
      if (member.state !== 'participating') this.waiting.delete(member);
    if (this.waiting.size > 0) return;
    this.retry.cancel();
    if (this.isHeldByOthers()) {
      this.begin();
      return;
    }
    for (const then of this.queue.splice(0)) then();
  }

  /** Nobody participates: nothing will be acknowledged. */
  forget(): void {
    this.queue = [];
    this.waiting.clear();
    this.retry.cancel();
  }

  private isHeldByOthers(): boolean {
    const { members, isClosing } = this.world;
    if (!members.some(({ state }) => state === 'participating')) return false;
    return (
      this.isShared ||
      members.some((member) => {
        if (member.state === 'participating') return false;
        if (isClosing(member) && !this.left.has(member)) return false;
        const held = member.difference.rows.get(eraKey);
        return held === undefined || (held.isDoubtful && held !== this.known.get(member));
      })
    );
  }

  private begin(): void {
    const { shadow, members, clock } = this.world;
    const before = shadow.get(eraKey);
    const row = eraRow(Math.max(clock.date().getTime(), msOf(before) + 1));
    shadow.set(eraKey, row);
    this.isShared = false;
    this.left.clear();
    for (const member of members) {
      if (member.state === 'participating') {
        this.waiting.set(member, 0);
      } else {
        member.difference.leftBehind(eraKey, before, row);
        this.known.set(member, member.difference.rows.get(eraKey));
      }
    }
    for (const member of [...this.waiting.keys()])
      this.write(member, before === undefined ? 'insert' : 'modify');
  }

  private write(member: Member, operation: 'insert' | 'modify'): void {
    const { shadow, options } = this.world;
    const row = shadow.get(eraKey)!;
    member.write([{ operation, row }], options.correctionsMax, ([failure]) => {
      if (!this.waiting.has(member) || shadow.get(eraKey) !== row) return;
      const refusals = this.waiting.get(member)! + 1;
      if (failure !== undefined && refusals < options.refusalsMax) {
        this.waiting.set(member, refusals);
        if (!this.retry.isSet) this.retry.setAt(this.world.clock.now() + options.joinRetryMs);
        return;
      }
      if (failure !== undefined) this.world.onRefused(member, failure.message);
      this.waiting.delete(member);
      this.look();
    });
  }
}
