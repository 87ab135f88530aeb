// SPDX-License-Identifier: Apache-2.0
/** A switch in memory behind the switch port: it holds rows, answers writes, forgets nothing. */
import type { WriteFailure } from '../core/event.ts';
import type { Row, RowUpdate } from '../core/row.ts';
import { ModelSwitch } from '../core/testing/model-switch.ts';
import type { Solicitation, SwitchEvent, SwitchPort, SwitchStatus } from '../ports/switch.ts';

export class MemorySwitch implements SwitchPort {
  readonly model = new ModelSwitch({ filters: 'perfect', capacity: {} });
  readonly solicitations: Solicitation[] = [];
  /** Every update that was taken, in order. */
  readonly updates: RowUpdate[] = [];
  isClosed = false;
  private listener: (event: SwitchEvent) => void = () => {};

  start(listener: (event: SwitchEvent) => void): void {
    this.listener = listener;
    queueMicrotask(() => listener({ kind: 'connected', rows: this.model.read() }));
  }

  /** What the switch tells unasked. */
  tell(event: SwitchEvent): void {
    this.listener(event);
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    queueMicrotask(() => {
      const failures: WriteFailure[] = [];
      for (const [index, update] of updates.entries()) {
        const code = this.model.apply(update, 0);
        if (code !== undefined) failures.push({ index, code, message: code });
        this.updates.push(update);
      }
      this.listener({ kind: 'written', write, failures });
    });
  }

  solicit(solicitation: Solicitation): void {
    this.solicitations.push(solicitation);
  }

  rows<T extends Row['table']>(table: T): Extract<Row, { table: T }>[] {
    return this.model.read().filter((row): row is Extract<Row, { table: T }> => row.table === table);
  }

  status(): SwitchStatus {
    return {
      target: 'memory',
      connection: this.isClosed ? 'closed' : 'ready',
      problem: undefined,
      notices: { received: 0, unreadable: 0 },
      traffic: undefined,
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.listener = () => {};
  }
}
