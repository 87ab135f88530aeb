// SPDX-License-Identifier: Apache-2.0
/**
 * The shipping controller before one imaginary switch that takes every row at once and keeps count of it. The switch looks
 * slots up as a real one does: the longest prefix wins.
 */

import type { Desired } from '../controller/core/desired.ts';
import { MAX_SLOTS } from '../controller/core/maglev.ts';
import { engineDefaults } from '../controller/core/options.ts';
import { SLOT_BITS } from '../controller/core/prefix-cover.ts';
import type { RowUpdate, SwitchRow, VersionRow } from '../controller/core/row.ts';
import { Engine } from '../controller/engine.ts';
import type { SwitchEvent, SwitchPort, SwitchStatus } from '../controller/ports/switch.ts';
import { PrefixPort } from '../controller/prefix/prefix-port.ts';
import { Turns } from './turns.ts';

/** prepare: until the row that makes the new column that of new flows, which is the commit; merge: all after it. */
export type Phase = 'prepare' | 'commit' | 'merge';
export const phases: readonly Phase[] = ['prepare', 'commit', 'merge'];
/** slot stands for slot_prefix, too, and slot_version for slot_version_prefix. */
export type CountedTable = 'slot' | 'slot_version' | 'version';

export interface Writes {
  inserted: number;
  modified: number;
  deleted: number;
}

export type WriteCounts = Record<Phase, Record<CountedTable, Writes>>;

const stepMs = 1_000;
const limitMs = 3_600_000;

export class PrefixWorld {
  readonly target: CountingSwitch;
  readonly #engine: Engine;
  readonly #turns = new Turns();

  /** All of `desired` is on the switch then. */
  constructor(desired: Desired) {
    const { clock, later } = this.#turns;
    this.target = new CountingSwitch(later);
    const switchPort = new PrefixPort(this.target, clock);
    this.#engine = new Engine(engineDefaults, { clock, log: () => {}, switchPort }, { later });
    this.#engine.start();
    this.target.connect();
    this.change(desired);
  }

  /** Until it is committed, merged and acknowledged. @returns the longest turn of the event loop, ms of processor time */
  change(desired: Desired): number {
    const turns = this.#turns;
    this.target.beginToCount();
    turns.longestMs = 0;
    this.#engine.want(desired, engineDefaults);
    turns.drain();
    for (let passedMs = 0; !this.#isAtRest(); passedMs += stepMs) {
      if (passedMs >= limitMs) throw new Error('a change does not come to an end');
      turns.pass(stepMs);
    }
    return turns.longestMs;
  }

  /** By the name of the backend: its id, by which the switch knows it. */
  backendIds(pool: string): ReadonlyMap<string, number> {
    return this.#engine.backendIds(pool)!;
  }

  #isAtRest(): boolean {
    const { change, writes, pools } = this.#engine.status();
    const isIdle = change.phase === 'idle' && change.waitingFor === undefined && writes.unsettledRows === 0;
    return isIdle && pools.every(({ phase, unstableSlots }) => phase === 'serving' && unstableSlots === 0);
  }
}

/** Of one pool. */
class CountingSwitch implements SwitchPort<SwitchRow> {
  counts: WriteCounts = noWrites();
  /** Of all tables of slots, since it began to count. */
  mostRows = 0;
  readonly #slots = new Map<string, AnySlotRow>();
  readonly #later: (task: () => void) => void;
  #phase: Phase = 'prepare';
  #column = 0;
  #listener: (event: SwitchEvent<SwitchRow>) => void = () => {};

  constructor(later: (task: () => void) => void) {
    this.#later = later;
  }

  start(listener: (event: SwitchEvent<SwitchRow>) => void): void {
    this.#listener = listener;
  }

  connect(): void {
    this.#later(() => this.#listener({ kind: 'connected', rows: [] }));
  }

  beginToCount(): void {
    this.counts = noWrites();
    this.mostRows = this.rows;
    this.#phase = 'prepare';
  }

  write(write: number, updates: readonly RowUpdate<SwitchRow>[]): void {
    for (const update of updates) this.#apply(update);
    this.#later(() => this.#listener({ kind: 'written', write, failures: [] }));
  }

  /** Of slots and their columns. */
  get rows(): number {
    return this.#slots.size;
  }

  /** Per slot the backend id of its slot row; 0: nobody. */
  owners(slotCount: number): Uint16Array {
    const rows: { slot: number; prefixLength: number; backend: number }[] = [];
    for (const row of this.#slots.values()) {
      if (row.table === 'slot') rows.push({ ...row, prefixLength: SLOT_BITS });
      else if (row.table === 'slot_prefix') rows.push(row);
    }
    const owners = new Uint16Array(MAX_SLOTS);
    for (const { slot, prefixLength, backend } of rows.sort((a, b) => a.prefixLength - b.prefixLength))
      owners.fill(backend, slot, slot + (1 << (SLOT_BITS - prefixLength)));
    return owners.subarray(0, slotCount);
  }

  solicit(): void {}

  status(): SwitchStatus {
    const notices = { received: 0, unreadable: 0 };
    return { target: 'memory', connection: 'ready', problem: undefined, notices, traffic: undefined };
  }

  async close(): Promise<void> {}

  #apply({ operation, row }: RowUpdate<SwitchRow>): void {
    if (row.table === 'version') {
      this.#note(row);
      return;
    }
    if (!isOfSlots(row)) return;
    const key = keyOf(row);
    if (this.#slots.has(key) === (operation === 'insert')) throw new Error(`${operation} of ${key}`);
    if (operation === 'delete') this.#slots.delete(key);
    else this.#slots.set(key, row);
    this.counts[this.#phase][countedTableOf[row.table]][counterOf[operation]]++;
    this.mostRows = Math.max(this.mostRows, this.rows);
  }

  /** Versions change by the clock, too: those are not the change's. */
  #note({ active, filters }: VersionRow): void {
    const { column } = filters[active];
    if (column === this.#column) return;
    this.#column = column;
    if (this.#phase === 'merge') throw new Error('one change is more than one commit');
    this.counts.commit.version.modified++;
    this.#phase = 'merge';
  }
}

const counterOf = { insert: 'inserted', modify: 'modified', delete: 'deleted' } as const;

function noWrites(): WriteCounts {
  const none = (): Writes => ({ inserted: 0, modified: 0, deleted: 0 });
  const all = () => ({ slot: none(), slot_version: none(), version: none() });
  return { prepare: all(), commit: all(), merge: all() };
}

const countedTableOf = {
  slot: 'slot',
  slot_prefix: 'slot',
  slot_version: 'slot_version',
  slot_version_prefix: 'slot_version',
} as const;

type AnySlotRow = Extract<SwitchRow, { table: keyof typeof countedTableOf }>;

function isOfSlots(row: SwitchRow): row is AnySlotRow {
  return Object.hasOwn(countedTableOf, row.table);
}

function keyOf(row: AnySlotRow): string {
  const column = 'column' in row ? row.column : 0;
  const prefixLength = 'prefixLength' in row ? row.prefixLength : SLOT_BITS;
  return `${row.table}/${row.slot}/${prefixLength}/${column}`;
}
