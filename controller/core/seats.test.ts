// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Flow } from './flow-hash.ts';
import { backend, desired, flowInSlot, pool, Rig } from './testing/rig.ts';

const HOLD_MS = 20_000;
const QUARANTINE_MS = 30_000;
const dead = (number: number) => backend(number, { state: 'down' });
/** b1 has died: its slots are held on b2 and b3. */
const bereaved = (options = {}): Rig => {
  const rig = new Rig({ seatHoldMs: HOLD_MS, ...options }).start(
    desired(pool([1, 2, 3].map((n) => backend(n)))),
  );
  rig.want(desired(pool([dead(1), backend(2), backend(3)])));
  rig.takeUpdates();
  return rig;
};
const heldSlots = (rig: Rig): number[] =>
  rig
    .rows('slot')
    .filter((row) => row.unstable && !row.pinsBase)
    .map((row) => row.slot);
const open = (rig: Rig, flow: Flow): number => {
  rig.packet(flow, 'syn');
  return rig.packet(flow, 'ack').backend;
};

describe('the seat of a dead backend', () => {
  test('is held on its heirs, whose new flows are pinned; who is unknown asks for no pin', () => {
    const rig = bereaved();
    const slots = heldSlots(rig);
    expect(slots).toHaveLength(6);
    // No version was needed for it.
    expect(rig.logged('info')).not.toContain('committed');
    const heir = open(rig, flowInSlot(slots[0]!));
    expect(rig.rows('pin').map((row) => row.backend)).toEqual([heir]);
    const unknown = rig.packet(flowInSlot(slots[0]!, 16, 1), 'ack');
    expect(unknown).toMatchObject({ backend: heir, digest: undefined });
  });

  test('is closed after a while: its slots are stable on the heirs, and nothing is left of it', () => {
    const rig = bereaved();
    open(rig, flowInSlot(heldSlots(rig)[0]!));
    rig.pass(HOLD_MS - 1);
    expect(rig.unstableSlots()).toBe(6);
    rig.pass(QUARANTINE_MS + HOLD_MS);
    expect([rig.unstableSlots(), rig.rows('pin').length, rig.rows('slot_version').length]).toEqual([0, 0, 0]);
  });

  test('is taken by a backend that comes: the heirs keep their flows by pins and filters, all others are its own', () => {
    const rig = bereaved();
    const slot = heldSlots(rig)[0]!;
    const [pinned, opening, fresh, unknown] = [0, 1, 2, 3].map((n) => flowInSlot(slot, 16, n)) as [
      Flow,
      Flow,
      Flow,
      Flow,
    ];
    const heir = open(rig, pinned);
    rig.packet(opening, 'syn');
    rig.want(desired(pool([dead(1), backend(2), backend(3), backend(4)])));
    rig.pass(0);

    const b4 = rig.rows('backend').find((row) => row.address === backend(4).address)!.backend;
    expect(rig.packet(pinned, 'ack').backend).toBe(heir);
    expect(rig.packet(opening, 'ack').backend).toBe(heir);
    expect(open(rig, fresh)).toBe(b4);
    expect(rig.packet(unknown, 'ack')).toMatchObject({ backend: b4, digest: undefined });
    // fresh needs no pin.
    expect(rig.rows('pin').map((row) => row.backend)).toEqual([heir, heir]);
  });

  test('is stable once the filter slots of before have retired, long before the session timeout', () => {
    const rig = bereaved({ rotationMs: 20_000 });
    const heir = open(rig, flowInSlot(heldSlots(rig)[0]!));
    rig.want(desired(pool([dead(1), backend(2), backend(3), backend(4)])));
    rig.pass(QUARANTINE_MS + 1_000);
    expect(rig.unstableSlots()).toBe(0);
    expect(rig.rows('pin').map((row) => row.backend)).toEqual([heir]);
  });

  test('of the one who died last is taken first', () => {
    const five = [1, 2, 3, 4, 5];
    const rig = new Rig({ seatHoldMs: HOLD_MS }).start(
      desired(
        pool(
          five.map((n) => backend(n)),
          { slotCount: 64 },
        ),
      ),
    );
    const ownedBy = (number: number): number[] => {
      const id = rig.rows('backend').find((row) => row.address === backend(number).address)!.backend;
      return rig
        .rows('slot')
        .filter((row) => row.backend === id)
        .map((row) => row.slot);
    };
    rig.want(
      desired(
        pool(
          five.map((n) => (n === 1 ? dead(1) : backend(n))),
          { slotCount: 64 },
        ),
      ),
    );
    rig.pass(2_000);
    const last = new Set(ownedBy(2));
    const all = five.map((n) => (n <= 2 ? dead(n) : backend(n)));
    rig.want(desired(pool(all, { slotCount: 64 })));
    rig.want(desired(pool([...all, backend(6)], { slotCount: 64 })));
    rig.pass(0);
    const taken = ownedBy(6);
    expect(taken).toHaveLength(16);
    expect(taken.filter((slot) => last.has(slot))).toHaveLength(taken.length);
  });

  test('is no more when a digest may have been lost', () => {
    const rig = bereaved();
    rig.send({ kind: 'disconnected' });
    rig.connect();
    rig.want(desired(pool([dead(1), backend(2), backend(3), backend(4)])));
    rig.pass(0);
    const b4 = rig.rows('backend').find((row) => row.address === backend(4).address)!.backend;
    expect(rig.rows('slot').filter((row) => row.backend === b4)).toEqual([]);
  });

  test('is forgone when there is no room for its columns', () => {
    const rig = new Rig().start(desired(pool([1, 2, 3].map((n) => backend(n)))));
    rig.refuse = ({ row }) => (row.table === 'slot_version' ? 'full' : undefined);
    rig.want(desired(pool([dead(1), backend(2), backend(3)])));
    const b1 = rig.rows('backend').find((row) => row.address === backend(1).address)!.backend;
    expect(rig.rows('slot').filter((row) => row.backend === b1 || row.unstable)).toEqual([]);
  });
});

