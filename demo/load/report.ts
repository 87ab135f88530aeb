// SPDX-License-Identifier: Apache-2.0
/** What runs of the experiment came to, beside what the simulation of the same foretells: rows of docs/load-aware.md. */
import { markedPart } from '../../controller/config/reference/marked-part.ts';
import { type LatencyQuantiles, type RequestsResult, runRequests } from '../../sim/load/requests-world.ts';
import { medianOf, type SteeringSummary } from '../../sim/load/summary.ts';
import type { ExperimentResult } from './experiment.ts';
import { cpusOfServers, loadOptions, slots, toldOverMs, usersOf } from './parameters.ts';
import type { SteeringCase } from './steering.ts';

/** From new weights to their commit: preparing it, and waiting for SYNs under way. */
const commitMs = 1_500;
const seeds = [1, 2, 3, 4, 5];

/** The same, simulated: a run for each of five seeds. */
export function simulate(result: ExperimentResult, { simulated }: SteeringCase): RequestsResult[] {
  const { connections, beforeMs, steeredMs } = result;
  return seeds.map((seed) =>
    runRequests({
      users: usersOf(connections, seed),
      cpus: cpusOfServers,
      slots,
      toldOverMs,
      commitMs,
      beforeMs,
      steeredMs,
      load: loadOptions,
      steersman: simulated,
    }),
  );
}

export const casesHead = [
  '| | | variation before | after | settled after, s | changes a minute | slots moved a minute | swing | 1-CPU server, before: p50 / p99, ms | after | broken | load of the machine |',
  '|---|---|---|---|---|---|---|---|---|---|---|---|',
];

export function caseRows(result: ExperimentResult, foretold: readonly RequestsResult[]): string[] {
  const { label, summary, servers, users, machineLoad, connections, network } = result;
  const [small] = servers;
  const name = `${label}${network.includes('BMv2') ? ', BMv2' : ''}, ${connections} connections`;
  const real = [
    ...figuresOf([summary]),
    latencyCell([small!.before.latency]),
    latencyCell([small!.after.latency]),
    `${users.broken} of ${users.opened}`,
    machineLoad.toFixed(1),
  ];
  const simulated = [
    ...figuresOf(foretold),
    latencyCell(foretold.map(({ latencies }) => latencies.before[0]!)),
    latencyCell(foretold.map(({ latencies }) => latencies.after[0]!)),
    '',
    '',
  ];
  return [
    `| ${[name, 'real', ...real].join(' | ')} |`,
    `| ${[name, 'simulated', ...simulated].join(' | ')} |`,
  ];
}

/** Medians; and where there are several, the least and the most of what noise changes. */
function figuresOf(summaries: readonly SteeringSummary[]): string[] {
  const values = (of: (summary: SteeringSummary) => number) => summaries.map(of);
  const spread = (list: readonly number[], show: (value: number) => string) => {
    if (list.length === 1) return show(list[0]!);
    return `${show(medianOf(list))} (${show(Math.min(...list))} to ${show(Math.max(...list))})`;
  };
  const fixed = (digits: number) => (value: number) => value.toFixed(digits);
  const seconds = (ms: number) => (Number.isFinite(ms) ? (ms / 1_000).toFixed(0) : 'never');
  return [
    spread(
      values(({ before }) => before),
      fixed(2),
    ),
    spread(
      values(({ after }) => after),
      fixed(2),
    ),
    spread(
      values(({ settleMs }) => settleMs ?? Number.POSITIVE_INFINITY),
      seconds,
    ),
    spread(
      values(({ changesPerMinute }) => changesPerMinute),
      fixed(1),
    ),
    spread(
      values(({ movedPerMinute }) => movedPerMinute),
      (share) => `${(100 * share).toFixed(1)} %`,
    ),
    spread(
      values(({ swing }) => swing),
      fixed(2),
    ),
  ];
}

function latencyCell(list: readonly LatencyQuantiles[]): string {
  const median = (of: (quantiles: LatencyQuantiles) => number) => medianOf(list.map(of)).toFixed(0);
  return `${median(({ p50 }) => p50)} / ${median(({ p99 }) => p99)}`;
}

export function serversTable(result: ExperimentResult, foretold: readonly RequestsResult[]): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return [
    '| server | weight at the end | busy before | after | p50 / p99 before, ms | simulated | after | simulated |',
    '|---|---|---|---|---|---|---|---|',
    ...result.servers.map(({ name, cpus, before, after }, i) => {
      const cells = [
        `${cpus} CPU${cpus === 1 ? '' : 's'}`,
        (result.weights[name]! / result.weights.s1!).toFixed(2),
        percent(before.busy),
        percent(after.busy),
        latencyCell([before.latency]),
        latencyCell(foretold.map(({ latencies }) => latencies.before[i]!)),
        latencyCell([after.latency]),
        latencyCell(foretold.map(({ latencies }) => latencies.after[i]!)),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

/**
 * The page with these rows in place of those of the same first cells, or after the last, or with a whole table.
 *
 * @throws Error when the page has no place for it
 */
export function withRows(
  page: string,
  name: string,
  command: string,
  head: readonly string[],
  rows: readonly string[],
  isWhole = false,
): string {
  const part = markedPart(page, name, command);
  const keyOf = (row: string) => row.split('|').slice(1, 3).join('|');
  const known = part.text
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('|---'))
    .slice(1);
  const fresh = new Map(rows.map((row) => [keyOf(row), row]));
  const kept = isWhole
    ? []
    : known.map((row) => {
        const replaced = fresh.get(keyOf(row));
        fresh.delete(keyOf(row));
        return replaced ?? row;
      });
  return part.with([...head, ...kept, ...fresh.values()].join('\n'));
}
