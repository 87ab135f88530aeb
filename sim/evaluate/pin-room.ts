// SPDX-License-Identifier: Apache-2.0
/** A pin table with room for 10 to 150 % of what is needed: who is hurt when there is no room. */

import { createWorkload } from '../workload/workload.ts';
import { Evenkeel } from './evenkeel.ts';
import {
  type Case,
  casesOf,
  count,
  type Experiment,
  percent,
  type Row,
  type Scale,
  withFewerFlows,
} from './experiment.ts';
import { stacked } from './pin-window.ts';
import { race } from './race.ts';
import { rivalsOf } from './rivals.ts';
import { scaled } from './scaled.ts';
import { variants } from './variants.ts';

const ROOM_PERCENT = [10, 25, 50, 75, 100, 150];
const DURATION_MS = 400_000;

export const pinRoom: Experiment = {
  name: 'pin-room',
  title: 'A pin table that is too small',
  cases: (scale) => casesOf('updatesPerMinute', [10], scale),
  run: (given, scale) => variants.flatMap((variant) => runVariant(given, withFewerFlows(scale), variant)),
  report,
};

function runVariant(
  { seed, updatesPerMinute }: Case,
  scale: Scale,
  variant: (typeof variants)[number],
): Row[] {
  const options = scaled(
    { seed, updatesPerMinute: Number(updatesPerMinute), durationMs: DURATION_MS },
    scale,
  );
  const { slotCount, durationMs } = options;
  const runWith = (rooms: readonly (number | undefined)[]) => {
    const workload = createWorkload(options);
    const { tables } = rivalsOf(workload, options);
    const systems = rooms.map(
      (room) =>
        new Evenkeel(workload.traffic.flows, workload.servers, {
          ...variant,
          slotCount,
          ...(room === undefined ? {} : { engine: { ...variant.engine, maxPins: room } }),
        }),
    );
    const { outcomes } = race(workload, tables, systems, { durationMs });
    return systems.map((system, i) => ({ system, outcome: outcomes[i]! }));
  };
  const need = Math.max(1, runWith([undefined])[0]!.outcome.peakHeld);
  return runWith(ROOM_PERCENT.map((percentage) => Math.max(1, Math.round((need * percentage) / 100)))).map(
    ({ system, outcome }, i) => ({
      seed,
      roomPercent: ROOM_PERCENT[i]!,
      variant: variant.name!,
      need,
      ...outcome,
      pinsRefused: system.pinsRefused,
      waitingShare: system.waiting / Math.max(1, system.samples),
    }),
  );
}

function report(rows: readonly Row[]): string {
  return stacked(
    rows,
    { rows: 'measure', columns: 'roomPercent', corner: 'room, % of need', head: (room) => `${room} %` },
    [
      ['need, pins', (row) => Number(row.need), count],
      ['digests refused', (row) => Number(row.pinsRefused), count],
      ['time a wanted change had to wait, %', (row) => Number(row.waitingShare), percent(1)],
      ['broken, % of flows', (row) => Number(row.broken) / Number(row.flows), percent(4)],
      ['refused, % of flows', (row) => Number(row.refused) / Number(row.flows), percent(4)],
      ['unstable slots, mean', (row) => Number(row.meanUnstableSlots), count],
    ],
  );
}
