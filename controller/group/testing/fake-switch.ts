// SPDX-License-Identifier: Apache-2.0
/** A switch in memory behind the switch port, whose every answer is the test's to give. */
import type { WriteFailure, WriteFailureCode } from '../../core/event.ts';
import type { DigestRates } from '../../core/options.ts';
import type { Row, RowUpdate } from '../../core/row.ts';
import { ModelSwitch } from '../../core/testing/model-switch.ts';
import type { Solicitation, SwitchEvent, SwitchPort, SwitchStatus } from '../../ports/switch.ts';
import { eraOf, isEra } from '../era.ts';
import type { ManualClock } from './manual-clock.ts';

export class FakeSwitch implements SwitchPort {
  model: ModelSwitch;
  /** Taken on, neither done nor answered. */
  readonly waiting: { write: number; updates: readonly RowUpdate[] }[] = [];
  /** Updates done, in order. */
  readonly done: RowUpdate[] = [];
  readonly solicitations: Solicitation[] = [];
  /** As last told. */
  rates: DigestRates | undefined;
  /** Refuses what the test says. */
  refuses: (update: RowUpdate) => WriteFailureCode | undefined = () => undefined;
  /** Is told before the switch is read back. */
  onRead: () => void = () => {};
  isConnected = false;
  isClosed = false;
  private readonly name: string;
  private readonly clock: ManualClock;
  private readonly capacity: Partial<Record<Row['table'], number>>;
  private listener: (event: SwitchEvent) => void = () => {};

  constructor(name: string, clock: ManualClock, capacity: Partial<Record<Row['table'], number>> = {}) {
    this.name = name;
    this.clock = clock;
    this.capacity = capacity;
    this.model = this.fresh();
  }

  start(listener: (event: SwitchEvent) => void): void {
    this.listener = listener;
  }

  write(write: number, updates: readonly RowUpdate[]): void {
    if (this.isConnected) this.waiting.push({ write, updates });
  }

  /** Does and answers the oldest write. */
  answer(): void {
    const next = this.waiting.shift();
    if (next === undefined) return;
    const failures: WriteFailure[] = [];
    for (const [index, update] of next.updates.entries()) {
      const code = this.refuses(update) ?? this.model.apply(update, this.clock.now());
      if (code === undefined) this.done.push(update);
      else failures.push({ index, code, message: `${this.name} says ${code}` });
    }
    this.tell({ kind: 'written', write: next.write, failures });
  }

  connect(wasDeposed = false): void {
    this.isConnected = true;
    this.tell({ kind: 'connected', rows: this.model.read(), wasDeposed });
  }

  /** @param doneBefore  writes that were done, although nobody hears of it */
  disconnect(doneBefore = 0): void {
    for (const { updates } of this.waiting.splice(0, doneBefore))
      for (const update of updates) this.model.apply(update, this.clock.now());
    this.waiting.length = 0;
    this.isConnected = false;
    this.tell({ kind: 'disconnected' });
  }

  /** Loses everything; its filters too. */
  restart(): void {
    if (this.isConnected) this.disconnect();
    this.model = this.fresh();
  }

  tell(event: SwitchEvent): void {
    this.listener(event);
  }

  async readBack(): Promise<readonly Row[]> {
    this.onRead();
    return this.model.read();
  }

  limit(rates: DigestRates): void {
    this.rates = rates;
  }

  solicit(solicitation: Solicitation): void {
    this.solicitations.push(solicitation);
  }

  /** How far it was when it was last told; 0: never. */
  era(): number {
    return eraOf(this.model.read());
  }

  /** In a fixed order, without the era. */
  rows(): string[] {
    return this.model
      .read()
      .filter((row) => !isEra(row))
      .map((row) => JSON.stringify(row))
      .sort();
  }

  status(): SwitchStatus {
    return {
      target: `${this.name}:9559`,
      connection: this.isClosed ? 'closed' : this.isConnected ? 'ready' : 'connecting',
      problem: undefined,
      notices: { received: 1, unreadable: 0 },
      traffic: undefined,
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  private fresh(): ModelSwitch {
    return new ModelSwitch({ filters: 'perfect', capacity: this.capacity });
  }
}
