// SPDX-License-Identifier: Apache-2.0
/** A group of switches in memory, and what it has told. */
import { PLAIN_VIP, type Row, type RowUpdate } from '../../core/row.ts';
import type { AdoptedRows } from '../../ports/adopted-rows.ts';
import type { SwitchEvent } from '../../ports/switch.ts';
import type { SwitchGroupOptions } from '../options.ts';
import { SwitchGroup } from '../switch-group.ts';
import { FakeSwitch } from './fake-switch.ts';
import { ManualClock } from './manual-clock.ts';

type Capacity = Partial<Record<Row['table'], number>>;

export class Bench {
  readonly clock = new ManualClock();
  readonly switches: FakeSwitch[];
  readonly group: SwitchGroup;
  readonly log: string[] = [];
  private told: SwitchEvent[] = [];

  /** Switches s1, s2, ... */
  constructor(
    capacities: readonly Capacity[],
    options: Partial<SwitchGroupOptions> = {},
    adopted?: AdoptedRows,
  ) {
    this.switches = capacities.map((capacity, i) => new FakeSwitch(`s${i + 1}`, this.clock, capacity));
    const targets = this.switches.map((port, i) => ({ name: `s${i + 1}`, port }));
    const log = (level: string, message: string, fields: object = {}): void => {
      this.log.push([level, message, ...Object.entries(fields).map((field) => field.join('='))].join(' '));
    };
    this.group = new SwitchGroup(targets, { clock: this.clock, log, adopted }, options);
    this.group.start((event) => this.told.push(event));
  }

  /** All that was told since the last question. */
  events(): SwitchEvent[] {
    return this.told.splice(0);
  }

  /** Without counters and digests, in short. */
  heard(): string[] {
    return this.events().map((event) => {
      switch (event.kind) {
        case 'connected':
          return `connected with ${event.rows.length} rows`;
        case 'written': {
          const failures = event.failures.map(({ index, code }) => ` ${index} ${code}`);
          return `written ${event.write}${failures.join(',')}`;
        }
        case 'pin-idle':
          return `pin ${event.sourcePort} idle`;
        default:
          return event.kind;
      }
    });
  }

  connectAll(): void {
    for (const target of this.switches) target.connect();
    this.settle();
  }

  /** Every switch answers, until there is nothing left to answer. */
  settle(...except: FakeSwitch[]): void {
    const asked = this.switches.filter((target) => !except.includes(target));
    for (;;) {
      const busy = asked.filter(({ waiting }) => waiting.length > 0);
      if (busy.length === 0) return;
      for (const target of busy) target.answer();
    }
  }

  /** A write that all switches which can answer do answer. */
  write(write: number, updates: readonly RowUpdate[], ...except: FakeSwitch[]): void {
    this.group.write(write, updates);
    this.settle(...except);
  }

  states(): string[] {
    return this.group.status().members!.map(({ state }) => state);
  }
}

const vip: Row = {
  table: 'vip',
  address: 0x0a00_0064,
  protocol: 6,
  port: 80,
  pool: 1,
  slotMask: 3,
  ...PLAIN_VIP,
};

export const rowsOf = {
  vip,
  backend: (backend: number, address = 0x0a00_0200 + backend): Row => ({
    table: 'backend',
    backend,
    forwarding: 'nat',
    address,
    port: 80,
  }),
  slot: (slot: number, backend: number, unstable = false): Row => ({
    table: 'slot',
    pool: 1,
    slot,
    unstable,
    backend,
    pinsBase: false,
  }),
  column: (slot: number, column: 1 | 2 | 3, backend: number): Row => ({
    table: 'slot_version',
    pool: 1,
    slot,
    column,
    backend,
  }),
  pin: (sourcePort: number, backend: number, idleTimeoutMs = 900_000): Row => ({
    table: 'pin',
    pool: 1,
    sourceAddress: 9,
    sourcePort,
    backend,
    idleTimeoutMs,
  }),
  /** The filter slot that follows is active, with this column. */
  version: (epoch: number, column: 0 | 1 | 2 | 3): Row => ({
    table: 'version',
    active: 1,
    filters: [
      { epoch: 1, column: 0, learn: true },
      { epoch, column, learn: true },
      { epoch: 0, column: 0, learn: false },
      { epoch: 0, column: 0, learn: false },
    ],
  }),
};

export const inserts = (...rows: Row[]): RowUpdate[] => rows.map((row) => ({ operation: 'insert', row }));
export const modifies = (...rows: Row[]): RowUpdate[] => rows.map((row) => ({ operation: 'modify', row }));
export const deletes = (...rows: Row[]): RowUpdate[] => rows.map((row) => ({ operation: 'delete', row }));

/** A pool of four slots that serves, as the controller fills it. */
export function servingPool(): RowUpdate[] {
  const { backend, slot } = rowsOf;
  const slots = [0, 1, 2, 3].map((i) => slot(i, 1 + (i % 2)));
  return inserts(backend(1), backend(2), backend(3), ...slots, vip);
}
