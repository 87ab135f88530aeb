// SPDX-License-Identifier: Apache-2.0
/** The figures of prefix tables, as Markdown, for docs/prefix-tables.md. */

import type { Distribution } from './distribution.ts';
import {
  benchPrefixChanges,
  benchPrefixHistories,
  type PrefixBenchOptions,
  type PrefixChange,
  type PrefixHistory,
} from './prefix.ts';
import { phases, type Writes } from './prefix-world.ts';

/** Everything, measured and laid out; some minutes with the defaults. */
export function prefixPage(options: PrefixBenchOptions): string[] {
  const slots = options.slots.toLocaleString('en');
  const changes = benchPrefixChanges(options);
  const histories = benchPrefixHistories(options);
  return [
    `Command: \`make bench ARGS="--what prefix"\`. ${slots} slots, sticky placement with both kinds of tables, equal weights at first.`,
    '',
    '### At rest',
    '',
    ...formatAtRest(changes),
    '',
    '### One change',
    '',
    'As the shipping engine carries it out, before a switch that acknowledges at once and without traffic, from the fresh pool to rest again.',
    '*Least*: what the backends that get fewer slots have to give up. *Held/due*: the most slots of a backend over its due by weight, after',
    'the change. *Longest turn*: how long the controller did nothing else, milliseconds of processor time. In a load-aware step each weight',
    'changes by up to 5 %.',
    '',
    ...formatChanges(changes),
    '',
    'The rows written for it: inserted / modified / deleted. Rows of the *column* are those of `slot_version` or `slot_version_prefix`; the',
    'commit is one row of `version`. Without the rotations of the version, which come by the clock.',
    '',
    ...formatWrites(changes),
    '',
    '### Many changes',
    '',
    'Placement and cover alone. *Random weights*: one backend at a time gets a weight of 0 to 200. *Load-aware steps*: each weight changes by up',
    'to 5 % at a time, and is no more than 16 times, and no less than a sixteenth of, what it was at first.',
    '',
    ...formatHistories(histories),
    '',
    'One computation over these, milliseconds of processor time, median / 99 % / most:',
    '',
    ...formatTimes(histories),
  ];
}

export function formatAtRest(changes: readonly PrefixChange[]): string[] {
  const of = (backends: number, table: PrefixChange['table']) =>
    changes.find((change) => change.backends === backends && change.table === table)!;
  return [
    row(['backends', 'rows, Maglev', 'rows, prefix']),
    row(['---', '---', '---']),
    ...[...new Set(changes.map(({ backends }) => backends))].map((backends) =>
      row([
        count(backends),
        count(of(backends, 'maglev').rowsBefore),
        count(of(backends, 'prefix').rowsBefore),
      ]),
    ),
  ];
}

export function formatChanges(changes: readonly PrefixChange[]): string[] {
  return [
    row([
      ...['backends', 'change', 'table', 'slots moved', 'least', 'rows written', 'rows at most', 'rows then'],
      ...['held/due', 'longest turn'],
    ]),
    row(new Array<string>(10).fill('---')),
    ...changes.map((c) =>
      row([
        ...[count(c.backends), c.change, c.table, count(c.movedSlots), count(c.leastMoved)],
        ...[count(writtenRows(c)), count(c.mostRows), count(c.rowsAfter)],
        ...[c.mostOverDue.toFixed(4), c.longestTurnMs.toFixed(0)],
      ]),
    ),
  ];
}

export function formatWrites(changes: readonly PrefixChange[]): string[] {
  const cell = ({ inserted, modified, deleted }: Writes) =>
    inserted + modified + deleted === 0 ? '-' : [inserted, modified, deleted].map(count).join(' / ');
  return [
    row([
      ...['backends', 'change', 'table', 'prepare: column', 'prepare: slot', 'commit', 'merge: slot'],
      'merge: column',
    ]),
    row(new Array<string>(8).fill('---')),
    ...changes.map(({ backends, change, table, writes: { prepare, commit, merge } }) =>
      row([
        ...[count(backends), change, table, cell(prepare.slot_version), cell(prepare.slot)],
        ...[cell(commit.version), cell(merge.slot), cell(merge.slot_version)],
      ]),
    ),
  ];
}

export function formatHistories(histories: readonly PrefixHistory[]): string[] {
  return [
    row(['backends', 'history', 'changes', 'rows at first', 'rows then', 'rows at most']),
    row(new Array<string>(6).fill('---')),
    ...histories.map((h) =>
      row([
        ...[count(h.backends), h.history, count(h.changes), count(h.rowsAtFirst), count(h.rowsAfter)],
        count(h.mostRows),
      ]),
    ),
  ];
}

export function formatTimes(histories: readonly PrefixHistory[]): string[] {
  const ms = ({ p50, p99, most }: Distribution) =>
    [p50, p99, most].map((time) => time.toFixed(1)).join(' / ');
  return [
    row(['backends', 'history', 'placement', 'cover']),
    row(new Array<string>(4).fill('---')),
    ...histories.map(({ backends, history, placementMs, coverMs }) =>
      row([count(backends), history, ms(placementMs), ms(coverMs)]),
    ),
  ];
}

export function writtenRows({ writes }: PrefixChange): number {
  let rows = 0;
  for (const phase of phases)
    for (const { inserted, modified, deleted } of Object.values(writes[phase]))
      rows += inserted + modified + deleted;
  return rows;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
