// SPDX-License-Identifier: Apache-2.0
/**
 * A loaded program as both sides know it: every object of the P4Info, tied by name to the object of the BMv2 JSON that
 * the pipeline understands.
 */

import type {
  MatchField,
  Action as P4Action,
  ActionProfile as P4ActionProfile,
  P4Info,
  Table as P4Table,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  ActionRef_Scope,
  MatchField_MatchType,
  Table_IdleTimeoutBehavior,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Action, ActionProfile, Program, Table } from '../engine/program.ts';
import { type Context, idOf, type Named, nameOf } from './bind-context.ts';
import {
  bindCounters,
  bindDigests,
  bindMeters,
  bindPacketHeader,
  bindRegisters,
  bindValueSets,
  checkMeter,
  unitOf,
} from './bind-externs.ts';
import type {
  Binding,
  BoundAction,
  BoundDigest,
  BoundField,
  BoundParameter,
  BoundProfile,
  BoundTable,
  CounterUnit,
  FoundTrap,
  MatchKind,
} from './bound.ts';

/** Ties a P4Info to the program compiled from the same source, or tells everything that does not fit. */
export function bind(p4info: P4Info, program: Program): { binding: Binding } | { problems: string[] } {
  const problems: string[] = [];
  const traps: FoundTrap[] = [];
  const context: Context = { p4info, program, problems, traps };

  const profiles = bindProfiles(context);
  const tables = bindTables(context, profiles);
  const meters = bindMeters(context);
  const counters = bindCounters(context);
  const registers = bindRegisters(context);
  const valueSets = bindValueSets(context);
  const digests = bindDigests(context);
  const headers = new Map(
    p4info.controllerPacketMetadata.map((header) => [nameOf(header), bindPacketHeader(context, header)]),
  );
  reportDuplicateIds(context);
  if (problems.length > 0) return { problems };
  return {
    binding: {
      tables: new Map(tables.map((table) => [table.id, table])),
      tableByProgramId: new Map(tables.map((table) => [table.table.id, table])),
      profiles: new Map(profiles.map((profile) => [profile.id, profile])),
      counters: new Map(counters.map((counter) => [counter.id, counter])),
      meters: new Map(meters.map((meter) => [meter.id, meter])),
      registers: new Map(registers.map((register) => [register.id, register])),
      valueSets: new Map(valueSets.map((set) => [set.id, set])),
      digests: new Map(digests.map((digest) => [digest.id, digest])),
      digestByList: new Map(
        digests.flatMap((digest) => digest.lists.map(({ id }): [number, BoundDigest] => [id, digest])),
      ),
      packetIn: headers.get('packet_in'),
      packetOut: headers.get('packet_out'),
      traps,
    },
  };
}

function bindTables(context: Context, profiles: readonly BoundProfile[]): BoundTable[] {
  const { p4info, program } = context;
  const tableByName = new Map(program.tables.map((table) => [table.name, table]));
  const actionById = new Map(p4info.actions.map((action) => [idOf(action), action]));
  const unitByTable = new Map(
    p4info.directCounters.map((counter) => [counter.directTableId, unitOf(counter.spec?.unit)]),
  );
  const bound: BoundTable[] = [];
  for (const p4Table of p4info.tables) {
    const table = tableByName.get(nameOf(p4Table));
    if (table === undefined) {
      context.problems.push(`table '${nameOf(p4Table)}' is in the P4Info, but not in the JSON`);
      continue;
    }
    bound.push(bindTable(context, p4Table, table, actionById, profiles, unitByTable.get(idOf(p4Table))));
  }
  return bound;
}

