// SPDX-License-Identifier: Apache-2.0
/** `evenkeel status` for people: what needs attention first, then vips, backends, what the engine is doing. */
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import { formatProblem } from '../controller/config/problem.ts';
import type { BackendStatus, PoolStatus, Status } from '../controller/core/status.ts';
import type { Count, MemberStatus } from '../controller/ports/switch.ts';
import { healthLines, healthOf, healthWord } from './health-text.ts';
import { lifecycleLines, sightOf, stateWord } from './lifecycle-text.ts';
import { type Column, formatCount, formatLarge, formatShare, formatSpan, tableLines } from './table.ts';

/** Commits shown; `-o json` has them all. */
const commitsShown = 5;
const problemsShown = 5;

export function statusText(status: ControllerStatus): string {
  const sections = [
    headLines(status),
    attentionLines(status),
    tableLines(memberColumns, group(status)),
    tableLines(vipColumns(status), status.engine.pools),
    tableLines(backendColumns(status), backendLines(status.engine)),
    lifecycleLines(status),
    trafficLines(status),
    engineLines(status.engine),
    commitLines(status.engine),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function headLines(status: ControllerStatus): string[] {
  const { config, engine, uptimeMs } = status;
  return [
    `controller  ${engine.state}, up ${formatSpan(uptimeMs)}, ${config.file}`,
    ...leadershipLine(status),
    switchLine(status),
    ...announceLine(status),
  ];
}

/** Where a speaker tells routers of the vips. */
function announceLine({ announcer }: ControllerStatus): string[] {
  if (announcer === undefined) return [];
  const { announced, isDraining, problem, refused, speaker } = announcer;
  const what = announced === undefined ? 'nothing yet' : announced.join(' ') || 'nothing';
  const draining = isDraining ? ', draining' : '';
  const without = refused.length === 0 ? '' : `, without ${refused.join(' ')}: too few pass their checks`;
  return [
    `announces   ${what} by ${speaker}${draining}${without}${problem === undefined ? '' : `: ${problem}`}`,
  ];
}

/** Where there are several controllers. */
function leadershipLine({
  leadership: { isShared, role, term, leader, problem },
}: ControllerStatus): string[] {
  if (!isShared) return [];
  if (role === 'leader') return [`role        leader, term ${BigInt.asUintN(64, BigInt(term ?? 0))}`];
  const who = leader === undefined ? '' : `, ${leader.name} leads (${leader.admin})`;
  return [`role        ${role}${who}${problem === undefined ? '' : `: ${problem}`}`];
}

function switchLine(status: ControllerStatus): string {
  const { connection, target, problem } = status.switch;
  const members = group(status);
  if (members.length === 0)
    return `switch      ${connection}, ${target}${problem === undefined ? '' : `: ${problem}`}`;
  const participating = members.filter(({ state }) => state === 'participating').length;
  return `switches    ${connection}, ${participating} of ${members.length} participating`;
}

/** The switches, where there is more than one. */
const group = ({ switch: { members = [] } }: ControllerStatus): readonly MemberStatus[] =>
  members.length > 1 ? members : [];

const memberColumns: Column<MemberStatus>[] = [
  { title: 'SWITCH', text: ({ name }) => name },
  { title: 'ADDRESS', text: ({ address }) => address },
  { title: 'STATE', text: ({ state }) => state },
  { title: 'SINCE', align: 'right', text: ({ stateMs }) => `${formatSpan(stateMs)} ago` },
  { title: 'ROWS BEHIND', align: 'right', text: ({ rowsBehind }) => formatCount(rowsBehind) },
];

/** Everything that is not as it should be. */
function attentionLines(status: ControllerStatus): string[] {
  const { config, engine, queue, leadership } = status;
  const lines = [
    ...[...config.problems, ...config.warnings].map((problem) => formatProblem(problem, config.file)),
    ...config.needsRestart.map(
      (setting) => `${setting} has changed: it takes effect when the controller is restarted`,
    ),
    ...engine.problems
      .slice(-problemsShown)
      .map(({ at, message }) => `${formatSpan(engine.now - at)} ago: ${message}`),
  ];
  for (const { name, state, stateMs, problem } of group(status)) {
    const why = problem === undefined ? '' : ` (${problem})`;
    if (state !== 'participating')
      lines.push(`switch ${name} is ${state} for ${formatSpan(stateMs)}${why}: it should carry no traffic`);
  }
  for (const { name, drift } of status.switch.members ?? []) {
    const { missing = 0, changed = 0, foreign = 0 } = drift?.counts ?? {};
    if (missing + changed + foreign > 0)
      lines.push(
        `somebody else has written to switch ${name}: ${missing} rows missing, ${changed} changed, ${foreign} foreign; see evenkeel drift`,
      );
  }
  for (const { name, isDead } of engine.pools)
    if (isDead) lines.push(`vip ${name} is dead: no backend that lives has a slot`);
  lines.push(...healthLines(status.health ?? []));
  for (const { pool, problem } of status.load ?? [])
    if (problem !== undefined) lines.push(`vip ${pool}: the load of its backends is not known: ${problem}`);
  const { missing } = engine.neighbours;
  if (missing.length > 0)
    lines.push(`no answer to ARP or NDP from ${missing.slice(0, 10).join(', ')}${more(missing.length, 10)}`);
  if (leadership.book?.problem !== undefined) lines.push(`the book is not kept: ${leadership.book.problem}`);
  if (engine.pins.refused > 0)
    lines.push(`${formatCount(engine.pins.refused)} pins refused for want of room`);
  if (queue.dropped > 0)
    lines.push(`${formatCount(queue.dropped)} notices of the switch dropped in a storm; they come again`);
  if (status.switch.notices.unreadable > 0)
    lines.push(`${formatCount(status.switch.notices.unreadable)} notices of the switch could not be read`);
  return lines.map((line) => `! ${line}`);
}

function vipColumns({ switch: { traffic } }: ControllerStatus): Column<PoolStatus>[] {
  return [
    { title: 'VIP', text: (pool) => pool.name },
    { title: 'ADDRESS', text: (pool) => `${endpointText(pool)}/${pool.protocol}` },
    { title: 'STATE', text: (pool) => pool.phase },
    { title: 'SLOTS', align: 'right', text: (pool) => formatCount(pool.slotCount) },
    { title: 'ROWS', align: 'right', text: (pool) => formatCount(pool.slotRows) },
    { title: 'UNSTABLE', align: 'right', text: (pool) => formatCount(pool.unstableSlots) },
    { title: 'PINS', align: 'right', text: (pool) => formatCount(pool.pins) },
    { title: 'SESSION', align: 'right', text: (pool) => formatSpan(pool.sessionTimeoutMs) },
    { title: 'FORWARDING', text: (pool) => pool.forwarding },
    { title: 'PLACEMENT', text: (pool) => (pool.table === 'prefix' ? 'prefix' : pool.placement) },
    { title: 'PACKETS', align: 'right', text: (pool) => packets(traffic?.pools[pool.id]) },
    { title: 'BYTES', align: 'right', text: (pool) => bytes(traffic?.pools[pool.id]) },
  ];
}

interface BackendLine {
  pool: PoolStatus;
  backend: BackendStatus;
  isFirst: boolean;
}

const backendLines = (engine: Status): BackendLine[] =>
  engine.pools.flatMap((pool) => pool.backends.map((backend, i) => ({ pool, backend, isFirst: i === 0 })));

function backendColumns(status: ControllerStatus): Column<BackendLine>[] {
  const { health } = status;
  const { traffic } = status.switch;
  return [
    { title: 'VIP', text: ({ pool, isFirst }) => (isFirst ? pool.name : '') },
    { title: 'BACKEND', text: ({ backend }) => backend.name },
    { title: 'ADDRESS', text: ({ backend }) => endpointText(backend) },
    {
      title: 'STATE',
      text: ({ pool, backend }) => stateWord(backend, sightOf(status, pool.name, backend.name).wished),
    },
    ...(health === undefined || health.length === 0
      ? []
      : [
          {
            title: 'HEALTH',
            text: ({ pool, backend }: BackendLine) => healthWord(healthOf(health, pool.name, backend.name)),
          },
        ]),
    { title: 'WEIGHT', align: 'right', text: ({ backend }) => formatCount(backend.weight) },
    { title: 'SLOTS', align: 'right', text: ({ backend }) => formatCount(backend.slots) },
    { title: 'SHARE', align: 'right', text: ({ backend }) => formatShare(backend.share) },
    { title: 'PINS', align: 'right', text: ({ backend }) => formatCount(backend.pins) },
    { title: 'PACKETS', align: 'right', text: ({ backend }) => packets(traffic?.backends[backend.id]) },
    { title: 'BYTES', align: 'right', text: ({ backend }) => bytes(traffic?.backends[backend.id]) },
  ];
}

function trafficLines({ switch: { traffic } }: ControllerStatus): string[] {
  if (traffic === undefined) return [];
  const line = (title: string, counts: Readonly<Record<string, Count>>): string[] => {
    const seen = Object.entries(counts).filter(([, count]) => count.packets > 0);
    if (seen.length === 0) return [];
    const words = seen.map(([name, count]) => `${name.replaceAll('_', ' ')} ${formatLarge(count.packets)}`);
    return [`${title.padEnd(12)}${words.join(', ')}`];
  };
  return [
    ...line('decisions', traffic.decisions),
    ...line('drops', traffic.drops),
    ...line('hints', traffic.hints),
    ...line('limited', traffic.limited),
  ];
}

function engineLines({ now, version, change, pins, writes }: Status): string[] {
  const filters = version.filters.map(({ filterSlot, state, column, reusableAt }) => {
    const wait = reusableAt === undefined ? '' : ` for ${formatSpan(Math.max(0, reusableAt - now))}`;
    return `${filterSlot} ${state}${wait}${state === 'free' ? '' : ` on column ${column}`}`;
  });
  const rows = change.rows > 0 ? `, ${formatCount(change.rows)} rows` : '';
  const began = change.startedAt === undefined ? '' : `, for ${formatSpan(now - change.startedAt)}`;
  const waiting = change.waitingFor === undefined ? '' : `, waiting: ${change.waitingFor}`;
  const phase =
    change.phase === 'idle' ? `none under way${waiting}` : `${change.phase}${began}${rows}${waiting}`;
  return [
    `filters     ${filters.join(', ')}`,
    `change      ${phase}`,
    `pins        ${formatCount(pins.installed)} installed, ${formatCount(pins.outstanding)} outstanding`,
    `writes      ${formatCount(writes.updatesInFlight)} updates in flight, ${formatCount(writes.unsettledRows)} rows unsettled, ` +
      `${formatCount(writes.failures)} failures`,
  ];
}

function commitLines({ commits, now }: Status): string[] {
  return tableLines(
    [
      { title: 'COMMIT', align: 'right', text: (commit) => `${formatSpan(now - commit.committedAt)} ago` },
      { title: 'VIPS', text: (commit) => commit.pools.slice(0, 4).join(', ') + more(commit.pools.length, 4) },
      { title: 'MOVED SLOTS', align: 'right', text: (commit) => formatCount(commit.movedSlots) },
      { title: 'ROWS', align: 'right', text: (commit) => formatCount(commit.rows) },
      { title: 'TOOK', align: 'right', text: (commit) => formatSpan(commit.durationMs) },
    ],
    commits.slice(-commitsShown).reverse(),
  );
}

/** Text to text: an IPv6 address has colons of its own. */
const endpointText = ({ address, port }: { address: string; port: number }): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
const packets = (count: Count | undefined): string =>
  count === undefined ? '-' : formatLarge(count.packets);
const bytes = (count: Count | undefined): string =>
  count === undefined ? '-' : `${formatLarge(count.bytes)}B`.replace(/(\d)B/, '$1 B');
const more = (count: number, shown: number): string => (count > shown ? ` and ${count - shown} more` : '');
