// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Desired } from './desired.ts';
import { nextHopOf } from './network.ts';
import { backend, pool, Rig, VIP } from './testing/rig.ts';

const SERVERS = { port: 1, address: 0x0a0000fe, prefixLength: 24, mac: 0x020000000001 };
const UPLINK = { port: 2, address: 0x0b0000fe, prefixLength: 24, mac: 0x020000000002 };
const ROUTER = 0x0b000001;
const FAR = backend(1, { address: 0x0c000001 });
const network = (changes: Partial<Desired> = {}): Desired => ({
  pools: [pool([backend(1), backend(2)])],
  interfaces: [SERVERS, UPLINK],
  routes: [{ prefix: 0, prefixLength: 0, nextHop: ROUTER }],
  neighbours: [],
  ...changes,
});
const solicited = (rig: Rig): number[] =>
  rig.effects.splice(0).flatMap((effect) => (effect.kind === 'solicit' ? [effect.address] : []));
const hear = (rig: Rig, address: number, port: number, mac = 0x0200000000aa): void =>
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
    rig.pass(600_000);
    expect(solicited(rig)).toEqual([]);
    expect(rig.rows('neighbour')).toContainEqual({
      table: 'neighbour',
      address: ROUTER,
      port: 2,
      sourceMac: UPLINK.mac,
      targetMac: 0x0200000000aa,
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
