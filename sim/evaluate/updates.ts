// SPDX-License-Identifier: Apache-2.0
/** Workload W at different rates of updates: what breaks, and how much is remembered for it. */

import { createWorkload } from '../workload/workload.ts';
import type { EvenkeelOptions } from './evenkeel.ts';
import {
  type Case,
  casesOf,
  count,
  type Experiment,
  percent,
  pivot,
  type Row,
  type Scale,
  withFewerFlows,
  withFewerSeeds,
} from './experiment.ts';
import { race } from './race.ts';
import { rivalsOf } from './rivals.ts';
import { scaled } from './scaled.ts';
import { createVariants, seatRules, variants } from './variants.ts';

const RATES = [1, 5, 10, 20, 40, 80];
/** With all seeds; the others with fewer. */
const MAIN_RATES = [1, 10, 40];

export const updates: Experiment = {
  name: 'updates',
  title: 'Workload W: servers die and return',
  cases: (scale) => {
    const { seeds } = withFewerSeeds(scale);
    return casesOf('updatesPerMinute', RATES, scale).filter(
      ({ seed, updatesPerMinute }) => seed <= seeds || MAIN_RATES.includes(Number(updatesPerMinute)),
    );
  },
  run: (given, scale) => run(given, withFewerFlows(scale), variants),
  report,
};

/** One seed with all its flows, because the share of false positives depends on their number; and our rules for seats. */
export const updatesWhole: Experiment = {
  name: 'updates-whole',
  title: 'Workload W, whole, with and without seats',
  cases: (scale) => casesOf('updatesPerMinute', [10, 40], { ...scale, seeds: 1 }),
  run: (given, scale) => run(given, scale, seatRules),
  report,
};

function run(
  { seed, updatesPerMinute }: Case,
  scale: Scale,
  chosen: readonly Partial<EvenkeelOptions>[],
): Row[] {
  const options = scaled({ seed, updatesPerMinute: Number(updatesPerMinute) }, scale);
  const workload = createWorkload(options);
  const { tables, systems } = rivalsOf(workload, options);
  const ours = createVariants(workload, options, chosen);
  const result = race(workload, tables, [...systems, ...ours], { durationMs: options.durationMs });
  return result.outcomes.map((outcome) => ({
    seed,
    updatesPerMinute: updatesPerMinute!,
    concurrentFlows: options.concurrentFlows,
    ...outcome,
  }));
}

function report(rows: readonly Row[]): string {
  const of = (key: string) => (row: Row) => Number(row[key]);
  const ofFlows = (key: string) => (row: Row) => Number(row[key]) / Number(row.flows);
  const ofConcurrent = (key: string) => (row: Row) => Number(row[key]) / Number(row.concurrentFlows);
  const byRate = { rows: 'system', columns: 'updatesPerMinute', corner: 'updates/min' };
  const ours = seatRules.map(({ name }) => name!);
  const parts: [string, string][] = [
    [
      'Broken, % of all flows. Flows whose server died are not among them.',
      pivot(rows, { ...byRate, value: ofFlows('broken'), format: percent(4) }),
    ],
    [
      'Broken by a false positive of a filter: a number of flows.',
      pivot(
        rows.filter(({ system }) => ours.includes(String(system))),
        { ...byRate, value: of('misled'), format: count },
      ),
    ],
    [
      'Broken by anything else: a number of flows.',
      pivot(
        rows.filter(({ system }) => ours.includes(String(system))),
        { ...byRate, value: (row) => Number(row.broken) - Number(row.misled), format: count },
      ),
    ],
    [
      'Entries of flows that are alive, mean, % of concurrent flows.',
      pivot([...rows, ...goals(rows)], { ...byRate, value: ofConcurrent('meanLive'), format: percent(1) }),
    ],
    [
      'The same at its peak.',
      pivot(rows, { ...byRate, value: ofConcurrent('peakLive'), format: percent(1) }),
    ],
    [
      'Entries held, those of flows that have ended included, mean, % of concurrent flows.',
      pivot(rows, { ...byRate, value: ofConcurrent('meanHeld'), format: percent(1) }),
    ],
    [
      'Refused, % of all flows: the SYN went to a server that was down.',
      pivot(rows, { ...byRate, value: ofFlows('refused'), format: percent(4) }),
    ],
    [
      'Lost with their servers, % of all flows.',
      pivot(rows, { ...byRate, value: ofFlows('lost'), format: percent(2) }),
    ],
    [
      'Rows written a second, where a controller writes them.',
      pivot(rows.filter(of('writesPerSecond')), { ...byRate, value: of('writesPerSecond'), format: count }),
    ],
    [
      'Unstable slots, mean.',
      pivot(rows.filter(of('peakUnstableSlots')), {
        ...byRate,
        value: of('meanUnstableSlots'),
        format: count,
      }),
    ],
    [
      'Members of filters, mean.',
      pivot(rows.filter(of('peakFilterMembers')), {
        ...byRate,
        value: of('meanFilterMembers'),
        format: count,
      }),
    ],
  ];
  return parts.map(([caption, text]) => `${caption}\n\n${text}`).join('\n\n');
}

/** What we want to stay below: shares of what MHS has in the same run. */
function goals(rows: readonly Row[]): Row[] {
  const mhs = rows.filter(({ system }) => system === 'MHS');
  return [
    ['*goal for a switch: a quarter of MHS*', 0.25] as const,
    ['*goal for a group: 70 % of MHS*', 0.7] as const,
  ].flatMap(([system, share]) =>
    mhs.map((row) => ({ ...row, system, meanLive: Number(row.meanLive) * share })),
  );
}
