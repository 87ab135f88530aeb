// SPDX-License-Identifier: Apache-2.0
/**
 * Random work and random faults: switches are lost in mid-write, restarted, slow, full, sick. The controller's own ledger
 * asks for rows; in the end every switch holds what it asked for, and whenever all is quiet those that participate agree.
 */
import { expect, it } from 'vitest';
import type { Effect } from '../core/event.ts';
import { answered, createLedger, flush, type Ledger, nextRetryAt, retryDue, want } from '../core/ledger.ts';
import { engineDefaults } from '../core/options.ts';
import type { Row } from '../core/row.ts';
import { Dice } from '../core/testing/dice.ts';
import { rowKey, sameRow } from './row-key.ts';
import { Bench, rowsOf } from './testing/bench.ts';
import type { FakeSwitch } from './testing/fake-switch.ts';

const { backend, column, pin, slot, version, vip } = rowsOf;
const options = { ...engineDefaults, writeBatch: 3 };

/** As much of the controller as writes rows. */
class Writer {
  readonly bench: Bench;
  ledger: Ledger = createLedger();
  rows = new Map<string | number, Row>();
  isConnected = false;
  gaps = 0;

  constructor(bench: Bench) {
    this.bench = bench;
  }

  want(row: Row, isWanted = true): void {
    const key = rowKey(row);
    const wanted = isWanted ? row : undefined;
    const before = this.rows.get(key);
    if (!this.isConnected || sameRow(before, wanted)) return;
    if (wanted) this.rows.set(key, wanted);
    else this.rows.delete(key);
    want(this.ledger, { key, before, wanted });
  }

  turn(): void {
    const now = this.bench.clock.now();
    for (const event of this.bench.events()) {
      if (event.kind === 'disconnected') this.isConnected = false;
      if (event.kind === 'gap') this.gaps++;
      if (event.kind === 'connected') {
        this.isConnected = true;
        this.ledger = { ...createLedger(), nextWrite: this.ledger.nextWrite };
        this.rows = new Map(event.rows.map((row) => [rowKey(row), row]));
      }
      if (event.kind === 'written')
        answered(
          this.ledger,
          event.write,
          event.failures,
          now,
          options,
          () => {},
          (entry, { code }) => {
            // As the core does with a pin that finds no room.
            if (entry.row.table !== 'pin' || code !== 'full') return;
            this.want(entry.row, false);
          },
        );
    }
    if (!this.isConnected) return;
    retryDue(this.ledger, now);
    const effects: Effect[] = [];
    flush(this.ledger, options, effects, () => {});
    for (const effect of effects)
      if (effect.kind === 'write') this.bench.group.write(effect.write, effect.updates);
  }

  get isSettled(): boolean {
    return this.isConnected && this.ledger.entries.size === 0 && nextRetryAt(this.ledger) === Infinity;
  }
}

function run(seed: number): { gaps: number; states: Set<string> } {
  const dice = new Dice(seed);
  const below = (end: number): number => dice.integer(0, end - 1);
  // As large as each other: one that is smaller could not come back.
  const capacity = { pin: 4 + below(6) };
  const capacities = Array.from({ length: 1 + below(3) }, () => capacity);
  const bench = new Bench(capacities, {
    laggardMs: 1_000,
    joinBatch: 2,
    joinUpdatesInFlight: 4,
    joinTailRows: 3,
  });
  const writer = new Writer(bench);
  const states = new Set<string>();
  const sick = new Set<FakeSwitch>();
  let epoch = 1;
  for (const target of bench.switches)
    target.refuses = () => (sick.has(target) && below(2) === 0 ? 'unavailable' : undefined);

  const changes = [
    () => writer.want(pin(below(12), 1 + below(3)), below(3) > 0),
    () => writer.want(slot(below(4), 1 + below(3), below(2) === 0), below(5) > 0),
    () => writer.want(column(below(4), dice.pick([1, 2, 3]), 1 + below(3)), below(2) > 0),
    () => writer.want(backend(1 + below(3), below(3)), below(4) > 0),
    () => writer.want(version(++epoch, dice.pick([1, 2, 3]))),
    () => writer.want(vip, below(3) > 0),
  ];
  const faults = [
    (target: FakeSwitch) => target.isConnected && target.disconnect(below(3)),
    (target: FakeSwitch) => target.restart(),
    (target: FakeSwitch) => (sick.has(target) ? sick.delete(target) : sick.add(target)),
    () => bench.clock.pass(below(1_500), () => writer.turn()),
  ];
  for (let turn = 0; turn < 300; turn++) {
    const target = dice.pick(bench.switches);
    const roll = below(100);
    if (roll < 30) dice.pick(changes)();
    else if (roll < 80) target.answer();
    else if (roll < 88) {
      if (!target.isConnected) target.connect();
    } else if (roll < 97) bench.clock.pass(below(100), () => writer.turn());
    else dice.pick(faults)(target);
    writer.turn();
    for (const state of bench.states()) states.add(state);
    expectAgreement(bench, writer);
  }

  sick.clear();
  for (const target of bench.switches) if (!target.isConnected) target.connect();
  for (let turn = 0; turn < 200; turn++) {
    bench.settle();
    writer.turn();
    if (writer.isSettled && bench.states().every((state) => state === 'participating')) break;
    bench.clock.pass(500, () => {
      writer.turn();
      bench.settle();
    });
  }
  expect({ seed, states: bench.states(), isSettled: writer.isSettled }).toEqual({
    seed,
    states: bench.switches.map(() => 'participating'),
    isSettled: true,
  });
  const wanted = asHeld(bench, writer);
  for (const target of bench.switches) expect({ seed, rows: target.rows() }).toEqual({ seed, rows: wanted });
  return { gaps: writer.gaps, states };
}

/** Switches agree within ten seconds that a pin is idle, so it lasts that much longer on each. */
function asHeld({ switches }: Bench, { rows }: Writer): string[] {
  const longerMs = switches.length > 1 ? 10_000 : 0;
  const held = [...rows.values()].map((row) =>
    row.table === 'pin' ? { ...row, idleTimeoutMs: row.idleTimeoutMs + longerMs } : row,
  );
  return held.map((row) => JSON.stringify(row)).sort();
}

function expectAgreement(bench: Bench, writer: Writer): void {
  if (!writer.isSettled) return;
  const quiet = bench.switches.filter(
    ({ waiting }, i) => waiting.length === 0 && bench.states()[i] === 'participating',
  );
  const wanted = asHeld(bench, writer);
  for (const target of quiet) expect(target.rows()).toEqual(wanted);
  const [first] = quiet;
  if (first === undefined) return;
  for (const target of quiet) expect(target.era()).toBe(first.era());
  // Whoever is in charge next can tell who is behind.
  for (const target of bench.switches)
    if (!target.isConnected) expect(target.era()).toBeLessThan(first.era());
}

it('ends with every switch as it should be, whatever happens to them', () => {
  const states = new Set<string>();
  let gaps = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const result = run(seed);
    for (const state of result.states) states.add(state);
    gaps += result.gaps;
  }
  // It was no idle walk.
  expect([...states].sort()).toEqual(['disconnected', 'gathering', 'joining', 'outdated', 'participating']);
  expect(gaps).toBeGreaterThan(50);
});
