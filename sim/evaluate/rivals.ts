// SPDX-License-Identifier: Apache-2.0
/** The rivals that race, in the order of the tables. */

import { Cheetah } from '../rivals/cheetah.ts';
import { Glb } from '../rivals/glb.ts';
import { IpvsMh } from '../rivals/ipvs-mh.ts';
import { Jet } from '../rivals/jet.ts';
import { MaglevTables } from '../rivals/maglev-tables.ts';
import { Mhs } from '../rivals/mhs.ts';
import { Souckova } from '../rivals/souckova.ts';
import { StatelessMaglev } from '../rivals/stateless-maglev.ts';
import type { System } from '../rivals/system.ts';
import { TrackedMaglev } from '../rivals/tracked-maglev.ts';
import type { Servers } from '../workload/servers.ts';
import type { Traffic } from '../workload/traffic.ts';

/** A quarter of W's flows, as in JET's replay. */
const LRU_ENTRIES = 25_000;

export function rivalsOf(
  { traffic, servers }: { traffic: Traffic; servers: Servers },
  { slotCount }: { slotCount: number },
  writeMs = 5,
): { tables: MaglevTables; systems: System[] } {
  const { flows } = traffic;
  const tables = new MaglevTables(servers, slotCount);
  return {
    tables,
    systems: [
      new StatelessMaglev(flows, tables),
      new TrackedMaglev(flows, tables, LRU_ENTRIES),
      new TrackedMaglev(flows, tables, Number.POSITIVE_INFINITY),
      new IpvsMh(flows, tables),
      new Mhs(flows, tables),
      new Jet(flows, servers.count),
      new Souckova(flows, servers.count, { digestMs: 1, writeMs, rowMs: 0.25 }),
      new Cheetah(flows, tables),
      new Glb(flows, servers, slotCount, 'unhealthy'),
      new Glb(flows, servers, slotCount, 'inactive'),
    ],
  };
}
