// SPDX-License-Identifier: Apache-2.0
/** Pins are idle when all switches of a group say so. */
import { describe, expect, it } from 'vitest';
import { type Bench, deletes, inserts, modifies, rowsOf } from './testing/bench.ts';
import { expectEqual, serving } from './testing/serving.ts';

const { pin } = rowsOf;

describe('an idle pin', () => {
  const idle = (sourcePort: number) => ({ kind: 'pin-idle', pool: 1, sourceAddress: 9, sourcePort }) as const;

  function pinned(options: ConstructorParameters<typeof Bench>[1] = {}): Bench {
    const bench = serving(2, options);
    bench.write(2, inserts(pin(1, 2), pin(2, 2), pin(3, 2)));
    bench.heard();
    for (const target of bench.switches) target.done.length = 0;
    return bench;
  }

  it('is idle when every switch says so', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    bench.clock.pass(9_000);
    s1!.tell(idle(1));
    expect(bench.heard()).toEqual([]);
    s2!.tell(idle(1));
    expect(bench.heard()).toEqual(['pin 1 idle']);
    bench.clock.pass(60_000);
    expect(s1!.waiting).toEqual([]);
  });

  it('is armed anew on all of them when its flow passes through one', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    bench.clock.pass(10_000);
    bench.settle();
    const armed = modifies(pin(1, 2, 910_000));
    expect([s1!.done, s2!.done]).toEqual([armed, armed]);
    // The mark of before counts no more.
    s2!.tell(idle(1));
    expect(bench.heard()).toEqual([]);
    s1!.tell(idle(1));
    expect(bench.heard()).toEqual(['pin 1 idle']);
  });

  it('needs the word of a switch that is away no more when it has been away for as long', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    // The flow may have passed through it just before.
    s2!.disconnect();
    s1!.tell(idle(2));
    bench.clock.pass(10_000);
    bench.settle();
    expect(bench.heard()).toEqual(['gap']);
    expect(s1!.done.filter(({ row }) => row.table === 'pin')).toEqual(
      modifies(pin(1, 2, 910_000), pin(2, 2, 910_000)),
    );
    bench.clock.pass(900_000);
    s1!.tell(idle(1));
    expect(bench.heard()).toEqual(['pin 1 idle']);
  });

  it('needs the word of a switch that fails to arm it anew, and joins again, just as much', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    // Its flow passes through s2, which is then withdrawn.
    s2!.refuses = () => 'unavailable';
    bench.clock.pass(10_000);
    bench.settle();
    expect(bench.states()).toEqual(['participating', 'joining']);
    s1!.tell(idle(1));
    bench.clock.pass(909_000);
    expect(bench.heard()).toEqual([]);
    bench.clock.pass(1_000);
    s1!.tell(idle(1));
    expect(bench.heard()).toEqual(['pin 1 idle']);
  });

  it('is told at once when the group does not know it', () => {
    const bench = pinned();
    bench.switches[0]!.tell(idle(77));
    expect(bench.heard()).toEqual(['pin 77 idle']);
  });

  it('is not brought back by being armed anew', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    bench.group.write(3, deletes(pin(1, 2)));
    bench.settle(s2!);
    bench.clock.pass(10_000);
    bench.settle();
    s1!.tell(idle(2));
    s2!.model.apply({ operation: 'delete', row: pin(2, 2) }, 0);
    bench.clock.pass(10_000);
    bench.group.write(4, deletes(pin(2, 2)));
    bench.settle();
    expect(bench.switches.map(({ model }) => model.count('pin'))).toEqual([1, 1]);
    expectEqual(bench);
  });

  it('lasts longer on each switch by the time in which they agree, and as long as it should on all of them', () => {
    const bench = pinned();
    const [s1, s2] = bench.switches;
    const timeoutMs = () => s1!.model.read().find(({ table }) => table === 'pin');
    expect(timeoutMs()).toEqual(pin(1, 2, 910_000));
    s1!.disconnect();
    s2!.disconnect();
    bench.heard();
    bench.connectAll();
    const [connected] = bench.events();
    expect(connected).toMatchObject({ kind: 'connected' });
    expect(connected!.kind === 'connected' && connected!.rows).toContainEqual(pin(1, 2));
    // Pins that never expire do not.
    bench.write(9, modifies(pin(1, 2, 0)));
    expect(timeoutMs()).toEqual(pin(1, 2, 0));
  });

  it('is armed anew when the word of the last switch came too late, and nobody looked in time', () => {
    const bench = pinned({ joinBatch: 1 });
    const [s1, s2] = bench.switches;
    s1!.tell(idle(1));
    s1!.tell(idle(2));
    bench.clock.pass(10_000);
    // The first is being armed; the second has to wait until it is.
    expect(s1!.waiting).toHaveLength(1);
    bench.clock.pass(5_000);
    s2!.tell(idle(2));
    expect(bench.heard()).toEqual([]);
    bench.clock.pass(0, () => bench.settle());
    bench.settle();
    bench.clock.pass(0);
    bench.settle();
    expect(s1!.done).toEqual(modifies(pin(1, 2, 910_000), pin(2, 2, 910_000)));
    expect(s2!.done).toEqual(s1!.done);
  });

  it('takes a bounded place in memory', () => {
    const bench = pinned({ idleMarksMax: 2 });
    const [s1, s2] = bench.switches;
    for (const sourcePort of [1, 2, 3]) s1!.tell(idle(sourcePort));
    for (const sourcePort of [1, 2, 3]) s2!.tell(idle(sourcePort));
    expect(bench.heard()).toEqual(['pin 1 idle', 'pin 2 idle']);
    // It is told again.
    s1!.tell(idle(3));
    expect(bench.heard()).toEqual(['pin 3 idle']);
  });
});
