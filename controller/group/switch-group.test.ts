// SPDX-License-Identifier: Apache-2.0
/** A group over switches in memory: who is waited for, what each of them holds, what the controller hears. */
import { describe, expect, it } from 'vitest';
import type { Row } from '../core/row.ts';
import { Bench, deletes, inserts, modifies, rowsOf, servingPool } from './testing/bench.ts';

const { backend, column, pin, slot, version } = rowsOf;

/** A group whose switches serve a pool. */
function serving(count: number, options: ConstructorParameters<typeof Bench>[1] = {}): Bench {
  const bench = new Bench(
    Array.from({ length: count }, () => ({})),
    options,
  );
  bench.connectAll();
  bench.write(1, servingPool());
  expect(bench.heard()).toEqual(['connected with 1 rows', 'written 1']);
  return bench;
}

function expectEqual(bench: Bench): void {
  const [first, ...others] = bench.switches;
  for (const other of others) {
    expect(other.rows()).toEqual(first!.rows());
    expect(other.era()).toBe(first!.era());
  }
}

describe('a group of switches', () => {
  it('is connected once all of them are, and they hold the same', () => {
    const bench = serving(3);
    expect(bench.states()).toEqual(['participating', 'participating', 'participating']);
    expectEqual(bench);
    expect(bench.switches[0]!.model.count('slot')).toBe(4);
  });

  it('answers a write when the last switch has', () => {
    const bench = serving(3);
    const [s1, s2, s3] = bench.switches;
    bench.group.write(2, inserts(pin(1, 2)));
    s2!.answer();
    s1!.answer();
    expect(bench.heard()).toEqual([]);
    s3!.answer();
    expect(bench.heard()).toEqual(['written 2']);
  });

  it('sets right by itself what switches hold differently', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    s1!.model.apply({ operation: 'insert', row: pin(1, 1) }, 0);
    s2!.model.apply({ operation: 'delete', row: slot(3, 2) }, 0);
    bench.write(2, [...inserts(pin(1, 2)), ...modifies(slot(3, 1))]);
    expect(bench.heard()).toEqual(['written 2']);
    bench.write(3, deletes(pin(7, 1)));
    expect(bench.heard()).toEqual(['written 3']);
    expectEqual(bench);
    expect(s1!.rows()).toContain(JSON.stringify(pin(1, 2, 910_000)));
  });

  it('is as large as its smallest switch: a row that one refuses is on none', () => {
    const bench = new Bench([{}, { pin: 1 }]);
    bench.connectAll();
    bench.write(1, servingPool());
    bench.write(2, inserts(pin(1, 2)));
    bench.write(3, inserts(pin(2, 2), backend(4)));
    expect(bench.heard().slice(-2)).toEqual(['written 2', 'written 3 0 full']);
    expectEqual(bench);
    expect(bench.switches.map(({ model }) => [model.count('pin'), model.count('backend')])).toEqual([
      [1, 4],
      [1, 4],
    ]);
    expect(bench.states()).toEqual(['participating', 'participating']);
  });

  it('says that a table is full rather than that a switch was not heard', () => {
    const bench = serving(3);
    const [, s2, s3] = bench.switches;
    s2!.refuses = () => 'unavailable';
    s3!.refuses = () => 'full';
    bench.group.write(2, inserts(pin(1, 2)));
    s2!.answer();
    s3!.answer();
    s2!.refuses = s3!.refuses = () => undefined;
    bench.settle();
    expect(bench.heard()).toEqual(['written 2 0 full']);
    expectEqual(bench);
    expect(s2!.model.count('pin')).toBe(0);
  });

  it('takes back no change that one refuses: flows may have met it; it is in doubt, and written again', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    s2!.refuses = ({ row }) => (row.table === 'slot' ? 'rejected' : undefined);
    const updates = [...modifies(slot(0, 2)), ...deletes(slot(1, 2))];
    bench.write(2, updates);
    expect(bench.heard()).toEqual(['written 2 0 unavailable, 1 unavailable']);
    expect(s1!.rows()).toContain(JSON.stringify(slot(0, 2)));
    s2!.refuses = () => undefined;
    bench.write(3, updates);
    expect(bench.heard()).toEqual(['written 3']);
    expectEqual(bench);
  });

  it('tells digests of every switch, and how many flows all of them have admitted', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    const digest = { kind: 'flow-digest', reason: 'old', pool: 1, slot: 0, column: 0 } as const;
    for (const target of bench.switches)
      target.tell({ ...digest, backend: 1, sourceAddress: 9, sourcePort: target === s1 ? 1 : 2 });
    expect(bench.heard()).toEqual(['flow-digest', 'flow-digest']);
    // What they had counted before us says nothing.
    s1!.tell({ kind: 'admitted', flows: 1_000 });
    s2!.tell({ kind: 'admitted', flows: 500 });
    s1!.tell({ kind: 'admitted', flows: 1_010 });
    s2!.tell({ kind: 'admitted', flows: 501 });
    // It was restarted, and counts from zero.
    s2!.tell({ kind: 'admitted', flows: 4 });
    expect(bench.events().map((event) => event.kind === 'admitted' && event.flows)).toEqual([
      0, 0, 10, 11, 15,
    ]);
  });

  it('asks for neighbours through every switch', () => {
    const bench = serving(2);
    const question = { port: 1, address: 2, sourceAddress: 1, sourceMac: 3 };
    bench.group.solicit(question);
    expect(bench.switches.map(({ solicitations }) => solicitations)).toEqual([[question], [question]]);
  });

  it('has every switch keep to the rates, those that are away when they are back', () => {
    const bench = serving(2);
    bench.switches[1]!.disconnect();
    const rates = { flows: 100, neighbours: 10, answers: 1 };
    bench.group.limit(rates);
    expect(bench.switches.map((each) => each.rates)).toEqual([rates, rates]);
  });

  it('shows its switches, and closes them', async () => {
    const bench = serving(2);
    bench.switches[1]!.disconnect();
    bench.group.write(2, inserts(pin(1, 2), pin(2, 2)));
    bench.clock.pass(500);
    expect(bench.group.status()).toMatchObject({
      target: 's1:9559, s2:9559',
      connection: 'ready',
      notices: { received: 2, unreadable: 0 },
      members: [
        { name: 's1', address: 's1:9559', state: 'participating', rowsBehind: 0 },
        { name: 's2', address: 's2:9559', state: 'disconnected', stateMs: 500, rowsBehind: 3 },
      ],
    });
    await bench.group.close();
    expect(bench.switches.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });
});

