// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { createState } from './controller.ts';
import { explain, type FlowQuestion } from './explain.ts';
import type { Flow } from './flow-hash.ts';
import { backendOf } from './slots.ts';
import { status } from './status.ts';
import { backend, desired, flowInSlot, pool, Rig, VIP } from './testing/rig.ts';

const three = [backend(1), backend(2), backend(3)];
const four = [...three, backend(4)];
const ask = (flow: Flow): FlowQuestion => ({
  sourceAddress: flow.sourceAddress,
  sourcePort: flow.sourcePort,
  vipAddress: VIP.address,
  vipPort: 80,
  protocol: 'tcp',
});

describe('status', () => {
  test('is plain data from the first moment on', () => {
    const told = status(createState(), 0);
    expect(told.state).toBe('disconnected');
    expect(JSON.parse(JSON.stringify(told)).pools).toEqual([]);
  });

  test('tells shares, stability, filter slots and the last commit', () => {
    const rig = new Rig().start(desired(pool(three)));
    rig.want(desired(pool(four)));
    rig.pass(1_000);
    const told = status(rig.state, rig.now);
    expect(told.state).toBe('running');
    expect(told.pools).toMatchObject([
      { name: 'web', address: '10.99.0.1', stableSlots: 12, unstableSlots: 4 },
    ]);
    expect(told.pools[0]!.backends.map(({ name, slots, share }) => [name, slots, share])).toEqual([
      ['b1', 4, 0.25],
      ['b2', 4, 0.25],
      ['b3', 4, 0.25],
      ['b4', 4, 0.25],
    ]);
    expect(told.version.filters.map((filter) => filter.state)).toEqual([
      'quarantine',
      'active',
      'free',
      'free',
    ]);
    expect(told.version.filters[0]!.reusableAt).toBe(30_000);
    expect(told.commits).toMatchObject([{ pools: ['web'], movedSlots: 4, rows: 8 }]);
    expect(told.writes).toMatchObject({ updatesInFlight: 0, unsettledRows: 0 });
  });

  test('counts slots as they are after whatever has happened, however often it was asked before', () => {
    const wishes = [
      pool(four),
      pool([backend(1, { weight: 300 }), ...four.slice(1)]),
      pool([backend(1, { state: 'down' }), ...four.slice(1)]),
      pool([backend(1), backend(2, { state: 'draining' }), backend(4)]),
      pool(three, { placement: 'pure' }),
      pool([]),
      pool(four),
    ];
    const rig = new Rig().start(desired(pool(three)));
    const counts = (ids: Iterable<number>): Map<number, number> => {
      const found = new Map<number, number>();
      for (const id of ids) found.set(id, (found.get(id) ?? 0) + 1);
      return found;
    };
    let asked = 0;
    const compare = (): void => {
      const known = [...rig.state.pools.values()][0]!;
      const column = rig.state.version.filters[rig.state.version.active]!.column;
      const slots = Array.from({ length: known.slotCount }, (_, slot) => backendOf(known, slot, column));
      const [owned, wanted] = [counts(slots), counts(known.target)];
      for (const { id, ...told } of status(rig.state, rig.now).pools[0]!.backends)
        expect([told.slots, told.wantedSlots]).toEqual([owned.get(id) ?? 0, wanted.get(id) ?? 0]);
      asked++;
    };
    for (const wish of wishes) {
      rig.isHolding = true;
      rig.want(desired(wish));
      compare();
      rig.isHolding = false;
      for (const ms of [0, 100, 1_000, 40_000, 400_000]) {
        rig.pass(ms);
        compare();
      }
      rig.send({ kind: 'disconnected' });
      compare();
      rig.connect();
      compare();
    }
    expect(asked).toBe(8 * wishes.length);
  });

  test('tells what each backend would have if what is wanted were in force', () => {
    const rig = new Rig().start(desired(pool(three)));
    for (const weight of [100, 300, 20, 600, 100])
      rig.want(desired(pool([...three, backend(4, { weight })])));
    const slots = () =>
      status(rig.state, rig.now).pools[0]!.backends.map((each) => [each.name, each.slots, each.wantedSlots]);
    // No column is free: the last change has to wait.
    expect(slots().map(([, , wanted]) => wanted)).toEqual([4, 4, 4, 4]);
    expect(slots().map(([, owned]) => owned)).not.toEqual([4, 4, 4, 4]);
    rig.pass(60_000);
    expect(slots().map(([, owned]) => owned)).toEqual([4, 4, 4, 4]);
  });

  test('says what a change is waiting for', () => {
    const rig = new Rig().start(desired(pool(three)));
    for (const weight of [100, 300, 20, 600, 50]) rig.want(desired(pool([...three, backend(4, { weight })])));
    const { change } = status(rig.state, rig.now);
    expect(change).toMatchObject({ phase: 'idle', waitingFor: 'a free column' });
  });
});

describe('explain', () => {
  test('names the one backend of a stable slot', () => {
    const rig = new Rig().start(desired(pool(three)));
    const flow = flowInSlot(5);
    const told = explain(rig.state, ask(flow));
    const { backend: id } = rig.packet(flow, 'syn');
    expect(told).toMatchObject({ pool: 'web', slot: 5, stable: true, pin: undefined });
    expect(told.outcomes).toEqual([{ backend: `b${id}`, when: 'always' }]);
    expect(told.why).toBe(`Slot 5 is stable on b${id}.`);
  });

  test('names every backend an unstable slot may send to, and the pin once there is one', () => {
    const rig = new Rig().start(desired(pool(three)));
    const owners = rig.rows('slot').map((row) => row.backend);
    rig.want(desired(pool(four)));
    const { slot } = rig.rows('slot_version')[0]!;
    const flow = flowInSlot(slot);
    const told = explain(rig.state, ask(flow));
    expect(told.base).toBe(`b${owners[slot]}`);
    expect(new Set(told.outcomes.map((outcome) => outcome.backend))).toEqual(
      new Set([`b${owners[slot]}`, 'b4']),
    );
    expect(told.why).toContain('Only the switch knows');
    rig.packet(flow, 'ack');
    expect(explain(rig.state, ask(flow)).outcomes).toEqual([{ backend: `b${owners[slot]}`, when: 'always' }]);
  });

  test('agrees with the switch wherever it names one backend only', () => {
    const rig = new Rig().start(desired(pool(three)));
    rig.want(desired(pool(four)));
    let sure = 0;
    for (let slot = 0; slot < 16; slot++) {
      const flow = flowInSlot(slot);
      const { outcomes } = explain(rig.state, ask(flow));
      const possible = outcomes.map((outcome) => outcome.backend);
      expect(possible).toContain(`b${rig.packet(flow, 'syn').backend}`);
      if (outcomes.length === 1) sure++;
    }
    expect(sure).toBe(12);
  });

  test('says so when nobody serves the vip', () => {
    const rig = new Rig().start(desired(pool(three)));
    expect(explain(rig.state, { ...ask(flowInSlot(1)), vipPort: 81 })).toMatchObject({
      pool: undefined,
      outcomes: [],
    });
  });
});
