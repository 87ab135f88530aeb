// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { status } from './status.ts';
import { backend, desired, flowInSlot, pool, Rig } from './testing/rig.ts';

const three = [1, 2, 3].map((n) => backend(n));
const drained = desired(pool([backend(1, { state: 'draining' }), backend(2), backend(3)]));
const HOLD_MS = 60_000;
const POLL_MS = 200;

/** The counter of admitted flows grows by so many a second, and is read five times a second. */
function admit(rig: Rig, perSecond: number, forMs: number): void {
  for (let ms = 0; ms < forMs; ms += POLL_MS) {
    rig.pass(POLL_MS);
    rig.send({ kind: 'admitted', flows: (rig.state.admitted ?? 0) + (perSecond * POLL_MS) / 1_000 });
  }
}

/** b1 drains, and its slots have gone to the others: old flows are with b1, new ones are not. */
function changed(options = {}): { rig: Rig; slot: number; base: number; owner: number } {
  const rig = new Rig(options).start(desired(pool(three)));
  rig.send({ kind: 'admitted', flows: 0 });
  rig.want(drained);
  rig.pass(0);
  const { slot, backend: owner } = rig.rows('slot_version')[0]!;
  const base = rig.rows('slot').find((row) => row.slot === slot)!.backend;
  return { rig, slot, base, owner };
}

const waitingFor = (rig: Rig): string | undefined => status(rig.state, rig.now).change.waitingFor;

describe('a flood at unstable slots', () => {
  test('sends new flows to base, and soon leaves nothing to aim at; who was pinned stays where it is', () => {
    const { rig, slot, base, owner } = changed();
    const [before, during] = [flowInSlot(slot), flowInSlot(slot, 16, 1)];
    rig.packet(before, 'syn');
    expect(rig.packet(before, 'ack').backend).toBe(owner);
    admit(rig, 100_000, POLL_MS);
    expect(rig.packet(during, 'syn').backend).toBe(base);
    expect(waitingFor(rig)).toBe('the end of a SYN flood');
    rig.pass(2_000);
    expect([rig.unstableSlots(), rig.rows('slot_version').length]).toEqual([0, 0]);
    expect(rig.packet(before, 'ack')).toMatchObject({ decision: 'pinned', backend: owner });
    expect(rig.packet(during, 'ack').backend).toBe(base);
  });

  test('that is over lets the change go on', () => {
    const { rig, slot, owner } = changed();
    admit(rig, 100_000, POLL_MS);
    rig.pass(HOLD_MS + 100);
    expect(waitingFor(rig)).toBeUndefined();
    const late = flowInSlot(slot);
    rig.packet(late, 'syn');
    expect(rig.packet(late, 'ack').backend).toBe(owner);
  });

  test('that goes on shows before the next commit, which does not come', () => {
    const { rig, slot, base } = changed({ tcpSettleMs: 1_000 });
    admit(rig, 0, 2_000);
    admit(rig, 100_000, POLL_MS);
    rig.pass(HOLD_MS + 100);
    expect(rig.unstableSlots()).toBeGreaterThan(0);
    rig.send({ kind: 'admitted', flows: rig.state.admitted! });
    admit(rig, 100_000, 2 * POLL_MS);
    rig.pass(2_000);
    expect(rig.unstableSlots()).toBe(0);
    expect(waitingFor(rig)).toBe('the end of a SYN flood');
    expect(rig.packet(flowInSlot(slot), 'syn').backend).toBe(base);
    // The first one was taken back; there is no second.
    expect(rig.logged('info').filter((message) => message === 'committed')).toHaveLength(1);
  });

  test('closes seats, whose new flows would not be known any more', () => {
    const rig = new Rig().start(desired(pool(three)));
    rig.send({ kind: 'admitted', flows: 0 });
    rig.want(desired(pool([backend(1, { state: 'down' }), backend(2), backend(3)])));
    expect(rig.unstableSlots()).toBeGreaterThan(0);
    admit(rig, 100_000, POLL_MS);
    rig.pass(2_000);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('costs nobody its connection who found no room for a pin', () => {
    const { rig, slot, owner } = changed({ maxPins: 0 });
    const flow = flowInSlot(slot);
    rig.packet(flow, 'syn');
    expect(rig.packet(flow, 'ack').backend).toBe(owner);
    for (let i = 0; i < 20; i++) {
      admit(rig, 100_000, 10 * POLL_MS);
      expect(rig.packet(flow, 'ack').backend).toBe(owner);
    }
  });

  test('is none when many come slowly', () => {
    const { rig, slot, owner } = changed();
    admit(rig, 5_000, 10_000);
    expect(waitingFor(rig)).toBeUndefined();
    expect(rig.packet(flowInSlot(slot), 'syn').backend).toBe(owner);
  });
});

test('a filter slot is replaced when it must be full by now, though nobody has counted', () => {
  const { rig } = changed();
  admit(rig, 2_000, POLL_MS);
  const { active } = rig.state.version;
  rig.pass(250);
  expect(rig.state.version.active).toBe(active);
  rig.pass(100);
  expect(rig.state.version.active).not.toBe(active);
});