describe('a switch that is slow', () => {
  it('is set aside after ten seconds, and joins when it answers again', () => {
    const bench = serving(3);
    const [, , slow] = bench.switches;
    bench.write(2, inserts(pin(1, 2)), slow!);
    bench.clock.pass(9_999);
    expect(bench.heard()).toEqual([]);
    bench.clock.pass(1);
    expect(bench.states()).toEqual(['participating', 'participating', 'outdated']);
    bench.settle(slow!);
    expect(bench.heard()).toEqual(['written 2']);
    expect(bench.log.at(-1)).toBe(
      'warn a switch does not answer in time: the others go on; withdraw it from ECMP switch=s3 unansweredMs=10000',
    );

    bench.write(3, [...inserts(pin(2, 2)), ...deletes(pin(1, 2))], slow!);
    bench.write(4, modifies(slot(0, 2)), slow!);
    expect(bench.heard()).toEqual(['written 3', 'written 4']);
    bench.settle();
    expect(bench.states()[2]).toBe('participating');
    // It has told nothing of flows whose slots had changed on the others.
    expect(bench.heard()).toEqual(['gap']);
    expectEqual(bench);
  });

  it('is waited for when it is the last', () => {
    const bench = serving(1);
    bench.group.write(2, inserts(pin(1, 2)));
    bench.clock.pass(60_000);
    expect(bench.states()).toEqual(['participating']);
    bench.settle();
    expect(bench.heard()).toEqual(['written 2']);
  });

  it('is one that fails everything, too', () => {
    const bench = serving(2, { laggardMs: 1_000 });
    const [, sick] = bench.switches;
    sick!.refuses = () => 'unavailable';
    for (let write = 2; write < 12; write++) {
      bench.write(write, write === 2 ? inserts(pin(1, 2)) : modifies(pin(1, 2)));
      bench.clock.pass(200);
    }
    expect(bench.heard().slice(0, 2)).toEqual(['written 2 0 unavailable', 'written 3 0 unavailable']);
    expect(bench.states()[1]).not.toBe('participating');
    bench.write(12, modifies(pin(1, 3)));
    expect(bench.heard().at(-1)).toBe('written 12');

    sick!.refuses = () => undefined;
    bench.clock.pass(5_000, () => bench.settle());
    expect(bench.states()).toEqual(['participating', 'participating']);
    expectEqual(bench);
  });
});

