// SPDX-License-Identifier: Apache-2.0
/** Each rival's rule in a sentence, on a handful of servers and flows. */
import { describe, expect, it } from 'vitest';
import { Dice } from '../kernel/dice.ts';
import { FlowTable } from '../workload/flow-table.ts';
import { KilledServers } from '../workload/servers.ts';
import { ACK, FIN, SYN } from '../workload/traffic.ts';
import { vip } from '../workload/workload.ts';
import { AnchorHash } from './anchor-hash.ts';
import { Cheetah } from './cheetah.ts';
import { Glb } from './glb.ts';
import { IpvsMh } from './ipvs-mh.ts';
import { Jet } from './jet.ts';
import { MaglevTables } from './maglev-tables.ts';
import { Mhs } from './mhs.ts';
import { Souckova } from './souckova.ts';
import { StatelessMaglev } from './stateless-maglev.ts';
import type { System } from './system.ts';
import { TrackedMaglev } from './tracked-maglev.ts';

const FLOWS = 2_000;
const SERVERS = 20;
const SLOTS = 1_024;
const SECOND = 1_000;

/** Flows, servers, and one system between them, on which things are done by hand. */
class Bench {
  readonly flows = new FlowTable(FLOWS, vip, SLOTS);
  readonly servers = new KilledServers({
    seed: 1,
    servers: SERVERS,
    updatesPerMinute: 0,
    downtimeSeconds: { draw: () => 0 },
  });
  readonly tables = new MaglevTables(this.servers, SLOTS);
  now = 0;
  readonly #dice = new Dice(1);

