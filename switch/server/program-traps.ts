// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the traps (traps.ts) that a program steps on, in its P4Info and in the text of its BMv2 JSON, which knows the
 * lines of the source. What cannot be seen without running packets is not found; what is found may never happen.
 */

import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { FoundTrap } from './bound.ts';
import type { TrapName } from './traps.ts';

/** Of the JSON only what is looked at; the engine has checked the rest. */
interface Json {
  actions?: JsonAction[];
  pipelines?: JsonPipeline[];
  parsers?: unknown[];
}

interface JsonAction {
  name: string;
  id: number;
  primitives?: JsonPrimitive[];
}

interface JsonPrimitive {
  op: string;
  parameters?: unknown[];
  source_info?: SourceInfo;
}

interface SourceInfo {
  filename?: string;
  line?: number;
}

interface JsonPipeline {
  name: string;
  tables?: JsonTable[];
  conditionals?: { name: string; expression?: unknown; source_info?: SourceInfo }[];
}

interface JsonTable {
  name: string;
  source_info?: SourceInfo;
  key?: { match_type: string; target?: unknown; name?: string }[];
  action_ids?: number[];
  with_counters?: boolean;
  direct_meters?: unknown;
  default_entry?: { action_id: number };
  entries?: { match_key?: JsonMatch[] }[];
}

interface JsonMatch {
  match_type: string;
  key?: string;
  prefix_length?: number;
  start?: string;
  end?: string;
}

/** A primitive where it is used. */
interface Use {
  primitive: JsonPrimitive;
  where: string;
}

/** @param json  text of a BMv2 JSON that the engine has loaded */
export function programTraps(p4info: P4Info, json: string): FoundTrap[] {
  const program = JSON.parse(json) as Json;
  const found: FoundTrap[] = [];
  const add = (name: TrapName, where: string) => void found.push({ name, where });
  const ingress = usesOf(program, 'ingress');
  const egress = usesOf(program, 'egress');
  const all = [...ingress, ...egress];

  lostMetadata(program, ingress, egress, add);
  for (const { primitive, where } of egress) {
    if (assignsTo(primitive, 'egress_spec')) add('egress-spec-in-egress', where);
  }
  if (!ingress.some(({ primitive }) => drops(primitive))) add('never-dropped', 'ingress has no mark_to_drop');
  for (const { primitive, where } of ingress) {
    if (assignsTo(primitive, 'priority')) add('priority-queue', where);
  }
  const copies = all.some(
    ({ primitive }) => primitive.op.startsWith('clone_') || assignsTo(primitive, 'mcast_grp'),
  );
  for (const { primitive, where } of ingress) {
    if (copies && primitive.op === 'truncate') add('truncated-copies', where);
  }
  for (const { primitive, where } of all) {
    if (primitive.op === 'assert' || primitive.op === 'assume' || divides(primitive.parameters)) {
      add('process-dies', where);
    }
  }
  for (const pipeline of program.pipelines ?? []) {
    for (const table of pipeline.tables ?? []) tableTraps(program, table, add);
  }
  p4infoTraps(p4info, add);
  return found;
}

type Add = (name: TrapName, where: string) => void;

function usesOf({ actions = [], pipelines = [] }: Json, name: string): Use[] {
  const byId = new Map(actions.map((action) => [action.id, action]));
  const tables = pipelines.find((pipeline) => pipeline.name === name)?.tables ?? [];
  const ids = new Set(tables.flatMap((table) => table.action_ids ?? []));
  return [...ids].flatMap((id) => {
    const action = byId.get(id);
    return (action?.primitives ?? []).map((primitive) => ({
      primitive,
      where: placeOf(`action '${action!.name}'`, primitive.source_info),
    }));
  });
}

function placeOf(what: string, source: SourceInfo | undefined): string {
  return source?.line === undefined ? what : `${what}, ${source.filename}:${source.line}`;
}

const assigned = 'standard_metadata';

/** Copies from one set of standard metadata to another are p4c's way to pass it to an action. */
function assignsTo({ op, parameters = [] }: JsonPrimitive, field: string): boolean {
  if (op !== 'assign' && op !== 'modify_field') return false;
  const [target, source] = parameters;
  return isField(target, assigned, field) && fieldOf(source)?.[1] !== field;
}

function drops(primitive: JsonPrimitive): boolean {
  return primitive.op === 'mark_to_drop' || primitive.op === 'drop';
}

function fieldOf(node: unknown): [string, string] | undefined {
  const { type, value } = (node ?? {}) as { type?: string; value?: unknown };
  return type === 'field' && Array.isArray(value) ? (value as [string, string]) : undefined;
}

function isField(node: unknown, header: string, field: string): boolean {
  const named = fieldOf(node);
  return named?.[0] === header && named[1] === field;
}

/** Visits everything inside a piece of JSON. */
function some(node: unknown, matches: (node: unknown) => boolean): boolean {
  if (matches(node)) return true;
  if (typeof node !== 'object' || node === null) return false;
  return Object.values(node).some((child) => some(child, matches));
}

