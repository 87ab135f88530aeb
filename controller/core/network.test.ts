// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Address, Desired } from './desired.ts';
import { nextHopOf } from './neighbours.ts';
import { engineDefaults } from './options.ts';
import { status } from './status.ts';
import { backend, pool, Rig, VIP } from './testing/rig.ts';

const SERVERS = { port: 1, address: 0x0a0000fe, prefixLength: 24, mac: 0x020000000001, mtu: 1500 };
const UPLINK = { port: 2, address: 0x0b0000fe, prefixLength: 24, mac: 0x020000000002, mtu: 1500 };
const ROUTER = 0x0b000001;
const REACHABLE_MS = engineDefaults.neighbourReachableMs;
const FAR = backend(1, { address: 0x0c000001 });
const network = (changes: Partial<Desired> = {}): Desired => ({
  pools: [pool([backend(1), backend(2)])],
  interfaces: [SERVERS, UPLINK],
  routes: [{ prefix: 0, prefixLength: 0, nextHop: ROUTER }],
  neighbours: [],
  ...changes,
});
const solicited = (rig: Rig): Address[] =>
  rig.effects.splice(0).flatMap((effect) => (effect.kind === 'solicit' ? [effect.address] : []));
const hear = (rig: Rig, address: Address, port: number, mac = 0x0200000000aa): void =>
  rig.send({ kind: 'neighbour-digest', address, port, mac });

describe('the network around the switch', () => {
  test('becomes routes and addresses of our own, the vip among them', () => {
    const rig = new Rig().start(network());
    expect(rig.rows('route')).toEqual([
      { table: 'route', prefix: 0x0a000000, prefixLength: 24, nextHop: undefined },
      { table: 'route', prefix: 0x0b000000, prefixLength: 24, nextHop: undefined },
      { table: 'route', prefix: 0, prefixLength: 0, nextHop: ROUTER },
    ]);
    const own = rig.rows('own_address').map(({ address, mac }) => [address, mac]);
    // The vip lies in no connected network: the first interface answers for it.
    expect(own).toContainEqual([VIP.address, SERVERS.mac]);
    expect(own).toContainEqual([UPLINK.address, UPLINK.mac]);
    expect(own).toHaveLength(3);
  });

  test('says who answers at each port, and to which MTU packets leave', () => {
    const rig = new Rig().start(
      network({ interfaces: [SERVERS, UPLINK, { ...UPLINK, address: 0xfe00n, prefixLength: 120 }] }),
    );
    expect(rig.rows('interface')).toEqual([
      { table: 'interface', port: 1, ipv4Address: SERVERS.address, ipv6Address: 0n },
      { table: 'interface', port: 2, ipv4Address: UPLINK.address, ipv6Address: 0xfe00n },
    ]);
    hear(rig, ROUTER, 2);
    hear(rig, 0xfe01n, 2);
    expect(rig.rows('neighbour').map(({ address, mtu }) => [address, mtu])).toEqual([
      [ROUTER, 1500],
      [0xfe01n, 1500],
    ]);
  });

  test('has sources for tunnels, whose last bits the flow chooses', () => {
    const ipv6 = 0x20010db8n << 96n;
    const rig = new Rig().start(
      network({ tunnel: { ipv4: { address: 0x0a090000, prefixLength: 20 }, ipv6 } }),
    );
    expect(rig.rows('tunnel_source')).toEqual([
      { table: 'tunnel_source', ipv4Address: 0x0a090000, ipv4Mask: 0x0fff, ipv6Address: ipv6 },
    ]);
    rig.want(network());
    expect(rig.rows('tunnel_source')).toEqual([]);
  });

  test('is forgotten where it is no longer wanted', () => {
    const rig = new Rig().start(network());
    rig.want(network({ routes: [], interfaces: [SERVERS] }));
    expect(rig.rows('route')).toHaveLength(1);
    expect(rig.rows('own_address')).toHaveLength(2);
  });
});

