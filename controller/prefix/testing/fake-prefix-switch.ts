// SPDX-License-Identifier: Apache-2.0
/** A switch that holds rows of prefixes, for tests: it answers when it is told to, and errs as it is told. */
import type { WriteFailure } from '../../core/event.ts';
import { nodeOf } from '../../core/prefix-cover.ts';
import type { RowUpdate, SlotPrefixRow, SwitchRow } from '../../core/row.ts';
import type { SwitchEvent, SwitchPort, SwitchStatus } from '../../ports/switch.ts';
import { nodeOfRow } from '../slot-values.ts';

/** lost: nothing happens, and nobody is told. */
export type Fate = 'ok' | 'rejected' | 'lost' | 'done but lost';

export class FakePrefixSwitch implements SwitchPort<SwitchRow> {
  /** Of slot_prefix, by pool and block. */
  readonly rows = new Map<string, SlotPrefixRow>();
  capacity = Number.POSITIVE_INFINITY;
  fateOf: () => Fate = () => 'ok';
  onChange = () => {};
  private listener: (event: SwitchEvent<SwitchRow>) => void = () => {};
  private asked: { write: number; updates: readonly RowUpdate<SwitchRow>[] }[] = [];

  start(listener: (event: SwitchEvent<SwitchRow>) => void): void {
    this.listener = listener;
  }

  write(write: number, updates: readonly RowUpdate<SwitchRow>[]): void {
    this.asked.push({ write, updates });
  }

  connect(): void {
    this.asked = [];
    this.listener({ kind: 'connected', rows: [...this.rows.values()] });
  }

  hold(rows: readonly SwitchRow[]): void {
    for (const row of rows) if (row.table === 'slot_prefix') this.rows.set(keyOf(row), row);
  }

  /** Also what is asked because of an answer. */
  answerAll(): void {
    for (let next = this.asked.shift(); next !== undefined; next = this.asked.shift()) {
      const { write, updates } = next;
      const failures: WriteFailure[] = [];
      updates.forEach((update, index) => {
        const code = this.attempt(update);
        if (code !== undefined) failures.push({ index, code, message: code });
      });
      this.listener({ kind: 'written', write, failures });
    }
  }

  /** 0: no row fits. */
  backendOf(pool: number, slot: number): number {
    for (let node = nodeOf(slot, 1); node >= 1; node >>= 1) {
      const row = this.rows.get(`${pool}/${node}`);
      if (row !== undefined) return row.backend;
    }
    return 0;
  }

  solicit(): void {}

  status(): SwitchStatus {
    const notices = { received: 0, unreadable: 0 };
    return { target: 'fake', connection: 'ready', problem: undefined, notices, traffic: undefined };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private attempt({ operation, row }: RowUpdate<SwitchRow>): WriteFailure['code'] | undefined {
    if (row.table !== 'slot_prefix') return 'rejected';
    const fate = this.fateOf();
    if (fate === 'rejected') return 'rejected';
    if (fate === 'lost') return 'unavailable';
    const key = keyOf(row);
    const isThere = this.rows.has(key);
    if (operation === 'insert' ? isThere : !isThere) return isThere ? 'exists' : 'missing';
    if (operation === 'insert' && this.rows.size >= this.capacity) return 'full';
    if (operation === 'delete') this.rows.delete(key);
    else this.rows.set(key, row);
    this.onChange();
    return fate === 'done but lost' ? 'unavailable' : undefined;
  }
}

function keyOf(row: SlotPrefixRow): string {
  return `${row.pool}/${nodeOfRow(row)}`;
}
