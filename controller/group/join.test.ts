// SPDX-License-Identifier: Apache-2.0
/** A switch that joins a group, while the group goes on. */
import { describe, expect, it } from 'vitest';
import { Bench, deletes, inserts, modifies, rowsOf, servingPool } from './testing/bench.ts';
import { expectEqual, serving } from './testing/serving.ts';

const { backend, column, pin, slot, version } = rowsOf;

describe('a switch that joins', () => {
  it('gets a whole table before its vip, and its vip before it participates', () => {
    const bench = serving(2);
    const [, late] = bench.switches;
    late!.restart();
    bench.write(2, [...inserts(pin(1, 2), column(0, 1, 3)), ...modifies(slot(0, 1, true), version(2, 1))]);
    late!.done.length = 0;
    late!.connect();
    bench.settle();
    const order = late!.done.map(({ row }) => row.table);
    expect([...new Set(order)]).toEqual([
      'backend',
      'pin',
      'slot_version',
      'slot',
      'version',
      'vip',
      'return_path',
    ]);
    expectEqual(bench);
    // It is new: it has no flows whose digests could be missing.
    expect(bench.heard()).toEqual(['gap', 'written 2']);
  });

  it('gets what is written meanwhile, in its order, while a commit is under way', () => {
    const bench = serving(2, { joinBatch: 1, joinUpdatesInFlight: 1, joinTailRows: 0 });
    const [s1, late] = bench.switches;
    late!.restart();
    bench.heard();
    late!.connect();
    let stage = 0;
    const stages = [
      () => bench.group.write(2, inserts(column(0, 1, 3), column(1, 1, 3))),
      () => bench.group.write(3, modifies(slot(0, 1, true), slot(1, 2, true))),
      () => bench.group.write(4, modifies(version(2, 1))),
      () => bench.group.write(5, inserts(pin(1, 1))),
    ];
    // One step of the commit for every two rows that the joining switch is given.
    for (let turn = 0; late!.waiting.length > 0; turn++) {
      late!.answer();
      if (turn % 2 === 1 && stage < stages.length) stages[stage++]!();
      while (s1!.waiting.length > 0) s1!.answer();
      if (late!.model.count('vip') === 0) continue;
      // By then it knows of the commit, and of the whole of it.
      expect(late!.model.version).toEqual(version(2, 1));
      expect([0, 1].map((i) => late!.model.backendOfNewFlow(1, i))).toEqual([3, 3]);
    }
    expect(stage).toBe(4);
    expect(bench.heard()).toEqual(['written 2', 'written 3', 'written 4', 'written 5']);
    expect(bench.states()).toEqual(['participating', 'participating']);
    expectEqual(bench);
  });

  it('is waited for at the end of its join, and not for long', () => {
    const bench = serving(2);
    const [, late] = bench.switches;
    late!.restart();
    bench.heard();
    late!.connect();
    bench.group.write(2, inserts(pin(1, 2)));
    bench.settle(late!);
    expect(bench.heard()).toEqual([]);
    expect(bench.states()[1]).toBe('joining');
    bench.clock.pass(10_000);
    bench.settle(late!);
    expect(bench.heard()).toEqual(['written 2']);
    expect(bench.states()[1]).toBe('outdated');
    bench.settle();
    expect(bench.states()[1]).toBe('participating');
    expectEqual(bench);
  });

  it('drops what the group no longer has at the very end', () => {
    const bench = serving(2);
    const [, away] = bench.switches;
    bench.write(2, [...inserts(pin(1, 2), column(0, 1, 2)), ...modifies(slot(0, 1, true), version(2, 1))]);
    away!.disconnect();
    // Merged: the pin and the column are of no use any more, but slot 0 still is where it was on the other switch.
    bench.write(3, [...modifies(slot(0, 2)), ...deletes(pin(1, 2), column(0, 1, 2))]);
    away!.done.length = 0;
    away!.connect();
    bench.settle();
    expect(away!.done.map(({ operation, row }) => `${operation} ${row.table}`)).toEqual([
      'modify slot',
      'delete pin',
      'delete slot_version',
      'insert return_path',
    ]);
    expectEqual(bench);
  });

  it('clears a column before it makes its slot unstable', () => {
    const bench = serving(2);
    const [, away] = bench.switches;
    // Left over from an earlier change, on a stable slot.
    bench.write(2, [...inserts(column(0, 1, 2)), ...modifies(version(2, 1))]);
    away!.disconnect();
    bench.write(3, [...deletes(column(0, 1, 2)), ...inserts(column(0, 2, 3)), ...modifies(slot(0, 1, true))]);
    away!.done.length = 0;
    away!.connect();
    bench.settle();
    expect(away!.done.map(({ operation, row }) => `${operation} ${row.table}`)).toEqual([
      'delete slot_version',
      'insert slot_version',
      'modify slot',
      'insert return_path',
    ]);
    expectEqual(bench);
  });

  it('serves a vip no more while its backends change their names', () => {
    const bench = serving(2);
    const [, away] = bench.switches;
    away!.disconnect();
    bench.write(2, modifies(slot(0, 2), slot(2, 2)));
    bench.write(3, deletes(backend(1)));
    bench.write(4, inserts(backend(1, 0x0a00_0299)));
    bench.write(5, modifies(slot(1, 1)));
    away!.done.length = 0;
    away!.connect();
    bench.settle();
    const done = away!.done.map(({ operation, row }) => `${operation} ${row.table}`);
    expect(done[0]).toBe('delete vip');
    expect(done.slice(-2)).toEqual(['insert vip', 'insert return_path']);
    expectEqual(bench);
  });

  it('serves nobody for a moment when it has no room for the old and the new pins at once', () => {
    const bench = new Bench([{ pin: 2 }, { pin: 2 }]);
    bench.connectAll();
    bench.write(1, servingPool());
    const [, away] = bench.switches;
    bench.write(2, inserts(pin(1, 2), pin(2, 2)));
    away!.disconnect();
    bench.write(3, deletes(pin(1, 2), pin(2, 2)));
    bench.write(4, inserts(pin(3, 2), pin(4, 2)));
    away!.done.length = 0;
    away!.connect();
    bench.settle();
    expect(away!.done.map(({ operation, row }) => `${operation} ${row.table}`)).toEqual([
      'delete vip',
      'delete pin',
      'delete pin',
      'insert pin',
      'insert pin',
      'insert vip',
      'insert return_path',
    ]);
    expectEqual(bench);
    expect(bench.states()).toEqual(['participating', 'participating']);
  });

  it('is told off and tried again when it cannot hold the rows', () => {
    const bench = serving(2);
    const [, small] = bench.switches;
    small!.restart();
    bench.write(2, inserts(pin(1, 2), pin(2, 2)));
    small!.refuses = ({ row }) => (row.table === 'pin' && row.sourcePort === 2 ? 'full' : undefined);
    small!.connect();
    bench.clock.pass(3_500, () => bench.settle());
    bench.settle();
    expect(bench.group.status().members![1]).toMatchObject({
      state: 'joining',
      rowsBehind: 7,
      problem: 'it cannot be given the rows of the group (full): s2 says full',
    });
    expect(bench.log.filter((line) => line.includes('cannot be given'))).toHaveLength(1);
    bench.write(3, modifies(slot(0, 3)));
    expect(bench.heard().at(-1)).toBe('written 3');
    small!.refuses = () => undefined;
    bench.clock.pass(1_000, () => bench.settle());
    expect(bench.states()).toEqual(['participating', 'participating']);
    expectEqual(bench);
  });
});
