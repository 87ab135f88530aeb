// SPDX-License-Identifier: Apache-2.0
/**
 * A loaded program as both sides know it: every object of the P4Info, tied by name to the object of the BMv2 JSON that
 * the pipeline understands.
 */

import type {
  ControllerPacketMetadata,
  Digest,
  MatchField,
  MeterSpec,
  Action as P4Action,
  ActionProfile as P4ActionProfile,
  P4Info,
  Table as P4Table,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  ActionRef_Scope,
  CounterSpec_Unit,
  MatchField_MatchType,
  MeterSpec_Type,
  MeterSpec_Unit,
  Table_IdleTimeoutBehavior,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { P4DataTypeSpec } from '../../p4runtime/generated/p4/config/v1/p4types_pb.ts';
import type {
  Action,
  ActionProfile,
  CounterArray,
  LearnList,
  MeterArray,
  Program,
  RegisterArray,
  Table,
  ValueSet,
} from '../engine/program.ts';
import type { TrapName } from './traps.ts';

export type MatchKind = 'exact' | 'lpm' | 'ternary' | 'range' | 'optional';

export interface BoundField {
  id: number;
  name: string;
  kind: MatchKind;
  width: number;
  /** Where the P4Info lists it; keys are kept in this order. */
  index: number;
  /** Where the pipeline expects it. */
  position: number;
}

export interface BoundParameter {
  id: number;
  name: string;
  width: number;
  /** Where the pipeline expects it. */
  position: number;
}

export interface BoundAction {
  /** Of the P4Info. */
  id: number;
  name: string;
  /** In table entries, as default action, or both. */
  scope: 'both' | 'entries' | 'default';
  parameters: readonly BoundParameter[];
  action: Action;
}

export interface BoundTable {
  id: number;
  name: string;
  fields: readonly BoundField[];
  fieldById: ReadonlyMap<number, BoundField>;
  actionById: ReadonlyMap<number, BoundAction>;
  actionByProgramId: ReadonlyMap<number, BoundAction>;
  /** Ternary, range or optional keys: entries need a priority. */
  isPrioritised: boolean;
  /** Its entries are those of the program. */
  isConst: boolean;
  /** The program gives it entries that are not const in P4, though this target cannot change them. */
  hasInitialEntries: boolean;
  isDefaultConst: boolean;
  supportsTimeout: boolean;
  /** Unit of its direct counter; undefined without one. */
  counterUnit: CounterUnit | undefined;
  /** Its entries then name members and groups. */
  profile: BoundProfile | undefined;
  hasMeter: boolean;
  table: Table;
}

export interface BoundProfile {
  id: number;
  name: string;
  /** Those that all its tables have; `action` is the pipeline's for the profile. */
  actionById: ReadonlyMap<number, BoundAction>;
  hasSelector: boolean;
  /** Members, and also what `sizeCounts` says, added up over all groups. */
  sizeMax: number;
  sizeCounts: 'weights' | 'members';
  /** 0: no limit. */
  groupSizeMax: number;
  isUnweighted: boolean;
  profile: ActionProfile;
}

export interface BoundMeter {
  id: number;
  name: string;
  meter: MeterArray;
}

export interface BoundRegister {
  id: number;
  name: string;
  /** How a cell is written in P4Data. */
  shape: 'bit' | 'int' | 'bool';
  register: RegisterArray;
}

export interface BoundValueSet {
  id: number;
  name: string;
  sizeMax: number;
  /** In the order in which the pipeline puts them side by side. */
  fields: readonly { id: number; width: number }[];
  set: ValueSet;
}

export interface CounterUnit {
  packets: boolean;
  bytes: boolean;
}

export interface BoundCounter {
  id: number;
  name: string;
  unit: CounterUnit;
  counter: CounterArray;
}

export interface BoundDigest {
  id: number;
  name: string;
  shape: 'struct' | 'tuple' | 'bitstring';
  /** What its samples look like. */
  list: LearnList;
  /** One for each place of the program that asks for the digest; all look like `list`. */
  lists: readonly LearnList[];
}

/** The header between a packet and the controller. Fields lie in order, without gaps, most significant bit first. */
export interface PacketHeader {
  fields: readonly PacketField[];
  /** Whole bytes; the last bits may be padding. */
  bytes: number;
}

export interface PacketField {
  id: number;
  name: string;
  width: number;
  /** Carries nothing: a controller may leave it out. */
  isPadding: boolean;
}

export interface Binding {
  tables: ReadonlyMap<number, BoundTable>;
  /** Tables by the pipeline's id. */
  tableByProgramId: ReadonlyMap<number, BoundTable>;
  profiles: ReadonlyMap<number, BoundProfile>;
  counters: ReadonlyMap<number, BoundCounter>;
  /** Without direct ones. */
  meters: ReadonlyMap<number, BoundMeter>;
  registers: ReadonlyMap<number, BoundRegister>;
  valueSets: ReadonlyMap<number, BoundValueSet>;
  digests: ReadonlyMap<number, BoundDigest>;
  /** Digests by the pipeline's learn list. */
  digestByList: ReadonlyMap<number, BoundDigest>;
  packetIn: PacketHeader | undefined;
  packetOut: PacketHeader | undefined;
  /** What does not work on simple_switch_grpc. */
  traps: readonly FoundTrap[];
}

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

/** A construct of the program that is a trap. */
export interface FoundTrap {
  name: TrapName;
  where: string;
}

interface Context {
  p4info: P4Info;
  program: Program;
  problems: string[];
  traps: FoundTrap[];
}

interface Named {
  preamble?: { id: number; name: string } | undefined;
}

const nameOf = (object: Named): string => object.preamble?.name ?? '';
const idOf = (object: Named): number => object.preamble?.id ?? 0;

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

function bindMeters(context: Context): BoundMeter[] {
  return context.p4info.meters.flatMap((p4Meter) => {
    const name = nameOf(p4Meter);
    const meter = context.program.meters.find((candidate) => !candidate.isDirect && candidate.name === name);
    if (meter === undefined) {
      context.problems.push(`meter '${name}' is in the P4Info, but not in the JSON`);
      return [];
    }
    checkMeter(context, `meter '${name}'`, p4Meter.spec, meter);
    return [{ id: idOf(p4Meter), name, meter }];
  });
}

function checkMeter(
  { problems }: Context,
  what: string,
  spec: MeterSpec | undefined,
  meter: MeterArray | undefined,
): void {
  if (spec === undefined || meter === undefined) {
    if (spec !== undefined) problems.push(`${what} is in the P4Info, but not in the JSON`);
    return;
  }
  const unit = spec.unit === MeterSpec_Unit.BYTES ? 'bytes' : 'packets';
  if (unit !== meter.unit) problems.push(`${what} counts ${unit} in the P4Info, ${meter.unit} in the JSON`);
  if (spec.type !== MeterSpec_Type.TWO_RATE_THREE_COLOR) {
    problems.push(
      `${what} is of a type this switch does not have; it has those of two rates and three colours`,
    );
  }
}

function bindCounters({ p4info, program, problems }: Context): BoundCounter[] {
  const counterByName = new Map(
    program.counters.filter((counter) => !counter.isDirect).map((counter) => [counter.name, counter]),
  );
  return p4info.counters.flatMap((p4Counter) => {
    const counter = counterByName.get(nameOf(p4Counter));
    if (counter === undefined) {
      problems.push(`counter '${nameOf(p4Counter)}' is in the P4Info, but not in the JSON`);
      return [];
    }
    return [{ id: idOf(p4Counter), name: nameOf(p4Counter), unit: unitOf(p4Counter.spec?.unit), counter }];
  });
}

/** Registers whose cells are not one value (p4c has none for BMv2) stay out of reach. */
function bindRegisters({ p4info, program, problems }: Context): BoundRegister[] {
  const registerByName = new Map(program.registers.map((register) => [register.name, register]));
  return p4info.registers.flatMap((p4Register): BoundRegister[] => {
    const name = nameOf(p4Register);
    const register = registerByName.get(name);
    if (register === undefined) {
      problems.push(`register '${name}' is in the P4Info, but not in the JSON`);
      return [];
    }
    const shape = registerShape(p4Register.typeSpec);
    return shape === undefined ? [] : [{ id: idOf(p4Register), name, shape, register }];
  });
}

function bindValueSets({ p4info, program, problems }: Context): BoundValueSet[] {
  const setByName = new Map(program.valueSets.map((set) => [set.name, set]));
  return p4info.valueSets.flatMap((p4Set): BoundValueSet[] => {
    const name = nameOf(p4Set);
    const set = setByName.get(name);
    const fields = p4Set.match.map(({ id, bitwidth }) => ({ id, width: bitwidth }));
    const width = fields.reduce((sum, field) => sum + field.width, 0);
    if (set === undefined) problems.push(`value set '${name}' is in the P4Info, but not in the JSON`);
    else if (set.width !== width) {
      problems.push(`value set '${name}' has ${width} bits in the P4Info, ${set.width} in the JSON`);
    } else return [{ id: idOf(p4Set), name, sizeMax: p4Set.size, fields, set }];
    return [];
  });
}

function registerShape(spec: P4DataTypeSpec | undefined): BoundRegister['shape'] | undefined {
  const type = spec?.typeSpec;
  if (type?.case === 'bool') return 'bool';
  if (type?.case !== 'bitstring') return undefined;
  const { case: kind } = type.value.typeSpec;
  return kind === 'bit' || kind === 'int' ? kind : undefined;
}

function unitOf(unit: CounterSpec_Unit | undefined): CounterUnit {
  return { packets: unit !== CounterSpec_Unit.BYTES, bytes: unit !== CounterSpec_Unit.PACKETS };
}

function bindDigests(context: Context): BoundDigest[] {
  return context.p4info.digests.flatMap((digest) => {
    const name = nameOf(digest);
    const lists = context.program.learnLists.filter((candidate) => candidate.name === name);
    const [list] = lists;
    const layout = digestLayout(context.p4info, digest);
    if (layout === undefined) {
      context.problems.push(
        `digest '${name}' has a member that is not a plain bit<W>, as simple_switch_grpc wants it (trap digest-fields)`,
      );
      return [];
    }
    if (list === undefined) {
      context.problems.push(
        `digest '${name}' is in the P4Info, but not in the JSON: only those of a named struct keep it (trap digest-tuple)`,
      );
      return [];
    }
    for (const { elements } of lists) {
      const widths = elements.map((element) => element.field.width);
      if (widths.join() === layout.widths.join()) continue;
      context.problems.push(
        `digest '${name}' has members of ${layout.widths} bits in the P4Info, ${widths} in the JSON`,
      );
    }
    return [{ id: idOf(digest), name, shape: layout.shape, list, lists }];
  });
}

function digestLayout(
  p4info: P4Info,
  digest: Digest,
): { shape: BoundDigest['shape']; widths: number[] } | undefined {
  const spec = digest.typeSpec?.typeSpec;
  let shape: BoundDigest['shape'];
  let members: (P4DataTypeSpec | undefined)[];
  switch (spec?.case) {
    case 'struct':
      shape = 'struct';
      members = p4info.typeInfo?.structs[spec.value.name]?.members.map((member) => member.typeSpec) ?? [
        undefined,
      ];
      break;
    case 'tuple':
      shape = 'tuple';
      members = spec.value.members;
      break;
    default:
      shape = 'bitstring';
      members = [digest.typeSpec];
  }
  const widths: number[] = [];
  for (const member of members) {
    const type = member?.typeSpec;
    if (type?.case !== 'bitstring' || type.value.typeSpec.case !== 'bit') return undefined;
    widths.push(type.value.typeSpec.value.bitwidth);
  }
  return { shape, widths };
}

function bindPacketHeader({ problems }: Context, header: ControllerPacketMetadata): PacketHeader {
  const fields = header.metadata.map((field): PacketField => {
    if (field.bitwidth <= 0) {
      problems.push(`field '${field.name}' of header '${nameOf(header)}' has no width`);
    }
    return {
      id: field.id,
      name: field.name,
      width: field.bitwidth,
      isPadding: field.annotations.includes('@padding') || /^_?pad(ding)?\d*$/.test(field.name),
    };
  });
  const bits = fields.reduce((sum, field) => sum + field.width, 0);
  return { fields, bytes: Math.ceil(bits / 8) };
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
