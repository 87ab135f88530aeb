// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Effect, WriteFailureCode } from './event.ts';
import {
  answered,
  createLedger,
  type Entry,
  flush,
  type Ledger,
  nextRetryAt,
  retryDue,
  want,
} from './ledger.ts';
import { type EngineOptions, engineDefaults } from './options.ts';
import type { BackendRow } from './row.ts';

const options: EngineOptions = {
  ...engineDefaults,
  retryMs: 100,
  retryMaxMs: 400,
  writeBatch: 3,
  maxUpdatesInFlight: 5,
};
const row = (port: number, backend = 1): BackendRow => ({
  table: 'backend',
  backend,
  forwarding: 'nat',
  address: 1,
  port,
});

class Desk {
  readonly ledger: Ledger = createLedger();
  readonly settled: Entry[] = [];
  now = 0;

  want(before: BackendRow | undefined, wanted: BackendRow | undefined): void {
    want(this.ledger, { key: `backend/${(wanted ?? before)!.backend}`, before, wanted });
  }

  /** What is sent now, e.g. "insert 8080". */
  send(): string[] {
    const effects: Effect[] = [];
    flush(this.ledger, options, effects, (entry) => this.settled.push(entry));
    return effects.flatMap((effect) =>
      effect.kind === 'write'
        ? effect.updates.map(({ operation, row: { ...sent } }) => `${operation} ${(sent as BackendRow).port}`)
        : [],
    );
  }

  answer(code?: WriteFailureCode): void {
    const write = [...this.ledger.writes.keys()][0]!;
    const failures = code ? [{ index: 0, code, message: '' }] : [];
    answered(
      this.ledger,
      write,
      failures,
      this.now,
      options,
      (entry) => this.settled.push(entry),
      () => {},
    );
  }

  pass(ms: number): void {
    this.now += ms;
    retryDue(this.ledger, this.now);
  }
}

describe('the ledger', () => {
  test('keeps one update of a row in flight, and then sends only the last word', () => {
    const desk = new Desk();
    desk.want(undefined, row(1));
    expect(desk.send()).toEqual(['insert 1']);
    desk.want(row(1), row(2));
    desk.want(row(2), row(3));
    expect(desk.send()).toEqual([]);
    desk.answer();
    expect(desk.send()).toEqual(['modify 3']);
    desk.answer();
    expect(desk.settled).toHaveLength(1);
    expect(desk.ledger.entries.size).toBe(0);
  });

  test('sends nothing for a wish that was taken back in time', () => {
    const desk = new Desk();
    desk.want(row(1), row(2));
    desk.want(row(2), row(1));
    expect(desk.send()).toEqual([]);
    expect(desk.ledger.entries.size).toBe(0);
  });

  test('says nothing when the row is as wanted', () => {
    const desk = new Desk();
    desk.want(row(1), row(1));
    expect(desk.send()).toEqual([]);
  });

  test.each<[WriteFailureCode, BackendRow | undefined, BackendRow | undefined, string[]]>([
    ['exists', undefined, row(2), ['insert 2', 'modify 2']],
    ['missing', row(1), row(2), ['modify 2', 'insert 2']],
    ['missing', row(1), undefined, ['delete 1']],
  ])('takes "%s" for what it says', (code, before, wanted, expected) => {
    const desk = new Desk();
    desk.want(before, wanted);
    const sent = desk.send();
    desk.answer(code);
    sent.push(...desk.send());
    expect(sent).toEqual(expected);
  });

  test('repeats what failed, later and later, up to a limit', () => {
    const desk = new Desk();
    desk.want(undefined, row(1));
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      desk.send();
      desk.answer('rejected');
      expect(desk.send()).toEqual([]);
      waits.push(nextRetryAt(desk.ledger) - desk.now);
      desk.pass(waits.at(-1)!);
    }
    expect(waits).toEqual([100, 200, 400, 400, 400]);
  });

  test('after a lost answer sends again, and believes what then turns out', () => {
    const desk = new Desk();
    desk.want(undefined, row(1));
    desk.send();
    desk.answer('unavailable');
    desk.pass(100);
    expect(desk.send()).toEqual(['insert 1']);
    // The first one had arrived.
    desk.answer('exists');
    desk.pass(400);
    expect(desk.send()).toEqual(['modify 1']);
    desk.answer();
    expect(desk.ledger.entries.size).toBe(0);
  });

  test('splits writes into batches and bounds what is in flight', () => {
    const desk = new Desk();
    for (let backend = 1; backend <= 9; backend++) desk.want(undefined, row(backend, backend));
    expect(desk.send()).toHaveLength(5);
    expect(desk.ledger.writes.size).toBe(2);
    desk.answer();
    expect(desk.send()).toHaveLength(3);
    expect(desk.ledger.updatesInFlight).toBe(5);
  });

  test('ignores answers to writes of an earlier connection', () => {
    const desk = new Desk();
    answered(
      desk.ledger,
      42,
      [],
      0,
      options,
      () => {},
      () => {},
    );
    expect(desk.ledger.updatesInFlight).toBe(0);
  });
});
