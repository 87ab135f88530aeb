// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { engineDefaults } from './options.ts';
import type { RowUpdate } from './row.ts';
import { PLAIN_VIP } from './row.ts';
import { backend, desired, flowInSlot, pool, Rig, VIP } from './testing/rig.ts';

const TIMEOUT_MS = 60_000;
const three = [backend(1), backend(2), backend(3)];
const four = [...three, backend(4)];
const tables = (updates: RowUpdate[]): string[] => [...new Set(updates.map(({ row }) => row.table))].sort();
const filled = (options = {}): Rig => {
  const rig = new Rig(options).start(desired(pool(three)));
  rig.takeUpdates();
  return rig;
};

describe('a fresh switch', () => {
  test('is given its table before its vip, and no versions', () => {
    const rig = new Rig().start(desired(pool(three)));
    const updates = rig.takeUpdates();
    const order = updates.map(({ row }) => row.table).filter((table) => table !== 'own_address');
    expect(order.at(-1)).toBe('vip');
    expect(rig.rows('slot')).toHaveLength(16);
    expect(rig.unstableSlots()).toBe(0);
    expect(tables(updates)).toEqual(['backend', 'return_path', 'slot', 'version', 'vip']);
    // The one thing said about the version: whoever is admitted is learned, in a column that can have rows.
    expect(rig.switch.version.filters[0]).toEqual({ epoch: 1, column: 1, learn: true });
  });

  test('announces a pool without backends too, and drops its packets', () => {
    const rig = new Rig().start(desired(pool([])));
    expect(rig.rows('vip')).toHaveLength(1);
    expect(rig.packet(flowInSlot(3), 'syn').backend).toBe(0);
  });
});