  open(system: System, count: number): { flow: number; server: number }[] {
    return Array.from({ length: count }, () => {
      const flow = this.flows.open(this.#dice, this.now);
      return { flow, server: system.packet(flow, SYN, this.now) };
    });
  }

  kill(system: System, server: number): void {
    this.servers.isUp[server] = 0;
    this.tables.invalidate();
    system.serverDown(server, this.now);
  }

  revive(system: System, server: number): void {
    this.servers.isUp[server] = 1;
    this.tables.invalidate();
    system.serverUp(server, this.now);
  }

  /** Flows of living servers whose next packet goes elsewhere. */
  broken(system: System, flows: readonly { flow: number; server: number }[]): number {
    return flows.filter(
      ({ flow, server }) => this.servers.isUp[server] && system.packet(flow, ACK, this.now) !== server,
    ).length;
  }
}

describe('stateless Maglev', () => {
  it('breaks the few flows whose slots move between servers that both live', () => {
    const bench = new Bench();
    const system = new StatelessMaglev(bench.flows, bench.tables);
    const flows = bench.open(system, 1_000);
    bench.kill(system, 3);
    const broken = bench.broken(system, flows);
    expect(broken).toBeGreaterThan(0);
    expect(broken).toBeLessThan(150);
    bench.revive(system, 3);
    expect(bench.broken(system, flows)).toBe(0);
  });
});

describe('tracked Maglev', () => {
  it('keeps every flow that it has room for, and forgets the one that was silent for longest', () => {
    const bench = new Bench();
    const system = new TrackedMaglev(bench.flows, bench.tables, 100);
    const flows = bench.open(system, 1_000);
    expect(system.state().live).toBe(100);
    bench.kill(system, 3);
    expect(bench.broken(system, flows.slice(-100))).toBe(0);
    expect(bench.broken(system, flows.slice(0, 900))).toBeGreaterThan(0);
  });

  it('keeps all when it has room for all, and none of them once it has failed', () => {
    const bench = new Bench();
    const system = new TrackedMaglev(bench.flows, bench.tables, Number.POSITIVE_INFINITY);
    const flows = bench.open(system, 1_000);
    bench.kill(system, 3);
    expect(bench.broken(system, flows)).toBe(0);
    system.packet(flows[0]!.flow, FIN);
    expect(system.state().live).toBe(999);
    system.failOver();
    expect(system.state().live).toBe(0);
    expect(bench.broken(system, flows)).toBeGreaterThan(0);
  });
});

describe('IPVS mh', () => {
  it('holds an entry for every flow, and two minutes longer than the flow', () => {
    const bench = new Bench();
    const system = new IpvsMh(bench.flows, bench.tables);
    const [first, ...others] = bench.open(system, 10);
    system.packet(first!.flow, FIN, 0);
    expect(system.state(0)).toMatchObject({ live: 9, held: 10 });
    expect(system.state(119 * SECOND).held).toBe(10);
    expect(system.state(121 * SECOND).held).toBe(9);
    bench.kill(system, others[0]!.server);
    expect(bench.broken(system, others)).toBe(0);
  });

  it('forgets a flow that is silent for fifteen minutes', () => {
    const bench = new Bench();
    const system = new IpvsMh(bench.flows, bench.tables);
    const flows = bench.open(system, 1_000);
    bench.kill(system, 3);
    bench.now = 901 * SECOND;
    expect(bench.broken(system, flows)).toBeGreaterThan(0);
  });
});

describe('MHS', () => {
  const unstable = (bench: Bench, system: Mhs) => {
    const before = bench.tables.current;
    bench.kill(system, 3);
    const after = bench.tables.current;
    return (flow: number) => before[bench.flows.slot[flow]!] !== after[bench.flows.slot[flow]!];
  };

  it('holds nothing as long as nothing changes', () => {
    const bench = new Bench();
    const system = new Mhs(bench.flows, bench.tables);
    const flows = bench.open(system, 1_000);
    expect(bench.broken(system, flows)).toBe(0);
    expect(system.state(0)).toMatchObject({ live: 0, held: 0, unstableSlots: 0 });
  });

  it('pins both old and new flows of an unstable slot, and no others', () => {
    const bench = new Bench();
    const system = new Mhs(bench.flows, bench.tables);
    const old = bench.open(system, 500);
    const isUnstable = unstable(bench, system);
    const fresh = bench.open(system, 500);
    expect(bench.broken(system, [...old, ...fresh])).toBe(0);
    for (const { flow } of old) system.packet(flow, ACK, 0);
    const expected = [...old, ...fresh].filter(({ flow }) => isUnstable(flow)).length;
    expect(expected).toBeGreaterThan(40);
    expect(system.state(0).live).toBe(expected);
  });

  it('is stable at once when the old table returns', () => {
    const bench = new Bench();
    const system = new Mhs(bench.flows, bench.tables);
    bench.kill(system, 3);
    expect(system.state(0).unstableSlots).toBeGreaterThan(40);
    bench.revive(system, 3);
    expect(system.state(0).unstableSlots).toBe(0);
  });

  it('merges a slot at its first packet after 15 minutes, which a second change does not postpone', () => {
    const bench = new Bench();
    const system = new Mhs(bench.flows, bench.tables);
    const isUnstable = unstable(bench, system);
    bench.now = 600 * SECOND;
    bench.kill(system, 4);
    bench.now = 899 * SECOND;
    const late = bench.open(system, 500).filter(({ flow }) => isUnstable(flow));
    expect(system.state(bench.now).live).toBeGreaterThan(late.length - 1);
    const before = system.state(bench.now).unstableSlots;
    bench.now = 901 * SECOND;
    bench.open(system, 500);
    expect(system.state(bench.now).unstableSlots).toBeLessThan(before);
  });

  it('loses old flows of unstable slots when the balancer fails', () => {
    const bench = new Bench();
    const system = new Mhs(bench.flows, bench.tables);
    bench.open(system, 1);
    bench.kill(system, 3);
    const fresh = bench.open(system, 1_000);
    expect(bench.broken(system, fresh)).toBe(0);
    system.failOver();
    expect(bench.broken(system, fresh)).toBeGreaterThan(0);
  });
});

describe('JET', () => {
  it('tracks the flows that an addition from the horizon would move: about a tenth', () => {
    const bench = new Bench();
    const system = new Jet(bench.flows, SERVERS);
    bench.open(system, 1_000);
    expect(system.state().live).toBeGreaterThan(50);
    expect(system.state().live).toBeLessThan(140);
  });

  it('breaks nothing when servers leave and as many return', () => {
    const bench = new Bench();
    const system = new Jet(bench.flows, SERVERS);
    const flows = bench.open(system, 1_000);
    for (const server of [3, 7, 9]) bench.kill(system, server);
    expect(bench.broken(system, flows)).toBe(0);
    const later = bench.open(system, 500);
    for (const server of [7, 3]) bench.revive(system, server);
    bench.servers.isUp[3] = 0;
    bench.servers.isUp[7] = 0;
    expect(bench.broken(system, [...flows, ...later])).toBe(0);
  });

  it('hashes so that removing a bucket moves its own keys only, and adding it brings them back', () => {
    const anchor = new AnchorHash(50, 100);
    const keys = Array.from({ length: 5_000 }, (_, i) => Math.imul(i, 2654435761));
    const find = () => keys.map((key) => anchor.find(key, 0));
    const before = find();
    anchor.remove(17);
    anchor.remove(31);
    const after = find();
    before.forEach((bucket, i) => {
      if (bucket !== 17 && bucket !== 31) expect(after[i]).toBe(bucket);
      else expect([17, 31]).not.toContain(after[i]);
    });
    expect([anchor.add(), anchor.add()]).toEqual([31, 17]);
    expect(find()).toEqual(before);
    const counts = new Array<number>(50).fill(0);
    for (const bucket of before) counts[bucket]!++;
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(145);
  });
});

describe("Součková's balancer", () => {
  const options = { digestMs: 1, writeMs: 5, rowMs: 0.25 };

  it('writes an entry for every flow, which never leaves', () => {
    const bench = new Bench();
    const system = new Souckova(bench.flows, SERVERS, options);
    const flows = bench.open(system, 10);
    expect(system.state(0)).toMatchObject({ held: 0, filterMembers: 10 });
    expect(system.state(10)).toMatchObject({ held: 10, live: 10 });
    for (const { flow } of flows) system.packet(flow, FIN, 20);
    expect(system.state(20)).toMatchObject({ held: 10, live: 0 });
  });

  it('bridges the time until the entry is written with the filter of the version', () => {
    const bench = new Bench();
    const system = new Souckova(bench.flows, SERVERS, { ...options, writeMs: 10_000 });
    const flows = bench.open(system, 50);
    bench.kill(system, 3);
    bench.now = 5_000;
    system.state(bench.now);
    expect(bench.broken(system, flows)).toBe(0);
    expect(system.state(bench.now).held).toBe(0);
  });

  it('breaks flows once filters that are full claim them for another version', () => {
    const bench = new Bench();
    const system = new Souckova(bench.flows, SERVERS, { ...options, writeMs: 1e9 });
    const old = bench.open(system, 1_000);
    bench.now = 1_000;
    bench.kill(system, 3);
    bench.now = 2_000;
    bench.open(system, 900);
    expect(bench.broken(system, old)).toBeGreaterThan(0);
  });
});

describe('Cheetah', () => {
  it('remembers nothing and breaks nothing: the client brings the cookie', () => {
    const bench = new Bench();
    const system = new Cheetah(bench.flows, bench.tables);
    const flows = bench.open(system, 1_000);
    bench.kill(system, 3);
    bench.kill(system, 4);
    expect(bench.broken(system, flows)).toBe(0);
    expect(system.state().held).toBe(0);
  });
});

describe('GLB', () => {
  it('survives one change of a row: the second choice is asked', () => {
    const bench = new Bench();
    const system = new Glb(bench.flows, bench.servers, SLOTS, 'inactive');
    const before = bench.open(system, 500);
    bench.kill(system, 3);
    expect(bench.broken(system, before)).toBe(0);
    const between = bench.open(system, 500);
    bench.revive(system, 3);
    expect(bench.broken(system, [...before, ...between])).toBe(0);
  });

  it('does not survive two changes of a row', () => {
    const bench = new Bench();
    const system = new Glb(bench.flows, bench.servers, SLOTS, 'inactive');
    for (const server of [1, 2, 3, 4, 5, 6]) bench.kill(system, server);
    const flows = bench.open(system, 1_500);
    for (const server of [1, 2, 3, 4, 5, 6]) bench.revive(system, server);
    expect(bench.broken(system, flows)).toBeGreaterThan(0);
  });

  it('keeps the ranking when a server is only unhealthy: nothing breaks, and rows of two dead servers serve nobody', () => {
    const bench = new Bench();
    const system = new Glb(bench.flows, bench.servers, SLOTS, 'unhealthy');
    for (const server of [1, 2, 3, 4, 5, 6]) bench.kill(system, server);
    const flows = bench.open(system, 1_500);
    expect(flows.filter(({ server }) => !bench.servers.isUp[server]).length).toBeGreaterThan(50);
    for (const server of [1, 2, 3, 4, 5, 6]) bench.revive(system, server);
    const alive = flows.filter(({ server }) => server > 6 || server === 0);
    expect(bench.broken(system, alive)).toBe(0);
  });
});
