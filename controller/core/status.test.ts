// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { createState } from './controller.ts';
import { explain, type FlowQuestion } from './explain.ts';
import type { Flow } from './flow-hash.ts';
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
