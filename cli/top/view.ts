// SPDX-License-Identifier: Apache-2.0
/**
 * `evenkeel top` as text: a pure function of what the controller says, the rates, what is chosen and how much room there is.
 *
 *   head        controller, switch, change, pins
 *   vip line    and one line for each of its backends; scrolls
 *   foot        keys
 */
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import type { PoolStatus } from '../../controller/core/status.ts';
import { formatCount, formatSpan } from '../table.ts';
import { backendLine, type Row, rowsOf, tableOf } from './backend-table.ts';
import { curve, type Glyphs } from './glyphs.ts';
import { poolKey, type Rates } from './rates.ts';
import { keyHelp, type Settings } from './settings.ts';
import { cut, type Line, rate, type Span } from './text.ts';

export interface View {
  status: ControllerStatus;
  rates: Rates;
  settings: Settings;
  glyphs: Glyphs;
  /** Of the screen; `rows` undefined: as many as it takes. */
  columns: number;
  rows: number | undefined;
  /** Why what is shown is old. */
  problem: string | undefined;
}

/** Values shown of a curve beside a line. */
const headCurveWidth = 20;

export interface Layout {
  lines: Line[];
  /** Lines of a screenful of backends, and how many can be above it. */
  page: number;
  scrollMax: number;
}

export function topLayout(view: View): Layout {
  const { columns, rows, settings } = view;
  const head = headLines(view);
  const body = settings.showsHelp ? helpLines() : bodyLines(view);
  if (rows === undefined) return { lines: cut([...head, [], ...body], columns), page: 0, scrollMax: 0 };
  const page = Math.max(1, rows - head.length - 2);
  const scrollMax = Math.max(0, body.length - page);
  const from = Math.min(settings.scroll, scrollMax);
  const shown = body.slice(from, from + page);
  const filling = Array.from({ length: page - shown.length }, () => []);
  const lines = [...head, [], ...shown, ...filling, footLine(view, from, scrollMax)];
  // Where there is hardly any room, the keys are known least.
  return { lines: cut(lines, columns).slice(0, rows), page, scrollMax };
}

function headLines(view: View): Line[] {
  const { status, rates, glyphs, problem } = view;
  const { engine, leadership, uptimeMs, queue } = status;
  const { change, pins, neighbours, commits } = engine;
  const role = leadership.role === 'leader' && !leadership.isShared ? '' : `, ${leadership.role}`;
  const last = commits.at(-1);
  const lastCommit =
    last === undefined
      ? 'none yet'
      : `${formatCount(engine.totals.commits)}, the last ${formatSpan(engine.now - last.committedAt)} ago in ${formatSpan(last.durationMs)}`;
  const began = change.startedAt === undefined ? '' : ` for ${formatSpan(engine.now - change.startedAt)}`;
  const waiting = change.waitingFor === undefined ? '' : `, waiting: ${change.waitingFor}`;
  const rows = change.rows > 0 ? `, ${formatCount(change.rows)} rows` : '';
  const unstable = sum(engine.pools.map(({ unstableSlots }) => unstableSlots));
  const slots = sum(engine.pools.map(({ slotCount }) => slotCount));
  const missing =
    neighbours.missing.length === 0 ? [] : [warn(`, ${formatCount(neighbours.missing.length)} missing`)];
  return [
    [
      { text: 'evenkeel', style: 'bold' },
      { text: `  ${status.date.slice(11, 19)} UTC  ` },
      state(engine.state, engine.state === 'running'),
      { text: `${role}, up ${formatSpan(uptimeMs)}` },
      ...(view.settings.isPaused ? [{ text: '  PAUSED', style: 'inverse' as const }] : []),
    ],
    [
      { text: 'switch   ' },
      state(status.switch.connection, status.switch.connection === 'ready'),
      { text: ` ${memberText(status)}` },
      { text: `, neighbours ${formatCount(neighbours.known)}` },
      ...missing,
      ...(queue.dropped > 0 ? [warn(`, ${formatCount(queue.dropped)} events dropped`)] : []),
    ],
    [
      { text: 'change   ' },
      { text: change.phase, style: change.phase === 'idle' ? undefined : 'bold' },
      { text: `${began}${rows}${waiting}; commits ${lastCommit}` },
    ],
    [
      { text: `pins     ${formatCount(pins.installed)}` },
      { text: `, ${formatCount(pins.outstanding)} outstanding` },
      { text: `; unstable slots ${formatCount(unstable)} of ${formatCount(slots)}` },
      { text: `; admitted there ${rate(rates.admittedPerSecond)}/s` },
    ],
    [
      { text: `digests  ${rate(rates.noticesPerSecond)}/s ` },
      { text: curve(rates.noticesCurve, headCurveWidth, glyphs).trimStart() },
    ],
    ...(problem === undefined ? [] : [[warn(`! ${problem}`)]]),
    ...attention(status),
  ];
}

