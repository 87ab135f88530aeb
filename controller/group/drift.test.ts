// SPDX-License-Identifier: Apache-2.0
/** Somebody else writes to a switch of the group: it is seen, told once, and repaired or adopted. */
import { describe, expect, it } from 'vitest';
import type { Row, RowUpdate } from '../core/row.ts';
import type { RowsBySwitch } from '../ports/adopted-rows.ts';
import type { DriftReport } from '../ports/switch.ts';
import { Bench, deletes, inserts, modifies, rowsOf, servingPool } from './testing/bench.ts';

const { backend, column, pin, slot, version } = rowsOf;

function serving(count: number, options: ConstructorParameters<typeof Bench>[1] = {}): Bench {
  const bench = new Bench(
    Array.from({ length: count }, () => ({})),
    options,
  );
  bench.connectAll();
  bench.write(1, servingPool());
  bench.heard();
  bench.log.length = 0;
  return bench;
}

/** Time passes and switches answer until it is done. */
async function done(bench: Bench, work: Promise<void>): Promise<void> {
  let isDone = false;
  void work.then(() => {
    isDone = true;
  });
  for (let turn = 0; !isDone && turn < 10_000; turn++) {
    await Promise.resolve();
    bench.clock.pass(10, () => bench.settle());
    bench.settle();
  }
  expect(isDone).toBe(true);
}

async function look(bench: Bench): Promise<DriftReport[]> {
  await done(bench, bench.group.drift.look());
  return bench.group.drift.report();
}

const told = (report: DriftReport | undefined): string[] =>
  report!.rows.map(({ kind, wanted, found }) => `${kind}: ${wanted ?? '-'} | ${found ?? '-'}`).sort();

function meddle(bench: Bench, index: number, updates: RowUpdate[]): void {
  for (const update of updates) expect(bench.switches[index]!.model.apply(update, 0)).toBeUndefined();
}

const mischief = [
  ...deletes(slot(0, 1)),
  ...modifies(slot(1, 3), backend(2, 0x0a00_0299), version(9, 2)),
  ...inserts(pin(7, 1), { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: 0x0a00_0001 }),
];

it('finds nothing where nobody has written', async () => {
  const bench = serving(2);
  expect(await look(bench)).toMatchObject([
    {
      switch: 's1',
      counts: { missing: 0, changed: 0, foreign: 0 },
      rowsRead: 9,
      rows: [],
      problem: undefined,
    },
    { switch: 's2', rows: [] },
  ]);
  expect(bench.log).toEqual([]);
});

it('names what was deleted, changed and added, on which switch', async () => {
  const bench = serving(2);
  meddle(bench, 1, mischief);
  const [s1, s2] = await look(bench);
  expect(s1!.rows).toEqual([]);
  expect(s2!.counts).toEqual({ missing: 1, changed: 3, foreign: 2 });
  expect(told(s2)).toEqual([
    'changed: backend backend=2 forwarding=nat address=10.0.2.2 port=80 | backend backend=2 forwarding=nat address=10.0.2.153 port=80',
    'changed: slot pool=1 slot=1 unstable=false backend=2 pinsBase=false | slot pool=1 slot=1 unstable=false backend=3 pinsBase=false',
    'changed: version active=0 epoch/column=1/0,0/0,0/0,0/0 | version active=1 epoch/column=1/0/learn,9/2/learn,0/0,0/0',
    'foreign: - | pin pool=1 sourceAddress=0.0.0.9 sourcePort=7 backend=1 idleTimeoutMs=900000',
    'foreign: - | route prefix=11.0.0.0 prefixLength=8 nextHop=10.0.0.1',
    'missing: slot pool=1 slot=0 unstable=false backend=1 pinsBase=false | -',
  ]);
  const [line] = bench.log;
  expect(line).toContain(
    'warn somebody else has written to the switch switch=s2 missing=1 changed=3 foreign=2',
  );
  expect(bench.group.status().members!.map(({ drift }) => drift!.counts.changed)).toEqual([0, 3]);
  await look(bench);
  expect(bench.log).toHaveLength(1);
});

