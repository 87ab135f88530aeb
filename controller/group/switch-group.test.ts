// SPDX-License-Identifier: Apache-2.0
/** A group over switches in memory: who is waited for, what each of them holds, what the controller hears. */
import { describe, expect, it } from 'vitest';
import { Bench, deletes, inserts, modifies, rowsOf, servingPool } from './testing/bench.ts';
import { expectEqual, serving } from './testing/serving.ts';

const { backend, pin, slot, version } = rowsOf;

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
