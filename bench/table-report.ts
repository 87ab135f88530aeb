// SPDX-License-Identifier: Apache-2.0
/** The figures of tables, as Markdown; and their place in docs/evaluation.md. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Distribution } from './distribution.ts';
import { benchRollingReplacement, formatRollingReplacement, replacementDefaults } from './replacement.ts';
import { benchTableTimes, type TableTimes, tableTimesDefaults } from './table-times.ts';
import {
  benchOrder,
  benchRemovals,
  benchReplacements,
  benchShares,
  benchWeights,
  type Figure,
  type OrderResult,
  type RemovalResult,
  type ReplacementResult,
  type ShareResult,
  type TableBenchOptions,
  type WeightResult,
} from './tables.ts';

/** Everything about tables, measured and laid out; a few minutes with the defaults. */
export function tablesPage(options: TableBenchOptions, times = tableTimesDefaults): string[] {
  const slots = options.sizes.at(-1)!.slots.toLocaleString('en');
  return [
    '## Tables',
    '',
    `Command: \`make bench ARGS="--what tables --seeds ${options.seeds}"\`. Percent of the slots, mean ± standard deviation over the`,
    `seeds 1 to ${options.seeds}, each with other backends at random addresses. The paper's Maglev, IPVS and Katran have a prime number of`,
    'slots and fill the table in the order of a sorted list. *One try a turn* is not shipped: bench/table-rules.ts says what it is.',
    '',
    'Backends leave at once (`100 − 10`: ten of a hundred): slots that change their owner, and in brackets those whose old owner stays.',
    '',
    ...formatRemovals(benchRemovals(options)),
    '',
    `One of 100 backends of weight 100 gets another weight; ${slots} slots or the prime beside them: slots that change their owner.`,
    '',
    ...formatWeights(benchWeights(options)),
    '',
    `The same set as a list in another order, ${slots} slots: slots that differ.`,
    '',
    ...formatOrder(benchOrder(options)),
    '',
    `Backends are replaced by new addresses one after the other, within one session timeout, ${slots} slots: slots that were not always`,
    'their first owner’s. With sticky placement these are the seats of those who left, and no others.',
    '',
    ...formatReplacements(benchReplacements(options)),
    '',
    'The same as the shipping engine carries it out, without traffic: slots unstable at once, the most and in brackets on average. A',
    `dead backend is replaced after ${replacementDefaults.absenceMs / 1000} s; its slots are held for the one that comes, which takes them without their being unstable for`,
    'the session timeout. What is drained keeps its flows, so its slots are.',
    '',
    ...formatRollingReplacement(benchRollingReplacement(replacementDefaults)),
    '',
    'Random weights from 1 to 100 (I6: the worst error of all backends and seeds), then a tenth of them drawn anew (I7).',
    '',
    ...formatShares(benchShares(options)),
    '',
    'Building a table, milliseconds of processor time, median / least, warmed up.',
    '',
    ...formatTableTimes(benchTableTimes(times)),
  ];
}

/** Published figures, or our reproduction of them: see the tables in which they stand. */
const published = {
  weights: {
    rule: '*published*: IPVS; Katran V2',
    cells: ['6.8; 0.09', '1.07; 0.95', '2.66; 1.40', '7.56; 1.54', '1.54; 1.57'],
  },
};

export function formatRemovals(results: readonly RemovalResult[]): string[] {
  const counts = [...new Set(results.map(({ backends }) => backends))];
  const changes = counts.flatMap((backends) =>
    [...new Set(results.filter((r) => r.backends === backends).map((r) => r.removed))].map((removed) => ({
      backends,
      removed,
    })),
  );
  const lines = [...new Set(results.map(({ rule, slots }) => `${rule}|${slots}`))].map((key) => {
    const [rule, slots] = key.split('|');
    const own = results.filter((r) => r.rule === rule && r.slots === Number(slots));
    const moved = changes.map(({ backends, removed }) => {
      const found = own.find((r) => r.backends === backends && r.removed === removed)!;
      return `${show(found.moved)} (${found.collateral.mean.toFixed(2)})`;
    });
    const most = counts.map((n) =>
      own.find(({ backends }) => backends === n)!.mostOverAverage.mean.toFixed(3),
    );
    return row([Number(slots).toLocaleString('en'), rule!, ...moved, most.join(' / ')]);
  });
  return [
    row([
      'slots',
      'rule',
      ...changes.map(({ backends, removed }) => `${backends} − ${removed}`),
      `max/avg ${counts.join(' / ')}`,
    ]),
    row(['---', '---', ...changes.map(() => '---'), '---']),
    ...lines,
  ];
}