it('does not tell what is seen only once', async () => {
  const bench = serving(1);
  meddle(bench, 0, deletes(slot(0, 1)));
  let reads = 0;
  bench.switches[0]!.onRead = () => {
    if (++reads === 2) meddle(bench, 0, inserts(slot(0, 1)));
  };
  const [s1] = await look(bench);
  expect({ reads, rows: s1!.rows }).toEqual({ reads: 2, rows: [] });
});

it('leaves alone what is being written: before, while and after the switch is read', async () => {
  const bench = serving(1, { auditConfirmMs: 0 });
  const [s1] = bench.switches;
  bench.group.write(2, modifies(slot(0, 2)));
  s1!.onRead = () => {
    bench.group.write(3, [...modifies(slot(1, 1)), ...inserts(pin(5, 1))]);
    s1!.onRead = () => {};
  };
  const looking = bench.group.drift.look();
  for (let turn = 0; turn < 100; turn++) {
    await Promise.resolve();
    bench.clock.pass(10);
  }
  await looking;
  expect(bench.group.drift.report()[0]).toMatchObject({ rows: [], problem: undefined });
  bench.settle();
  expect((await look(bench))[0]!.rows).toEqual([]);
});

it('repairs the rows that differ, and no others', async () => {
  const bench = serving(2);
  const before = bench.switches.map((target) => target.rows());
  meddle(bench, 1, mischief);
  const done1 = bench.switches[0]!.done.length;
  const done2 = bench.switches[1]!.done.length;
  await done(bench, bench.group.drift.repair());
  expect(bench.switches.map((target) => target.rows())).toEqual(before);
  expect(bench.switches[0]!.done.length - done1).toBe(0);
  expect(bench.switches[1]!.done.length - done2).toBe(mischief.length);
  expect(bench.group.drift.report().map(({ rows }) => rows)).toEqual([[], []]);
  expect(bench.log.at(-1)).toContain('the switch holds what it should again');
  expect(bench.heard()).toEqual([]);
});

it('repairs in an order that no packet suffers from', async () => {
  const bench = serving(1);
  bench.write(2, [...inserts(column(2, 1, 2)), ...modifies(slot(2, 1, true))]);
  const vip = servingPool().at(-1)!.row;
  meddle(bench, 0, [...deletes(vip, backend(1), slot(2, 1), column(2, 1, 2))]);
  const doneBefore = bench.switches[0]!.done.length;
  await done(bench, bench.group.drift.repair());
  const tables = bench.switches[0]!.done.slice(doneBefore).map(
    ({ operation, row }) => `${operation} ${row.table}`,
  );
  expect(tables).toEqual(['insert backend', 'insert slot_version', 'insert slot', 'insert vip']);
});

it('says what a switch refuses', async () => {
  const bench = serving(1);
  meddle(bench, 0, deletes(slot(0, 1)));
  bench.switches[0]!.refuses = ({ row }) => (row.table === 'slot' ? 'rejected' : undefined);
  await done(bench, bench.group.drift.repair());
  expect(bench.group.drift.report()[0]).toMatchObject({
    problem: 'it refuses a row: s1 says rejected',
    counts: { missing: 1 },
  });
});

