// SPDX-License-Identifier: Apache-2.0
/** `ingress` and `egress`: from table to conditional to table, until a null. */

import { slots } from '../layout.ts';
import { throughGroup, throughMember } from '../pipeline.ts';
import type { Action, ActionCall, ActionProfile, Conditional, Control, Table } from '../program.ts';
import type { DataPlan, TableState } from '../tables/table-state.ts';
import { executeMeter, runAction } from './actions.ts';
import { runCalculation } from './calculations.ts';
import { holds } from './expressions.ts';
import { isValid, readField, readWords } from './fields.ts';
import { type Machine, plainly } from './machine.ts';

export function runControl(control: Control, machine: Machine): void {
  const nodes = nodesOf(control);
  let at = control.first;
  while (at !== null) {
    const node: Table | Conditional | ActionCall = nodes.get(at)!;
    if ('condition' in node) {
      const outcome = holds(node.condition, plainly(machine));
      machine.observer?.observe({ kind: 'conditional', conditional: node, outcome });
      at = outcome ? node.onTrue : node.onFalse;
    } else if ('action' in node) {
      perform(node, node.action, [], machine);
      if (machine.memory.F[slots.exit] !== 0) return;
      at = node.next;
    } else {
      const next = applyTable(node, machine);
      if (next === undefined) return;
      machine.observer?.observe({ kind: 'applied', table: node, next });
      at = next;
    }
  }
}

const nodesByControl = new WeakMap<Control, ReadonlyMap<string, Table | Conditional | ActionCall>>();

function nodesOf(control: Control): ReadonlyMap<string, Table | Conditional | ActionCall> {
  let nodes = nodesByControl.get(control);
  if (nodes) return nodes;
  const { tables, conditionals, actionCalls } = control;
  nodes = new Map([...tables, ...conditionals, ...actionCalls].map((node) => [node.name, node]));
  nodesByControl.set(control, nodes);
  return nodes;
}

/** @returns the next node, null for the end, undefined when an action has said `exit` */
function applyTable(table: Table, machine: Machine): string | null | undefined {
  const { memory, observer, lookup } = machine;
  const state = memory.tables.get(table.id)!;
  const key = table.key.map(({ ref, mask, width }) => {
    // Where a header is not valid, keys see zeroes, whatever it has kept.
    const value = isValid(memory, ref.header) ? BigInt.asUintN(width, readField(memory, ref)) : 0n;
    return mask === undefined ? value : value & mask;
  });
  const row = key.length === 0 ? 0 : lookup.find(table, key);
  observer?.observe({ kind: 'apply', table, key, row });
  if (key.length > 0) noteHit(table, state, row, machine);
  const chosen = table.profile
    ? throughProfile(table, table.profile, state, row, machine)
    : actionAt(state, row, table.actions);
  if (chosen) {
    perform(table, chosen.action, chosen.data, machine);
    if (memory.F[slots.exit] !== 0) return undefined;
  }
  if (!('byAction' in table.next)) return row !== 0 ? table.next.hit : table.next.miss;
  return chosen ? (table.next.byAction.get(chosen.action.id) ?? null) : table.baseNext;
}

function perform(by: Table | ActionCall, action: Action, data: readonly bigint[], machine: Machine): void {
  const { observer } = machine;
  observer?.observe({ kind: 'action', by, action, data });
  runAction(action, data, machine);
  observer?.observe({ kind: 'action-done', action });
}

/** Counts, and lets the entry's meter run. Row 0 takes what misses count; nobody reads it. */
function noteHit(table: Table, state: TableState, row: number, machine: Machine): void {
  const { memory, observer } = machine;
  if (table.withCounters) {
    const { packets, bytes } = state;
    packets[row]! += 1;
    bytes[row]! += memory.F[slots.receivedLength]!;
    const cell = { packets: BigInt(packets[row]!), bytes: BigInt(bytes[row]!) };
    if (row !== 0) observer?.observe({ kind: 'direct-count', table, cell });
  }
  if (table.supportsTimeout) state.lastHit[row] = memory.clock[0]!;
  const { directMeter } = table;
  if (!directMeter || row === 0) return;
  const target = { kind: 'field' as const, ref: directMeter.target! };
  executeMeter(directMeter, memory.directMeters.get(table.id)!, row, target, plainly(machine), machine);
}

interface Chosen {
  action: Action;
  data: bigint[];
}

/** What a row of actions with their data says. */
function actionAt(
  rows: { action: Int32Array; data: Uint32Array; stride: number; dataPlan: DataPlan },
  row: number,
  actions: readonly Action[],
): Chosen | undefined {
  const action = actions.find(({ id }) => id === rows.action[row]);
  if (!action) return undefined;
  const data = rows.dataPlan
    .get(action.id)!
    .map(({ at, width }) => readWords(rows.data, row * rows.stride + at, Math.ceil(width / 32)));
  return { action, data };
}

/** From the row of an entry to the action of a member. Nothing on a miss, nor for a group without active members. */
function throughProfile(
  table: Table,
  profile: ActionProfile,
  entries: TableState,
  row: number,
  { memory, observer }: Machine,
): Chosen | undefined {
  const state = memory.profiles.get(profile.id)!;
  const handle = entries.data[row]!;
  let memberRow = 0;
  if (entries.action[row] === throughMember) {
    memberRow = handle + 1;
    observer?.observe({ kind: 'member', profile, group: undefined, hash: undefined, row: memberRow });
  } else if (entries.action[row] === throughGroup && profile.selector) {
    // BMv2 keeps 32 bits of a hash here, whichever it is.
    const hash = Number(BigInt.asUintN(32, runCalculation(profile.selector, memory)));
    memberRow = state.choose(handle, hash);
    observer?.observe({ kind: 'member', profile, group: handle, hash, row: memberRow });
  }
  const chosen = actionAt(state, memberRow, profile.actions);
  // Each table has its own copy of an action; the profile knows the first of each name.
  const own = chosen && table.actions.find(({ name }) => name === chosen.action.name);
  return own && { action: own, data: chosen.data };
}