describe('neighbours', () => {
  test('that are needed are asked for, less and less often, until they answer', () => {
    const rig = new Rig().start(network());
    expect(solicited(rig).sort()).toEqual([backend(1).address, backend(2).address, ROUTER].sort());
    rig.pass(10_000);
    // After 1, 2 and 4 seconds.
    expect(solicited(rig)).toHaveLength(9);
    hear(rig, backend(1).address, 1);
    hear(rig, backend(2).address, 1);
    hear(rig, ROUTER, 2);
    rig.pass(REACHABLE_MS - 1);
    expect(solicited(rig)).toEqual([]);
    expect(rig.rows('neighbour')).toContainEqual({
      table: 'neighbour',
      address: ROUTER,
      port: 2,
      sourceMac: UPLINK.mac,
      targetMac: 0x0200000000aa,
      mtu: 1500,
    });
    expect(rig.rows('known_neighbour')).toHaveLength(3);
  });

  test('of backends that are not on link are their next hops', () => {
    expect(nextHopOf(network(), FAR.address)).toBe(ROUTER);
    const rig = new Rig().start(network({ pools: [pool([FAR])] }));
    expect(solicited(rig)).toEqual([ROUTER]);
  });

  test.each([
    ['from another port than their network', backend(1).address, 2],
    ['from no network of ours', 0x7f000001, 1],
    ['that say they are ourselves', SERVERS.address, 1],
    ['that say they are the vip', VIP.address, 1],
  ])('%s are not believed', (_, address, port) => {
    const rig = new Rig().start(network());
    hear(rig, address, port);
    expect(rig.rows('neighbour')).toEqual([]);
  });

  test('that move are followed', () => {
    const rig = new Rig().start(network());
    hear(rig, backend(1).address, 1, 0xaa);
    hear(rig, backend(1).address, 1, 0xbb);
    expect(rig.rows('neighbour').map((row) => row.targetMac)).toEqual([0xbb]);
    expect(rig.rows('known_neighbour').map((row) => row.mac)).toEqual([0xbb]);
  });

  test('that are configured are never asked for, and never overruled', () => {
    const neighbours = [{ address: backend(1).address, mac: 0x11, port: 1 }];
    const rig = new Rig().start(network({ neighbours }));
    expect(solicited(rig)).not.toContain(backend(1).address);
    hear(rig, backend(1).address, 1, 0xbb);
    expect(rig.rows('neighbour').map((row) => row.targetMac)).toEqual([0x11]);
  });

  test('are bounded', () => {
    const rig = new Rig({ maxNeighbours: 2 }).start(network());
    for (let i = 10; i < 20; i++) hear(rig, 0x0a000000 + i, 1, i);
    expect(rig.rows('neighbour')).toHaveLength(2);
  });

  test('outlive a restart of the controller', () => {
    const rig = new Rig().start(network());
    hear(rig, backend(1).address, 1);
    rig.effects.length = 0;
    rig.takeUpdates();
    rig.start(network());
    expect(rig.takeUpdates()).toEqual([]);
    expect(solicited(rig)).not.toContain(backend(1).address);
  });
});