it('adopts what is there: the controller begins anew with it, and strangers are kept', async () => {
  const bench = serving(2);
  meddle(bench, 1, mischief);
  await done(bench, bench.group.drift.adopt('s2'));
  const events = bench.events();
  // The other switch is given the rows: it has told nothing of the flows of slots that were stable to it.
  expect(events.map(({ kind }) => kind)).toEqual(['disconnected', 'connected', 'gap']);
  const rows = (events[1] as { rows: readonly Row[] }).rows;
  const isTable = (table: Row['table']) => rows.filter((row) => row.table === table);
  expect(isTable('slot')).toHaveLength(3);
  expect(isTable('slot')).toContainEqual(slot(1, 3));
  expect(isTable('version')).toEqual([version(9, 2)]);
  // A pin of a flow that is served is one of ours; a route is not.
  expect(isTable('pin')).toHaveLength(1);
  expect(isTable('route')).toEqual([]);
  bench.clock.pass(100, () => bench.settle());
  bench.settle();
  expect(bench.states()).toEqual(['participating', 'participating']);
  const withoutRoute = bench.switches[1]!.rows().filter((row) => !row.includes('"route"'));
  expect(withoutRoute).toEqual(bench.switches[0]!.rows());
  const [s1, s2] = await look(bench);
  expect([s1!.rows, s2!.rows, s2!.tolerated]).toEqual([[], [], 1]);
});

it('keeps an adopted stranger when the switch comes back, and tells when it is another', async () => {
  const bench = serving(2);
  const route: Row = { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: 0x0a00_0001 };
  meddle(bench, 1, inserts(route));
  await done(bench, bench.group.drift.adopt());
  expect(bench.heard()).toEqual([]);
  bench.switches[1]!.disconnect();
  bench.switches[1]!.connect();
  bench.settle();
  expect(bench.states()).toEqual(['participating', 'participating']);
  expect(bench.switches[1]!.model.count('route')).toBe(1);
  meddle(bench, 1, modifies({ ...route, nextHop: 0x0a00_0002 }));
  expect(told((await look(bench))[1])).toEqual([
    'foreign: - | route prefix=11.0.0.0 prefixLength=8 nextHop=10.0.0.2',
  ]);
});

it('reads a switch no more often than it can, however many ask', async () => {
  const bench = serving(1);
  const looks = Array.from({ length: 100 }, () => bench.group.drift.look());
  const [first] = looks;
  await Promise.resolve();
  // The first has begun, and may have read already what is asked for now.
  const later = Array.from({ length: 100 }, () => bench.group.drift.look());
  await done(
    bench,
    Promise.all([...looks, ...later]).then(() => {}),
  );
  expect(new Set([...looks, ...later])).toEqual(new Set([first, later[0]]));
  expect(new Set([first, later[0]]).size).toBe(2);
  expect(bench.group.status().members![0]!.drift!.looks).toBe(2);
});

