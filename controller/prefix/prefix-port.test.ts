// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RowUpdate, SlotRow, SwitchRow } from '../core/row.ts';
import { ManualClock } from '../group/testing/manual-clock.ts';
import type { SwitchEvent, SwitchPort } from '../ports/switch.ts';
import { PrefixPort } from './prefix-port.ts';
import { FakePrefixSwitch } from './testing/fake-prefix-switch.ts';

const pool = 1;
const slotRow = (slot: number, backend: number): SlotRow => ({
  ...{ table: 'slot', pool, slot, unstable: false, pinsBase: false, backend, byPrefix: true },
});

class Bench {
  readonly clock = new ManualClock();
  readonly target = new FakePrefixSwitch();
  readonly port: SwitchPort = new PrefixPort(this.target, this.clock);
  readonly events: SwitchEvent[] = [];
  private writes = 0;
  private readonly held = new Map<number, number>();

  constructor() {
    this.port.start((event) => this.events.push(event));
    this.target.connect();
  }

  /** Backends by slot; 0: no row. @returns the failures */
  set(wanted: ReadonlyMap<number, number>): Map<number, string> {
    const slots: number[] = [];
    const updates: RowUpdate[] = [];
    for (const [slot, backend] of wanted) {
      const before = this.held.get(slot) ?? 0;
      if (before === backend) continue;
      slots.push(slot);
      const operation = backend === 0 ? 'delete' : before === 0 ? 'insert' : 'modify';
      updates.push({ operation, row: slotRow(slot, backend) });
    }
    if (updates.length === 0) return new Map();
    const write = ++this.writes;
    this.port.write(write, updates);
    this.clock.pass(1);
    this.target.answerAll();
    const answer = this.events.find((event) => event.kind === 'written' && event.write === write);
    if (answer?.kind !== 'written') throw new Error('a write has no answer');
    const failures = new Map(answer.failures.map(({ index, code }) => [slots[index]!, code]));
    for (const slot of slots) if (!failures.has(slot)) this.held.set(slot, wanted.get(slot)!);
    return failures;
  }

  effective(slotCount: number): number[] {
    return Array.from({ length: slotCount }, (_, slot) => this.target.backendOf(pool, slot));
  }

  get wanted(): (slot: number) => number {
    return (slot) => this.held.get(slot) ?? 0;
  }
}

const slotCount = 16;
const changes = fc.array(
  fc.array(fc.tuple(fc.nat(slotCount - 1), fc.nat(3)), { minLength: 1, maxLength: slotCount }),
  { minLength: 1, maxLength: 12 },
);

describe('a switch with prefix tables', () => {
  it('does with every slot what is asked of it, and no slot ever has a third value on the way', () => {
    fc.assert(
      fc.property(changes, (steps) => {
        const bench = new Bench();
        for (const step of steps) {
          const before = bench.effective(slotCount);
          const wanted = new Map(step);
          bench.target.onChange = () => {
            bench.effective(slotCount).forEach((backend, slot) => {
              expect([before[slot], wanted.get(slot) ?? before[slot]]).toContain(backend);
            });
          };
          expect([...bench.set(wanted)]).toEqual([]);
          expect(bench.effective(slotCount)).toEqual(
            before.map((backend, slot) => wanted.get(slot) ?? backend),
          );
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('says of every slot whether it is as asked, also where the switch refuses rows or loses answers', () => {
    fc.assert(
      fc.property(
        changes,
        fc.array(fc.constantFrom('ok', 'ok', 'rejected', 'lost', 'done but lost'), { minLength: 1 }),
        (steps, fates) => {
          const bench = new Bench();
          let turn = 0;
          bench.target.fateOf = () => fates[turn++ % fates.length]!;
          /** Those whose answer was lost, with what they may have. */
          const doubtful = new Map<number, (number | undefined)[]>();
          for (const step of steps) {
            const before = bench.effective(slotCount);
            const wanted = new Map(step.filter(([slot]) => !doubtful.has(slot)));
            const failures = bench.set(wanted);
            for (const [slot, code] of failures)
              if (code === 'unavailable') doubtful.set(slot, [before[slot], wanted.get(slot)]);
            bench.effective(slotCount).forEach((backend, slot) => {
              if (doubtful.has(slot)) expect(doubtful.get(slot)).toContain(backend);
              else expect(backend).toBe(bench.wanted(slot));
            });
          }
        },
      ),
      { seed: 1, numRuns: 50 },
    );
  });

  it('needs few rows, and gives back a row a slot to whoever connects', () => {
    const bench = new Bench();
    bench.set(new Map(Array.from({ length: 256 }, (_, slot) => [slot, slot < 128 ? 1 : 2])));
    expect(bench.target.rows.size).toBe(2);
    bench.target.connect();
    const connected = bench.events.findLast((event) => event.kind === 'connected');
    if (connected?.kind !== 'connected') throw new Error('it is not connected');
    expect(connected.rows).toHaveLength(256);
    expect(connected.rows).toContainEqual(slotRow(200, 2));
  });

  it('goes by the longest prefix where a change was interrupted: parent and children are both there', () => {
    const bench = new Bench();
    const flags = { unstable: false, pinsBase: false };
    const prefix = (slot: number, prefixLength: number, backend: number): SwitchRow => ({
      ...{ table: 'slot_prefix', pool, slot, prefixLength, ...flags, backend },
    });
    bench.target.hold([prefix(0, 14, 1), prefix(0, 15, 2), prefix(3, 16, 3)]);
    bench.target.connect();
    const connected = bench.events.findLast((event) => event.kind === 'connected');
    expect(connected?.kind === 'connected' && connected.rows).toEqual([
      slotRow(0, 2),
      slotRow(1, 2),
      slotRow(2, 1),
      slotRow(3, 3),
    ]);
  });

  it('fails as full what finds no room, and takes nobody from his place for it', () => {
    const bench = new Bench();
    bench.set(new Map(Array.from({ length: slotCount }, (_, slot) => [slot, 1])));
    bench.target.capacity = 2;
    const failures = bench.set(new Map([0, 5, 10].map((slot) => [slot, 2])));
    expect(new Set(failures.values())).toEqual(new Set(['full']));
    bench.effective(slotCount).forEach((backend, slot) => {
      expect(backend).toBe(bench.wanted(slot));
    });
    expect([...bench.set(new Map(Array.from({ length: slotCount }, (_, slot) => [slot, 0])))]).toEqual([]);
    expect(bench.target.rows.size).toBe(0);
  });
});
