// SPDX-License-Identifier: Apache-2.0
/** What kills came to, as the table of docs/health.md. */
import type { Kill, KillResult } from './experiment.ts';
import type { Sort } from './message.ts';

export const killsHead = [
  '| | check | noticed after | table without it after | last newcomer harmed came after | newcomers harmed, a kill | connections that talk end after | that are quiet | how they end | others broken | load of the machine |',
  '|---|---|---|---|---|---|---|---|---|---|---|',
];

export function killRow({ given, kills, machineLoad }: KillResult): string {
  const { label, health } = given;
  const cells = [
    `${label}, ${kills.length} times`,
    `${health.check}, ${health.interval}`,
    spread(kills.map(({ noticedMs }) => noticedMs)),
    spread(kills.map(({ avoidedMs }) => avoidedMs)),
    spread(kills.map(({ lastHarmedMs }) => lastHarmedMs)),
    `${medianOf(kills.map(({ harmed }) => sumOf(harmed)))} (${words(kills.map(({ harmed }) => harmed))})`,
    ended(kills, 'talking'),
    ended(kills, 'quiet'),
    words(kills.map(({ endedHow }) => endedHow)),
    `${kills.reduce((sum, { othersBroken }) => sum + othersBroken, 0)}`,
    machineLoad.toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Median, and from the least to the most; and how often there was none. */
function spread(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  const none = values.length - known.length;
  if (known.length === 0) return 'never';
  const shown = `${seconds(medianOf(known))} s (${seconds(Math.min(...known))} to ${seconds(Math.max(...known))})`;
  return none === 0 ? shown : `${shown}; ${none} times never`;
}

function ended(kills: readonly Kill[], sort: Sort): string {
  const had = kills.reduce((sum, kill) => sum + kill.had[sort], 0);
  const times = kills.flatMap(({ endedMs }) => endedMs[sort]);
  if (times.length === 0) return `none of ${had}`;
  return `${spread(times)}, ${times.length} (${had} at the kill)`;
}

function words(counts: readonly Readonly<Record<string, number>>[]): string {
  const all = new Map<string, number>();
  for (const one of counts)
    for (const [word, count] of Object.entries(one)) all.set(word, (all.get(word) ?? 0) + count);
  return [...all].map(([word, count]) => `${word} ${count}`).join(', ') || '-';
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
const seconds = (ms: number): string => (ms / 1_000).toFixed(ms < 100 ? 3 : 2);
const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