describe('a reconnect', () => {
  test('with nothing changed writes nothing', () => {
    const rig = filled();
    rig.start(desired(pool(three)));
    rig.pass(TIMEOUT_MS);
    expect(rig.takeUpdates()).toEqual([]);
  });

  test('in the middle of a change writes nothing that is right already', () => {
    const rig = filled();
    rig.want(desired(pool(four)));
    const before = rig.takeUpdates().filter(({ row }) => row.table === 'slot_version').length;
    expect(before).toBe(4);
    rig.start(desired(pool(four)));
    expect(rig.takeUpdates()).toEqual([]);
  });

  test('goes on with a change that was interrupted while it was prepared', () => {
    const rig = filled();
    let left = 2;
    rig.refuse = ({ row }) => (row.table === 'slot_version' && left-- <= 0 ? 'unavailable' : undefined);
    rig.want(desired(pool(four)));
    expect(rig.rows('slot_version')).toHaveLength(2);
    expect(rig.switch.version.active).toBe(0);

    rig.refuse = () => undefined;
    rig.takeUpdates();
    rig.start(desired(pool(four)));
    expect(rig.takeUpdates().filter(({ row }) => row.table === 'slot_version')).toHaveLength(2);
    expect(rig.switch.version.active).toBe(1);
    rig.pass(10 * TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
    expect(rig.rows('slot_version')).toEqual([]);
  });

  test('deletes rows that nobody wants', () => {
    const rig = filled();
    const foreign = {
      table: 'vip',
      address: 9,
      protocol: 6,
      port: 9,
      pool: 77,
      slotMask: 15,
      ...PLAIN_VIP,
    } as const;
    rig.switch.apply({ operation: 'insert', row: foreign }, 0);
    rig.switch.apply(
      {
        operation: 'insert',
        row: { table: 'backend', backend: 900, forwarding: 'nat', address: 9, port: 9 },
      },
      0,
    );
    rig.switch.apply(
      {
        operation: 'insert',
        row: { table: 'slot', pool: 55, slot: 1, unstable: false, pinsBase: false, backend: 1 },
      },
      0,
    );
    rig.start(desired(pool(three)));
    expect(rig.rows('vip').map((row) => row.address)).toEqual([VIP.address]);
    expect(rig.rows('backend')).toHaveLength(3);
    expect(rig.rows('slot').every((row) => row.pool !== 55)).toBe(true);
  });
});

describe('a change', () => {
  test('writes only the slots that move, and commits with one modify of the version', () => {
    const rig = filled();
    rig.want(desired(pool(four)));
    const updates = rig.takeUpdates();
    const count = (table: string): number => updates.filter(({ row }) => row.table === table).length;
    expect([count('slot_version'), count('slot'), count('version')]).toEqual([4, 4, 1]);
    expect(updates.at(-1)!.row.table).toBe('version');
    expect(rig.switch.version.active).toBe(1);
    expect(rig.state.commits).toMatchObject([{ pools: ['web'], movedSlots: 4, rows: 8 }]);
  });

  test('waits for every answer before it commits', () => {
    const rig = filled();
    rig.isHolding = true;
    rig.want(desired(pool(four)));
    rig.pass(1_000);
    expect(rig.switch.version.active).toBe(0);
    rig.isHolding = false;
    rig.answerAll();
    expect(rig.switch.version.active).toBe(1);
  });

  test('sends new flows to the new backend and keeps old ones', () => {
    const rig = filled();
    const before = Array.from({ length: 16 }, (_, slot) => rig.packet(flowInSlot(slot), 'syn').backend);
    rig.want(desired(pool(four)));
    const moved = rig.rows('slot_version').map((row) => row.slot);
    for (const slot of moved) {
      expect(rig.packet(flowInSlot(slot, 16, 1), 'syn').backend).toBe(4);
      expect(rig.packet(flowInSlot(slot), 'ack').backend).toBe(before[slot]);
    }
    rig.pass(2 * TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
    // The old flows live elsewhere than their slots: their pins stay.
    expect(rig.rows('pin')).toHaveLength(moved.length);
    for (const slot of moved) expect(rig.packet(flowInSlot(slot), 'ack').backend).toBe(before[slot]);
  });

  test('that is taken back is merged without waiting for the session timeout', () => {
    const rig = filled({ quarantineMs: 5_000 });
    rig.want(desired(pool(four)));
    rig.pass(6_000);
    rig.want(desired(pool([...three, backend(4, { weight: 0 })])));
    rig.pass(10_000);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('that finds the table full is abandoned, undone, and tried again', () => {
    const rig = filled();
    let isFull = true;
    rig.refuse = ({ operation, row }) =>
      isFull && operation === 'insert' && row.table === 'slot_version' ? 'full' : undefined;
    rig.want(desired(pool(four)));
    expect(rig.switch.version.active).toBe(0);
    expect(rig.state.problems.map(({ message }) => message).join()).toContain('abandoned');
    rig.pass(1_000);
    expect(rig.unstableSlots()).toBe(0);
    expect(rig.rows('slot_version')).toEqual([]);
    isFull = false;
    rig.pass(10_000);
    expect(rig.switch.version.active).toBe(1);
  });

  test('while a column is being prepared coalesces with the ones after it', () => {
    const rig = filled();
    rig.isHolding = true;
    rig.want(desired(pool(four)));
    for (const weight of [10, 20, 30, 40]) rig.want(desired(pool([...three, backend(4, { weight })])));
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(1_000);
    expect(rig.state.commits.length).toBeLessThanOrEqual(2);
  });

  test('in naive mode rewrites slots in place, and old flows move', () => {
    const rig = filled({ naive: true });
    const before = Array.from({ length: 16 }, (_, slot) => rig.packet(flowInSlot(slot), 'syn').backend);
    rig.want(desired(pool(four)));
    expect(tables(rig.takeUpdates())).toEqual(['backend', 'return_path', 'slot']);
    const after = before.map((_, slot) => rig.packet(flowInSlot(slot), 'ack').backend);
    expect(after).not.toEqual(before);
  });

  test('of a UDP pool lets old flows show themselves before it commits', () => {
    const udp = { vip: { ...VIP, protocol: 'udp' as const } };
    const rig = new Rig({ udpSettleMs: 2_000 }).start(desired(pool(three, udp)));
    rig.want(desired(pool(four, udp)));
    rig.pass(1_900);
    expect(rig.switch.version.active).toBe(0);
    rig.pass(200);
    expect(rig.switch.version.active).toBe(1);
  });
});

describe('a dead backend', () => {
  test('without seats is replaced in place at once, and a slot that was stable stays stable', () => {
    const rig = filled({ maxSeats: 0 });
    rig.want(desired(pool([backend(1, { state: 'down' }), backend(2), backend(3)])));
    expect(tables(rig.takeUpdates())).toEqual(['slot']);
    expect(rig.unstableSlots()).toBe(0);
    expect(rig.rows('slot').every((row) => row.backend !== 1)).toBe(true);
  });

  test('is replaced in the base and in every column while slots are unstable, and its pins go', () => {
    const rig = filled();
    const owners = rig.rows('slot').map((row) => row.backend);
    rig.want(desired(pool(four)));
    const slot = rig.rows('slot_version').find((row) => owners[row.slot] === 1)?.slot;
    rig.packet(flowInSlot(slot!), 'ack');
    expect(rig.rows('pin').map((row) => row.backend)).toEqual([1]);
    rig.want(desired(pool([backend(1, { state: 'down' }), ...four.slice(1)])));
    expect(rig.rows('slot').some((row) => row.backend === 1)).toBe(false);
    expect(rig.rows('pin')).toEqual([]);
    rig.want(
      desired(pool([backend(1, { state: 'down' }), ...four.slice(1, 3), backend(4, { state: 'down' })])),
    );
    expect(rig.rows('slot_version').some((row) => row.backend === 4)).toBe(false);
  });

  test('that is prepared into a column is not committed', () => {
    const rig = filled();
    rig.isHolding = true;
    rig.want(desired(pool(four)));
    rig.want(desired(pool([...three, backend(4, { state: 'down' })])));
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.switch.version.active).toBe(0);
    expect(rig.unstableSlots()).toBe(0);
    expect(rig.rows('slot_version')).toEqual([]);
  });

  test('with nobody left to replace it leaves slots that drop, until somebody returns', () => {
    const rig = filled();
    rig.want(desired(pool(three.map((b) => ({ ...b, state: 'down' as const })))));
    expect(rig.rows('slot')).toEqual([]);
    expect(rig.packet(flowInSlot(1), 'syn').backend).toBe(0);
    rig.want(desired(pool([backend(1, { state: 'down' }), backend(2), backend(3, { state: 'down' })])));
    expect(rig.rows('slot').map((row) => row.backend)).toEqual(new Array(16).fill(2));
  });
});

describe('a backend that leaves', () => {
  test('keeps its flows, and is forgotten when nothing names it any more', () => {
    const rig = filled();
    const owners = rig.rows('slot').map((row) => row.backend);
    const flow = flowInSlot(owners.indexOf(1));
    rig.packet(flow, 'syn');
    rig.want(desired(pool(three.slice(1))));
    for (let i = 0; i < 10; i++) {
      rig.pass(TIMEOUT_MS / 2);
      expect(rig.packet(flow, 'ack').backend).toBe(1);
    }
    expect(rig.rows('backend').map((row) => row.backend)).toContain(1);
    rig.send({ kind: 'pin-idle', pool: 1, sourceAddress: flow.sourceAddress, sourcePort: flow.sourcePort });
    rig.pass(1_000);
    expect(rig.rows('pin')).toEqual([]);
    expect(rig.rows('backend').map((row) => row.backend)).toEqual([2, 3]);
    expect(rig.rows('return_path')).toHaveLength(2);
  });

  test('and comes back in time is the same backend', () => {
    const rig = filled();
    rig.want(desired(pool(three.slice(1))));
    rig.want(desired(pool(three)));
    rig.pass(10 * TIMEOUT_MS);
    expect(rig.rows('backend').map((row) => row.backend)).toEqual([1, 2, 3]);
  });

  test('gives its id to others last', () => {
    const rig = filled();
    rig.want(desired(pool(three.slice(1))));
    rig.pass(10 * TIMEOUT_MS);
    rig.want(desired(pool([...three.slice(1), backend(9)])));
    expect(rig.rows('backend').map((row) => row.backend)).toEqual([2, 3, 4]);
  });
});

describe('a pool', () => {
  test('that is removed loses its vip first, then everything else', () => {
    const rig = filled();
    rig.want(desired());
    const order = rig.takeUpdates().map(({ row }) => row.table);
    expect(order[0]).toBe('vip');
    expect(rig.switch.rows.size).toBe(0);
    expect(rig.logged('warn')).toContain('pool removed: its connections are cut');
  });

  test('with another slot count takes over its vip once it is filled', () => {
    const rig = filled();
    rig.want(desired(pool(three, { slotCount: 32 })));
    const vips = rig.takeUpdates().filter(({ row }) => row.table === 'vip');
    expect(vips).toMatchObject([{ operation: 'modify', row: { slotMask: 31 } }]);
    expect(rig.rows('slot')).toHaveLength(32);
    expect(rig.rows('backend')).toHaveLength(3);
    expect(rig.rows('return_path')).toHaveLength(3);
  });
});

describe('pins', () => {
  const changing = (): { rig: Rig; flow: ReturnType<typeof flowInSlot> } => {
    const rig = filled();
    rig.want(desired(pool(four)));
    rig.takeUpdates();
    return { rig, flow: flowInSlot(rig.rows('slot_version')[0]!.slot) };
  };

  test('are asked for by digests, once, however often those come', () => {
    const { rig, flow } = changing();
    rig.isHolding = true;
    for (let i = 0; i < 3; i++) rig.packet(flow, 'ack');
    rig.isHolding = false;
    rig.answerAll();
    expect(rig.takeUpdates().map(({ operation, row }) => `${operation} ${row.table}`)).toEqual([
      'insert pin',
    ]);
  });

  test('of a flow that closes are kept for the closing timeout only', () => {
    const rig = filled({ closingTimeoutMs: 5_000 });
    rig.want(desired(pool(four)));
    const flow = flowInSlot(rig.rows('slot_version')[0]!.slot);
    rig.packet(flow, 'ack');
    expect(rig.rows('pin')[0]!.idleTimeoutMs).toBe(TIMEOUT_MS);
    rig.packet(flow, 'fin');
    rig.packet(flow, 'fin');
    expect(rig.rows('pin')[0]!.idleTimeoutMs).toBe(5_000);
  });

  test('stay while a filter slot lives that may know the SYN of their flow', () => {
    const { rig, flow } = changing();
    rig.packet(flow, 'ack');
    const idle = {
      kind: 'pin-idle',
      pool: 1,
      sourceAddress: flow.sourceAddress,
      sourcePort: flow.sourcePort,
    } as const;
    rig.send(idle);
    expect(rig.rows('pin')).toHaveLength(1);
    rig.pass(2 * engineDefaults.quarantineMs + 1_500);
    rig.send(idle);
    expect(rig.rows('pin')).toHaveLength(0);
  });

  test('of flows that seemed to close live on after a gap: who opened again may not have been heard', () => {
    const rig = filled({ closingTimeoutMs: 5_000 });
    rig.want(desired(pool(four)));
    const flow = flowInSlot(rig.rows('slot_version')[0]!.slot);
    rig.packet(flow, 'ack');
    const { idleTimeoutMs } = rig.rows('pin')[0]!;
    rig.packet(flow, 'fin');
    expect(rig.rows('pin')[0]!.idleTimeoutMs).toBeLessThan(idleTimeoutMs);
    rig.connect();
    expect(rig.rows('pin')[0]!.idleTimeoutMs).toBe(idleTimeoutMs);
  });

  test('of flows that opened again are not taken for idle by the short life of the closed ones', () => {
    const rig = filled({ closingTimeoutMs: 5_000, rotationMs: 1_000, quarantineMs: 1_000 });
    rig.want(desired(pool(four)));
    const flow = flowInSlot(rig.rows('slot_version')[0]!.slot);
    const { sourceAddress, sourcePort } = flow;
    rig.packet(flow, 'ack');
    rig.packet(flow, 'fin');
    rig.pass(4_000);
    rig.isHolding = true;
    rig.packet(flow, 'syn');
    rig.send({ kind: 'pin-idle', pool: 1, sourceAddress, sourcePort });
    rig.isHolding = false;
    rig.answerAll();
    expect(rig.rows('pin')).toHaveLength(1);
  });

  test('that are being deleted stay when their 5-tuple opens again', () => {
    const { rig, flow } = changing();
    rig.packet(flow, 'ack');
    rig.pass(2 * engineDefaults.quarantineMs + 1_500);
    const { sourceAddress, sourcePort } = flow;
    rig.isHolding = true;
    rig.send({ kind: 'pin-idle', pool: 1, sourceAddress, sourcePort });
    rig.packet(flow, 'syn');
    rig.isHolding = false;
    rig.answerAll();
    expect(rig.rows('pin')).toHaveLength(1);
  });

  test('that are being deleted are inserted again when their flow speaks', () => {
    const { rig, flow } = changing();
    rig.packet(flow, 'ack');
    rig.pass(2 * engineDefaults.quarantineMs + 1_500);
    rig.takeUpdates();
    rig.isHolding = true;
    rig.send({ kind: 'pin-idle', pool: 1, sourceAddress: flow.sourceAddress, sourcePort: flow.sourcePort });
    const { slot, backend: id } = {
      slot: rig.rows('slot_version')[0]!.slot,
      backend: rig.rows('pin')[0]!.backend,
    };
    const { sourceAddress, sourcePort } = flow;
    rig.send({
      kind: 'flow-digest',
      reason: 'old',
      pool: 1,
      slot,
      column: 0,
      backend: id,
      sourceAddress,
      sourcePort,
    });
    rig.isHolding = false;
    rig.answerAll();
    expect(rig.takeUpdates().map(({ operation }) => operation)).toEqual(['delete', 'insert']);
    expect(rig.rows('pin')).toHaveLength(1);
  });

  test('are refused when there is no room; nothing is recycled and no change begins until there is', () => {
    const rig = filled({ maxPins: 1, refusalHoldMs: 10_000 });
    rig.want(desired(pool(four)));
    const slot = rig.rows('slot_version')[0]!.slot;
    rig.packet(flowInSlot(slot), 'ack');
    const refused = flowInSlot(slot, 16, 1);
    const { backend: kept } = rig.packet(refused, 'ack');
    expect(rig.rows('pin')).toHaveLength(1);
    rig.want(desired(pool([...four, backend(5)])));
    expect(rig.state.change.waitingFor).toBe('room for pins');
    for (let i = 0; i < 40; i++) {
      rig.pass(5_000);
      expect(rig.packet(refused, 'ack').backend).toBe(kept);
    }
    expect(rig.unstableSlots()).toBeGreaterThan(0);
    expect(rig.state.pinsRefused).toBeGreaterThan(0);
  });

  test('that are refused put off the merge of their slot until the flow has had time to speak again', () => {
    const rig = filled({ maxPins: 1, refusalHoldMs: 1_000 });
    rig.want(desired(pool(four)));
    const slot = rig.rows('slot_version')[0]!.slot;
    rig.packet(flowInSlot(slot), 'ack');
    rig.pass(TIMEOUT_MS - 10_000);
    const refused = flowInSlot(slot, 16, 1);
    const { decision, backend: base } = rig.packet(refused, 'ack');
    expect(decision).toBe('base');
    rig.pass(TIMEOUT_MS);
    expect(rig.packet(refused, 'ack')).toMatchObject({ decision: 'base', backend: base });
  });

  test('that exist on the switch already are overwritten', () => {
    const { rig, flow } = changing();
    rig.switch.apply(
      {
        operation: 'insert',
        row: {
          table: 'pin',
          pool: 1,
          sourceAddress: flow.sourceAddress,
          sourcePort: flow.sourcePort,
          backend: 2,
          idleTimeoutMs: 1,
        },
      },
      0,
    );
    const { slot } = rig.rows('slot_version')[0]!;
    const { sourceAddress, sourcePort } = flow;
    rig.send({
      kind: 'flow-digest',
      reason: 'old',
      pool: 1,
      slot,
      column: 0,
      backend: 3,
      sourceAddress,
      sourcePort,
    });
    expect(rig.rows('pin')).toMatchObject([{ backend: 3, idleTimeoutMs: TIMEOUT_MS }]);
  });

  test.each([
    ['an unknown pool', { pool: 9 }],
    ['an unknown backend', { backend: 99 }],
    ['a slot beyond the table', { slot: 4_000 }],
  ])('are not made for %s', (_, wrong) => {
    const { rig, flow } = changing();
    const { slot } = rig.rows('slot_version')[0]!;
    const digest = { kind: 'flow-digest', reason: 'old', pool: 1, slot, column: 0, backend: 1 } as const;
    rig.send({ ...digest, sourceAddress: flow.sourceAddress, sourcePort: 1, ...wrong });
    expect(rig.rows('pin')).toEqual([]);
  });
});

describe('a pin that is not acknowledged', () => {
  const stuck = (): { rig: Rig; slot: number } => {
    const rig = filled({ pinRetryLimit: Number.POSITIVE_INFINITY });
    rig.want(desired(pool(four)));
    const { slot } = rig.rows('slot_version')[0]!;
    rig.refuse = ({ row }) => (row.table === 'pin' ? 'unavailable' : undefined);
    return { rig, slot };
  };

  test('keeps the filter slot that knows its flow', () => {
    const { rig, slot } = stuck();
    const flow = flowInSlot(slot);
    rig.packet(flow, 'syn');
    rig.packet(flow, 'ack');
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'filter', backend: 4 });
    rig.refuse = () => undefined;
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.packet(flow, 'ack').backend).toBe(4);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('gives way to the next connection with its 5-tuple', () => {
    const { rig, slot } = stuck();
    const flow = flowInSlot(slot);
    const { backend: base } = rig.packet(flow, 'ack');
    rig.pass(3_000);
    const { backend: owner } = rig.packet(flow, 'syn');
    expect(owner).not.toBe(base);
    rig.packet(flow, 'ack');
    rig.refuse = () => undefined;
    rig.pass(TIMEOUT_MS / 2);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'pinned', backend: owner });
  });

  test('keeps its slot unstable', () => {
    const { rig, slot } = stuck();
    const flow = flowInSlot(slot);
    // By now no filter slot stands for base any more.
    rig.pass(TIMEOUT_MS - 10_000);
    const { decision, backend: base } = rig.packet(flow, 'ack');
    expect(decision).toBe('base');
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'base', backend: base });
    rig.refuse = () => undefined;
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.packet(flow, 'ack').backend).toBe(base);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('and never will be is given up, and its flow kept by forgetting nothing', () => {
    const rig = filled({ pinRetryLimit: 3, refusalHoldMs: 1_000 });
    rig.want(desired(pool(four)));
    const flow = flowInSlot(rig.rows('slot_version')[0]!.slot);
    rig.refuse = ({ row }) => (row.table === 'pin' ? 'rejected' : undefined);
    const { backend: base } = rig.packet(flow, 'ack');
    for (let i = 0; i < 20; i++) {
      rig.pass(TIMEOUT_MS / 2);
      expect(rig.packet(flow, 'ack').backend).toBe(base);
    }
    // Once it is silent for good, the slot is merged.
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
  });
});

