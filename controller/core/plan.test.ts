// SPDX-License-Identifier: Apache-2.0
/** A plan is what comes of it: the same slots, the same writes, on the very switch that was planned for. */

import { expect, it } from 'vitest';
import type { DesiredBackend, DesiredPool } from './desired.ts';
import { engineDefaults } from './options.ts';
import { type Plan, planBetween, planOf } from './plan.ts';
import type { RowUpdate } from './row.ts';
import { backend, desired, pool, Rig, VIP } from './testing/rig.ts';

const options = { ...engineDefaults, tcpSettleMs: 0 };
const instantly = { updatesPerSecond: Number.POSITIVE_INFINITY, isMeasured: false };
const slotCount = 4_096;
const sessionMs = 60_000;

function web(backends: DesiredBackend[], changes: Partial<DesiredPool> = {}) {
  return desired(pool(backends, { slotCount, sessionTimeoutMs: sessionMs, ...changes }));
}

const hundred = Array.from({ length: 100 }, (_, i) => backend(i + 1));

/** As a list is changed in an afternoon: two go, one is drained, one is dead, three come, two are given another weight. */
const changed = [
  ...hundred.slice(2).map((one, i): DesiredBackend => {
    if (i === 10) return { ...one, state: 'draining' };
    if (i === 20) return { ...one, weight: 200 };
    if (i === 30) return { ...one, weight: 50 };
    return one;
  }),
  ...[101, 102, 103].map((number) => backend(number)),
];

function plan(rig: Rig, wanted = web(changed)): Plan {
  return planOf(rig.state, structuredClone(wanted), rig.now, options, instantly)!;
}

/** By phase, table and operation; as the plan counts. */
function counted(plan: Plan) {
  const counts: Record<string, number> = {};
  for (const { phase, table, inserted, modified, deleted } of plan.writes) {
    if (phase === 'rotation') continue;
    for (const [operation, count] of Object.entries({ insert: inserted, modify: modified, delete: deleted }))
      if (count > 0) counts[`${table} ${operation}`] = (counts[`${table} ${operation}`] ?? 0) + count;
  }
  return counts;
}

