// SPDX-License-Identifier: Apache-2.0
/** Columns and filter slots: when each is free to be used again. */
import { describe, expect, test } from 'vitest';
import {
  desired,
  filled,
  flowInSlot,
  four,
  pool,
  type Rig,
  SESSION_TIMEOUT_MS,
  three,
} from './testing/rig.ts';

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
    rig.pass(5 * SESSION_TIMEOUT_MS);
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
    rig.pass(SESSION_TIMEOUT_MS - 1);
    expect(rig.packet(flow, 'ack').backend).toBe(4);
    rig.pass(2 * SESSION_TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('never reuse an epoch, not even across a restart', () => {
    const rig = filled({ quarantineMs: 100 });
    const seen = new Set<number>([1]);
    for (let i = 0; i < 12; i++) {
      rig.want(desired(pool(i % 2 ? three : four)));
      rig.pass(5 * SESSION_TIMEOUT_MS);
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
