// SPDX-License-Identifier: Apache-2.0
/** Tables and control flow of one pipeline of the BMv2 JSON. */

import { loadCondition, loadFieldRef, loadHeader, type Names, validField } from './load-expression.ts';
import type {
  Action,
  ActionCall,
  ActionProfile,
  Conditional,
  ConstantEntry,
  ConstantKeyPart,
  Control,
  DefaultEntry,
  KeyField,
  MatchKind,
  MeterArray,
  Table,
} from './program.ts';
import type { Reader } from './reader.ts';
import type { Attempt } from './sections.ts';

/** BMv2's own limit. */
export const tableSizeMax = 1 << 24;

/** Words a key may be packed into; wider keys are refused. */
const keyBitsMax = 2048;

/** Tables, conditionals and action calls of one pipeline; more are refused. */
const nodesMax = 10_000;

/** What tables name beside headers. */
export interface TableResources extends Names {
  /** By id. */
  actions: ReadonlyMap<number, Action>;
  profiles: ReadonlyMap<string, ActionProfile>;
  directMeters: ReadonlyMap<string, MeterArray>;
}

export function loadTables(
  pipeline: Reader,
  pipelineName: 'ingress' | 'egress',
  names: TableResources,
  attempt: Attempt,
): Table[] {
  const tables: Table[] = [];
  for (const node of pipeline.get('tables').array()) {
    const table = attempt(() => loadTable(node, pipelineName, names));
    if (table) tables.push(table);
  }
  return tables;
}

/** @param nodeNames  names of both pipelines so far: they share one name space */
export function loadControl(
  pipeline: Reader,
  name: 'ingress' | 'egress',
  tables: readonly Table[],
  names: TableResources,
  nodeNames: Set<string>,
  attempt: Attempt,
): Control {
  const listed = [
    ...pipeline.get('tables').array(),
    ...pipeline.get('conditionals').array(),
    ...pipeline.get('action_calls').optionalArray(),
  ];
  if (listed.length > nodesMax)
    pipeline.refuse(`more than ${nodesMax} tables, conditionals and action calls`);
  const conditionals: Conditional[] = [];
  for (const node of pipeline.get('conditionals').array()) {
    const conditional = attempt(() => ({
      name: node.get('name').name(),
      condition: loadCondition(node.get('expression'), names),
      onTrue: node.get('true_next').nullableString(),
      onFalse: node.get('false_next').nullableString(),
    }));
    if (conditional) conditionals.push(conditional);
  }
  const actionCalls: ActionCall[] = [];
  for (const node of pipeline.get('action_calls').optionalArray()) {
    const call = attempt(() => loadActionCall(node, names));
    if (call) actionCalls.push(call);
  }
  for (const node of [...tables, ...conditionals, ...actionCalls]) {
    if (nodeNames.has(node.name)) pipeline.refuse(`the node name ${node.name} is used twice`);
    nodeNames.add(node.name);
  }
  const all = new Set(listed.map((node) => node.get('name').value));
  const check = (next: string | null, from: string) => {
    if (next !== null && !all.has(next)) pipeline.refuse(`${from} leads to ${next}, which does not exist`);
  };
  const first = pipeline.get('init_table').nullableString();
  check(first, 'init_table');
  for (const conditional of conditionals) {
    check(conditional.onTrue, conditional.name);
    check(conditional.onFalse, conditional.name);
  }
  for (const call of actionCalls) check(call.next, call.name);
  for (const table of tables) for (const next of successorsOf(table)) check(next, table.name);
  const control = { name, first, tables, conditionals, actionCalls };
  refuseLoop(pipeline, control);
  return control;
}

function loadActionCall(node: Reader, names: TableResources): ActionCall {
  const name = node.get('name').name();
  const at = node.called(name);
  const id = at.get('action_id');
  const action =
    names.actions.get(id.integer()) ?? id.refuse(`there is no action with the id ${id.integer()}`);
  if (action.parameters.length > 0) id.refuse(`${action.name} takes parameters`);
  return { name, action, next: at.get('next_node').nullableString() };
}

/** A packet would never leave a loop in BMv2; p4c makes none. */
function refuseLoop(pipeline: Reader, { tables, conditionals, actionCalls }: Control): void {
  const successors = new Map<string, readonly (string | null)[]>();
  for (const table of tables) successors.set(table.name, successorsOf(table));
  for (const { name, onTrue, onFalse } of conditionals) successors.set(name, [onTrue, onFalse]);
  for (const { name, next } of actionCalls) successors.set(name, [next]);
  const incoming = new Map<string, number>();
  for (const next of [...successors.values()].flat())
    if (next !== null) incoming.set(next, (incoming.get(next) ?? 0) + 1);
  const free = [...successors.keys()].filter((name) => !incoming.has(name));
  let left = successors.size;
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    if (successors.has(name)) left -= 1;
    for (const next of successors.get(name) ?? []) {
      if (next === null) continue;
      const edges = incoming.get(next)! - 1;
      incoming.set(next, edges);
      if (edges === 0) free.push(next);
    }
  }
  if (left > 0) pipeline.refuse('the control flow has a loop, which a packet would never leave');
}