function actual(updates: readonly RowUpdate[], commits: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation, row } of updates) {
    if (row.table === 'version') continue;
    const key = `${row.table} ${operation}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return { ...counts, ...(commits > 0 && { 'version modify': commits }) };
}

function owners(rig: Rig): number[] {
  return Array.from({ length: slotCount }, (_, slot) => rig.switch.backendOfNewFlow(1, slot));
}

for (const placement of ['sticky', 'pure'] as const) {
  it(`foretells every slot and every write of a changed list of 100 backends (${placement})`, () => {
    const rig = new Rig().start(web(hundred, { placement }));
    rig.pass(1_000);
    const foretold = plan(rig, web(changed, { placement }));
    const [web1] = foretold.pools;
    rig.takeUpdates();
    const before = owners(rig);

    rig.want(web(changed, { placement }));
    rig.pass(2 * sessionMs);

    const after = owners(rig);
    const moved = after.filter((owner, slot) => owner !== before[slot]).length;
    expect(web1).toMatchObject({ change: 'changed', slotCount, movedSlots: moved });
    expect(moved).toBeGreaterThan(slotCount / 50);
    expect(counted(foretold)).toEqual(actual(rig.takeUpdates(), rig.state.totals.commits));
    expect(foretold).toMatchObject({ isEmpty: false, isWhole: true, commits: 1, busy: undefined });
    expect(foretold.movedSlots).toBe(rig.state.totals.movedSlots);
    const idOf = new Map([...rig.state.pools.get(1)!.backends.values()].map(({ id, name }) => [name, id]));
    for (const { name, slots } of web1!.backends)
      expect([name, slots.to]).toEqual([name, after.filter((owner) => owner === idOf.get(name)).length]);
    if (placement === 'sticky') expect(web1!.collateralSlots).toBe(0);
    expect(plan(rig, web(changed, { placement }))).toMatchObject({
      isEmpty: true,
      writes: [],
      movedSlots: 0,
    });
  });
}

it('touches nothing', () => {
  const rig = new Rig().start(web(hundred));
  const before = structuredClone(rig.state);
  plan(rig);
  expect(rig.state).toEqual(before);
  expect(rig.takeUpdates().length).toBeGreaterThan(0);
});

it('says what becomes of each backend', () => {
  const rig = new Rig().start(web(hundred));
  const { backends } = plan(rig).pools[0]!;
  const told = backends.filter(({ change }) => change !== undefined);
  expect(told.map(({ name, change, weight }) => `${name} ${change} ${weight.from}>${weight.to}`)).toEqual([
    'b13 drained 100>100',
    'b23 reweighted 100>200',
    'b33 reweighted 100>50',
    'b101 added undefined>100',
    'b102 added undefined>100',
    'b103 added undefined>100',
    'b1 removed 100>undefined',
    'b2 removed 100>undefined',
  ]);
});

it('is empty for what is wanted already, also while that is under way', () => {
  const rig = new Rig().start(web(hundred));
  expect(plan(rig, web(hundred))).toMatchObject({ isEmpty: true, busy: undefined });
  rig.want(web(changed));
  rig.pass(1_000);
  const again = plan(rig);
  expect(again).toMatchObject({ isEmpty: true, movedSlots: 0 });
  expect(again.busy!.unstableSlots).toBeGreaterThan(0);
  expect(again.writes).toEqual(again.writesAnyway);
});

it('begins where a change under way is, and counts to the end of both', () => {
  const rig = new Rig().start(web(hundred));
  rig.pass(1_000);
  rig.takeUpdates();
  rig.isHolding = true;
  rig.want(web([...hundred, backend(101)]));
  const foretold = plan(rig, web([...hundred, backend(101), backend(102)]));
  expect(foretold.busy).toMatchObject({ unsettledRows: 2 });
  expect(foretold.writesAnyway.length).toBeGreaterThan(0);
  const already = rig.updates.length;
  rig.want(web([...hundred, backend(101), backend(102)]));
  rig.isHolding = false;
  rig.answerAll();
  rig.pass(2 * sessionMs);
  expect(already).toBe(0);
  expect(rig.switch.count('backend')).toBe(102);
  const inAll = actual(rig.takeUpdates(), rig.state.totals.commits);
  // What was on its way when the plan was made, two rows of one backend, is counted there no more.
  expect(inAll['backend insert']).toBe(2);
  expect(counted(foretold)).toEqual({ ...inAll, 'backend insert': 1, 'return_path insert': 1 });
});

it('says when it is committed and merged, by the speed of the switch', () => {
  const rig = new Rig().start(web(hundred));
  const at = (updatesPerSecond: number) => {
    const { committedMs, mergedMs } = planOf(rig.state, web(changed), rig.now, engineDefaults, {
      updatesPerSecond,
      isMeasured: true,
    })!;
    return { committedMs: committedMs!, mergedMs: mergedMs! };
  };
  const fast = at(1e9);
  const slow = at(1_000);
  expect(fast.committedMs).toBeGreaterThanOrEqual(engineDefaults.tcpSettleMs);
  expect(fast.committedMs).toBeLessThan(engineDefaults.tcpSettleMs + 200);
  expect(slow.committedMs).toBeGreaterThan(fast.committedMs + 300);
  expect(fast.mergedMs).toBeGreaterThanOrEqual(sessionMs);
  expect(fast.mergedMs).toBeLessThan(2 * sessionMs);
});

it('knows pools that come, go, and are replaced', () => {
  const dns = pool([backend(7)], { name: 'dns', vip: { address: 0x0a630002, protocol: 'udp', port: 53 } });
  const rig = new Rig().start(desired(pool([backend(1), backend(2)]), dns));
  const more = pool([backend(9)], { name: 'mail', vip: { address: 0x0a630003, protocol: 'tcp', port: 25 } });
  const wider = pool([backend(1), backend(2)], { slotCount: 32 });
  const { pools } = plan(rig, desired(wider, more));
  expect(pools.map(({ name, change, flows }) => [name, change, flows.cut])).toEqual([
    ['web', 'replaced', 1],
    ['mail', 'added', 0],
    ['dns', 'removed', 1],
  ]);
});

it('foretells how many live flows keep their backend by a pin', () => {
  const rig = new Rig({ tcpSettleMs: 1_200 }).start(web(hundred));
  const flows = Array.from({ length: 20_000 }, (_, i) => ({
    sourceAddress: 0x0b000000 + (i >> 4),
    sourcePort: 1_024 + (i & 15) * 1_000 + (i % 977),
    targetAddress: VIP.address,
    targetPort: 80,
    protocol: 6,
  }));
  const was = flows.map((flow) => rig.packet(flow, 'syn').backend);
  const { kept } = plan(rig).pools[0]!.flows;
  rig.want(web(changed));
  rig.pass(500);
  for (const flow of flows) rig.packet(flow, 'ack');
  rig.pass(5_000);
  const pinned = rig.switch.count('pin');
  expect(flows.map((flow) => rig.packet(flow, 'ack').backend)).toEqual(was);
  expect(kept).toBeGreaterThan(0.02);
  // 20,000 flows fall into the slots by chance: four standard deviations.
  expect(Math.abs(pinned - kept * 20_000)).toBeLessThan(4 * Math.sqrt(20_000 * kept));
});

it('tells flows that are cut from those that are kept', () => {
  const four = [1, 2, 3, 4].map((number) => backend(number));
  const rig = new Rig().start(web(four));
  const drained = plan(rig, web([{ ...four[0]!, state: 'draining' }, ...four.slice(1)])).pools[0]!;
  expect(drained.flows).toEqual({ kept: 0.25, cut: 0 });
  const dead = plan(rig, web([{ ...four[0]!, state: 'down' }, ...four.slice(1)])).pools[0]!;
  expect(dead.flows).toEqual({ kept: 0, cut: 0.25 });
});

it('has none while the switch is not known', () => {
  const rig = new Rig();
  rig.want(web(hundred));
  expect(planOf(rig.state, web(hundred), 0, options, instantly)).toBeUndefined();
});

it('can be made without a switch, and foretells the same of one that is new', () => {
  const rig = new Rig().start(web(hundred));
  const { writes, pools } = plan(rig);
  expect(planBetween(web(hundred), web(changed), options, instantly)).toMatchObject({
    writes,
    pools,
    busy: undefined,
  });
});
