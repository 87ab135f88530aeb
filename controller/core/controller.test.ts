// SPDX-License-Identifier: Apache-2.0
/** A switch that is filled, changed and read again; backends and pools that come, die and leave. */
import { describe, expect, test } from 'vitest';
import type { RowUpdate } from './row.ts';
import { PLAIN_VIP } from './row.ts';
import {
  backend,
  desired,
  filled,
  flowInSlot,
  four,
  pool,
  Rig,
  SESSION_TIMEOUT_MS,
  three,
  VIP,
} from './testing/rig.ts';

const tables = (updates: RowUpdate[]): string[] => [...new Set(updates.map(({ row }) => row.table))].sort();

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
    rig.pass(SESSION_TIMEOUT_MS);
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
    rig.pass(10 * SESSION_TIMEOUT_MS);
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
    rig.pass(2 * SESSION_TIMEOUT_MS);
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
    rig.pass(5 * SESSION_TIMEOUT_MS);
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
      rig.pass(SESSION_TIMEOUT_MS / 2);
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
    rig.pass(10 * SESSION_TIMEOUT_MS);
    expect(rig.rows('backend').map((row) => row.backend)).toEqual([1, 2, 3]);
  });

  test('gives its id to others last', () => {
    const rig = filled();
    rig.want(desired(pool(three.slice(1))));
    rig.pass(10 * SESSION_TIMEOUT_MS);
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