describe('columns left over at a stable slot', () => {
  const withLeftover = (): { rig: Rig; slot: number; owner: number } => {
    const rig = filled();
    rig.want(desired(pool(four)));
    // A merge that was interrupted: the slot is stable, a row of the live column is still there.
    const stable = rig.rows('slot').find((row) => !row.unstable)!;
    const { slot, backend: owner } = stable;
    const { column } = rig.switch.version.filters[rig.switch.version.active];
    const row = {
      table: 'slot_version',
      pool: 1,
      slot,
      column: column as 1,
      backend: owner === 1 ? 2 : 1,
    } as const;
    rig.switch.apply({ operation: 'insert', row }, rig.now);
    return { rig, slot, owner };
  };

  test('are gone before the slot becomes unstable', () => {
    const { rig, slot, owner } = withLeftover();
    rig.pass(1_000);
    rig.takeUpdates();
    rig.start(desired(pool([...four.filter((b) => b.name !== `b${owner}`)])));
    const updates = rig.takeUpdates().filter(({ row }) => 'slot' in row && row.slot === slot);
    const unstableAt = updates.findIndex(({ row }) => row.table === 'slot' && row.unstable);
    const deletedAt = updates.findIndex(({ operation }) => operation === 'delete');
    expect(deletedAt).toBeGreaterThanOrEqual(0);
    expect(unstableAt).toBeGreaterThan(deletedAt);
  });

  test('are deleted when no change makes use of them', () => {
    const { rig, slot } = withLeftover();
    rig.start(desired(pool(four)));
    expect(rig.rows('slot_version').some((row) => row.slot === slot)).toBe(false);
  });
});