describe('adopted rows of others', () => {
  const route: Row = { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: 0x0a00_0001 };
  const text = 'route prefix=11.0.0.0 prefixLength=8 nextHop=10.0.0.1';
  const none: RowsBySwitch = new Map();

  /** A group of one or two, and what it has asked to be kept. */
  function remembering(rows: RowsBySwitch, options: ConstructorParameters<typeof Bench>[1] = {}, count = 1) {
    const kept: RowsBySwitch[] = [];
    const world = { problem: undefined as string | undefined };
    const adopted = {
      rows,
      async keep(all: RowsBySwitch) {
        kept.push(all);
        return world.problem;
      },
    };
    return { bench: new Bench(Array(count).fill({}), options, adopted), kept, world };
  }

  it('are kept for the next controller, which never hears of them, until they are released', async () => {
    const first = remembering(none, {}, 2);
    first.bench.connectAll();
    first.bench.write(1, servingPool());
    meddle(first.bench, 1, inserts(route));
    await done(first.bench, first.bench.group.drift.adopt());
    expect(first.kept).toEqual([
      new Map([
        ['s1', []],
        ['s2', [route]],
      ]),
    ]);
    expect(first.bench.group.drift.report().map(({ adopted }) => adopted)).toEqual([
      [],
      [{ table: 'route', row: text }],
    ]);

    const { bench, kept } = remembering(first.kept[0]!, {}, 2);
    for (const [i, { model }] of bench.switches.entries())
      for (const row of first.bench.switches[i]!.model.read())
        model.apply({ operation: row.table === 'version' ? 'modify' : 'insert', row }, 0);
    bench.connectAll();
    const rows = (bench.events().find(({ kind }) => kind === 'connected') as { rows: readonly Row[] }).rows;
    expect(rows.filter(({ table }) => table === 'route')).toEqual([]);
    expect(bench.switches[1]!.model.count('route')).toBe(1);
    expect((await look(bench)).map(({ rows, tolerated }) => [rows, tolerated])).toEqual([
      [[], 0],
      [[], 1],
    ]);
    expect(kept).toEqual([]);

    await done(bench, bench.group.drift.release('s2'));
    expect(kept).toEqual([
      new Map([
        ['s1', []],
        ['s2', []],
      ]),
    ]);
    const [, s2] = bench.group.drift.report();
    expect([told(s2), s2!.adopted, s2!.tolerated]).toEqual([[`foreign: - | ${text}`], [], 0]);
    await done(bench, bench.group.drift.repair('s2'));
    expect(bench.switches[1]!.model.count('route')).toBe(0);
  });

  it('are forgotten when they are gone', async () => {
    const { bench, kept } = remembering(none);
    bench.connectAll();
    bench.write(1, servingPool());
    meddle(bench, 0, inserts(route));
    await done(bench, bench.group.drift.adopt());
    meddle(bench, 0, deletes(route));
    const [s1] = await look(bench);
    expect([s1!.rows, s1!.tolerated]).toEqual([[], 0]);
    expect(kept.at(-1)).toEqual(new Map([['s1', []]]));
  });

  it('are no more than a switch may have of them: else nothing is adopted', async () => {
    const { bench, kept } = remembering(none, { adoptedRowsMax: 2 });
    bench.connectAll();
    bench.write(1, servingPool());
    bench.heard();
    const other = (prefix: number): Row => ({ ...route, prefix });
    meddle(bench, 0, inserts(route, other(0x0c00_0000)));
    await done(bench, bench.group.drift.adopt());
    meddle(bench, 0, [...inserts(other(0x0d00_0000)), ...modifies(slot(1, 3))]);
    await done(bench, bench.group.drift.adopt());
    expect(bench.group.drift.report()[0]).toMatchObject({
      problem: 'nothing is adopted: 3 rows of others would be more than the 2 that can be let be',
      counts: { changed: 1, foreign: 1 },
      tolerated: 2,
    });
    expect(bench.heard()).toEqual([]);
    expect(kept).toHaveLength(1);
  });

  it('that are not kept are let be, and that is told', async () => {
    const { bench, world } = remembering(none);
    bench.connectAll();
    bench.write(1, servingPool());
    world.problem = 'no room';
    meddle(bench, 0, inserts(route));
    await done(bench, bench.group.drift.adopt());
    expect(bench.group.drift.report()[0]).toMatchObject({
      problem: 'done, but the next controller does not know it: no room',
      tolerated: 1,
    });
  });
});

it('looks from time to time by itself, and rests in proportion to its work', async () => {
  const bench = serving(1, { auditMs: 60_000, auditRest: 20 });
  let reads = 0;
  bench.switches[0]!.onRead = () => reads++;
  const wait = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      bench.clock.pass(1_000, () => bench.settle());
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  await wait(59_000);
  expect(reads).toBe(0);
  await wait(2_000);
  expect(reads).toBe(1);
  await wait(180_000);
  expect(reads).toBe(4);
  meddle(bench, 0, deletes(slot(0, 1)));
  await wait(70_000);
  expect(bench.group.status().members![0]!.drift!.counts.missing).toBe(1);
});

it('does not look at a switch that does not participate', async () => {
  const bench = serving(2);
  bench.switches[1]!.disconnect();
  const [s1, s2] = await look(bench);
  expect([s1!.problem, s2!.problem]).toEqual([undefined, 'it does not participate']);
});
