// SPDX-License-Identifier: Apache-2.0
/** What a pool may ask of the data plane beyond its table: families, forwarding, affinity, hints, fragments. */
import { describe, expect, test } from 'vitest';
import type { DesiredPool } from './desired.ts';
import { explain } from './explain.ts';
import { type Flow, flowHash } from './flow-hash.ts';
import { status } from './status.ts';
import { backend, desired, pool, Rig, VIP } from './testing/rig.ts';

const NET = 0x20010db8n << 96n;
const VIP_IPV6 = { address: NET + 0x100n, protocol: 'tcp', port: 80 } as const;
const ipv6Backend = (number: number) => backend(number, { address: NET + BigInt(number) });
const ipv6Pool = (changes: Partial<DesiredPool> = {}) =>
  pool([ipv6Backend(1), ipv6Backend(2)], { name: 'web6', vip: VIP_IPV6, ...changes });
const flowOf = (sourcePort: number, source = NET + 0x99n): Flow => {
  return { sourceAddress: source, sourcePort, targetAddress: VIP_IPV6.address, protocol: 6, targetPort: 80 };
};
const ID = (value: bigint) => ({ value: value << 32n, mask: 0xffff_ffff_ffff_ffffn });

describe('an IPv6 pool', () => {
  test('lives beside an IPv4 pool, and a change of it breaks no connection', () => {
    const rig = new Rig().start(desired(pool([backend(1), backend(2)]), ipv6Pool()));
    const flows = Array.from({ length: 200 }, (_, i) => flowOf(1_024 + i));
    for (const flow of flows) rig.packet(flow, 'syn');
    const before = flows.map((flow) => rig.packet(flow, 'ack').backend);
    expect(new Set(before).size).toBe(2);

    const backends = [ipv6Backend(1), ipv6Backend(2), ipv6Backend(3)];
    rig.want(desired(pool([backend(1), backend(2)]), ipv6Pool({ backends })));
    rig.pass(1_500);
    expect(flows.map((flow) => rig.packet(flow, 'ack').backend)).toEqual(before);
    expect(rig.rows('pin').length).toBeGreaterThan(0);
    expect(rig.rows('pin').every(({ sourceAddress }) => sourceAddress === NET + 0x99n)).toBe(true);
    expect(new Set(flows.map((_, i) => rig.packet(flowOf(9_000 + i), 'syn').backend)).size).toBe(3);

    // A new controller finds everything as it should be.
    const pins = rig.rows('pin').length;
    rig.takeUpdates();
    rig.start(desired(pool([backend(1), backend(2)]), ipv6Pool({ backends })));
    expect(rig.rows('pin')).toHaveLength(pins);
    expect(flows.map((flow) => rig.packet(flow, 'ack').backend)).toEqual(before);
  });

  test('answers by a return path of its family', () => {
    const rig = new Rig().start(desired(ipv6Pool()));
    expect(rig.rows('return_path').map(({ address, vipAddress }) => [address, vipAddress])).toEqual([
      [NET + 1n, VIP_IPV6.address],
      [NET + 2n, VIP_IPV6.address],
    ]);
  });

  test('is explained as an IPv4 pool is', () => {
    const rig = new Rig().start(desired(ipv6Pool()));
    const { sourceAddress, sourcePort, targetAddress: vipAddress, targetPort: vipPort } = flowOf(1_024);
    const { slot, stable, outcomes } = explain(rig.state, {
      ...{ sourceAddress, sourcePort, vipAddress, vipPort, protocol: 'tcp' },
    });
    expect(slot).toBe(flowHash(flowOf(1_024), 15).slot);
    expect(stable).toBe(true);
    const { backend: id } = rig.packet(flowOf(1_024), 'syn');
    const { address } = rig.rows('backend').find((row) => row.backend === id)!;
    expect(outcomes).toEqual([{ backend: address === NET + 1n ? 'b1' : 'b2', when: 'always' }]);
    expect(
      explain(rig.state, { sourceAddress: 1, sourcePort, vipAddress, vipPort, protocol: 'tcp' }).pool,
    ).toBeUndefined();
    expect(status(rig.state, rig.now).pools[0]).toMatchObject({ address: '2001:db8::100', isDead: false });
  });
});

