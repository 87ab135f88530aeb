// SPDX-License-Identifier: Apache-2.0
/**
 * The charts of MHS: connections of a second, and a share of the servers that come and go all the time. Its authors publish
 * neither the number of servers nor how fast they flap; here they are 100, and those that flap are down for 10 s and up for
 * 10 s, out of step with each other.
 */

import { diceOf } from '../kernel/dice.ts';
import { IpvsMh } from '../rivals/ipvs-mh.ts';
import { MaglevTables } from '../rivals/maglev-tables.ts';
import { Mhs } from '../rivals/mhs.ts';
import { FlappingServers } from '../workload/servers.ts';
import { Traffic } from '../workload/traffic.ts';
import { vip, workloadW } from '../workload/workload.ts';
import {
  type Case,
  count,
  type Experiment,
  percent,
  pivot,
  type Row,
  type Scale,
  seedsOf,
  withFewerFlows,
} from './experiment.ts';
import { race } from './race.ts';
import { createVariants } from './variants.ts';

const SERVERS = 100;
const DURATION_MS = 40_000;
const HALF_PERIOD_MS = 10_000;
const ARRIVALS = [50_000, 100_000, 250_000];
const FLAPPING_PERCENT = [0, 1, 10];
/** An entry lives as long as its connection: states are then connections a second, as in the charts. */
const timeouts = { idleMs: 900_000, finMs: 0, resetMs: 0 };

export const flapping: Experiment = {
  name: 'flapping',
  title: "MHS's charts: short connections, flapping servers",
  cases: (scale) =>
    seedsOf(scale).flatMap((seed) =>
      ARRIVALS.flatMap((arrivals) =>
        FLAPPING_PERCENT.map((flappingPercent) => ({ seed, arrivals, flappingPercent })),
      ),
    ),
  // A tenth of the connections: filters of the same size then mistake fewer flows than they would with all.
  run: (given, scale) => run(given, withFewerFlows(scale)),
  report,
};

function run({ seed, arrivals, flappingPercent }: Case, scale: Scale): Row[] {
  const { slotCount, roundTripMs } = workloadW;
  const traffic = new Traffic({
    seed,
    vip,
    slotCount,
    concurrentFlows: Math.round(Number(arrivals) * scale.flows),
    flowSeconds: { mean: 1, draw: () => 1, drawBiased: () => 1 },
    packets: () => 3,
    packetGapMs: 1_000,
    roundTripMs,
  });
  const servers = new FlappingServers({
    servers: SERVERS,
    flapping: (SERVERS * Number(flappingPercent)) / 100,
    halfPeriodMs: HALF_PERIOD_MS,
    dice: diceOf(seed, 'servers'),
  });
  const workload = { traffic, servers };
  const tables = new MaglevTables(servers, slotCount);
  const systems = [
    new IpvsMh(traffic.flows, tables, timeouts),
    new Mhs(traffic.flows, tables, timeouts),
    ...createVariants(workload, { slotCount }),
  ];
  const { outcomes } = race(workload, tables, systems, {
    durationMs: Math.max(20_000, DURATION_MS * scale.time),
    sampleMs: 1_000,
  });
  return outcomes.map((outcome) => ({
    seed,
    arrivals: arrivals!,
    flappingPercent: flappingPercent!,
    share: scale.flows,
    ...outcome,
  }));
}

function report(rows: readonly Row[]): string {
  const labelled = rows.map((row) => ({
    ...row,
    label: `${row.system}, ${row.flappingPercent} % flapping`,
  }));
  const byArrivals = {
    rows: 'label',
    columns: 'arrivals',
    corner: 'connections/s',
    head: (arrivals: string | number) => Number(arrivals).toLocaleString('en'),
  };
  const states = { ...byArrivals, value: statesOf, format: count };
  const broken = { ...byArrivals, value: brokenOf, format: percent(4) };
  return [
    'States, mean. A tenth of the connections was simulated; the figures are ten times what was found.',
    pivot(labelled, states),
    'Broken, % of all connections.',
    pivot(labelled, broken),
  ].join('\n\n');
}

/** As many as there would be with all connections. */
function statesOf({ meanLive, share }: Row): number {
  return Number(meanLive) / Number(share);
}

function brokenOf({ broken, flows }: Row): number {
  return Number(broken) / Number(flows);
}