describe('a switch that is lost', () => {
  it('in mid-write is not waited for, and comes back equal', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    bench.group.write(2, inserts(pin(1, 2)));
    bench.group.write(3, modifies(slot(0, 3)));
    s1!.answer();
    s1!.answer();
    s2!.disconnect(1);
    bench.settle();
    expect(bench.heard()).toEqual(['gap', 'written 2', 'written 3']);
    bench.write(4, deletes(pin(1, 2)));
    s2!.connect();
    bench.settle();
    expect(bench.heard()).toEqual(['written 4', 'gap']);
    expect(bench.states()).toEqual(['participating', 'participating']);
    expectEqual(bench);
  });

  it('is the end of the connection when it was the last', () => {
    const bench = serving(2);
    bench.group.write(2, inserts(pin(1, 2)));
    for (const target of bench.switches) target.disconnect();
    expect(bench.heard()).toEqual(['gap', 'disconnected']);
    bench.group.write(3, inserts(pin(2, 2)));
    bench.switches[1]!.connect();
    bench.settle();
    // Write 2 was asked for, and nobody knows whether it was done: it is now. Write 3 came too late.
    expect(bench.heard()).toEqual(['connected with 10 rows']);
    expect(bench.switches[1]!.model.count('pin')).toBe(1);
    bench.switches[0]!.connect();
    bench.settle();
    expectEqual(bench);
  });

  it('is restored with its pins when it comes back blank, be it the only one', () => {
    const bench = serving(1);
    const [only] = bench.switches;
    bench.write(2, [...inserts(pin(1, 2)), ...modifies(slot(0, 3), version(2, 1))]);
    const before = only!.rows();
    bench.heard();
    only!.restart();
    expect(bench.heard()).toEqual(['disconnected']);
    only!.connect();
    expect(bench.group.status()).toMatchObject({
      connection: 'preparing',
      members: [{ state: 'joining', rowsBehind: 10 }],
    });
    bench.settle();
    expect(only!.rows()).toEqual(before);
    expect(bench.heard()).toEqual(['connected with 10 rows']);
    expect(bench.states()).toEqual(['participating']);
  });

  it('gives up what it has no room for any more', () => {
    const bench = serving(1);
    const [only] = bench.switches;
    bench.write(2, inserts(pin(1, 2), pin(2, 2)));
    only!.restart();
    only!.connect();
    only!.refuses = ({ row }) => (row.table === 'pin' && row.sourcePort === 2 ? 'full' : undefined);
    bench.settle();
    expect(bench.heard().slice(-2)).toEqual(['disconnected', 'connected with 10 rows']);
    expect(bench.log).toContain(
      'warn a row is given up: the switch refuses it switch=s1 code=full reason=s1 says full',
    );
  });

  it('has no last word at once on a row that others, which are away, may serve by', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    s2!.disconnect();
    bench.write(2, modifies(slot(0, 3)));
    s1!.disconnect();
    s2!.refuses = ({ row }) => (row.table === 'slot' ? 'rejected' : undefined);
    s2!.connect();
    bench.settle();
    s1!.connect();
    bench.settle();
    expect(s1!.model.backendOfNewFlow(1, 0)).toBe(3);
    expect(bench.log.filter((line) => line.includes('given up'))).toEqual([]);
  });

  it('has the last word on a row when it refuses it again and again, and nobody else is there', () => {
    const bench = serving(2);
    const [s1, s2] = bench.switches;
    s2!.disconnect();
    bench.write(2, modifies(slot(0, 3)));
    s1!.disconnect();
    s2!.refuses = ({ row }) => (row.table === 'slot' ? 'rejected' : undefined);
    s2!.connect();
    bench.settle();
    bench.clock.pass(3_000, () => bench.settle());
    expect(bench.states()).toEqual(['disconnected', 'joining']);
    bench.clock.pass(1_000, () => bench.settle());
    expect(bench.states()).toEqual(['disconnected', 'participating']);
    expect(bench.heard().at(-1)).toMatch(/^connected/);
  });

  it('is believed when another controller was primary meanwhile', () => {
    const bench = serving(1);
    const [only] = bench.switches;
    only!.disconnect();
    only!.model.apply({ operation: 'modify', row: slot(0, 2) }, 0);
    const theirs = only!.rows();
    only!.connect(true);
    bench.settle();
    expect(bench.heard()).toEqual(['disconnected', 'connected with 9 rows']);
    expect(only!.rows()).toEqual(theirs);
    expect(only!.done).toHaveLength(8);
  });

  it('is believed when it holds what we cannot have written', () => {
    const bench = serving(1);
    const [only] = bench.switches;
    only!.disconnect();
    only!.model.apply({ operation: 'insert', row: pin(5, 2) }, 0);
    only!.connect();
    bench.settle();
    expect(bench.heard()).toEqual(['disconnected', 'connected with 10 rows']);
    expect(only!.model.count('pin')).toBe(1);
  });
});

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
