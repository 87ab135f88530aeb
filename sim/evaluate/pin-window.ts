// SPDX-License-Identifier: Apache-2.0
/** How long a flow is without the pin it asked for, and what that costs, when writes take longer and longer. */

import { createWorkload } from '../workload/workload.ts';
import { Evenkeel } from './evenkeel.ts';
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
} from './experiment.ts';
import { race } from './race.ts';
import { rivalsOf } from './rivals.ts';
import { scaled } from './scaled.ts';
import { variants } from './variants.ts';

const WRITE_MS = [0.5, 5, 50, 500];
const DURATION_MS = 400_000;

export const pinWindow: Experiment = {
  name: 'pin-window',
  title: 'From digest to pin',
  cases: (scale) => casesOf('updatesPerMinute', [10], scale),
  run: (given, scale) => run(given, withFewerFlows(scale)),
  report,
};

function run({ seed, updatesPerMinute }: Case, scale: Scale): Row[] {
  const options = scaled(
    { seed, updatesPerMinute: Number(updatesPerMinute), durationMs: DURATION_MS },
    scale,
  );
  const workload = createWorkload(options);
  const { tables } = rivalsOf(workload, options);
  const { slotCount, durationMs } = options;
  const racing = WRITE_MS.flatMap((writeMs) =>
    variants.map((variant) => ({
      writeMs,
      variant: variant.name!,
      system: new Evenkeel(workload.traffic.flows, workload.servers, { ...variant, slotCount, writeMs }),
    })),
  );
  const { outcomes } = race(
    workload,
    tables,
    racing.map(({ system }) => system),
    { durationMs },
  );
  return racing.map(({ writeMs, variant, system }, i) => ({
    seed,
    writeMs,
    variant,
    ...outcomes[i]!,
    meanWindowMs: system.pinWindow.sumMs / Math.max(1, system.pinWindow.count),
    longestWindowMs: system.pinWindow.longestMs,
    pins: system.pinWindow.count,
  }));
}

function report(rows: readonly Row[]): string {
  const columns = { rows: 'measure', columns: 'writeMs', corner: 'a write takes, ms' };
  const measures: [string, (row: Row) => number, (value: number) => string][] = [
    ['window, mean, ms', (row) => Number(row.meanWindowMs), count],
    ['window, longest, ms', (row) => Number(row.longestWindowMs), count],
    ['pins written', (row) => Number(row.pins), count],
    ['broken, % of flows', (row) => Number(row.broken) / Number(row.flows), percent(4)],
    ['refused, % of flows', (row) => Number(row.refused) / Number(row.flows), percent(4)],
    ['pins of live flows, mean', (row) => Number(row.meanLive), count],
  ];
  return stacked(rows, columns, measures);
}

/** One table with a measure in each row, for every variant. */
export function stacked(
  rows: readonly Row[],
  columns: { rows: string; columns: string; corner: string; head?: (value: string | number) => string },
  measures: readonly [string, (row: Row) => number, (value: number) => string][],
): string {
  const lines = [...new Set(rows.map(({ variant }) => variant!))].flatMap((variant) =>
    measures.flatMap(([measure, value, format], i) => {
      const own = rows
        .filter((row) => row.variant === variant)
        .map((row) => ({ ...row, measure: `${variant}: ${measure}` }));
      const lines = pivot(own, { ...columns, value, format }).split('\n');
      return i === 0 ? lines : lines.slice(2);
    }),
  );
  return lines.join('\n');
}
