// SPDX-License-Identifier: Apache-2.0
/** A controller that has just started finds out whose tables are in force. */
import { describe, expect, it } from 'vitest';
import type { Row } from '../core/row.ts';
import { Bench, deletes, inserts, modifies, rowsOf, servingPool } from './testing/bench.ts';
import { expectEqual, serving } from './testing/serving.ts';

const { column, pin, slot, version } = rowsOf;

describe('a controller that has just started', () => {
  /** Both have an unstable slot, by the same version; then s2 goes. */
  function inMidChange(): Bench {
    const bench = serving(2);
    bench.write(2, [...inserts(column(0, 1, 2)), ...modifies(slot(0, 1, true), version(2, 1))]);
    bench.switches[1]!.disconnect();
    bench.settle();
    return bench;
  }

  /** Another process, with the switches as they are. */
  function successor({ switches }: Bench): Bench {
    const next = new Bench(switches.map(() => ({})));
    next.switches.forEach((target, i) => {
      target.model = switches[i]!.model;
    });
    return next;
  }

  it('knows which switch went on without the others, though their versions are the same', () => {
    const bench = inMidChange();
    bench.write(3, [...modifies(slot(0, 2)), ...deletes(column(0, 1, 2))]);
    bench.write(4, inserts(column(1, 2, 1)));
    bench.write(5, modifies(slot(1, 2, true)));
    const next = successor(bench);
    next.connectAll();
    expect(next.log[0]).toBe('info its tables are in force for the group switch=s1');
    expectEqual(next);
    expect(next.switches[1]!.rows()).toContain(JSON.stringify(slot(0, 2)));
  });

  it('knows it too when the join of another was cut short', () => {
    const bench = inMidChange();
    bench.write(3, inserts(pin(1, 1)));
    bench.write(4, [...modifies(slot(0, 2)), ...deletes(pin(1, 1), column(0, 1, 2))]);
    const [s1, s2] = bench.switches;
    s2!.model.apply({ operation: 'insert', row: pin(2, 3) }, 0);
    s2!.connect();
    // It is given the slot; the pin that is too many would be next.
    s2!.answer();
    s2!.disconnect();
    s1!.disconnect();
    const next = successor(bench);
    next.connectAll();
    expectEqual(next);
    expect(next.switches[0]!.model.count('pin')).toBe(0);
  });

  it('hears of nothing that a switch left behind could hide', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    bench.group.write(2, inserts(pin(1, 2)));
    s1!.answer();
    s2!.disconnect();
    expect(bench.heard()).toEqual(['gap']);
    s1!.refuses = ({ row }) => (row.table === 'return_path' ? 'unavailable' : undefined);
    bench.settle();
    expect(bench.heard()).toEqual([]);
    s1!.refuses = () => undefined;
    bench.clock.pass(1_000);
    bench.settle();
    expect(bench.heard()).toEqual(['written 2']);
    expect(s2!.era()).toBeLessThan(s1!.era());
  });

  it('goes on when a switch cannot be told who is behind', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    s1!.refuses = ({ row }) => (row.table === 'return_path' ? 'full' : undefined);
    s2!.disconnect();
    bench.group.write(2, inserts(pin(1, 2)));
    bench.settle();
    bench.clock.pass(5_000, () => bench.settle());
    expect(bench.heard()).toEqual(['gap', 'written 2']);
    expect(bench.log.at(-1)).toBe(
      'warn a switch cannot be told from those left behind switch=s1 reason=s1 says full',
    );
  });

  it('believes that a slot is merged, or prepared, where one of them has it so', () => {
    const bench = new Bench([{}, {}]);
    for (const target of bench.switches) {
      for (const { row } of servingPool()) target.model.apply({ operation: 'insert', row }, 0);
      target.model.apply({ operation: 'modify', row: version(2, 1) }, 0);
      for (const row of [column(0, 1, 2), column(1, 1, 1)])
        target.model.apply({ operation: 'insert', row }, 0);
    }
    const [s1, s2] = bench.switches;
    // Each has met one of two merges, and s1 has begun to bury backend 2 in slot 3: its heir is 3.
    s1!.model.apply({ operation: 'modify', row: slot(0, 2) }, 0);
    s1!.model.apply({ operation: 'modify', row: slot(1, 2, true) }, 0);
    s2!.model.apply({ operation: 'modify', row: slot(0, 1, true) }, 0);
    s2!.model.apply({ operation: 'modify', row: slot(1, 1) }, 0);
    s2!.model.apply({ operation: 'insert', row: column(3, 1, 3) }, 0);
    s2!.model.apply({ operation: 'modify', row: slot(3, 3, true) }, 0);
    bench.connectAll();
    expectEqual(bench);
    const rows = s1!.rows();
    for (const row of [slot(0, 2), slot(1, 1), slot(3, 3, true), column(3, 1, 3)])
      expect(rows).toContain(JSON.stringify(row));
  });

  it.each([
    ['the first', 0],
    ['the second', 1],
  ])('keeps a slot that has been buried at once on %s of them', (_which, ahead) => {
    const bench = new Bench([{}, {}]);
    const asksForPins = { ...slot(0, 1, true), pinsBase: true } as Row;
    bench.switches.forEach((target, i) => {
      for (const { row } of servingPool()) target.model.apply({ operation: 'insert', row }, 0);
      target.model.apply({ operation: 'modify', row: i === ahead ? slot(0, 3) : asksForPins }, 0);
    });
    bench.connectAll();
    expectEqual(bench);
    expect(bench.switches[0]!.rows()).toContain(JSON.stringify(slot(0, 3)));
  });

  it('takes the tables of the switch that is furthest, with the pins of its equals', () => {
    const bench = new Bench([{}, {}, {}, {}]);
    const [behind, first, second, blank] = bench.switches;
    for (const { row } of servingPool())
      for (const target of [behind, first, second]) target!.model.apply({ operation: 'insert', row }, 0);
    const committed = [...inserts(column(0, 1, 2)), ...modifies(slot(0, 1, true), version(2, 1))];
    for (const update of committed) for (const target of [first, second]) target!.model.apply(update, 0);
    second!.model.apply({ operation: 'insert', row: pin(1, 1) }, 0);
    behind!.model.apply({ operation: 'insert', row: pin(2, 1) }, 0);

    bench.connectAll();
    expect(bench.states()).toEqual(['participating', 'participating', 'participating', 'participating']);
    expectEqual(bench);
    expect(blank!.model.version).toEqual(version(2, 1));
    expect(blank!.rows()).toContain(JSON.stringify(pin(1, 1)));
    expect(blank!.model.count('pin')).toBe(1);
    expect(bench.heard()[0]).toBe('connected with 11 rows');
  });

  it('waits two seconds for the others', () => {
    const bench = new Bench([{}, {}]);
    bench.switches[1]!.connect();
    expect(bench.states()).toEqual(['disconnected', 'gathering']);
    bench.clock.pass(1_999);
    expect(bench.heard()).toEqual([]);
    bench.clock.pass(1);
    expect(bench.heard()).toEqual(['connected with 1 rows']);
    bench.write(1, servingPool());
    bench.switches[0]!.connect();
    bench.settle();
    expect(bench.states()).toEqual(['participating', 'participating']);
    expectEqual(bench);
  });
});
