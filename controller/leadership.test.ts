// SPDX-License-Identifier: Apache-2.0
/** Terms come and go by a fake election; switches and the book are in memory. */

import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from './adapters/clock/system-clock.ts';
import type { Address } from './core/desired.ts';
import { engineDefaults } from './core/options.ts';
import { backend, desired, flowInSlot, pool } from './core/testing/rig.ts';
import { Leadership } from './leadership.ts';
import type { Election, Role } from './ports/election.ts';
import { MemoryBook } from './testing/memory-book.ts';
import { MemorySwitch } from './testing/memory-switch.ts';

class FakeElection implements Election {
  tell: (role: Role) => void = () => {};
  isClosed = false;
  start(listener: (role: Role) => void): void {
    this.tell = listener;
  }
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

interface Opened {
  electionId: bigint;
  port: MemorySwitch;
}

const twoBackends = desired(pool([backend(1), backend(2)]));
const standby: Role = {
  kind: 'standby',
  leader: { name: 'other', admin: 'http://other' },
  problem: undefined,
};

function start(entries = new Map<string, string>()) {
  const election = new FakeElection();
  const opened: Opened[] = [];
  const books: MemoryBook[] = [];
  const leadership = new Leadership(
    twoBackends,
    { ...engineDefaults, tcpSettleMs: 0 },
    {
      election,
      clock: systemClock,
      log: () => {},
      openSwitch(electionId) {
        const port = new MemorySwitch();
        opened.push({ electionId, port });
        return port;
      },
      openBook() {
        const book = new MemoryBook(entries);
        books.push(book);
        return book;
      },
    },
  );
  onTestFinished(() => leadership.close());
  leadership.start();
  return { election, opened, books, leadership };
}

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};

const slots = ({ port }: Opened) => port.rows('slot').length;

it('writes nothing before it leads, and then as its term', async () => {
  const { election, opened, leadership } = start();
  expect(leadership.status()).toMatchObject({ role: 'starting', term: undefined });
  election.tell(standby);
  expect(leadership.status()).toMatchObject({ role: 'standby', leader: { name: 'other' } });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened.map(slots)).toEqual([0]);
  election.tell({ kind: 'leader', term: 77n });
  await until(() => opened.length === 2 && slots(opened[1]!) === 16);
  expect(opened[1]!.electionId).toBe(77n);
  expect(leadership.status()).toMatchObject({ role: 'leader', term: '77', leader: undefined });
});

it('closes its switch as soon as it is deposed, and writes its book no more', async () => {
  const { election, opened, books, leadership } = start();
  election.tell({ kind: 'leader', term: 1n });
  await until(() => books[0]?.entries.size === 2);
  const written = books[0]!.writes.length;
  leadership.want(desired(pool([backend(1)])), engineDefaults);
  election.tell(standby);
  expect(opened[1]!.port.isClosed).toBe(true);
  expect(leadership.engine.status().state).toBe('disconnected');
  const updates = opened[1]!.port.updates.length;
  await until(() => books[0]!.isClosed);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([books[0]!.writes.length, opened[1]!.port.updates.length]).toEqual([written, updates]);
});

it('wants in its next term what was wanted meanwhile', async () => {
  const { election, opened, leadership } = start();
  election.tell({ kind: 'leader', term: 1n });
  await until(() => opened.length === 2);
  election.tell(standby);
  leadership.want(desired(pool([backend(3)])), engineDefaults);
  election.tell({ kind: 'leader', term: 5n });
  await until(() => opened.length === 4 && slots(opened[3]!) === 16);
  expect(opened[3]!.electionId).toBe(5n);
  expect(opened[3]!.port.rows('backend').map(({ address }) => address)).toEqual([backend(3).address]);
});

it('does not connect when it was deposed before it had read the book', async () => {
  const { election, opened, books } = start();
  election.tell({ kind: 'leader', term: 9n });
  election.tell(standby);
  await until(() => books[0]?.isClosed === true);
  expect(opened.map(({ electionId }) => electionId)).not.toContain(9n);
});

it('gives a switch that has lost everything the table of the leader before', async () => {
  const three = desired(pool([backend(1), backend(2), backend(3)]));
  const entries = new Map<string, string>();
  const first = start(entries);
  first.election.tell({ kind: 'leader', term: 1n });
  // A history: the third backend has slots that it would not have got at once.
  const { leadership } = first;
  await until(() => leadership.engine.status().pools[0]?.phase === 'serving');
  leadership.want(three, { ...engineDefaults, tcpSettleMs: 0 });
  await until(() => leadership.engine.status().commits.length === 1);
  const owners = newOwners(first.opened[1]!);
  await leadership.close();
  expect(first.election.isClosed).toBe(true);

  expect(await ownersAfter(entries)).toEqual(owners);
  // Without the book it would be another table.
  expect(await ownersAfter(new Map())).not.toEqual(owners);

  async function ownersAfter(kept: Map<string, string>): Promise<Address[]> {
    const second = start(kept);
    second.leadership.want(three, engineDefaults);
    second.election.tell({ kind: 'leader', term: 2n });
    await until(() => second.leadership.engine.status().pools[0]?.phase === 'serving');
    expect(second.leadership.engine.status().commits).toEqual([]);
    return newOwners(second.opened[1]!);
  }
});

/** By slot: the address of who gets new flows. */
function newOwners({ port }: Opened): Address[] {
  const addresses = new Map(port.rows('backend').map(({ backend: id, address }) => [id, address]));
  return Array.from({ length: 16 }, (_, slot) => {
    const { backend: id } = port.model.process({ flow: flowInSlot(slot), flags: 'syn' }, 0);
    return addresses.get(id)!;
  });
}
