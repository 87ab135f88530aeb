// SPDX-License-Identifier: Apache-2.0
/** Pins that are asked for, kept and given up; and those that the switch does not acknowledge. */
import { describe, expect, test } from 'vitest';
import { engineDefaults } from './options.ts';
import {
  backend,
  desired,
  filled,
  flowInSlot,
  four,
  pool,
  type Rig,
  SESSION_TIMEOUT_MS,
} from './testing/rig.ts';

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
    expect(rig.rows('pin')[0]!.idleTimeoutMs).toBe(SESSION_TIMEOUT_MS);
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
    rig.pass(SESSION_TIMEOUT_MS - 10_000);
    const refused = flowInSlot(slot, 16, 1);
    const { decision, backend: base } = rig.packet(refused, 'ack');
    expect(decision).toBe('base');
    rig.pass(SESSION_TIMEOUT_MS);
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
    expect(rig.rows('pin')).toMatchObject([{ backend: 3, idleTimeoutMs: SESSION_TIMEOUT_MS }]);
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
    rig.pass(5 * SESSION_TIMEOUT_MS);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'filter', backend: 4 });
    rig.refuse = () => undefined;
    rig.pass(5 * SESSION_TIMEOUT_MS);
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
    rig.pass(SESSION_TIMEOUT_MS / 2);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'pinned', backend: owner });
  });

  test('keeps its slot unstable', () => {
    const { rig, slot } = stuck();
    const flow = flowInSlot(slot);
    // By now no filter slot stands for base any more.
    rig.pass(SESSION_TIMEOUT_MS - 10_000);
    const { decision, backend: base } = rig.packet(flow, 'ack');
    expect(decision).toBe('base');
    rig.pass(5 * SESSION_TIMEOUT_MS);
    expect(rig.packet(flow, 'ack')).toMatchObject({ decision: 'base', backend: base });
    rig.refuse = () => undefined;
    rig.pass(5 * SESSION_TIMEOUT_MS);
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
      rig.pass(SESSION_TIMEOUT_MS / 2);
      expect(rig.packet(flow, 'ack').backend).toBe(base);
    }
    // Once it is silent for good, the slot is merged.
    rig.pass(5 * SESSION_TIMEOUT_MS);
    expect(rig.unstableSlots()).toBe(0);
  });
});