describe('a neighbour that is known', () => {
  const heard = (): Rig => {
    const rig = new Rig().start(network({ pools: [pool([backend(1)])], routes: [] }));
    hear(rig, backend(1).address, 1);
    rig.effects.length = 0;
    return rig;
  };

  test('is asked again when nothing was heard of it for long, while its traffic goes on', () => {
    const rig = heard();
    rig.pass(REACHABLE_MS);
    expect(solicited(rig)).toEqual([backend(1).address]);
    // The switch tells of what it does not know: so it hears the answer.
    expect(rig.rows('known_neighbour')).toEqual([]);
    expect(rig.rows('neighbour')).toHaveLength(1);
    hear(rig, backend(1).address, 1);
    expect(rig.rows('known_neighbour')).toHaveLength(1);
    rig.pass(REACHABLE_MS - 1);
    expect(solicited(rig)).toEqual([]);
    expect(rig.takeUpdates().filter(({ row }) => row.table === 'neighbour')).toHaveLength(1);
  });

  test('and stays silent is lost, is a problem, and is asked for less and less often, while its traffic goes on', () => {
    const rig = heard();
    rig.pass(REACHABLE_MS + 15_000);
    expect(rig.rows('neighbour')).toHaveLength(1);
    expect(rig.rows('known_neighbour')).toEqual([]);
    const { neighbours, problems } = status(rig.state, rig.now);
    expect(neighbours).toEqual({ known: 0, missing: ['10.0.0.1'] });
    expect(problems.map(({ message }) => message)).toEqual([
      'a neighbour is lost: it has ceased to answer address=10.0.0.1 port=1',
    ]);
    // After 0, 1, 3, 7 seconds as known; then after 8 more, 16, 32, 60, 60 ...
    expect(solicited(rig)).toHaveLength(4);
    rig.pass(120_000);
    expect(solicited(rig)).toHaveLength(4);
    hear(rig, backend(1).address, 1, 0xbb);
    expect(rig.rows('neighbour').map((row) => row.targetMac)).toEqual([0xbb]);
    expect(rig.rows('known_neighbour').map((row) => row.mac)).toEqual([0xbb]);
    expect(status(rig.state, rig.now).neighbours).toEqual({ known: 1, missing: [] });
  });

  test('and is silent stays so when something else changes, and goes when it is not needed any more', () => {
    const rig = heard();
    rig.pass(REACHABLE_MS + 15_000);
    rig.want(network({ pools: [pool([backend(1, { weight: 50 })])], routes: [] }));
    expect(status(rig.state, rig.now).neighbours).toEqual({ known: 0, missing: ['10.0.0.1'] });
    expect(rig.rows('neighbour')).toHaveLength(1);
    rig.want(network({ pools: [], routes: [] }));
    rig.pass(REACHABLE_MS);
    expect(rig.rows('neighbour')).toEqual([]);
    expect(status(rig.state, rig.now).neighbours).toEqual({ known: 0, missing: [] });
  });

  const client = 0x0a000063;

  test('has not failed to answer while the switch has yet to forget it', () => {
    const rig = heard();
    hear(rig, client, 1);
    rig.isHolding = true;
    rig.pass(REACHABLE_MS + 60_000);
    expect(rig.logged('info')).not.toContain('a neighbour has gone');
    expect(rig.logged('warn')).toEqual([]);
    // The switch catches up: three more questions count.
    rig.isHolding = false;
    rig.answerAll();
    rig.pass(13_000);
    expect(rig.rows('neighbour').map(({ address }) => address)).toContain(client);
    rig.pass(2_000);
    expect(rig.rows('neighbour').map(({ address }) => address)).not.toContain(client);
  });

  test('is asked from the beginning when its answers may have been lost', () => {
    const rig = heard();
    hear(rig, client, 1);
    rig.pass(REACHABLE_MS + 14_000);
    rig.effects.length = 0;
    rig.now += 5_000;
    rig.send({ kind: 'gap' });
    expect(rig.rows('neighbour')).toHaveLength(2);
    expect(solicited(rig)).toEqual([]);
    rig.pass(13_000);
    expect(solicited(rig)).toHaveLength(6);
    expect(rig.rows('neighbour')).toHaveLength(2);
    rig.pass(2_000);
    expect(rig.rows('neighbour')).toHaveLength(1);
  });

  test('is forgotten by the switch before slots are written, and a backend found before them', () => {
    const rig = heard();
    rig.isHolding = true;
    rig.want(network({ pools: [pool([backend(1), backend(2)])], routes: [] }));
    rig.pass(REACHABLE_MS);
    hear(rig, backend(2).address, 1);
    const urgent = [...rig.state.ledger.entries.values()].filter(({ isUrgent }) => isUrgent);
    expect(urgent.map(({ key }) => String(key).split('/')[0]).sort()).toEqual([
      'known_neighbour',
      'known_neighbour',
      'neighbour',
    ]);
  });

  test('and is not needed goes without a word', () => {
    const rig = heard();
    hear(rig, 0x0a000063, 1);
    hear(rig, backend(1).address, 1, 0xbb);
    for (let seconds = 0; seconds < 120; seconds++) {
      rig.pass(1_000);
      if (rig.rows('known_neighbour').every(({ address }) => address !== backend(1).address))
        hear(rig, backend(1).address, 1, 0xbb);
    }
    expect(rig.rows('neighbour').map(({ address }) => address)).toEqual([backend(1).address]);
    expect(status(rig.state, rig.now).problems).toEqual([]);
  });

  test('is believed when the controller is started anew in the midst of its question', () => {
    const rig = heard();
    rig.pass(REACHABLE_MS);
    rig.start(network({ pools: [pool([backend(1)])], routes: [] }));
    expect(rig.rows('known_neighbour')).toHaveLength(1);
    expect(rig.rows('neighbour')).toHaveLength(1);
  });

  test('costs nothing where it is configured', () => {
    const neighbours = [{ address: backend(1).address, mac: 0x11, port: 1 }];
    const rig = new Rig().start(network({ pools: [pool([backend(1)])], routes: [], neighbours }));
    rig.takeUpdates();
    rig.effects.length = 0;
    rig.pass(10 * REACHABLE_MS);
    expect(solicited(rig)).toEqual([]);
    expect(rig.takeUpdates()).toEqual([]);
  });

  test('is asked in its turn where there are many', () => {
    const rig = new Rig({ solicitBatch: 10 }).start(network({ pools: [pool([backend(1)])], routes: [] }));
    for (let host = 1; host <= 100; host++) hear(rig, 0x0a000000 + host, 1, host);
    rig.effects.length = 0;
    // A switch that answers slowly is not asked for more.
    rig.isHolding = true;
    rig.pass(REACHABLE_MS);
    const first = solicited(rig).length;
    expect(first).toBe(10);
    rig.pass(900);
    expect(first + solicited(rig).length).toBe(100);
  });
});