export function formatWeights(results: readonly WeightResult[]): string[] {
  const weights = [...new Set(results.map(({ weight }) => weight))];
  return [
    row(['rule', ...weights.map((weight) => `100 → ${weight}`)]),
    row(['---', ...weights.map(() => '---')]),
    ...rules(results).map((rule) =>
      row([rule, ...results.filter((r) => r.rule === rule).map(({ moved }) => show(moved, 3))]),
    ),
    ...(weights.length === published.weights.cells.length
      ? [row([published.weights.rule, ...published.weights.cells])]
      : []),
  ];
}

export function formatOrder(results: readonly OrderResult[]): string[] {
  const counts = [...new Set(results.map(({ backends }) => backends))];
  return [
    row(['rule', ...counts.map((count) => `${count} backends`)]),
    row(['---', ...counts.map(() => '---')]),
    ...rules(results).map((rule) =>
      row([rule, ...results.filter((r) => r.rule === rule).map(({ moved }) => show(moved))]),
    ),
  ];
}

export function formatReplacements(results: readonly ReplacementResult[]): string[] {
  const replaced = [...new Set(results.map((r) => r.replaced))];
  return [
    row(['rule', ...replaced.map((count) => `${count} of 100`)]),
    row(['---', ...replaced.map(() => '---')]),
    ...rules(results).map((rule) =>
      row([rule, ...results.filter((r) => r.rule === rule).map(({ touched }) => show(touched, 1))]),
    ),
  ];
}

export function formatShares(results: readonly ShareResult[]): string[] {
  return [
    row(['slots', 'rule', 'backends', 'worst share error, slots', 'slots moved / slots that must']),
    row(['---', '---', '---', '---', '---']),
    ...results.map(({ rule, slots, backends, worstError, movedOverNeeded }) =>
      row([slots.toLocaleString('en'), rule, String(backends), worstError.toFixed(2), show(movedOverNeeded)]),
    ),
  ];
}

export function formatTableTimes(results: readonly TableTimes[]): string[] {
  const ms = ({ p50, least }: Distribution) => `${p50.toFixed(2)} / ${least.toFixed(2)}`;
  return [
    row([
      'slots',
      'backends',
      'pure',
      'pure, weights 1-100',
      'sticky, first',
      'sticky, one removed',
      'sticky, one returns',
    ]),
    row(['---', '---', '---', '---', '---', '---', '---']),
    ...results.map((r) =>
      row([
        r.slots.toLocaleString('en'),
        r.backends.toLocaleString('en'),
        ...[r.pure, r.pureWeighted, r.stickyFresh, r.stickyRemoved, r.stickyReturned].map(ms),
      ]),
    ),
  ];
}

/** Puts the lines between `<!-- name -->` and `<!-- /name -->` of a page; at its end when it has no such place yet. */
export function writeBetweenMarkers(
  path: string,
  title: string,
  name: string,
  lines: readonly string[],
): void {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : `# ${title}\n`;
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const part = [open, '', ...lines, '', close].join('\n');
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  const isThere = from !== -1 && to > from;
  writeFileSync(
    path,
    isThere ? text.slice(0, from) + part + text.slice(to + close.length) : `${text.trimEnd()}\n\n${part}\n`,
  );
}

function rules(results: readonly { rule: string }[]): string[] {
  return [...new Set(results.map(({ rule }) => rule))];
}

function show({ mean, deviation }: Figure, digits = 2): string {
  return deviation < 0.5 * 10 ** -digits
    ? mean.toFixed(digits)
    : `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