describe('filter slots', () => {
  test('are rotated while slots are unstable, and go free one after the other', () => {
    const rig = filled();
    rig.want(desired(pool(four)));
    // The one before the change rests for 30 s.
    rig.pass(29_000);
    expect(rig.switch.version.active).toBe(1);
    rig.pass(2_000);
    expect(rig.switch.version.active).toBe(2);
    expect(rig.switch.version.filters[2]!.column).toBe(rig.switch.version.filters[1]!.column);
    rig.pass(5 * TIMEOUT_MS);
    expect(rig.switch.version.filters.filter((filter) => filter.epoch > 0)).toHaveLength(1);
  });

  test('that have admitted too many are rotated at once', () => {
    const rig = filled({ fillLimit: 100 });
    rig.send({ kind: 'admitted', flows: 1_000 });
    rig.want(desired(pool(four)));
    rig.send({ kind: 'admitted', flows: 1_099 });
    expect(rig.switch.version.active).toBe(1);
    rig.send({ kind: 'admitted', flows: 1_100 });
    expect(rig.switch.version.active).toBe(2);
  });

  test('are reused early in a flood only, the oldest first, and never before a handshake has had its time', () => {
    const rig = filled({ fillLimit: 100, quarantineMs: 30_000, floodQuarantineMs: 1_000 });
    rig.send({ kind: 'admitted', flows: 0 });
    rig.want(desired(pool(four)));
    // Every step of 100 ms admits as many as a filter slot should have.
    const activations: [atMs: number, filterSlot: number][] = [];
    for (let atMs = 100; atMs <= 3_000; atMs += 100) {
      rig.pass(100);
      rig.send({ kind: 'admitted', flows: atMs });
      const { active } = rig.switch.version;
      if (active !== (activations.at(-1)?.[1] ?? 1)) activations.push([atMs, active]);
    }
    // Two are free; from then on each has rested for a second when its turn comes.
    expect(activations).toEqual([
      [100, 2],
      [200, 3],
      [1_000, 0],
      [1_100, 1],
      [1_200, 2],
      [2_000, 3],
      [2_100, 0],
      [2_200, 1],
      [3_000, 2],
    ]);
    // The flood is over, its last flows are counted: filter slots rest as long as they should.
    rig.pass(1_000);
    const calm = rig.switch.version.active;
    rig.pass(10_000);
    expect(rig.switch.version.active).toBe(calm);
  });

  test('keep their members for a whole session timeout after a restart', () => {
    const rig = filled();
    rig.want(desired(pool(four)));
    const slot = rig.rows('slot_version')[0]!.slot;
    const flow = flowInSlot(slot);
    expect(rig.packet(flow, 'syn').backend).toBe(4);
    rig.pass(1_000);
    // Its acknowledgement is seen by nobody but the switch.
    expect(rig.switch.process({ flow, flags: 'ack' }, rig.now).backend).toBe(4);
    rig.start(desired(pool(four)));
    rig.pass(TIMEOUT_MS - 1);
    expect(rig.packet(flow, 'ack').backend).toBe(4);
    rig.pass(2 * TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('never reuse an epoch, not even across a restart', () => {
    const rig = filled({ quarantineMs: 100 });
    const seen = new Set<number>([1]);
    for (let i = 0; i < 12; i++) {
      rig.want(desired(pool(i % 2 ? three : four)));
      rig.pass(5 * TIMEOUT_MS);
      rig.start(desired(pool(i % 2 ? three : four)));
    }
    for (const { row } of rig.takeUpdates()) {
      if (row.table !== 'version') continue;
      const epoch = row.filters[row.active].epoch;
      if (!seen.has(epoch)) expect(epoch).toBeGreaterThan(Math.max(...seen));
      seen.add(epoch);
    }
    expect(seen.size).toBeGreaterThan(10);
  });
});