describe('the heir of a backend that dies in the midst of a change', () => {
  /** Nearly the session timeout; no filter slot is kept for so long. */
  const SILENCE_MS = 50_000;
  const draining = (number: number) => backend(number, { state: 'draining' });
  const idOf = (rig: Rig, number: number): number =>
    rig.rows('backend').find((row) => row.address === backend(number).address)!.backend;
  /** b1 drains: a slot goes to b2, and a flow has met b1 there, which a filter slot knows. Then b2 drains, too. */
  const twice = (): { rig: Rig; flow: Flow } => {
    const rig = new Rig({ tcpSettleMs: 1_000 }).start(desired(pool([1, 2, 3].map((n) => backend(n)))));
    rig.want(desired(pool([draining(1), backend(2), backend(3)])));
    const flow = flowInSlot(rig.rows('slot_version').find((row) => row.backend === idOf(rig, 2))!.slot);
    rig.packet(flow, 'syn');
    rig.pass(2_000);
    rig.want(desired(pool([draining(1), draining(2), backend(3)])));
    return { rig, flow };
  };
  const keepsIt = (rig: Rig, flow: Flow, owner: number): void => {
    for (let i = 0; i < 10; i++) {
      rig.pass(SILENCE_MS);
      expect(rig.packet(flow, 'ack').backend).toBe(owner);
    }
  };

  test('keeps who comes again with a 5-tuple of the dead, though the slot leaves it', () => {
    const { rig, flow } = twice();
    rig.pass(100);
    rig.want(desired(pool([dead(1), draining(2), backend(3)])));
    expect(open(rig, flow)).toBe(idOf(rig, 2));
    keepsIt(rig, flow, idOf(rig, 2));
  });

  test('keeps it when the commit is lost with the connection', () => {
    const { rig, flow } = twice();
    rig.refuse = ({ row }) => (row.table === 'version' ? 'unavailable' : undefined);
    rig.pass(1_500);
    rig.want(desired(pool([dead(1), draining(2), backend(3)])));
    expect(open(rig, flow)).toBe(idOf(rig, 3));
    rig.refuse = () => undefined;
    rig.send({ kind: 'disconnected' });
    rig.connect();
    keepsIt(rig, flow, idOf(rig, 3));
  });

  test('is none whose own row is still on its way', () => {
    const rig = new Rig().start(desired(pool([1, 2, 3].map((n) => backend(n)))));
    rig.effects = [];
    rig.isHolding = true;
    rig.want(desired(pool([dead(1), backend(2), backend(3), backend(4)])));
    const written = rig.effects.flatMap((effect) => (effect.kind === 'write' ? effect.updates : []));
    const named = written.flatMap(({ row }) =>
      row.table === 'slot' || row.table === 'slot_version' ? [row.backend] : [],
    );
    expect([...new Set(named)].toSorted()).toEqual([idOf(rig, 2), idOf(rig, 3)]);
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(0);
    expect(rig.rows('slot').filter((row) => row.backend === idOf(rig, 4)).length).toBeGreaterThan(0);
  });

  test('is not forgotten while it takes the seats of another', () => {
    const rig = bereaved();
    const waiting = backend(4, { weight: 0 });
    rig.want(desired(pool([dead(1), backend(2), backend(3), waiting])));
    rig.isHolding = true;
    rig.want(desired(pool([dead(1), backend(2), backend(3), backend(4)])));
    rig.want(desired(pool([dead(1), backend(2), backend(3)])));
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(0);
    const known = rig.rows('backend').map((row) => row.backend);
    expect(rig.rows('slot').filter((row) => !known.includes(row.backend))).toEqual([]);
  });
});