describe('forwarding', () => {
  test.each([
    ['l2_dsr', 0],
    ['ipip', 0],
    ['gre', 0],
    ['gue', 6080],
  ] as const)('by %s needs no return path, and survives a restart', (forwarding, port) => {
    const backends = [backend(1, { port: 80 }), backend(2, { port: 80 })];
    const wish = desired(pool(backends, { forwarding, guePort: 6080 }));
    const rig = new Rig().start(wish);
    expect(rig.rows('backend').map((row) => [row.forwarding, row.port])).toEqual([
      [forwarding, port],
      [forwarding, port],
    ]);
    expect(rig.rows('return_path')).toEqual([]);
    rig.takeUpdates();
    rig.start(wish);
    expect(rig.takeUpdates()).toEqual([]);
  });

  test('by tunnel takes backends of the other family', () => {
    const rig = new Rig().start(desired(pool([ipv6Backend(1)], { forwarding: 'gre' })));
    expect(rig.rows('backend')[0]).toMatchObject({ forwarding: 'gre', address: NET + 1n });
  });

  test('lets two vips share a backend where packets are not translated', () => {
    const shared = [backend(1, { port: 80 })];
    const other = { ...VIP, address: VIP.address + 1 };
    const rig = new Rig().start(
      desired(pool(shared), pool(shared, { name: 'tunnel', vip: other, forwarding: 'ipip' })),
    );
    expect(rig.rows('return_path').map(({ vipAddress }) => vipAddress)).toEqual([VIP.address]);
    expect(status(rig.state, rig.now).problems).toEqual([]);
  });

  test('that changes is changed for every backend, those that leave included', () => {
    const backends = [backend(1, { port: 80 }), backend(2, { port: 80 })];
    const rig = new Rig().start(desired(pool(backends)));
    expect(rig.rows('return_path')).toHaveLength(2);
    rig.want(desired(pool(backends.slice(0, 1), { forwarding: 'gue', guePort: 6080 })));
    expect(rig.rows('backend').map((row) => row.forwarding)).toEqual(['gue', 'gue']);
    expect(rig.rows('return_path')).toEqual([]);
    expect(rig.logged('warn')).toContain('forwarding has changed: connections of before are cut');
    rig.want(desired(pool(backends.slice(0, 1))));
    expect(rig.rows('return_path')).toHaveLength(2);
  });
});

describe('a backend that two pools have had', () => {
  test('answers for the one that still has it', () => {
    const other = { ...VIP, address: VIP.address + 1 };
    const both = [backend(1), backend(2)];
    const rig = new Rig().start(desired(pool(both)));
    // Moved by one edit: the first pool lets go of it when its flows are gone.
    rig.want(desired(pool([backend(2)]), pool([backend(1)], { name: 'other', vip: other })));
    rig.pass(600_000);
    expect(rig.rows('return_path').find(({ address }) => address === backend(1).address)?.vipAddress).toBe(
      other.address,
    );
  });
});

describe('affinity', () => {
  const affine = (number: number) =>
    ipv6Pool({ affinity: 'source', backends: Array.from({ length: number }, (_, i) => ipv6Backend(i + 1)) });

  test('sends all flows of a source to one backend', () => {
    const rig = new Rig().start(desired(affine(4)));
    for (let source = 1n; source <= 20n; source++) {
      const flows = Array.from({ length: 10 }, (_, i) => flowOf(1_024 + i, NET + (source << 64n)));
      expect(new Set(flows.map((flow) => rig.packet(flow, 'syn').backend)).size).toBe(1);
    }
  });

  test('follows a change with new connections only, and finds the slots of its pins again', () => {
    const rig = new Rig().start(desired(affine(4)));
    const sources = Array.from({ length: 64 }, (_, i) => NET + (BigInt(i + 1) << 64n));
    const old = sources.map((source) => flowOf(1_024, source));
    for (const flow of old) rig.packet(flow, 'syn');
    const before = old.map((flow) => rig.packet(flow, 'ack').backend);
    rig.want(desired(affine(8)));
    rig.pass(1_500);
    for (const flow of old) rig.packet(flow, 'ack');
    rig.start(desired(affine(8)));
    expect(old.map((flow) => rig.packet(flow, 'ack').backend)).toEqual(before);
    const after = sources.map((source) => rig.packet(flowOf(2_048, source), 'syn').backend);
    expect(after).not.toEqual(before);
    rig.pass(600_000);
    expect(rig.unstableSlots()).toBe(0);
    // Those that live elsewhere than their slot keep their pins, and only those.
    const disagreeing = old.filter(
      (flow, i) =>
        rig.switch.backendOfNewFlow(rig.rows('vip')[0]!.pool, flowHash(flow, 15, 'source').slot) !==
        before[i],
    );
    expect(rig.rows('pin')).toHaveLength(disagreeing.length);
  });

  test('that changes makes another pool of it', () => {
    const rig = new Rig().start(desired(ipv6Pool()));
    const [{ pool: id } = { pool: 0 }] = rig.rows('vip');
    rig.want(desired(ipv6Pool({ affinity: 'source' })));
    const [row] = rig.rows('vip');
    expect(row).toMatchObject({ affinity: 'source' });
    expect(row!.pool).not.toBe(id);
  });
});