/** Every node a table may lead to. */
export function successorsOf(table: Table): (string | null)[] {
  if ('byAction' in table.next) {
    const chosen = [...table.next.byAction.values()];
    return table.default ? chosen : [...chosen, table.baseNext];
  }
  return [table.next.hit, table.next.miss];
}

function loadTable(node: Reader, pipeline: 'ingress' | 'egress', names: TableResources): Table {
  const name = node.get('name').name();
  const at = node.called(name);
  const key = at
    .get('key')
    .array()
    .map((item) => loadKeyField(item, names));
  if (key.filter((field) => field.kind === 'lpm').length > 1) at.refuse('more than one lpm key');
  if (key.reduce((sum, field) => sum + field.width, 0) > keyBitsMax)
    at.refuse(`a key of more than ${keyBitsMax} bits`);
  const actions = loadActions(at, names.actions);
  const entries = at.get('entries').isNull()
    ? undefined
    : at
        .get('entries')
        .array()
        .map((entry) => loadEntry(entry, key, actions));
  if (entries) refuseDuplicates(at, entries, key);
  const profile = loadProfile(at, actions, names.profiles);
  if (profile && (entries || !at.get('default_entry').isNull()))
    at.refuse('a table with an action profile has no entries and no default action of its own');
  const meter = at.get('direct_meters');
  return {
    name,
    id: at.get('id').integer(),
    pipeline,
    key,
    actions,
    profile,
    maxSize: entries
      ? entries.length
      : at.has('max_size')
        ? at.get('max_size').integer(0, tableSizeMax)
        : 1024,
    withCounters: at.get('with_counters').value === true,
    directMeter: meter.isNull()
      ? undefined
      : (names.directMeters.get(meter.string()) ??
        meter.refuse(`there is no direct meter ${meter.string()}`)),
    supportsTimeout: at.get('support_timeout').value === true,
    default: at.get('default_entry').isNull() ? undefined : loadDefault(at.get('default_entry'), actions),
    entries,
    next: loadNext(at, actions),
    baseNext: at.get('base_default_next').nullableString(),
  };
}

/** By id; in old JSON by name, where a name is one action's. */
function loadActions(at: Reader, all: ReadonlyMap<number, Action>): Action[] {
  const listed = at.get('actions').array();
  if (!at.has('action_ids')) {
    return listed.map((name) => {
      const found = [...all.values()].filter((action) => action.name === name.string());
      return found[0] ?? name.refuse(`there is no action ${name.string()}`);
    });
  }
  const actions = at
    .get('action_ids')
    .array()
    .map((id) => all.get(id.integer()) ?? id.refuse(`there is no action with the id ${id.integer()}`));
  if (listed.length !== actions.length || listed.some((item, index) => item.value !== actions[index]!.name))
    at.refuse('actions and action_ids differ');
  if (new Set(actions).size !== actions.length) at.refuse('an action is listed twice');
  return actions;
}

/** Adds the actions of the table to those of its profile. */
function loadProfile(
  at: Reader,
  actions: readonly Action[],
  profiles: ReadonlyMap<string, ActionProfile>,
): ActionProfile | undefined {
  const type = at.get('type').string();
  if (type === 'simple') return undefined;
  if (type !== 'indirect' && type !== 'indirect_ws') at.refuse(`a table of type "${type}"`);
  const name = at.has('action_profile') ? at.get('action_profile') : at.get('act_prof_name');
  const profile = profiles.get(name.string()) ?? name.refuse(`there is no action profile ${name.string()}`);
  if ((type === 'indirect_ws') !== (profile.selector !== undefined))
    at.refuse(`a table of type ${type} whose profile ${type === 'indirect' ? 'has a' : 'has no'} selector`);
  for (const action of actions) {
    const known = profile.actions.find((other) => other.name === action.name);
    if (!known) profile.actions.push(action);
    else if (
      known.parameters.map(({ width }) => width).join() !== action.parameters.map(({ width }) => width).join()
    )
      at.refuse(`${action.name} has other parameters in another table of ${profile.name}`);
  }
  return profile;
}

