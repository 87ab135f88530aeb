// SPDX-License-Identifier: Apache-2.0
/** Plans for people: what would be other, how much of it, and how long it takes. */
import { type ConfigChange, formatChange } from '../controller/config/compare.ts';
import type { BackendPlan, Plan, PoolPlan } from '../controller/core/plan.ts';
import type { WriteCount } from '../controller/core/rehearsal.ts';
import { type Column, formatCount, formatShare, formatSpan, tableLines } from './table.ts';

/** Those that are only given other slots; `-o json` has them all. */
const backendsShown = 20;

/** What of a plan is known with and without a controller. */
export interface PlanShown {
  changes: readonly ConfigChange[];
  needsRestart: readonly string[];
  plan: Plan | undefined;
}

/** @param flows  live ones of each vip, if somebody knows them */
export function planText({ changes, needsRestart, plan }: PlanShown, flows?: number): string {
  const sections = [
    changes.length === 0 ? ['The configuration says the same.'] : changes.map(formatChange),
    needsRestart.map((setting) => `! ${setting} takes effect when the controller is restarted`),
    ...(plan === undefined ? [unknownLines] : planLines(plan, flows)),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const unknownLines = [
  '! The controller does not know its switch now, or another one leads: what would be written is not known.',
];

function planLines(plan: Plan, flows: number | undefined): string[][] {
  const pools = plan.pools.filter(({ change }) => change !== 'unchanged');
  const lines = [...busyLines(plan), ...(plan.isEmpty ? ['Nothing is to be written.'] : [])];
  if (plan.isEmpty) return [lines];
  return [
    lines,
    tableLines(poolColumns(flows), pools),
    tableLines(backendColumns, shownBackends(pools)),
    tableLines(writeColumns, plan.writes.map(withTotal)),
    timeLines(plan),
    plan.isWhole
      ? []
      : ['! The rehearsal was given up before its end: there is more to it than these counts.'],
  ];
}

function busyLines({ busy, writesAnyway }: Plan): string[] {
  if (busy === undefined) return [];
  const { phase, unsettledRows, unstableSlots } = busy;
  const words = [
    phase === 'idle' ? '' : `a change is under way (${phase})`,
    unsettledRows === 0 ? '' : `${formatCount(unsettledRows)} rows are not acknowledged`,
    unstableSlots === 0 ? '' : `${formatCount(unstableSlots)} slots are unstable`,
  ].filter((word) => word !== '');
  return [
    `Now: ${words.join(', ')}. ${formatCount(total(writesAnyway))} of the writes come anyway; ` +
      'what is new joins the change under way or follows it.',
  ];
}

const poolColumns = (flows: number | undefined): Column<PoolPlan>[] => [
  { title: 'VIP', text: ({ name }) => name },
  { title: 'CHANGE', text: ({ change }) => change },
  { title: 'SLOTS', align: 'right', text: ({ slotCount }) => formatCount(slotCount) },
  {
    title: 'MOVED',
    align: 'right',
    text: ({ movedSlots, slotCount }) =>
      `${formatCount(movedSlots)} (${formatShare(movedSlots / slotCount)})`,
  },
  { title: 'COLLATERAL', align: 'right', text: ({ collateralSlots }) => formatCount(collateralSlots) },
  { title: 'UNSTABLE', align: 'right', text: ({ unstableSlots }) => formatCount(unstableSlots) },
  { title: 'FLOWS KEPT BY PINS', align: 'right', text: (pool) => flowsText(pool.flows.kept, flows) },
  { title: 'FLOWS CUT', align: 'right', text: (pool) => flowsText(pool.flows.cut, flows) },
];

const flowsText = (share: number, flows: number | undefined): string =>
  flows === undefined ? formatShare(share) : `about ${formatCount(share * flows)}`;

interface BackendLine {
  pool: PoolPlan;
  backend: BackendPlan;
}

const backendColumns: Column<BackendLine>[] = [
  { title: 'BACKEND', text: ({ pool, backend }) => `${pool.name} ${backend.name}` },
  { title: 'CHANGE', text: ({ backend }) => backend.change ?? '-' },
  {
    title: 'WEIGHT',
    align: 'right',
    text: ({ backend: { weight } }) => fromTo(weight.from, weight.to, String),
  },
  {
    title: 'SLOTS',
    align: 'right',
    text: ({ backend: { slots } }) => fromTo(slots.from, slots.to, formatCount),
  },
  {
    title: 'SHARE',
    align: 'right',
    text: ({ pool, backend: { slots } }) =>
      fromTo(slots.from, slots.to, (count) => formatShare(count / pool.slotCount)),
  },
];

function fromTo(from: number | undefined, to: number | undefined, format: (value: number) => string): string {
  const [before, after] = [from, to].map((value) => (value === undefined ? '-' : format(value)));
  return before === after ? before! : `${before} -> ${after}`;
}

/** Those that the operator has named first. */
function shownBackends(pools: readonly PoolPlan[]): BackendLine[] {
  const all = pools.flatMap((pool) => pool.backends.map((backend) => ({ pool, backend })));
  const named = all.filter(({ backend }) => backend.change !== undefined);
  const others = all.filter(({ backend }) => backend.change === undefined);
  return [...named, ...others.slice(0, Math.max(0, backendsShown - named.length))];
}

interface WriteLine extends WriteCount {
  all: number;
}

const withTotal = (count: WriteCount): WriteLine => ({
  ...count,
  all: count.inserted + count.modified + count.deleted,
});

const total = (writes: readonly WriteCount[]): number =>
  writes.reduce((sum, count) => sum + withTotal(count).all, 0);

const writeColumns: Column<WriteLine>[] = [
  { title: 'WRITES', text: ({ phase }) => phase },
  { title: 'TABLE', text: ({ table }) => table },
  { title: 'INSERTED', align: 'right', text: ({ inserted }) => formatCount(inserted) },
  { title: 'MODIFIED', align: 'right', text: ({ modified }) => formatCount(modified) },
  { title: 'DELETED', align: 'right', text: ({ deleted }) => formatCount(deleted) },
];

function timeLines({
  speed,
  committedMs,
  mergedMs,
  commits,
  neighboursAsked,
  waitsFor,
  writes,
}: Plan): string[] {
  const rate = `${formatCount(speed.updatesPerSecond)} a second, ${speed.isMeasured ? 'measured' : 'assumed'}`;
  const asked = neighboursAsked.slice(0, 5).join(', ');
  const more = neighboursAsked.length > 5 ? ` and ${neighboursAsked.length - 5} more` : '';
  return [
    `${formatCount(total(writes))} writes in all, at ${rate}`,
    ...(committedMs === undefined
      ? []
      : [`committed after ${formatSpan(committedMs)}${commits > 1 ? `, in ${commits} commits` : ''}`]),
    ...(mergedMs === undefined ? [] : [`stable again after ${formatSpan(mergedMs)}`]),
    ...(neighboursAsked.length === 0
      ? []
      : [`asks for ${asked}${more}: two rows more for each that answers`]),
    ...waitsFor.map((what) => `waits for ${what}`),
  ];
}