describe('server ids', () => {
  const named = (number: number, changes = {}) =>
    backend(number, { serverId: ID(BigInt(number)), ...changes });
  const hinting = (...backends: DesiredPool['backends']) =>
    desired(pool([...backends], { hint: 'tcp_option' }));
  const names = (rig: Rig) =>
    rig
      .rows('server_id')
      .map(({ value, backend: id }) => [value >> 32n, id])
      .sort();

  test('name backends that live, and those that are dead as nobody', () => {
    const rig = new Rig().start(hinting(named(1), named(2), named(3, { state: 'draining' })));
    expect(names(rig)).toEqual([
      [1n, 1],
      [2n, 2],
      [3n, 3],
    ]);
    rig.want(hinting(named(1, { state: 'down' }), named(2), named(3, { state: 'draining' })));
    expect(names(rig)).toEqual([
      [1n, 0],
      [2n, 2],
      [3n, 3],
    ]);
    rig.takeUpdates();
    rig.start(hinting(named(1, { state: 'down' }), named(2), named(3, { state: 'draining' })));
    expect(rig.takeUpdates().filter(({ row }) => row.table === 'server_id')).toEqual([]);
  });

  test('of a backend that leaves go before it is forgotten', () => {
    const rig = new Rig().start(hinting(named(1), named(2)));
    rig.want(hinting(named(1)));
    expect(names(rig)).toEqual([
      [1n, 1],
      [2n, 2],
    ]);
    const order: string[] = [];
    rig.takeUpdates();
    rig.pass(600_000);
    for (const { operation, row } of rig.takeUpdates())
      if (operation === 'delete' && (row.table === 'server_id' || row.table === 'backend'))
        order.push(row.table);
    expect(order).toEqual(['server_id', 'backend']);
    expect(names(rig)).toEqual([[1n, 1]]);
  });

  test('may pass from one that leaves to one that comes', () => {
    const rig = new Rig().start(hinting(named(1), named(2)));
    rig.want(hinting(named(1), named(3, { serverId: ID(2n) })));
    expect(names(rig)).toEqual([
      [1n, 1],
      [2n, 3],
    ]);
    rig.pass(600_000);
    expect(names(rig)).toEqual([
      [1n, 1],
      [2n, 3],
    ]);
  });

  test('are of no use without a hint, and go with the pool', () => {
    const rig = new Rig().start(hinting(named(1)));
    rig.want(desired(pool([named(1)])));
    expect(names(rig)).toEqual([]);
    rig.want(hinting(named(1)));
    expect(names(rig)).toHaveLength(1);
    rig.want(desired());
    rig.pass(1_000);
    expect(rig.rows('server_id')).toEqual([]);
    expect(rig.rows('backend')).toEqual([]);
  });
});

describe('fragments', () => {
  test('have a row of their own where a pool takes them', () => {
    const rig = new Rig().start(desired(ipv6Pool({ fragments: 'hash', whenDead: 'reset' })));
    const [{ pool: id } = { pool: 0 }] = rig.rows('vip');
    expect(rig.rows('vip_fragment')).toEqual([
      {
        ...{ table: 'vip_fragment', address: VIP_IPV6.address, protocol: 6, pool: id, slotMask: 15 },
        ...{ affinity: 'none', whenDead: 'reset', byPrefix: false },
      },
    ]);
    rig.want(desired(ipv6Pool()));
    expect(rig.rows('vip_fragment')).toEqual([]);
  });

  test('go with their pool, and to the pool that follows it', () => {
    const rig = new Rig().start(desired(ipv6Pool({ fragments: 'hash' })));
    rig.want(desired(ipv6Pool({ fragments: 'hash', affinity: 'source' })));
    rig.pass(1_000);
    expect(rig.rows('vip_fragment')).toMatchObject([{ affinity: 'source', pool: rig.rows('vip')[0]!.pool }]);
    rig.want(desired());
    rig.pass(1_000);
    expect(rig.rows('vip_fragment')).toEqual([]);
    expect(rig.rows('slot')).toEqual([]);
  });
});

