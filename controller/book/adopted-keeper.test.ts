// SPDX-License-Identifier: Apache-2.0
/** Adopted rows, kept and found again. */
import { expect, it } from 'vitest';
import { PLAIN_VIP, type Row } from '../core/row.ts';
import { switchGroupDefaults } from '../group/options.ts';
import { ManualClock } from '../group/testing/manual-clock.ts';
import { entryBytesMax } from '../ports/store.ts';
import { MemoryBook } from '../testing/memory-book.ts';
import { AdoptedKeeper } from './adopted-keeper.ts';

const ipv6 = 0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffffn;

const largest: Row = {
  table: 'vip',
  address: ipv6,
  protocol: 255,
  port: 65_535,
  pool: 4_095,
  slotMask: 65_535,
  ...PLAIN_VIP,
  affinity: 'source',
  hint: 'tcp_option',
};

const rows: Row[] = [
  largest,
  {
    table: 'vip_fragment',
    address: 7,
    protocol: 6,
    pool: 1,
    slotMask: 3,
    affinity: 'none',
    whenDead: 'drop',
    byPrefix: false,
  },
  { table: 'server_id', pool: 1, value: 2n ** 100n, mask: 0n, backend: 0 },
  { table: 'slot', pool: 9, slot: 1, unstable: true, pinsBase: false, backend: 3 },
  { table: 'slot_version', pool: 9, slot: 1, column: 2, backend: 3, byPrefix: true },
  { table: 'pin', pool: 9, sourceAddress: ipv6, sourcePort: 7, backend: 1, idleTimeoutMs: 900_000 },
  { table: 'backend', backend: 77, forwarding: 'gue', address: 0x0a00_0001, port: 6_080 },
  { table: 'tunnel_source', ipv4Address: 1, ipv4Mask: 2, ipv6Address: 0n },
  { table: 'return_path', address: 1, protocol: 6, port: 80, vipAddress: 2, vipPort: 80 },
  { table: 'route', prefix: 0x0b00_0000, prefixLength: 8, nextHop: undefined },
  { table: 'route', prefix: 0n, prefixLength: 0, nextHop: ipv6 },
  { table: 'neighbour', address: 1, port: 2, sourceMac: 2 ** 47, targetMac: 4, mtu: 1_500 },
  { table: 'known_neighbour', address: 1, mac: 3, port: 2 },
  { table: 'own_address', address: 1, mac: 3 },
  { table: 'interface', port: 511, ipv4Address: 1, ipv6Address: ipv6 },
];

function create(entries = new Map<string, string>()) {
  const stores: MemoryBook[] = [];
  const warnings: string[] = [];
  const keeper = new AdoptedKeeper({
    clock: new ManualClock(),
    log: (_, message) => warnings.push(message),
    openStore: () => {
      stores.push(new MemoryBook(entries));
      return stores.at(-1)!;
    },
  });
  return { keeper, stores, warnings, entries };
}

it('finds the rows of every table again, by switch; undefined is not the same as nothing', async () => {
  const first = create();
  await first.keeper.takeOver();
  expect(
    await first.keeper.adopted().keep(
      new Map([
        ['s1', rows],
        ['s2', []],
      ]),
    ),
  ).toBeUndefined();
  expect([...first.entries.keys()]).toEqual(['s1']);
  const second = create(first.entries);
  await second.keeper.takeOver();
  const found = second.keeper.adopted().rows;
  expect([...found.keys()]).toEqual(['s1']);
  expect(found.get('s1')).toStrictEqual(rows);
});

it('says why they are not kept', async () => {
  const { keeper, stores } = create();
  const kept = () => keeper.adopted().keep(new Map([['s1', rows]]));
  expect(await kept()).toBe('this controller does not lead');
  await keeper.takeOver();
  stores[0]!.failure = 'unavailable';
  expect(await kept()).toBe('made up');
});

it.each([
  ['another format', '{"format":2,"rows":[]}'],
  ['a row of no table', '{"format":1,"rows":[{"table":"nat","port":1}]}'],
  ['a row that is always ours', '{"format":1,"rows":[{"table":"version","active":1}]}'],
  ['a field that no row has', '{"format":1,"rows":[{"table":"route","prefix":[1]}]}'],
])('leaves out what is %s, and tells what follows', async (_, text) => {
  const { keeper, warnings } = create(new Map([['s1', text]]));
  await keeper.takeOver();
  expect([...keeper.adopted().rows]).toEqual([]);
  expect(warnings).toEqual([
    'adopted rows are not known from before: they count as foreign, and are deleted',
  ]);
});

it('takes as many rows of a switch as may be adopted', async () => {
  const { keeper, entries } = create();
  await keeper.takeOver();
  await keeper.adopted().keep(new Map([['s1', Array(switchGroupDefaults.adoptedRowsMax).fill(largest)]]));
  expect(entries.get('s1')!.length).toBeLessThan(entryBytesMax);
});
