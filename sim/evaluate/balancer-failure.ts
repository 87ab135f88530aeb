// SPDX-License-Identifier: Apache-2.0
/**
 * A balancer of a group fails in the midst of workload W, and another takes all its flows: with the same tables and hash, no
 * member in its filters, and of the entries only what was sent to it in time.
 */

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

const RATES = [10];
const FAILS_AT_MS = 500_000;
/** By then those who were alive have ended, but for one in forty. */
const DURATION_MS = 760_000;
const PIN_LAGS_MS = [100, 1_000, 5_000];
/** Of those who send no state to each other. */
const RIVALS = ['Maglev, stateless', 'IPVS mh', 'MHS', 'JET', 'Cheetah, stateless'];

export const balancerFailure: Experiment = {
  name: 'balancer-failure',
  title: 'A balancer fails',
  cases: (scale) => casesOf('updatesPerMinute', RATES, scale),
  run: (given, scale) => run(given, withFewerFlows(scale)),
  report,
};

function run({ seed, updatesPerMinute }: Case, scale: Scale): Row[] {
  const given = { seed, updatesPerMinute: Number(updatesPerMinute), durationMs: DURATION_MS };
  const options = scaled(given, scale);
  const workload = createWorkload(options);
  const { tables, systems } = rivalsOf(workload, options);
  const { slotCount, durationMs } = options;
  const ours = PIN_LAGS_MS.flatMap((pinLagMs) =>
    variants.map((variant) => {
      const name = `${variant.name}, pins after ${pinLagMs / 1000} s`;
      return new Evenkeel(workload.traffic.flows, workload.servers, {
        ...variant,
        slotCount,
        pinLagMs,
        name,
      });
    }),
  );
  const racing = [...systems.filter(({ name }) => RIVALS.includes(name)), ...ours];
  const { outcomes } = race(workload, tables, racing, { durationMs, failAt: FAILS_AT_MS * scale.time });
  return outcomes.map((outcome) => ({ seed, updatesPerMinute: updatesPerMinute!, ...outcome }));
}

function report(rows: readonly Row[]): string {
  const byRate = { rows: 'system', columns: 'updatesPerMinute', corner: 'updates/min' };
  return [
    'Of the flows that were alive, % that have broken since.',
    pivot(rows, {
      ...byRate,
      value: ({ brokenByFailure, aliveAtFailure }) => Number(brokenByFailure) / Number(aliveAtFailure),
      format: percent(3),
    }),
    'The same as a number of flows.',
    pivot(rows, { ...byRate, value: ({ brokenByFailure }) => Number(brokenByFailure), format: count }),
  ].join('\n\n');
}