function attention({ config, engine, switch: target }: ControllerStatus): Line[] {
  const dead = engine.pools.filter(({ isDead }) => isDead).map(({ name }) => name);
  const problems = [
    ...(dead.length > 0 ? [`no backend lives: ${dead.slice(0, 5).join(', ')}`] : []),
    ...(target.problem === undefined ? [] : [`switch: ${target.problem}`]),
    ...(config.problems.length > 0 ? ['the configuration file has problems: evenkeel status'] : []),
  ];
  return problems.map((text) => [{ text: `! ${text}`, style: 'bad' }]);
}

function bodyLines({ status, rates, settings, glyphs, columns }: View): Line[] {
  const pools = status.engine.pools.filter(
    ({ name }) => settings.pool === undefined || name === settings.pool,
  );
  if (pools.length === 0)
    return [[{ text: settings.pool ? `there is no vip '${settings.pool}'` : 'no vips' }]];
  const rowsByPool = pools.map((pool) => ({ pool, rows: rowsOf(pool, status, rates, settings) }));
  const all: Row[] = rowsByPool.flatMap(({ rows }) => rows);
  const table = tableOf(all, settings, glyphs, columns);
  return [
    [{ text: table.title, style: 'inverse' }],
    ...rowsByPool.flatMap(({ pool, rows }) => [
      poolLine(pool, rates, glyphs),
      ...rows.map((row) => backendLine(row, table)),
    ]),
  ];
}

function poolLine(pool: PoolStatus, rates: Rates, glyphs: Glyphs): Line {
  const { packets, bytes, curve: past = [] } = rates.perSecond.get(poolKey(pool.id)) ?? {};
  const address = pool.address.includes(':') ? `[${pool.address}]` : pool.address;
  const unstable =
    pool.unstableSlots === 0
      ? 'stable'
      : `${formatCount(pool.unstableSlots)} of ${formatCount(pool.slotCount)} unstable`;
  return [
    { text: pool.name, style: 'bold' },
    { text: ` ${address}:${pool.port}/${pool.protocol} ` },
    pool.isDead ? { text: 'DEAD', style: 'bad' } : { text: pool.phase },
    { text: `, ${unstable}, ${formatCount(pool.pins)} pins, ${rate(packets)} packets/s, ${rate(bytes)}B/s ` },
    { text: curve(past, headCurveWidth, glyphs).trimStart() },
  ];
}

function helpLines(): Line[] {
  const width = Math.max(...keyHelp.map(([keys]) => keys.length));
  return [
    ...keyHelp.map(([keys, does]) => [
      { text: keys.padEnd(width), style: 'bold' as const },
      { text: `  ${does}` },
    ]),
    [],
    [{ text: 'SHARE: of new flows, in force; WANTED: once the change is through, marked in the bar.' }],
    [{ text: 'PACKETS/S, BYTES/S: what the switch forwarded to the backend, and the curve of it.' }],
    [{ text: 'admitted: new flows of unstable slots. In stable ones the switch remembers no flow,' }],
    [{ text: 'so nobody can count new ones.' }],
  ];
}

function footLine({ settings }: View, from: number, scrollMax: number): Line {
  const more = scrollMax === 0 ? '' : `  ${from > 0 ? '-' : ' '}${from < scrollMax ? '+' : ' '} scroll`;
  const pool = settings.pool === undefined ? '' : `  vip ${settings.pool}`;
  return [
    { text: `q quit  ? help  <> sort: ${settings.sort}  Tab vip  p pause${pool}${more}`, style: 'dim' },
  ];
}

function memberText({ switch: { target, members = [] } }: ControllerStatus): string {
  if (members.length < 2) return target;
  return `${members.filter(({ state: of }) => of === 'participating').length} of ${members.length} participate`;
}

const state = (text: string, isWell: boolean): Span => ({ text, style: isWell ? 'good' : 'bad' });
const warn = (text: string): Span => ({ text, style: 'warn' });
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