/** By anything but a constant other than zero. */
function divides(parameters: unknown): boolean {
  return some(parameters, (node) => {
    const { op, right } = (node ?? {}) as { op?: unknown; right?: { type?: string; value?: unknown } };
    if (op !== '/' && op !== '%') return false;
    return right?.type !== 'hexstr' || Number(right.value) === 0;
  });
}

const lostFields = ['ingress_port', 'ingress_global_timestamp', 'parser_error', 'checksum_error'];

function lostMetadata(program: Json, ingress: readonly Use[], egress: readonly Use[], add: Add): void {
  const has = (...ops: string[]) =>
    [...ingress, ...egress].some(({ primitive }) => ops.includes(primitive.op));
  const again = has('resubmit', 'recirculate');
  const cloned = has('clone_ingress_pkt_to_egress', 'clone_egress_pkt_to_egress');
  const reads = (node: unknown) =>
    lostFields.find((field) => some(node, (each) => isField(each, assigned, field)));
  const readsOfUse = ({ op, parameters = [] }: JsonPrimitive) => {
    const [target, ...sources] = parameters;
    // The copies of p4c again.
    const isCopy = op === 'assign' && fieldOf(sources[0])?.[1] === fieldOf(target)?.[1];
    return isCopy ? undefined : reads(op === 'assign' ? sources : parameters);
  };
  const look = (name: 'ingress' | 'egress', uses: readonly Use[]) => {
    for (const { primitive, where } of uses) {
      const field = readsOfUse(primitive);
      if (field !== undefined) add('lost-metadata', `${field} in ${name}, ${where}`);
    }
    const pipeline = program.pipelines?.find((each) => each.name === name);
    for (const table of pipeline?.tables ?? []) {
      for (const { target } of table.key ?? []) {
        const [header, field] = Array.isArray(target) ? (target as string[]) : [];
        if (header !== assigned || !lostFields.includes(field ?? '')) continue;
        add('lost-metadata', placeOf(`${field} as key of table '${table.name}'`, table.source_info));
      }
    }
    for (const { expression, source_info } of pipeline?.conditionals ?? []) {
      const field = reads(expression);
      if (field !== undefined)
        add('lost-metadata', placeOf(`${field} in a condition of ${name}`, source_info));
    }
  };
  if (again) look('ingress', ingress);
  if (again || cloned) look('egress', egress);
}

function tableTraps({ actions = [] }: Json, table: JsonTable, add: Add): void {
  const what = placeOf(`table '${table.name}'`, table.source_info);
  const hasDirect = table.with_counters === true || (table.direct_meters ?? null) !== null;
  const byDefault = actions.find(({ id }) => id === table.default_entry?.action_id);
  if (hasDirect && (byDefault?.primitives ?? []).length > 0) {
    add('counter-of-hits', `${what} with default action '${byDefault!.name}'`);
  }
  for (const part of (table.entries ?? []).flatMap((entry) => entry.match_key ?? [])) {
    const width = (hex: string | undefined) => Math.max(0, (hex ?? '').replace(/^0x/, '').length * 4);
    if (part.match_type === 'lpm' && width(part.key) > 64) {
      const prefix = part.prefix_length ?? 0;
      if (Number(part.key) !== 0 && prefix < width(part.key)) {
        add('lpm-mask-entry', `${what}, prefix ${prefix}`);
      }
    }
    const isAny = Number(part.start ?? 1) === 0 && Number(part.end ?? 1) === 0;
    if (part.match_type === 'range' && width(part.start) >= 32 && isAny) add('range-any-entry', what);
  }
}

function p4infoTraps(p4info: P4Info, add: Add): void {
  const name = (object: { preamble?: { name: string } | undefined }) => object.preamble?.name ?? '';
  const andMore = (count: number) => (count > 1 ? ` and ${count - 1} more` : '');
  const [register] = p4info.registers;
  if (register !== undefined) {
    add('register-in-p4info', `register '${name(register)}'${andMore(p4info.registers.length)}`);
  }
  const [set] = p4info.valueSets;
  if (set !== undefined) {
    add('value-set-in-p4info', `value set '${name(set)}'${andMore(p4info.valueSets.length)}`);
  }
  for (const [type, spec] of Object.entries(p4info.typeInfo?.newTypes ?? {})) {
    if (spec.representation.case === 'translatedType') add('translated-type', `type '${type}'`);
  }
  for (const table of p4info.tables) {
    if (table.implementationId === 0) continue;
    const actionId = table.constDefaultActionId || table.initialDefaultAction?.actionId || 0;
    const action = p4info.actions.find(({ preamble }) => preamble?.id === actionId);
    if (action !== undefined && action.preamble?.alias !== 'NoAction') {
      add('profile-default', `table '${name(table)}' with default action '${name(action)}'`);
    }
  }
}
