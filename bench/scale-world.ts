// SPDX-License-Identifier: Apache-2.0
/**
 * The shipping controller on switches in memory that answer at once: what remains is the controller's own work. Time is
 * simulated, work is measured.
 */

import type { Desired } from '../controller/core/desired.ts';
import { engineDefaults } from '../controller/core/options.ts';
import type { PinRow, Row, RowUpdate } from '../controller/core/row.ts';
import { Engine } from '../controller/engine.ts';
import { rowKey } from '../controller/group/row-key.ts';
import { SwitchGroup } from '../controller/group/switch-group.ts';
import type { SwitchEvent, SwitchPort, SwitchStatus } from '../controller/ports/switch.ts';
import { Turns } from './turns.ts';

/** Work done, and what it led to. */
export interface Work {
  /** Processor time of the process, the collection of garbage included. */
  cpuMs: number;
  /** The longest that nothing else could be done, one turn of the event loop; processor time, too. */
  longestMs: number;
  /** Updates sent to each switch. */
  updates: number;
  /** Simulated, from the cause to the last effect. */
  simulatedMs: number;
}

/** Of the simulated time: how finely it is looked at whether all is done. */
const stepMs = 100;

export class ScaleWorld {
  readonly engine: Engine;
  readonly switches: readonly QuickSwitch[];
  readonly #turns = new Turns();

  /** @param rows  what the switches hold; undefined: they are blank */
  constructor(switchCount: number, desired: Desired, rows: ReadonlyMap<string | number, Row> | undefined) {
    const { clock, later } = this.#turns;
    this.switches = Array.from({ length: switchCount }, (_, i) => new QuickSwitch(later, i === 0, rows));
    const log = () => {};
    const targets = this.switches.map((port, i) => ({ name: `s${i + 1}`, port }));
    const switchPort = switchCount === 1 ? this.switches[0]! : new SwitchGroup(targets, { clock, log });
    this.engine = new Engine(engineDefaults, { clock, log, switchPort }, { later });
    this.engine.start();
    this.want(desired);
  }

  want(desired: Desired): void {
    this.engine.want(desired, engineDefaults);
  }

  connect(): void {
    for (const port of this.switches) port.connect();
  }

  /** What the cause leads to until `isDone`, and for so long of simulated time at most. */
  work(cause: () => void, isDone: () => boolean, limitMs = 60_000): Work {
    const turns = this.#turns;
    const before = { updates: this.switches[0]!.updates, cpuMs: turns.cpuMs, at: turns.time.now() };
    turns.longestMs = 0;
    cause();
    turns.drain();
    while (!isDone()) {
      if (turns.time.now() - before.at >= limitMs) throw new Error(`not done within ${limitMs} ms`);
      this.pass(stepMs);
    }
    return {
      cpuMs: turns.cpuMs - before.cpuMs,
      longestMs: turns.longestMs,
      updates: this.switches[0]!.updates - before.updates,
      simulatedMs: turns.time.now() - before.at,
    };
  }

  pass(ms: number): void {
    this.#turns.pass(ms);
  }
}

/** Takes every update, and says so in a turn of its own. */
class QuickSwitch implements SwitchPort {
  /** What it holds. Only one of a group keeps count; the others would hold the same. */
  readonly rows: Map<string | number, Row>;
  updates = 0;
  readonly #later: (task: () => void) => void;
  readonly #keepsRows: boolean;
  #listener: (event: SwitchEvent) => void = () => {};

  constructor(
    later: (task: () => void) => void,
    keepsRows: boolean,
    rows: ReadonlyMap<string | number, Row> | undefined,
  ) {
    this.#later = later;
    this.#keepsRows = keepsRows;
    this.rows = new Map(rows);
  }

  start(listener: (event: SwitchEvent) => void): void {
    this.#listener = listener;
  }

  /** Every switch reads rows of its own out of its answers. */
  connect(): void {
    const rows = Array.from(this.rows.values(), (row) => ({ ...row }));
    if (!this.#keepsRows) this.rows.clear();
    this.#later(() => this.#listener({ kind: 'connected', rows }));
  }

  tell(event: SwitchEvent): void {
    this.#later(() => this.#listener(event));
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    this.updates += updates.length;
    if (this.#keepsRows) {
      for (const { operation, row } of updates) {
        if (operation === 'delete') this.rows.delete(rowKey(row));
        else this.rows.set(rowKey(row), row);
      }
    }
    this.#later(() => this.#listener({ kind: 'written', write, failures: [] }));
  }

  pins(): PinRow[] {
    return [...this.rows.values()].filter((row) => row.table === 'pin');
  }

  solicit(): void {}

  status(): SwitchStatus {
    return {
      target: 'memory',
      connection: 'ready',
      problem: undefined,
      notices: { received: 0, unreadable: 0 },
      traffic: undefined,
    };
  }

  async close(): Promise<void> {}
}
