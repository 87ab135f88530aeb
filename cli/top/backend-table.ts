// SPDX-License-Identifier: Apache-2.0
/** The backends of `evenkeel top`: the columns that fit, in the order that was chosen. */
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import type { BackendHealthStatus } from '../../controller/core/health-status.ts';
import type { BackendStatus, PoolStatus } from '../../controller/core/status.ts';
import { healthOf } from '../health-text.ts';
import { formatCount, formatShare, formatSpan } from '../table.ts';
import { bar, curve, type Glyphs } from './glyphs.ts';
import { backendKey, type PerSecond, type Rates } from './rates.ts';
import type { Settings, SortKey } from './settings.ts';
import { type Line, rate, type Style } from './text.ts';

export interface Row {
  backend: BackendStatus;
  health: BackendHealthStatus | undefined;
  wantedShare: number;
  perSecond: PerSecond | undefined;
}

interface Column {
  title: string;
  sort?: SortKey;
  align?: 'right';
  text: (row: Row, glyphs: Glyphs) => string;
  style?: (row: Row) => Style | undefined;
}

const barWidth = 16;
const curveWidth = 12;
const nameMax = 24;

const columns = {
  name: { title: 'BACKEND', sort: 'name', text: ({ backend }) => short(backend.name) },
  state: {
    title: 'STATE',
    sort: 'state',
    text: ({ backend: { state } }, { states }) => `${states[state]} ${state}`,
    style: ({ backend: { state } }) =>
      (({ active: 'good', draining: 'warn', disabled: 'warn', down: 'bad', leaving: 'warn' }) as const)[
        state
      ],
  },
  health: {
    title: 'HEALTH',
    sort: 'health',
    text: ({ health }) => healthText(health),
    style: ({ health }) =>
      health === undefined || health.state === 'unknown' ? undefined : health.state === 'up' ? 'good' : 'bad',
  },
  weight: {
    title: 'WEIGHT',
    sort: 'weight',
    align: 'right',
    text: ({ backend }) => formatCount(backend.weight),
  },
  share: { title: 'SHARE', sort: 'share', align: 'right', text: ({ backend }) => formatShare(backend.share) },
  bar: {
    title: '',
    text: ({ backend, wantedShare }, glyphs) => bar(backend.share, wantedShare, barWidth, glyphs),
  },
  wanted: { title: 'WANTED', align: 'right', text: ({ wantedShare }) => formatShare(wantedShare) },
  packets: {
    title: 'PACKETS/S',
    sort: 'packets',
    align: 'right',
    text: ({ perSecond }) => rate(perSecond?.packets),
  },
  bytes: { title: 'BYTES/S', sort: 'bytes', align: 'right', text: ({ perSecond }) => rate(perSecond?.bytes) },
  curve: { title: '', text: ({ perSecond }, glyphs) => curve(perSecond?.curve ?? [], curveWidth, glyphs) },
  pins: { title: 'PINS', sort: 'pins', align: 'right', text: ({ backend }) => formatCount(backend.pins) },
} as const satisfies Record<string, Column>;

type ColumnName = keyof typeof columns;

/** What is left out first where there is little room. */
const leftOut: readonly ColumnName[] = [
  'curve',
  'bar',
  'weight',
  'wanted',
  'health',
  'pins',
  'bytes',
  'packets',
  'share',
];

export interface Table {
  title: string;
  columns: readonly Column[];
  widths: readonly number[];
  glyphs: Glyphs;
}

export function rowsOf(pool: PoolStatus, status: ControllerStatus, rates: Rates, settings: Settings): Row[] {
  const rows = pool.backends.map((backend) => ({
    backend,
    health: healthOf(status.health, pool.name, backend.name),
    wantedShare: pool.slotCount === 0 ? 0 : backend.wantedSlots / pool.slotCount,
    perSecond: rates.perSecond.get(backendKey(backend.id)),
  }));
  const compare = comparisons[settings.sort];
  // Array.sort keeps what is equal as it was.
  const sorted = compare === undefined ? rows : [...rows].sort(compare);
  return settings.isReversed ? sorted.reverse() : sorted;
}

const states: readonly BackendStatus['state'][] = ['down', 'draining', 'leaving', 'active'];
/** Largest first; states that need somebody first. */
const comparisons: Readonly<Record<SortKey, ((a: Row, b: Row) => number) | undefined>> = {
  order: undefined,
  name: (a, b) => a.backend.name.localeCompare(b.backend.name, 'en', { numeric: true }),
  state: (a, b) => states.indexOf(a.backend.state) - states.indexOf(b.backend.state),
  health: (a, b) => illness(b) - illness(a),
  weight: (a, b) => b.backend.weight - a.backend.weight,
  share: (a, b) => b.backend.share - a.backend.share,
  packets: (a, b) => (b.perSecond?.packets ?? -1) - (a.perSecond?.packets ?? -1),
  bytes: (a, b) => (b.perSecond?.bytes ?? -1) - (a.perSecond?.bytes ?? -1),
  pins: (a, b) => b.backend.pins - a.backend.pins,
};

const illness = ({ health }: Row): number =>
  health === undefined ? -1 : health.verdict !== 'trusted' ? 2 : health.state === 'down' ? 1 : 0;

/** Every pool has the same columns, so that they can be compared. */
export function tableOf(
  rows: readonly Row[],
  { sort, isReversed }: Settings,
  glyphs: Glyphs,
  room: number,
): Table {
  const isChecked = rows.some(({ health }) => health !== undefined);
  let names = (Object.keys(columns) as ColumnName[]).filter((name) => name !== 'health' || isChecked);
  const titleOf = ({ title, sort: by }: Column): string =>
    by !== undefined && by === sort ? `${title}${isReversed ? glyphs.up : glyphs.down}` : title;
  const widthOf = (name: ColumnName): number => {
    const column: Column = columns[name];
    return Math.max(titleOf(column).length, ...rows.map((row) => column.text(row, glyphs).length));
  };
  const widths = new Map(names.map((name) => [name, widthOf(name)]));
  const total = (): number => names.reduce((sum, name) => sum + widths.get(name)! + 2, 0);
  for (const name of leftOut) {
    if (total() <= room) break;
    names = names.filter((kept) => kept !== name);
  }
  const chosen: Column[] = names.map((name) => columns[name]);
  const title = chosen.map((column, i) => padded(titleOf(column), widths.get(names[i]!)!, column.align));
  return {
    title: `  ${title.join('  ')}`,
    columns: chosen,
    widths: names.map((name) => widths.get(name)!),
    glyphs,
  };
}

export function backendLine(row: Row, { columns: shown, widths, glyphs }: Table): Line {
  return shown.flatMap((column, i) => [
    { text: '  ' },
    { text: padded(column.text(row, glyphs), widths[i]!, column.align), style: column.style?.(row) },
  ]);
}

function healthText(health: BackendHealthStatus | undefined): string {
  if (health === undefined) return '-';
  const { state, verdict, verdictMs, latencyMs } = health;
  if (verdict !== 'trusted') return `${verdict} ${formatSpan(verdictMs)}`;
  return state === 'up' && latencyMs !== undefined ? `up ${formatSpan(latencyMs)}` : state;
}

const padded = (text: string, width: number, align: 'right' | undefined): string =>
  align === 'right' ? text.padStart(width) : text.padEnd(width);
const short = (name: string): string => (name.length > nameMax ? `${name.slice(0, nameMax - 1)}~` : name);