function bindTable(
  context: Context,
  p4Table: P4Table,
  table: Table,
  p4ActionById: ReadonlyMap<number, P4Action>,
  profiles: readonly BoundProfile[],
  counterUnit: CounterUnit | undefined,
): BoundTable {
  const { problems, traps } = context;
  const name = nameOf(p4Table);
  const profile = profiles.find(({ id }) => id === p4Table.implementationId);
  if (p4Table.implementationId !== (profile?.id ?? 0) || profile?.profile.name !== table.profile?.name) {
    const [inP4Info, inJson] = [profile?.name ?? p4Table.implementationId, table.profile?.name ?? 'none'];
    problems.push(`table '${name}' has the action profile ${inP4Info} in the P4Info, ${inJson} in the JSON`);
  }
  const meter = context.p4info.directMeters.find(({ directTableId }) => directTableId === idOf(p4Table));
  checkMeter(context, `direct meter of table '${name}'`, meter?.spec, table.directMeter);
  if (counterUnit !== undefined && !table.withCounters) {
    problems.push(`table '${name}' has a direct counter in the P4Info, but not in the JSON`);
  }
  const supportsTimeout = p4Table.idleTimeoutBehavior === Table_IdleTimeoutBehavior.NOTIFY_CONTROL;
  if (supportsTimeout && !table.supportsTimeout) {
    problems.push(`table '${name}' has idle timeouts in the P4Info, but not in the JSON`);
  }
  if (table.key.length !== p4Table.matchFields.length) {
    problems.push(
      `table '${name}' has ${p4Table.matchFields.length} key fields in the P4Info, ${table.key.length} in the JSON`,
    );
  }
  if (p4Table.hasInitialEntries && !p4Table.isConstTable) {
    traps.push({ name: 'initial-entries', where: `table '${name}'` });
  }
  const fields = p4Table.matchFields.flatMap((field, index) => bindField(context, name, field, index, table));
  const actions = p4Table.actionRefs.flatMap((ref) => {
    const p4Action = p4ActionById.get(ref.id);
    const actionName = p4Action === undefined ? '' : nameOf(p4Action);
    const action = table.actions.find((candidate) => candidate.name === actionName);
    if (p4Action === undefined || action === undefined) {
      const what = p4Action === undefined ? `with id ${ref.id}` : `'${actionName}'`;
      const where = p4Action === undefined ? 'the P4Info' : 'the JSON';
      problems.push(`table '${name}' has an action ${what} that is not in ${where}`);
      return [];
    }
    return [bindAction(context, ref.scope, p4Action, action)];
  });
  return {
    id: idOf(p4Table),
    name,
    fields,
    fieldById: new Map(fields.map((field) => [field.id, field])),
    actionById: new Map(actions.map((action) => [action.id, action])),
    actionByProgramId: new Map(actions.map((action) => [action.action.id, action])),
    isPrioritised: fields.some(({ kind }) => kind === 'ternary' || kind === 'range' || kind === 'optional'),
    isConst: p4Table.isConstTable || table.entries !== undefined,
    hasInitialEntries: p4Table.hasInitialEntries && !p4Table.isConstTable,
    isDefaultConst: p4Table.constDefaultActionId !== 0 || table.default?.isActionConstant === true,
    supportsTimeout,
    counterUnit,
    profile,
    hasMeter: meter !== undefined,
    table,
  };
}

const matchKinds: ReadonlyMap<MatchField_MatchType, MatchKind> = new Map([
  [MatchField_MatchType.EXACT, 'exact'],
  [MatchField_MatchType.LPM, 'lpm'],
  [MatchField_MatchType.TERNARY, 'ternary'],
  [MatchField_MatchType.RANGE, 'range'],
  [MatchField_MatchType.OPTIONAL, 'optional'],
]);

function bindField(
  { problems, traps }: Context,
  tableName: string,
  field: MatchField,
  index: number,
  table: Table,
): BoundField[] {
  const what = `key field '${field.name}' of table '${tableName}'`;
  const kind = field.match.case === 'matchType' ? matchKinds.get(field.match.value) : undefined;
  const position = table.key.findIndex((candidate) => candidate.name === field.name);
  const key = table.key[position];
  if (kind === undefined) {
    problems.push(`${what} has a match kind other than exact, lpm, ternary, range and optional`);
    return [];
  }
  if (key === undefined) {
    problems.push(`${what} is in the P4Info, but not in the JSON`);
    return [];
  }
  if (key.kind !== (kind === 'optional' ? 'ternary' : kind)) {
    problems.push(`${what} is ${kind} in the P4Info, ${key.kind} in the JSON`);
  }
  if (key.width !== field.bitwidth) {
    // @p4runtime_translation does this, which simple_switch_grpc cannot do either.
    problems.push(`${what} has ${field.bitwidth} bits in the P4Info, ${key.width} in the JSON`);
  }
  if (kind === 'lpm' && field.bitwidth % 8 !== 0) {
    traps.push({ name: 'lpm-width', where: `${what}, ${field.bitwidth} bits` });
  }
  return [{ id: field.id, name: field.name, kind, width: field.bitwidth, index, position }];
}

