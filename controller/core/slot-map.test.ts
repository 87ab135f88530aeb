// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { slotMap, slotMarks } from './slot-map.ts';
import { status } from './status.ts';
import { backend, desired, pool, Rig } from './testing/rig.ts';

const three = [backend(1), backend(2), backend(3)];
const four = [...three, backend(4)];

describe('the slot map', () => {
  test('is what the switch holds: before, during and after a commit', () => {
    const rig = new Rig({ mergeMarginMs: 1_000 }).start(desired(pool(three)));
    const before = slotMap(rig.state, 'web')!;
    expect(before.marks.every((mark) => mark === slotMarks.stable)).toBe(true);
    expect([...before.owners]).toEqual(rig.rows('slot').map((row) => row.backend));

    rig.want(desired(pool(four)));
    rig.pass(100);
    const during = slotMap(rig.state, 'web')!;
    const moved = [...during.owners.keys()].filter((slot) => during.owners[slot] !== before.owners[slot]);
    expect(moved).toHaveLength(4);
    expect(new Set(moved.map((slot) => during.owners[slot]))).toEqual(
      new Set([during.backends.find(({ name }) => name === 'b4')!.id]),
    );
    expect(during.bases).toEqual(before.owners);
    expect([...during.marks.keys()].filter((slot) => during.marks[slot] === slotMarks.unstable)).toEqual(
      moved,
    );

    rig.pass(3_600_000);
    const after = slotMap(rig.state, 'web')!;
    expect(after.owners).toEqual(during.owners);
    expect(after.bases).toEqual(during.owners);
    expect(after.marks.every((mark) => mark === slotMarks.stable)).toBe(true);
    expect(status(rig.state, rig.now).totals).toMatchObject({ commits: 1, movedSlots: 4, mergedSlots: 4 });
  });

  test('shows the seat of a dead backend', () => {
    const rig = new Rig().start(desired(pool(three)));
    rig.want(desired(pool([backend(1, { state: 'down' }), backend(2), backend(3)])));
    const { marks } = slotMap(rig.state, 'web')!;
    expect(marks.filter((mark) => mark === slotMarks.seat).length).toBeGreaterThan(0);
  });

  test('knows no pool that is not there', () => {
    expect(slotMap(new Rig().start(desired(pool(three))).state, 'wbe')).toBeUndefined();
  });
});
