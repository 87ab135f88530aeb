// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { servablePools } from './announce.ts';
import type { Address, DesiredPool } from './desired.ts';
import { backend, desired, pool, Rig, VIP } from './testing/rig.ts';

const other = 0x0a630002;
/** Each address once. */
function vipsOf(state: Rig['state']): Address[] | undefined {
  const pools = servablePools(state);
  return pools && [...new Set(pools.map(({ address }) => address))];
}

const started = (...pools: DesiredPool[]) => new Rig().start(desired(...pools));

describe('vips that can be served', () => {
  it('are those of pools with a backend that lives', () => {
    const dead = pool([backend(2, { state: 'down' })], { name: 'dead', vip: { ...VIP, address: other } });
    expect(vipsOf(started(pool([backend(1)]), dead).state)).toEqual([VIP.address]);
  });

  it.each([
    ['a backend that drains', [backend(1, { state: 'draining' })], true],
    ['one of two down', [backend(1, { state: 'down' }), backend(2)], true],
    ['a backend without weight', [backend(1, { weight: 0 })], false],
    ['all down', [backend(1, { state: 'down' }), backend(2, { state: 'down' })], false],
    ['no backend', [], false],
  ])('with %s: %s', (_what, backends, isServable) => {
    expect(vipsOf(started(pool(backends)).state)).toEqual(isServable ? [VIP.address] : []);
  });

  it('keep an address while one of the pools that share it has a backend', () => {
    const dns = pool([backend(3, { state: 'down' })], {
      name: 'dns',
      vip: { ...VIP, protocol: 'udp', port: 53 },
    });
    expect(vipsOf(started(dns, pool([backend(1)])).state)).toEqual([VIP.address]);
  });

  it('do not count while their table is being filled', () => {
    const rig = new Rig();
    rig.isHolding = true;
    rig.start(desired(pool([backend(1)])));
    expect(vipsOf(rig.state)).toEqual([]);
    rig.isHolding = false;
    rig.answerAll();
    expect(vipsOf(rig.state)).toEqual([VIP.address]);
  });

  it('are lost with the last backend, and back with it', () => {
    const rig = started(pool([backend(1)]));
    rig.want(desired(pool([backend(1, { state: 'down' })])));
    rig.pass(60_000);
    expect(vipsOf(rig.state)).toEqual([]);
    rig.want(desired(pool([backend(1)])));
    rig.pass(60_000);
    expect(vipsOf(rig.state)).toEqual([VIP.address]);
  });

  it('are never fewer while a controller takes over a switch that serves', () => {
    const rig = started(pool([backend(1), backend(2)]));
    const known: unknown[] = [];
    const { send } = rig;
    rig.send = (event) => {
      send.call(rig, event);
      const vips = vipsOf(rig.state);
      if (vips !== undefined) known.push(vips);
    };
    rig.start(desired(pool([backend(1), backend(3)])));
    rig.pass(60_000);
    expect(known.length).toBeGreaterThan(3);
    expect(new Set(known.map(String))).toEqual(new Set([String([VIP.address])]));
  });

  it('are not known without a switch', () => {
    const rig = started(pool([backend(1)]));
    rig.send({ kind: 'disconnected' });
    expect(vipsOf(rig.state)).toBeUndefined();
  });
});
