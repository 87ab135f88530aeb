// SPDX-License-Identifier: Apache-2.0
/** How a backend goes: by draining, by its deadline, by another that takes its seat. */
import { describe, expect, it } from 'vitest';
import { slotMap } from './slot-map.ts';
import { status } from './status.ts';
import { backend, desired, flowInSlot, pool, Rig } from './testing/rig.ts';

const two = [backend(2), backend(3)];

const statusOf = (rig: Rig, name: string) =>
  status(rig.state, rig.now).pools[0]!.backends.find((one) => one.name === name)!;
const drainOf = (rig: Rig, name: string) => statusOf(rig, name).drain;

/** By slot: the number of its owner. */
function owners(rig: Rig): number[] {
  const { backends, owners: ids } = slotMap(rig.state, 'web')!;
  return [...ids].map((id) => Number(backends.find((one) => one.id === id)!.name.slice(1)));
}

describe('a drain', () => {
  it('says how far it is, and when it may be stopped', () => {
    const rig = new Rig().start(desired(pool([backend(1), ...two])));
    expect(drainOf(rig, 'b1')).toBeUndefined();
    const slots = statusOf(rig, 'b1').slots;
    const slot = owners(rig).indexOf(1);
    const flow = flowInSlot(slot);
    rig.packet(flow, 'syn');
    rig.isHolding = true;
    rig.want(desired(pool([backend(1, { state: 'draining' }), ...two])));
    // Not moved yet: nobody knows how long it takes.
    expect(statusOf(rig, 'b1')).toMatchObject({
      slots,
      drain: { baseSlots: slots, promisedUntil: undefined },
    });
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(1_000);
    const { now } = rig;
    expect(statusOf(rig, 'b1')).toMatchObject({
      slots: 0,
      pins: 0,
      drain: { baseSlots: slots, isDrained: false },
    });
    expect(drainOf(rig, 'b1')!.promisedUntil).toBeGreaterThan(now + 60_000 - 1_000);
    expect(drainOf(rig, 'b1')!.promisedUntil).toBeLessThanOrEqual(now + 62_000);

    rig.packet(flow, 'ack');
    expect(statusOf(rig, 'b1')).toMatchObject({ pins: 1 });
    rig.pass(drainOf(rig, 'b1')!.promisedUntil! - rig.now + 1_000);
    // Its slots are let go, the pin is not.
    expect(statusOf(rig, 'b1')).toMatchObject({ pins: 1, drain: { namedSlots: 0, isDrained: false } });
    expect(rig.packet(flow, 'ack').backend).toBe(statusOf(rig, 'b1').id);

    rig.isHolding = true;
    const { sourceAddress, sourcePort } = flow;
    rig.send({ kind: 'pin-idle', pool: 1, sourceAddress, sourcePort });
    // Gone as wanted; the switch may still send to it.
    expect(statusOf(rig, 'b1')).toMatchObject({ pins: 0, drain: { isDrained: false } });
    rig.isHolding = false;
    rig.answerAll();
    expect(drainOf(rig, 'b1')).toMatchObject({ isDrained: true, hasServerId: false });
  });

  it('says that packets may name the backend themselves', () => {
    const hinted = { hint: 'tcp_option' } as const;
    const one = backend(1, { state: 'draining', serverId: { value: 1n, mask: 0xffn } });
    const rig = new Rig().start(desired(pool([one, ...two], hinted)));
    expect(drainOf(rig, 'b1')).toMatchObject({ isDrained: true, hasServerId: true });
  });
});

describe('one that is disabled', () => {
  it('loses what it has at once, like the dead, but is none: nobody waits for its seat', () => {
    const rig = new Rig().start(desired(pool([backend(1), ...two])));
    const flow = flowInSlot(owners(rig).indexOf(1));
    rig.packet(flow, 'syn');
    rig.want(desired(pool([backend(1, { state: 'disabled' }), ...two])));
    expect(owners(rig)).not.toContain(1);
    expect(rig.packet(flow, 'ack').backend).not.toBe(statusOf(rig, 'b1').id);
    expect(statusOf(rig, 'b1')).toMatchObject({ state: 'disabled', slots: 0, pins: 0 });
    // Of the dead a newcomer would wait for another seat; see seats.ts.
    expect(rig.state.pools.get(1)!.lastDeathAt).toBe(Number.NEGATIVE_INFINITY);
  });

  it('gives no answers for the vip, and leaves them to another vip', () => {
    const other = pool([backend(1)], {
      name: 'other',
      vip: { address: 0x0a630002, protocol: 'tcp', port: 80 },
    });
    const rig = new Rig().start(desired(pool([backend(1, { state: 'disabled' }), ...two]), other));
    const ofOne = () => rig.rows('return_path').filter(({ address }) => address === backend(1).address);
    expect(ofOne()).toMatchObject([{ vipAddress: 0x0a630002 }]);
    expect(rig.logged('warn')).toEqual([]);
    rig.want(desired(pool([backend(1), ...two])));
    rig.pass(1_000);
    expect(ofOne()).toMatchObject([{ vipAddress: 0x0a630001 }]);
    expect(owners(rig)).toContain(1);
  });

  it('is forgotten like anybody else, and found again by a controller that is started anew', () => {
    const rig = new Rig().start(desired(pool([backend(1), ...two])));
    rig.want(desired(pool([backend(1, { state: 'disabled' }), ...two])));
    rig.start(desired(pool([backend(1, { state: 'disabled' }), ...two])));
    rig.pass(1_000);
    expect(statusOf(rig, 'b1').state).toBe('disabled');
    expect(owners(rig)).not.toContain(1);
    rig.want(desired(pool(two)));
    rig.pass(3_600_000);
    expect(rig.rows('backend')).toHaveLength(2);
  });
});

describe('a replacement', () => {
  it.each([16, 64, 4_096])('is given exactly the slots of the old one, of %i', (slotCount) => {
    for (const weights of [
      [100, 100, 100],
      [1, 2, 3],
      [50, 7, 100],
    ]) {
      const [one, ...others] = weights.map((weight, i) => backend(i + 1, { weight }));
      const rig = new Rig().start(desired(pool([one!, ...others], { slotCount })));
      const before = owners(rig);
      const four = backend(4, { weight: one!.weight });
      rig.want(desired(pool([{ ...one!, state: 'draining' }, ...others, four], { slotCount })));
      rig.pass(1_000);
      expect(owners(rig)).toEqual(before.map((owner) => (owner === 1 ? 4 : owner)));
    }
  });

  it('does not wait for a seat, though a backend has just died: the slots of who drains are free', () => {
    const five = [backend(1), ...two, backend(5)];
    const rig = new Rig().start(desired(pool(five)));
    rig.want(desired(pool([backend(1), ...two, backend(5, { state: 'down' })])));
    rig.pass(1_000);
    const before = owners(rig);
    const drained = [backend(1, { state: 'draining' }), ...two, backend(5, { state: 'down' }), backend(4)];
    rig.want(desired(pool(drained)));
    rig.pass(1_000);
    expect(owners(rig)).toEqual(before.map((owner) => (owner === 1 ? 4 : owner)));
  });
});
