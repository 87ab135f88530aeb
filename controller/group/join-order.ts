// SPDX-License-Identifier: Apache-2.0
/**
 * In which order a switch is brought from what it holds to what the group holds, so that no packet ever sees half a table.
 * Each phase is acknowledged before the next begins:
 *
 *   withdrawn   vips that are gone, and those whose tables cannot be turned into the new ones in place
 *   network     own addresses, routes, neighbours
 *   backends    and their return paths
 *   pins        so that flows that live elsewhere than their slot are known before their slot is touched
 *   columns     of slots that are unstable in the group: those that lack and those that are too many
 *   slots       a slot turns unstable when all of its columns are there
 *   version     what new flows get, and what the filters mean
 *   vips        from here on the switch is asked
 *   later       columns that nothing refers to yet
 *   leftovers   pins, columns and slots that the group no longer has: until here something might still have needed them
 *   unused      backends, return paths, routes and neighbours that the group no longer has
 *   era         it is behind no more (era.ts); only when writes wait for it
 *
 * A flow of a slot that changes goes from where the switch sent it to where the group sends it in one step.
 */
import type { RowKey } from '../core/ledger.ts';
import type { Row } from '../core/row.ts';
import type { Difference, Held, Shadow } from './difference.ts';
import { isEra } from './era.ts';
import { sameRow, slotKey } from './row-key.ts';

const phases = [
  'withdrawn',
  'network',
  'backends',
  'pins',
  'columns',
  'slots',
  'version',
  'vips',
  'later',
  'leftovers',
  'unused',
  'era',
] as const;
type Phase = (typeof phases)[number];

export interface JoinStep {
  phase: Phase;
  keys: RowKey[];
}

/** For a switch that has no room for the old and the new rows at once: it serves nobody until it has the new ones. */
const phasesThatMakeRoom: readonly Phase[] = [
  'withdrawn',
  'leftovers',
  'unused',
  ...phases.filter((phase) => phase !== 'withdrawn' && phase !== 'leftovers' && phase !== 'unused'),
];

export interface JoinOrderOptions {
  makesRoom: boolean;
  /** The group goes on without it meanwhile. */
  isLeftBehind: boolean;
}

/** Steps that have something to do. A vip that is withdrawn comes twice: it goes, and later it comes back. */
export function joinOrder(
  difference: Difference,
  shadow: Shadow,
  { makesRoom, isLeftBehind }: JoinOrderOptions,
): JoinStep[] {
  const keys = new Map<Phase, RowKey[]>();
  const add = (phase: Phase, key: RowKey): void => {
    const before = keys.get(phase);
    if (before) before.push(key);
    else keys.set(phase, [key]);
  };
  const pools = makesRoom ? undefined : poolsThatChanged(difference, shadow);
  for (const key of withdrawnVips(difference, shadow, pools)) add('withdrawn', key);
  for (const [key, held] of difference.rows) add(phaseOf(held, shadow.get(key), shadow), key);
  return (makesRoom ? phasesThatMakeRoom : phases).flatMap((phase) => {
    const found = isLeftBehind && phase === 'era' ? undefined : keys.get(phase);
    return found ? [{ phase, keys: found }] : [];
  });
}

/** The same for rows that somebody else has changed on a switch that serves: no vip is withdrawn for them. */
export function repairOrder(difference: Difference, shadow: Shadow): RowKey[][] {
  const keys = new Map<Phase, RowKey[]>();
  for (const [key, held] of difference.rows) {
    const phase = phaseOf(held, shadow.get(key), shadow);
    const before = keys.get(phase);
    if (before) before.push(key);
    else keys.set(phase, [key]);
  }
  return phases.flatMap((phase) => (keys.has(phase) ? [keys.get(phase)!] : []));
}

function phaseOf({ name }: Held, wanted: Row | undefined, shadow: Shadow): Phase {
  const isExtra = wanted === undefined;
  if (isEra(name)) return 'era';
  switch (name.table) {
    case 'version':
      return 'version';
    case 'vip':
      return isExtra ? 'withdrawn' : 'vips';
    case 'pin':
      return isExtra ? 'leftovers' : 'pins';
    case 'slot':
      return isExtra ? 'leftovers' : 'slots';
    case 'slot_version': {
      const slot = shadow.get(slotKey(name));
      if (slot?.table === 'slot' && slot.unstable) return 'columns';
      return isExtra ? 'leftovers' : 'later';
    }
    case 'backend':
    case 'return_path':
      return isExtra ? 'unused' : 'backends';
    default:
      return isExtra ? 'unused' : 'network';
  }
}

/**
 * Vips of the switch that are there in the group too, but cannot be served meanwhile. Their clients wait for as long as
 * the join takes; sent to a stranger they would be cut off.
 *
 * @param pools  of these vips; undefined: of all
 */
function withdrawnVips(
  difference: Difference,
  shadow: Shadow,
  pools: ReadonlySet<number> | undefined,
): RowKey[] {
  if (pools?.size === 0) return [];
  const isOfThem = (pool: number): boolean => pools === undefined || pools.has(pool);
  const withdrawn: RowKey[] = [];
  // Those that are gone from the group are withdrawn anyway.
  for (const [key, { row }] of difference.rows)
    if (is(row, 'vip') && isOfThem(row.pool) && shadow.has(key)) withdrawn.push(key);
  for (const [key, row] of shadow) {
    if (row.table !== 'vip' || !isOfThem(row.pool) || difference.rows.has(key)) continue;
    difference.rows.set(key, { name: row, row, isDoubtful: false });
    withdrawn.push(key);
  }
  return withdrawn;
}

/** Pools that mean something else in the group: the id or the size has changed hands, or the id of a backend has. */
function poolsThatChanged(difference: Difference, shadow: Shadow): Set<number> {
  const pools = new Set<number>();
  const backends = new Set<number>();
  const vipPools = new Set<number>();
  for (const [key, { row }] of difference.rows) {
    const wanted = shadow.get(key);
    if (is(row, 'backend') && wanted !== undefined && !sameRow(row, wanted)) backends.add(row.backend);
    if (is(row, 'vip') && !sameRow(row, wanted)) vipPools.add(row.pool);
  }
  if (vipPools.size === 0 && backends.size === 0) return pools;
  for (const row of shadow.values()) {
    if (row.table === 'vip' && vipPools.has(row.pool)) pools.add(row.pool);
    else if (namesBackend(row, backends)) pools.add(row.pool);
  }
  for (const { row } of difference.rows.values())
    if (row !== undefined && namesBackend(row, backends)) pools.add(row.pool);
  return pools;
}

function is<T extends Row['table']>(row: Row | undefined, table: T): row is Extract<Row, { table: T }> {
  return row?.table === table;
}

function namesBackend(
  row: Row,
  backends: ReadonlySet<number>,
): row is Extract<Row, { table: 'slot' | 'slot_version' | 'pin' }> {
  const isOfPool = row.table === 'slot' || row.table === 'slot_version' || row.table === 'pin';
  return isOfPool && backends.has(row.backend);
}
