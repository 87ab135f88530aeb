// SPDX-License-Identifier: Apache-2.0
/**
 * SYN floods in the midst of workload W: from random addresses, or from addresses chosen by one who knows the hash, so that
 * every packet falls into an unstable slot and leaves its mark in a filter. Ten seconds before, the operator drains ten servers:
 * what is at risk are their flows that have been silent since. A tenth of the workload's flows, and the whole flood.
 */

import { createWorkload } from '../workload/workload.ts';
import { Evenkeel } from './evenkeel.ts';
import {
  type Case,
  count,
  type Experiment,
  percent,
  type Row,
  type Scale,
  seedsOf,
  withFewerFlows,
} from './experiment.ts';
import { Flooded } from './flooded.ts';
import { stacked } from './pin-window.ts';
import { race } from './race.ts';
import { rivalsOf } from './rivals.ts';
import { scaled } from './scaled.ts';
import { variants } from './variants.ts';

const SYNS_PER_SECOND = [0, 10_000, 100_000, 1_000_000];
/** Long enough for slots to be unstable when the flood begins. */
const FLOOD_FROM_MS = 90_000;
const FLOOD_UNTIL_MS = 100_000;
/** Of the 468 servers so many are taken out of service shortly before: flows of theirs that are silent are at risk. */
const DRAINED = 10;
const DRAIN_AT_MS = 80_000;
const DURATION_MS = 130_000;

export const flood: Experiment = {
  name: 'flood',
  title: 'SYN floods',
  cases: (scale) =>
    seedsOf(scale).flatMap((seed) =>
      ['random', 'aimed'].flatMap((aim) =>
        SYNS_PER_SECOND.map((synsPerSecond) => ({ seed, aim, synsPerSecond })),
      ),
    ),
  // The flood is whole: what it does to filters depends on its rate, and hardly on those who are flooded.
  run: (given, scale) => run(given, withFewerFlows(scale), scale.flows),
  report,
};

function run({ seed, aim, synsPerSecond }: Case, scale: Scale, floodScale: number): Row[] {
  const options = scaled({ seed, updatesPerMinute: 10, durationMs: DURATION_MS }, scale);
  const workload = createWorkload(options);
  const { tables } = rivalsOf(workload, options);
  const { slotCount, durationMs } = options;
  const systems = variants.map(
    (variant) =>
      new Flooded(
        new Evenkeel(workload.traffic.flows, workload.servers, {
          ...variant,
          slotCount,
          countFalsePositives: true,
        }),
        {
          seed,
          vip: workload.traffic.flows.vip,
          isAimed: aim === 'aimed',
          packetsPerSecond: Number(synsPerSecond) * floodScale,
          fromMs: FLOOD_FROM_MS * scale.time,
          untilMs: FLOOD_UNTIL_MS * scale.time,
          drained: Array.from({ length: DRAINED }, (_, server) => server),
          drainAt: DRAIN_AT_MS * scale.time,
        },
      ),
  );
  const { outcomes } = race(workload, tables, systems, { durationMs, sampleMs: 1_000 });
  return systems.map((system, i) => ({
    seed,
    aim: aim!,
    synsPerSecond: synsPerSecond!,
    variant: variants[i]!.name!,
    ...outcomes[i]!,
    floodPackets: system.packets,
    floodPins: system.pinsTaken,
    digests: system.digests,
    falsePositives: system.victims.falsePositives,
    victimPackets: system.victims.packets,
  }));
}

function report(rows: readonly Row[]): string {
  return ['random', 'aimed']
    .map((aim) => {
      const own = rows.filter((row) => row.aim === aim);
      if (own.length === 0) return '';
      const text = stacked(
        own,
        {
          rows: 'measure',
          columns: 'synsPerSecond',
          corner: `${aim}, SYN/s`,
          head: (rate) => Number(rate).toLocaleString('en'),
        },
        [
          ['pins taken by the flood', (row) => Number(row.floodPins), count],
          ['digests raised by the flood', (row) => Number(row.digests), count],
          ['legitimate flows broken', (row) => Number(row.broken), count],
          ['of these by a false positive', (row) => Number(row.misled), count],
          ['legitimate flows refused', (row) => Number(row.refused), count],
          [
            'false positives, % of legitimate packets in unstable slots without a pin',
            (row) => Number(row.falsePositives) / Math.max(1, Number(row.victimPackets)),
            percent(3),
          ],
          ['the same as a number', (row) => Number(row.falsePositives), count],
          ['members of filters, peak', (row) => Number(row.peakFilterMembers), count],
        ],
      );
      return text;
    })
    .join('\n\n');
}
