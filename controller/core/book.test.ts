// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from 'vitest';
import { type Book, bookOf } from './book.ts';
import type { Address, Desired } from './desired.ts';
import { createState } from './model.ts';
import { backend, desired, flowInSlot, pool, Rig } from './testing/rig.ts';

const TIMEOUT_MS = 60_000;
const three = [backend(1), backend(2), backend(3)];
const four = [...three, backend(4)];

/** Its table has a history: no controller would find it from the backends alone. */
function grown(): Rig {
  const rig = new Rig().start(desired(pool([backend(1)])));
  for (const backends of [[backend(1), backend(2)], three, four]) {
    rig.want(desired(pool(backends)));
    rig.pass(2 * TIMEOUT_MS);
  }
  expect(rig.unstableSlots()).toBe(0);
  rig.takeUpdates();
  return rig;
}

/** Where new flows of each slot go: addresses. */
function table(rig: Rig): Address[] {
  const addresses = new Map(rig.rows('backend').map((row) => [row.backend, row.address]));
  return Array.from({ length: 16 }, (_, slot) => {
    return addresses.get(rig.switch.process({ flow: flowInSlot(slot), flags: 'syn' }, rig.now).backend)!;
  });
}

/** Another controller, on a switch that holds nothing. */
function successor(book: Book | undefined, wanted: Desired): Rig {
  const rig = new Rig();
  rig.state = createState(book);
  rig.want(wanted);
  rig.connect();
  return rig;
}

describe('a controller that finds its switch empty', () => {
  test('places differently without a book: the tests below would see it', () => {
    const before = grown();
    expect(table(successor(undefined, desired(pool(four))))).not.toEqual(table(before));
  });

  test('gives a pool the table it had, and its vip last', () => {
    const before = grown();
    const rig = successor(bookOf(before.state, before.now), desired(pool(four)));
    expect(table(rig)).toEqual(table(before));
    const order = rig.takeUpdates().map(({ row }) => row.table);
    expect(order.filter((name) => name === 'slot')).toHaveLength(16);
    expect(order.lastIndexOf('slot')).toBeLessThan(order.indexOf('vip'));
  });

  test('has written the table it had before it carries out what has changed since', () => {
    const before = grown();
    const rig = successor(bookOf(before.state, before.now), desired(pool(three)));
    const slots = rig.takeUpdates().filter(({ row }) => row.table === 'slot');
    const had = before.rows('slot').map(({ slot, backend: id }) => [slot, id]);
    expect(slots.slice(0, 16).map(({ row }) => row.table === 'slot' && [row.slot, row.backend])).toEqual(had);
    expect(rig.state.commits.at(-1)).toMatchObject({ movedSlots: 4 });
    rig.pass(2 * TIMEOUT_MS);
    // Nobody but the fourth lost slots.
    const [old, now] = [table(before), table(rig)];
    expect(now.filter((owner, slot) => owner !== old[slot])).toHaveLength(4);
  });

  test('keeps established flows where they are, also those of a backend that is to leave', () => {
    const before = grown();
    const flows = Array.from({ length: 16 }, (_, slot) => flowInSlot(slot, 16, 1));
    for (const flow of flows) before.packet(flow, 'syn');
    const homes = table(before);
    const rig = successor(bookOf(before.state, before.now), desired(pool(three)));
    const addresses = new Map(rig.rows('backend').map((row) => [row.backend, row.address]));
    expect(flows.map((flow) => addresses.get(rig.packet(flow, 'ack').backend))).toEqual(homes);
  });

  test('takes new flows away from a backend that has died meanwhile', () => {
    const before = grown();
    const rig = successor(
      bookOf(before.state, before.now),
      desired(pool([...three, backend(4, { state: 'down' })])),
    );
    rig.pass(2 * TIMEOUT_MS);
    expect(table(rig)).not.toContain(backend(4).address);
  });

  test('makes nothing of a pool that is no longer wanted, or has another size', () => {
    const before = grown();
    const book = bookOf(before.state, before.now);
    expect(successor(book, desired()).rows('slot')).toEqual([]);
    expect(successor(book, desired(pool(four, { slotCount: 32 }))).rows('slot')).toHaveLength(32);
  });

  test('gives another id to a backend whose own is taken', () => {
    const before = grown();
    const other = pool([backend(9)], { name: 'other', vip: { address: 1, protocol: 'tcp', port: 1 } });
    const rig = new Rig().start(desired(other));
    rig.state = createState(bookOf(before.state, before.now));
    rig.want(desired(other, pool(four)));
    rig.connect();
    expect(
      rig
        .rows('backend')
        .map((row) => row.address)
        .sort(),
    ).toEqual([1, 2, 3, 4, 9].map((n) => backend(n).address));
    expect(table(rig)).toEqual(table(before));
  });
});

test('a controller whose switch was emptied remembers by itself', () => {
  const rig = grown();
  const before = table(rig);
  for (const row of rig.switch.read()) {
    if (row.table !== 'version') rig.switch.apply({ operation: 'delete', row }, rig.now);
  }
  rig.send({ kind: 'disconnected' });
  rig.connect();
  expect(table(rig)).toEqual(before);
});

test('what the switch holds is the truth, whatever the book says', () => {
  const before = grown();
  const book = bookOf(before.state, before.now);
  const swapped = book.pools.map((kept) => ({ ...kept, owners: kept.owners.toReversed() }));
  const held = table(before);
  before.state = createState({ ...book, pools: swapped });
  before.want(desired(pool(four)));
  before.connect();
  expect(before.takeUpdates()).toEqual([]);
  expect(table(before)).toEqual(held);
});

describe('a filter slot that rests without members', () => {
  /** Active while all was stable, replaced by a commit. */
  function committed(): Rig {
    const rig = new Rig().start(desired(pool(three)));
    rig.state.filters[0].couldAdmit = false;
    rig.want(desired(pool(four)));
    rig.pass(1_000);
    expect(rig.state.version.active).toBe(1);
    return rig;
  }

  test('is waited for by a controller that knows nothing of it', () => {
    const rig = committed();
    rig.state = createState();
    rig.want(desired(pool(four)));
    rig.connect();
    rig.pass(1_000);
    expect(rig.state.version.filters[0].epoch).not.toBe(0);
  });

  test('is free at once where the book knows it under the same epoch, and under no other', () => {
    const rig = committed();
    const book = bookOf(rig.state, rig.now);
    const empty = book.filters.map((filter) => ({ ...filter, couldAdmit: false }));
    rig.state = createState({ ...book, filters: empty });
    rig.want(desired(pool(four)));
    rig.connect();
    expect(rig.state.filters[0].couldAdmit).toBe(false);
    expect(rig.state.filters[1].couldAdmit).toBe(true);

    const aged = book.version.filters.map((filter) => ({ ...filter, epoch: filter.epoch + 1 }));
    rig.state = createState({
      ...book,
      filters: empty,
      version: { ...book.version, filters: aged as never },
    });
    rig.want(desired(pool(four)));
    rig.connect();
    expect(rig.state.filters[0].couldAdmit).toBe(true);
  });
});