describe('neighbours of both families', () => {
  const own = {
    port: 1,
    address: (0x20010db8n << 96n) | 1n,
    prefixLength: 64,
    mac: 0x020000000001,
    mtu: 1500,
  };
  const there = own.address + 1n;

  test('are asked for from the address of their family', () => {
    const rig = new Rig().start(
      network({ interfaces: [SERVERS, own], routes: [], pools: [pool([backend(1)]), far(there)] }),
    );
    const asked = rig.effects.flatMap((effect) =>
      effect.kind === 'solicit' ? [[effect.address, effect.sourceAddress]] : [],
    );
    expect(asked).toEqual([
      [backend(1).address, SERVERS.address],
      [there, own.address],
    ]);
    hear(rig, there, 1, 0xcc);
    expect(rig.rows('neighbour')).toEqual([
      { table: 'neighbour', address: there, port: 1, sourceMac: own.mac, targetMac: 0xcc, mtu: 1500 },
    ]);
  });

  test('are not mistaken for each other', () => {
    const small = { ...own, address: 2n, prefixLength: 120 };
    const rig = new Rig().start(
      network({ interfaces: [{ ...SERVERS, address: 2, prefixLength: 24 }, small], routes: [], pools: [] }),
    );
    hear(rig, 1, 1, 0xaa);
    hear(rig, 1n, 1, 0xbb);
    expect(rig.rows('neighbour').map(({ address, targetMac }) => [address, targetMac])).toEqual([
      [1, 0xaa],
      [1n, 0xbb],
    ]);
  });

  function far(address: Address) {
    const vip = { address: own.address + 0x100n, protocol: 'tcp', port: 80 } as const;
    return pool([backend(2, { address })], { name: 'far', vip });
  }
});