function bindAction(
  { problems }: Context,
  scope: ActionRef_Scope,
  p4Action: P4Action,
  action: Action,
): BoundAction {
  const name = nameOf(p4Action);
  if (p4Action.params.length !== action.parameters.length) {
    problems.push(
      `action '${name}' has ${p4Action.params.length} parameters in the P4Info, ${action.parameters.length} in the JSON`,
    );
  }
  const parameters = p4Action.params.flatMap((parameter): BoundParameter[] => {
    const what = `parameter '${parameter.name}' of action '${name}'`;
    const position = action.parameters.findIndex((candidate) => candidate.name === parameter.name);
    const width = action.parameters[position]?.width;
    if (width === undefined) {
      problems.push(`${what} is in the P4Info, but not in the JSON`);
      return [];
    }
    if (width !== parameter.bitwidth) {
      problems.push(`${what} has ${parameter.bitwidth} bits in the P4Info, ${width} in the JSON`);
    }
    return [{ id: parameter.id, name: parameter.name, width, position }];
  });
  return { id: idOf(p4Action), name, scope: scopeOf(scope), parameters, action };
}

function scopeOf(scope: ActionRef_Scope): BoundAction['scope'] {
  if (scope === ActionRef_Scope.TABLE_ONLY) return 'entries';
  return scope === ActionRef_Scope.DEFAULT_ONLY ? 'default' : 'both';
}

/** Shares of a profile whose P4Info gives no size. */
const profileSizeMax = 65_536;

function bindProfiles(context: Context): BoundProfile[] {
  const { p4info, program, problems } = context;
  return p4info.actionProfiles.flatMap((p4Profile) => {
    const name = nameOf(p4Profile);
    const profile = program.profiles.find((candidate) => candidate.name === name);
    if (profile === undefined) {
      problems.push(`action profile '${name}' is in the P4Info, but not in the JSON`);
      return [];
    }
    if (p4Profile.withSelector !== (profile.selector !== undefined)) {
      const [inP4Info, inJson] = p4Profile.withSelector ? ['a', 'no'] : ['no', 'a'];
      problems.push(`action profile '${name}' has ${inP4Info} selector in the P4Info, ${inJson} in the JSON`);
    }
    const size = Number(p4Profile.size);
    return [
      {
        id: idOf(p4Profile),
        name,
        actionById: bindProfileActions(context, p4Profile, profile),
        hasSelector: p4Profile.withSelector,
        sizeMax: size > 0 ? Math.min(size, profileSizeMax) : profileSizeMax,
        sizeCounts: p4Profile.selectorSizeSemantics.case === 'sumOfMembers' ? 'members' : 'weights',
        groupSizeMax: p4Profile.maxGroupSize,
        isUnweighted: p4Profile.weightsDisallowed,
        profile,
      },
    ];
  });
}

function bindProfileActions(
  context: Context,
  p4Profile: P4ActionProfile,
  profile: ActionProfile,
): ReadonlyMap<number, BoundAction> {
  const p4Tables = context.p4info.tables.filter((table) => table.implementationId === idOf(p4Profile));
  const [first, ...others] = p4Tables.map((table) => table.actionRefs);
  const shared = (first ?? []).filter((ref) =>
    others.every((refs) => refs.some(({ id, scope }) => id === ref.id && scope === ref.scope)),
  );
  const bound = shared.flatMap((ref) => {
    const p4Action = context.p4info.actions.find((candidate) => idOf(candidate) === ref.id);
    const action = p4Action && profile.actions.find((candidate) => candidate.name === nameOf(p4Action));
    // What is missing is reported with the tables.
    return action ? [bindAction(context, ref.scope, p4Action, action)] : [];
  });
  return new Map(bound.map((action) => [action.id, action]));
}

function reportDuplicateIds({ p4info, problems }: Context): void {
  const seen = new Map<number, string>();
  const objects: Named[] = [
    ...p4info.tables,
    ...p4info.actions,
    ...p4info.actionProfiles,
    ...p4info.counters,
    ...p4info.meters,
    ...p4info.registers,
    ...p4info.valueSets,
    ...p4info.digests,
  ];
  for (const object of objects) {
    const other = seen.get(idOf(object));
    if (other !== undefined)
      problems.push(`'${other}' and '${nameOf(object)}' have the same id ${idOf(object)}`);
    seen.set(idOf(object), nameOf(object));
  }
}