function loadKeyField(node: Reader, names: Names): KeyField {
  const kind = node.get('match_type').string();
  if (kind === 'valid') return loadValidKey(node, names);
  if (kind !== 'exact' && kind !== 'lpm' && kind !== 'ternary' && kind !== 'range') {
    return node.refuse(`the match kind "${kind}" is not supported`);
  }
  if (!Array.isArray(node.get('target').value)) {
    node.refuse('a key with a run-time stack index, which BMv2 cannot load either');
  }
  const ref = loadFieldRef(node.get('target'), names);
  if (ref.field.varbit) node.refuse('a varbit field cannot be a key');
  if (ref.field.name === '$valid$' && ref.header.metadata)
    node.refuse(`${ref.header.name} is metadata, always valid`);
  return {
    name: node.get('name').isNull() ? `${ref.header.name}.${ref.field.name}` : node.get('name').name(),
    kind,
    ref,
    width: ref.field.width,
    mask: node.get('mask').isNull() ? undefined : node.get('mask').hex(),
  };
}

/** P4_14's match on the validity of a header. */
function loadValidKey(node: Reader, names: Names): KeyField {
  const header = loadHeader(node.get('target'), names);
  if (header.metadata) node.refuse(`${header.name} is metadata, always valid`);
  const name = node.get('name').isNull() ? header.name : node.get('name').name();
  return { name, kind: 'exact', ref: { header, field: validField }, width: 1, mask: undefined };
}

function loadDefault(node: Reader, actions: readonly Action[]): DefaultEntry {
  const action = findAction(node.get('action_id'), actions);
  const isActionConstant = node.get('action_const').value === true;
  return {
    action,
    data: loadData(node.get('action_data'), action),
    isActionConstant,
    isDataConstant: node.get('action_entry_const').value === true,
  };
}

function loadNext(at: Reader, actions: readonly Action[]): Table['next'] {
  const next = at.get('next_tables').object();
  if (next.has('__HIT__') || next.has('__MISS__') || next.keys().includes('__HIT__')) {
    return { hit: next.get('__HIT__').nullableString(), miss: next.get('__MISS__').nullableString() };
  }
  const byAction = new Map<number, string | null>();
  for (const action of actions) {
    if (!next.keys().includes(action.name)) next.refuse(`no successor for the action ${action.name}`);
    byAction.set(action.id, next.get(action.name).nullableString());
  }
  return { byAction };
}

function loadEntry(node: Reader, key: readonly KeyField[], actions: readonly Action[]): ConstantEntry {
  const entry = node.get('action_entry');
  const action = findAction(entry.get('action_id'), actions);
  const parts = node.get('match_key').tuple(key.length);
  return {
    key: parts.map((part, index) => loadKeyPart(part, key[index]!)),
    bmv2Priority: node.get('priority').isNull() ? 0 : node.get('priority').integer(),
    action,
    data: loadData(entry.get('action_data'), action),
  };
}

function loadKeyPart(node: Reader, field: KeyField): ConstantKeyPart {
  const kind: MatchKind = field.kind;
  const ones = (1n << BigInt(field.width)) - 1n;
  const fitting = (key: string) => {
    // p4c writes numbers padded to whole bytes, and all ones for "any".
    const value = node.get(key).hex();
    if (value < 0n) node.get(key).refuse('a negative number');
    return value & ones;
  };
  const written = node.get('match_type').value;
  if (written !== undefined && written !== kind)
    node.refuse(`expected a ${kind} match, found ${node.get('match_type').shown()}`);
  switch (kind) {
    case 'exact':
      return { kind, value: fitting('key') };
    case 'lpm': {
      const prefixLength = node.get('prefix_length').integer(0, field.width);
      return { kind, value: fitting('key'), prefixLength };
    }
    case 'ternary':
      return { kind, value: fitting('key'), mask: fitting('mask') };
    case 'range':
      return { kind, low: fitting('start'), high: fitting('end') };
  }
}

function loadData(node: Reader, action: Action): bigint[] {
  const items = node.optionalArray();
  if (items.length !== action.parameters.length) {
    node.refuse(`${action.name} takes ${action.parameters.length} parameters, ${items.length} are given`);
  }
  return items.map((item, index) => BigInt.asUintN(action.parameters[index]!.width, item.hex()));
}

function findAction(id: Reader, actions: readonly Action[]): Action {
  return (
    actions.find((action) => action.id === id.integer()) ??
    id.refuse(`the table has no action with the id ${id.integer()}`)
  );
}

function refuseDuplicates(at: Reader, entries: readonly ConstantEntry[], key: readonly KeyField[]): void {
  const ordered = key.some((field) => field.kind === 'ternary' || field.kind === 'range');
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const parts = entry.key.map((part) =>
      'low' in part
        ? `${part.low}..${part.high}`
        : `${part.value}/${'mask' in part ? part.mask : 'prefixLength' in part ? part.prefixLength : ''}`,
    );
    const text = `${parts.join(' ')}${ordered ? ` @${entry.bmv2Priority}` : ''}`;
    if (seen.has(text)) at.refuse(`entry ${index} repeats the key of an earlier one`);
    seen.add(text);
  }
}
