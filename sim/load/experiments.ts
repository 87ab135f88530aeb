// SPDX-License-Identifier: Apache-2.0
/** The experiments of docs/load-aware.md, as tables. */
import { loadDefaults } from '../../controller/core/load-weights.ts';
import { runServers, type ServersOptions, type ServersResult, serversDefaults } from './servers-world.ts';
import { dividingSteersman, forgetfulSteersman, hastySteersman } from './steersmen.ts';
import { medianOf } from './summary.ts';

export interface LoadExperiment {
  name: string;
  cases: readonly { label: string; options: Partial<ServersOptions> }[];
}

const lives = [2, 10, 30, 90, 300];
const delays = [0, 5, 15, 30, 60];

export const loadExperiments: readonly LoadExperiment[] = [
  {
    name: 'steersmen',
    cases: [
      { label: 'nobody steers', options: { steersman: () => () => undefined } },
      { label: 'weight = room left, with every reading', options: { steersman: hastySteersman } },
      { label: 'weight divided by load, with every reading', options: { steersman: dividingSteersman } },
      { label: 'ours without its model of the lag', options: { steersman: forgetfulSteersman } },
      { label: '**ours**', options: {} },
      { label: 'ours, pure placement', options: { placement: 'pure' } },
    ],
  },
  {
    name: 'lives',
    cases: lives.flatMap((seconds) => [
      { label: `connections live ${seconds} s`, options: { meanLifeMs: seconds * 1_000 } },
      {
        label: `... and \`lag: ${seconds + 15}s\``,
        options: { meanLifeMs: seconds * 1_000, load: { ...loadDefaults, lagMs: (seconds + 15) * 1_000 } },
      },
    ]),
  },
  {
    name: 'delays',
    cases: delays.map((seconds) => ({
      label: `readings are ${seconds} s old`,
      options: { readingDelayMs: seconds * 1_000 },
    })),
  },
];

export interface LoadScale {
  seeds: number;
  beforeMs: number;
  steeredMs: number;
}

export const fullLoadScale: Readonly<LoadScale> = { seeds: 5, beforeMs: 300_000, steeredMs: 1_800_000 };

/** @returns the lines of a table; each figure is the median over the seeds */
export function loadTable({ cases }: LoadExperiment, scale: LoadScale): string[] {
  const lines = [
    '| | variation before | after | nobody can do better than | settled after, s | changes a minute | slots moved a minute | swing |',
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const { label, options } of cases) {
    const results = Array.from({ length: scale.seeds }, (_, i) => runCase(options, scale, i + 1));
    const median = (of: (result: ServersResult) => number) => medianOf(results.map(of));
    const settledMs = median(({ settleMs }) => settleMs ?? Number.POSITIVE_INFINITY);
    lines.push(
      `| ${[
        label,
        median(({ before }) => before).toFixed(2),
        median(({ after }) => after).toFixed(3),
        median(({ floor }) => floor).toFixed(3),
        Number.isFinite(settledMs) ? (settledMs / 1_000).toFixed(0) : 'never',
        median(({ changesPerMinute }) => changesPerMinute).toFixed(1),
        `${(100 * median(({ movedPerMinute }) => movedPerMinute)).toFixed(1)} %`,
        median(({ swing }) => swing).toFixed(2),
      ].join(' | ')} |`,
    );
  }
  return lines;
}

export function runCase(
  own: Partial<ServersOptions>,
  { beforeMs, steeredMs }: LoadScale,
  seed: number,
): ServersResult {
  return runServers({ ...serversDefaults, load: loadDefaults, ...own, beforeMs, steeredMs, seed });
}