describe('a pool without a live backend', () => {
  test('is dead: its vip says what its clients are told, and status says so', () => {
    const rig = new Rig().start(desired(pool([backend(1)], { whenDead: 'unreachable' })));
    expect(rig.rows('vip')[0]).toMatchObject({ whenDead: 'unreachable' });
    expect(status(rig.state, rig.now).pools[0]!.isDead).toBe(false);
    rig.want(desired(pool([backend(1, { state: 'down' })], { whenDead: 'reset' })));
    rig.pass(5_000);
    expect(rig.rows('vip')[0]).toMatchObject({ whenDead: 'reset' });
    expect(status(rig.state, rig.now).pools[0]!.isDead).toBe(true);
    // The switch answers for slots that nobody has.
    expect(rig.rows('slot').filter((row) => row.backend !== 0)).toEqual([]);
  });
});

describe.each([
  ['IPv4', 0x0b000001, 0x0a630035, (number: number) => backend(number, { port: 53 })],
  [
    'IPv6',
    NET + 0x99n,
    NET + 0x53n,
    (number: number) => backend(number, { address: NET + BigInt(number), port: 53 }),
  ],
] as const)('a UDP pool of %s', (_, source, address, server) => {
  const vip = { address, protocol: 'udp', port: 53 } as const;
  const dns = (count: number) => {
    const backends = Array.from({ length: count }, (_each, i) => server(i + 1));
    return desired(pool(backends, { vip, sessionTimeoutMs: 30_000 }));
  };
  const flows = Array.from({ length: 100 }, (_each, i): Flow => {
    return {
      sourceAddress: source,
      sourcePort: 1_024 + i,
      targetAddress: address,
      protocol: 17,
      targetPort: 53,
    };
  });
  const speak = (rig: Rig, which: readonly Flow[]) => which.map((flow) => rig.packet(flow, 'ack').backend);

  test('keeps flows that speak while a change is prepared, and takes the silent for new', () => {
    const rig = new Rig().start(dns(2));
    const [talkers, silent] = [flows.slice(0, 50), flows.slice(50)];
    const before = speak(rig, talkers);
    const silentBefore = speak(rig, silent);
    rig.want(dns(4));
    // The window before the commit; the second packet of a flow speaks for it.
    for (let i = 0; i < 8; i++) {
      rig.pass(400);
      expect(speak(rig, talkers)).toEqual(before);
    }
    expect(status(rig.state, rig.now).commits).toHaveLength(1);
    const moved = speak(rig, silent).filter((each, i) => each !== silentBefore[i]);
    expect(moved.length).toBeGreaterThan(10);
    expect(rig.rows('pin').length).toBeGreaterThan(0);
    expect(rig.rows('pin').every(({ idleTimeoutMs }) => idleTimeoutMs === 30_000)).toBe(true);
  });

  test('forgets flows after its own idle timeout', () => {
    const rig = new Rig().start(dns(2));
    speak(rig, flows);
    rig.want(dns(4));
    for (let i = 0; i < 8; i++) {
      rig.pass(400);
      speak(rig, flows);
    }
    expect(rig.rows('pin').length).toBeGreaterThan(0);
    for (let i = 0; i < 10; i++) {
      rig.pass(10_000);
      for (const { pool: id, sourceAddress, sourcePort } of rig.switch.idlePins(rig.now))
        rig.send({ kind: 'pin-idle', pool: id, sourceAddress, sourcePort });
    }
    expect(rig.rows('pin')).toEqual([]);
    expect(rig.unstableSlots()).toBe(0);
  });

  test('is not filled with pins by single packets', () => {
    const rig = new Rig().start(dns(2));
    rig.want(dns(4));
    rig.pass(500);
    expect(rig.unstableSlots()).toBeGreaterThan(0);
    speak(rig, flows);
    expect(rig.rows('pin')).toEqual([]);
  });
});