describe('a backend that comes while no seat is open', () => {
  const QUARTER_HOUR = { sessionTimeoutMs: 900_000 };
  const all = [1, 2, 3, 4].map((n) => backend(n));
  const without4 = [...all.slice(0, 3), dead(4)];
  const idOf = (rig: Rig, number: number): number =>
    rig.rows('backend').find((row) => row.address === backend(number).address)!.backend;

  test('waits for the next death, and is given the slots of the dead in place', () => {
    const rig = new Rig({ seatWaitMs: 30_000, maxSeats: 0 }).start(desired(pool(all, QUARTER_HOUR)));
    rig.want(desired(pool(without4, QUARTER_HOUR)));
    rig.want(desired(pool([...without4, backend(5)], QUARTER_HOUR)));
    rig.pass(20_000);
    expect(rig.rows('slot').filter((row) => row.backend === idOf(rig, 5))).toEqual([]);
    const before = rig.rows('slot').filter((row) => row.backend === idOf(rig, 1)).length;
    rig.takeUpdates();
    rig.want(desired(pool([dead(1), ...without4.slice(1), backend(5)], QUARTER_HOUR)));
    expect(rig.rows('slot').filter((row) => row.backend === idOf(rig, 5))).toHaveLength(before);
    expect([rig.unstableSlots(), rig.rows('slot_version').length]).toEqual([0, 0]);
  });

  test('takes stable slots when it has waited long enough', () => {
    const rig = new Rig({ seatWaitMs: 30_000, maxSeats: 0 }).start(desired(pool(all, QUARTER_HOUR)));
    rig.want(desired(pool(without4, QUARTER_HOUR)));
    rig.want(desired(pool([...without4, backend(5)], QUARTER_HOUR)));
    rig.pass(29_999);
    expect(rig.rows('slot_version')).toEqual([]);
    rig.pass(100);
    expect(rig.rows('slot_version').filter((row) => row.backend === idOf(rig, 5))).toHaveLength(4);
  });

  test('does not wait when nobody has died of late', () => {
    const rig = new Rig({ seatWaitMs: 30_000 }).start(desired(pool(all, QUARTER_HOUR)));
    rig.want(desired(pool([...all, backend(5)], QUARTER_HOUR)));
    expect(rig.rows('slot_version').length).toBeGreaterThan(0);
  });
});

test('a controller that starts anew while a backend is dead leaves the living where they are', () => {
  const rig = bereaved({ seatWaitMs: 60_000 });
  rig.pass(HOLD_MS + QUARANTINE_MS + 60_000);
  rig.takeUpdates();
  rig.start(desired(pool([dead(1), backend(2), backend(3)])));
  rig.pass(1_000);
  expect(rig.takeUpdates().filter(({ row }) => row.table === 'slot')).toEqual([]);
});
