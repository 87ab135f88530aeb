// SPDX-License-Identifier: Apache-2.0
/** What the model does beyond the program, which differential.test.ts holds it to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PinRow, PLAIN_VIP, type VersionRow } from '../../controller/core/row.ts';
import { FastSwitch, type FastSwitchOptions } from './fast-switch.ts';
import { FlowTable, noRow, poolPortOf } from './flow-table.ts';
import type { Flow, Packet } from './sim-switch.ts';
import { collidingFlows, scattered } from './testing/colliding-flows.ts';

const vip = { targetAddress: 0x0a010064, protocol: 6, targetPort: 80 };
const pool = 1;

/** One unstable slot on backend 1; column 1 of filter slot 1, the active one, is backend 2. */
function unstable(options: Partial<FastSwitchOptions>): FastSwitch {
  const model = new FastSwitch(options);
  const { targetAddress: address, protocol, targetPort: port } = vip;
  for (const row of [
    { table: 'vip', address, protocol, port, pool, slotMask: 0, ...PLAIN_VIP },
    { table: 'slot', pool, slot: 0, unstable: true, pinsBase: true, backend: 1 },
    { table: 'slot_version', pool, slot: 0, column: 1, backend: 2 },
    { table: 'backend', backend: 1, forwarding: 'nat', address: 1, port: 1 },
    { table: 'backend', backend: 2, forwarding: 'nat', address: 2, port: 1 },
  ] as const) {
    expect(model.apply({ operation: 'insert', row }, 0)).toBeUndefined();
  }
  model.apply({ operation: 'modify', row: versionOf(1) }, 0);
  return model;
}

function versionOf(epoch: number): VersionRow {
  const dead = { epoch: 0, column: 0, learn: false } as const;
  return { table: 'version', active: 1, filters: [dead, { epoch, column: 1, learn: false }, dead, dead] };
}

const packet = (flow: Flow, flags: Packet['flags']): Packet => ({ flow, flags });
const [flow, twin] = collidingFlows([vip], 1, 0) as [Flow, Flow];

describe('filters', () => {
  it('of cells mistake a flow for another with the same cells; the sets beside them tell', () => {
    const model = unstable({ filters: 'cells', countFalsePositives: true });
    model.process(packet(flow, 'syn'), 0);
    expect(model.process(packet(flow, 'ack'), 0).backend).toBe(2);
    expect(model).toMatchObject({ isFalsePositive: false, falsePositives: 0 });
    expect(model.process(packet(twin, 'ack'), 0).backend).toBe(2);
    expect(model).toMatchObject({ isFalsePositive: true, falsePositives: 1, falsePositiveOpenings: 0 });
    model.process(packet(twin, 'syn'), 0);
    expect(model).toMatchObject({ isFalsePositive: true, falsePositives: 2, falsePositiveOpenings: 1 });
    // It has left its own mark by now.
    model.process(packet(twin, 'ack'), 0);
    expect(model).toMatchObject({ isFalsePositive: false, falsePositives: 2 });
  });

  it('that are perfect do not', () => {
    const model = unstable({ filters: 'perfect' });
    model.process(packet(flow, 'syn'), 0);
    expect(model.process(packet(flow, 'ack'), 0).decision).toBe('filter');
    expect(model.process(packet(twin, 'ack'), 0).decision).toBe('base');
  });

  it('with fewer cells mistake more', () => {
    const flows = Array.from({ length: 2_000 }, (_, n) => ({ ...vip, ...scattered(n) }));
    const mistakes = [65_536, 4_096, 1_024].map((cells) => {
      const model = unstable({ cells, countFalsePositives: true });
      for (const each of flows.slice(0, 1_000)) model.process(packet(each, 'syn'), 0);
      const openings = model.falsePositiveOpenings;
      for (const each of flows.slice(1_000)) model.process(packet(each, 'ack'), 0);
      return model.falsePositives - openings;
    });
    // Of 1,000, by the formula (1 - e^(-1,000 / cells))^2: 0, 47 and 388.
    expect(mistakes).toMatchInlineSnapshot(`
      [
        0,
        48,
        378,
      ]
    `);
  });

  it('count the marks of each filter slot, from its epoch on', () => {
    const model = unstable({});
    model.process(packet(flow, 'syn'), 0);
    model.process(packet(flow, 'syn'), 0);
    model.process(packet(flow, 'ack'), 0);
    expect([...model.inserts]).toEqual([0, 2, 0, 0]);
    model.apply({ operation: 'modify', row: versionOf(2) }, 0);
    expect([...model.inserts]).toEqual([0, 0, 0, 0]);
  });

  it('that are perfect stay so when flows of older epochs make room', () => {
    const model = unstable({ filters: 'perfect' });
    for (let epoch = 1; epoch <= 50; epoch++) {
      model.apply({ operation: 'modify', row: versionOf(epoch) }, 0);
      for (let n = 0; n < 100; n++) {
        const each = { ...vip, sourceAddress: epoch * 1_000 + n, sourcePort: 9 };
        expect(model.process(packet(each, 'syn'), 0).decision).toBe('new');
        expect(model.process(packet(each, 'ack'), 0).decision).toBe('filter');
      }
    }
  });
});

it('a pin is idle when nothing has hit it for its time, and no sooner', () => {
  const model = unstable({});
  const { sourceAddress, sourcePort } = flow;
  const pin: PinRow = { table: 'pin', pool, sourceAddress, sourcePort, backend: 2, idleTimeoutMs: 1_000 };
  model.apply({ operation: 'insert', row: pin }, 500);
  expect(model.idlePins(1_499)).toEqual([]);
  expect(model.idlePins(1_500)).toEqual([pin]);
  model.process(packet(flow, 'ack'), 1_600);
  expect(model.idlePins(2_599)).toEqual([]);
  expect(model.idlePins(2_600)).toEqual([pin]);
  model.apply({ operation: 'delete', row: pin }, 2_700);
  expect(model.idlePins(9_999)).toEqual([]);
});

it('the table of flows is a map', () => {
  const key = fc.record({
    address: fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff),
    poolPort: fc
      .record({ pool: fc.constantFrom(0, 1, 4095), port: fc.nat(40) })
      .map(({ pool, port }) => poolPortOf(pool, port)),
  });
  fc.assert(
    fc.property(fc.array(key, { maxLength: 2_000, size: 'max' }), (keys) => {
      const table = new FlowTable();
      const map = new Map<string, number>();
      for (const { address, poolPort } of keys) {
        const name = `${address}/${poolPort}`;
        const row = map.get(name);
        expect(table.find(address, poolPort)).toBe(row ?? noRow);
        if (row === undefined) map.set(name, table.add(address, poolPort));
        else {
          table.remove(row);
          map.delete(name);
        }
        expect(table.size).toBe(map.size);
      }
      for (const [name, row] of map) {
        expect(table.has(row)).toBe(true);
        expect(`${table.addressOf(row)}/${poolPortOf(table.poolOf(row), table.portOf(row))}`).toBe(name);
      }
    }),
    { seed: 1, numRuns: 20 },
  );
});
