// SPDX-License-Identifier: Apache-2.0
/**
 * P4InfoIndex: everything in a P4Info by name. A name is fully qualified, an alias, or any suffix after a dot
 * that only one object has. Ids are never written by hand.
 */
import { fromBinary, fromJsonString } from '@bufbuild/protobuf';
import type {
  Action,
  ActionProfile,
  ControllerPacketMetadata,
  Counter,
  Digest,
  DirectCounter,
  DirectMeter,
  MatchField,
  Meter,
  P4Info,
  Preamble,
  Register,
  Table,
  ValueSet,
} from './generated/p4/config/v1/p4info_pb.ts';
import {
  ActionRef_Scope,
  MatchField_MatchType,
  P4InfoSchema,
  Table_IdleTimeoutBehavior,
} from './generated/p4/config/v1/p4info_pb.ts';
import type { P4DataTypeSpec } from './generated/p4/config/v1/p4types_pb.ts';
import { NameIndex } from './name-index.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import { parseText } from './text-format.ts';

export type MatchKind = 'exact' | 'lpm' | 'ternary' | 'range' | 'optional';

/** A value with a name, an id and a width: a match field, an action parameter, a packet metadata field. */
export interface FieldInfo {
  readonly id: number;
  readonly name: string;
  /** Bits; 0 for a string without width. */
  readonly bitwidth: number;
}

export interface MatchFieldInfo extends FieldInfo {
  readonly kind: MatchKind;
}

export interface ActionInfo {
  readonly id: number;
  readonly name: string;
  readonly alias: string;
  readonly params: readonly FieldInfo[];
  readonly paramsByName: NameIndex<FieldInfo>;
}

export interface ActionRefInfo {
  /** That of the action. */
  readonly name: string;
  readonly action: ActionInfo;
  /** Where the table allows it: @tableonly and @defaultonly narrow it down. */
  readonly inEntries: boolean;
  readonly asDefault: boolean;
}

export interface TableInfo {
  readonly id: number;
  readonly name: string;
  readonly alias: string;
  readonly size: number;
  readonly fields: readonly MatchFieldInfo[];
  readonly fieldsByName: NameIndex<MatchFieldInfo>;
  readonly actions: readonly ActionRefInfo[];
  readonly actionsByName: NameIndex<ActionRefInfo>;
  /** Entries need a priority iff a field is ternary, range or optional. */
  readonly hasPriority: boolean;
  readonly hasIdleTimeout: boolean;
  readonly isConst: boolean;
  readonly hasConstDefault: boolean;
  /** Id of the action profile that holds the actions, undefined when the entries do. */
  readonly actionProfileId: number | undefined;
  readonly directCounter: DirectCounter | undefined;
  readonly directMeter: DirectMeter | undefined;
}

export interface DigestInfo {
  readonly id: number;
  readonly name: string;
  readonly alias: string;
  /** Members of the struct, in order; a digest of one bit string has a single field without a name. */
  readonly fields: readonly FieldInfo[];
}

export interface PacketMetadataInfo {
  readonly name: string;
  /** In wire order. */
  readonly fields: readonly FieldInfo[];
  readonly fieldsByName: NameIndex<FieldInfo>;
}

/**
 * Reads a P4Info file in any of the forms p4c writes, told apart by the file name: .txtpb, .txt or .pbtxt
 * (text), .json, .bin.
 *
 * @throws P4RuntimeError 'bad-text' or 'bad-p4info'
 */
export function parseP4Info(content: Uint8Array, fileName: string): P4Info {
  if (/\.(txtpb|txt|pbtxt|prototxt|textproto)$/.test(fileName)) {
    return parseText(P4InfoSchema, new TextDecoder().decode(content), { fileName });
  }
  try {
    if (fileName.endsWith('.json')) return fromJsonString(P4InfoSchema, new TextDecoder().decode(content));
    if (fileName.endsWith('.bin')) return fromBinary(P4InfoSchema, content);
  } catch (cause) {
    throw new P4RuntimeError('bad-p4info', { message: `${fileName} is not a P4Info: ${cause}`, cause });
  }
  throw new P4RuntimeError('bad-p4info', {
    message: `${fileName}: the ending of the name must be .txtpb, .json or .bin, to tell the format`,
  });
}

export class P4InfoIndex {
  readonly p4info: P4Info;
  readonly tables: NameIndex<TableInfo>;
  readonly actions: NameIndex<ActionInfo>;
  readonly actionProfiles: NameIndex<NamedObject<ActionProfile>>;
  readonly counters: NameIndex<NamedObject<Counter>>;
  readonly meters: NameIndex<NamedObject<Meter>>;
  readonly registers: NameIndex<NamedObject<Register>>;
  readonly valueSets: NameIndex<NamedObject<ValueSet>>;
  readonly digests: NameIndex<DigestInfo>;
  /** "packet_in" and "packet_out". */
  readonly packetMetadata: NameIndex<PacketMetadataInfo>;

  /** @throws P4RuntimeError 'bad-p4info' when the P4Info refers to something it does not have */
  constructor(p4info: P4Info) {
    this.p4info = p4info;
    this.actions = NameIndex.of('action', p4info.actions.map(actionInfo));
    this.actionProfiles = NameIndex.of('action profile', p4info.actionProfiles.map(namedObject));
    this.counters = NameIndex.of('counter', p4info.counters.map(namedObject));
    this.meters = NameIndex.of('meter', p4info.meters.map(namedObject));
    this.registers = NameIndex.of('register', p4info.registers.map(namedObject));
    this.valueSets = NameIndex.of('value set', p4info.valueSets.map(namedObject));
    this.digests = NameIndex.of(
      'digest',
      p4info.digests.map((digest) => digestInfo(digest, p4info)),
    );
    this.packetMetadata = NameIndex.of(
      'controller header',
      p4info.controllerPacketMetadata.map(packetMetadataInfo),
    );
    this.tables = NameIndex.of(
      'table',
      p4info.tables.map((table) => this.tableInfo(table)),
    );
  }

  private tableInfo(table: Table): TableInfo {
    const preamble = preambleOf(table);
    const owner = `table ${preamble.name}`;
    const fields = table.matchFields.map((field) => matchFieldInfo(field, owner));
    const actions = table.actionRefs.map((ref) => {
      const action =
        this.actions.byId(ref.id) ?? fail(`${owner} refers to action ${ref.id}, which does not exist`);
      const { id, name, alias } = action;
      const inEntries = ref.scope !== ActionRef_Scope.DEFAULT_ONLY;
      const asDefault = ref.scope !== ActionRef_Scope.TABLE_ONLY;
      return { id, name, alias, action, inEntries, asDefault };
    });
    return {
      ...preamble,
      size: Number(table.size),
      fields,
      fieldsByName: NameIndex.of('match field', fields, owner),
      actions,
      actionsByName: NameIndex.of('action', actions, owner),
      hasPriority: fields.some(({ kind }) => kind === 'ternary' || kind === 'range' || kind === 'optional'),
      hasIdleTimeout: table.idleTimeoutBehavior === Table_IdleTimeoutBehavior.NOTIFY_CONTROL,
      isConst: table.isConstTable,
      hasConstDefault: table.constDefaultActionId !== 0,
      actionProfileId: table.implementationId || undefined,
      directCounter: this.p4info.directCounters.find((counter) => counter.directTableId === preamble.id),
      directMeter: this.p4info.directMeters.find((meter) => meter.directTableId === preamble.id),
    };
  }
}

/** An object of the P4Info that needs no digesting, with its names at hand. */
export interface NamedObject<T> {
  readonly id: number;
  readonly name: string;
  readonly alias: string;
  readonly object: T;
}

function namedObject<T extends { preamble?: Preamble | undefined }>(object: T): NamedObject<T> {
  return { ...preambleOf(object), object };
}

function actionInfo(action: Action): ActionInfo {
  const preamble = preambleOf(action);
  const params = action.params.map(fieldInfo);
  return { ...preamble, params, paramsByName: NameIndex.of('parameter', params, `action ${preamble.name}`) };
}

function packetMetadataInfo(
  header: ControllerPacketMetadata,
): PacketMetadataInfo & { id: number; alias: string } {
  const preamble = preambleOf(header);
  const fields = header.metadata.map(fieldInfo);
  return {
    ...preamble,
    fields,
    fieldsByName: NameIndex.of('metadata field', fields, `header ${preamble.name}`),
  };
}

function digestInfo(digest: Digest, p4info: P4Info): DigestInfo {
  const preamble = preambleOf(digest);
  return { ...preamble, fields: digestFields(digest.typeSpec, p4info, `digest ${preamble.name}`) };
}

function digestFields(type: P4DataTypeSpec | undefined, p4info: P4Info, owner: string): FieldInfo[] {
  const spec = type?.typeSpec;
  switch (spec?.case) {
    case 'bitstring':
      return [{ id: 1, name: '', bitwidth: bitwidthOf(type, p4info, owner) }];
    case 'struct': {
      const struct =
        p4info.typeInfo?.structs[spec.value.name] ??
        fail(`${owner} refers to struct ${spec.value.name}, which does not exist`);
      return struct.members.map((member, i) => ({
        id: i + 1,
        name: member.name,
        bitwidth: bitwidthOf(member.typeSpec, p4info, `${owner}, member ${member.name}`),
      }));
    }
    case 'tuple':
      return spec.value.members.map((member, i) => ({
        id: i + 1,
        name: `f${i}`,
        bitwidth: bitwidthOf(member, p4info, `${owner}, member ${i}`),
      }));
    default:
      return fail(
        `${owner} is of type ${spec?.case}; only bit strings, structs and tuples of them can be read`,
      );
  }
}

/** Width of a member; bool counts as 1 bit, new types as what they stand for. */
function bitwidthOf(type: P4DataTypeSpec | undefined, p4info: P4Info, owner: string): number {
  const spec = type?.typeSpec;
  switch (spec?.case) {
    case 'bool':
      return 1;
    case 'bitstring': {
      const bits = spec.value.typeSpec;
      if (bits.case === 'bit' || bits.case === 'int') return bits.value.bitwidth;
      return fail(`${owner} is a varbit, which has no width`);
    }
    case 'serializableEnum':
      return (
        p4info.typeInfo?.serializableEnums[spec.value.name]?.underlyingType?.bitwidth ??
        fail(`${owner} refers to enum ${spec.value.name}, which does not exist`)
      );
    case 'newType': {
      const representation = p4info.typeInfo?.newTypes[spec.value.name]?.representation;
      if (representation?.case === 'originalType') return bitwidthOf(representation.value, p4info, owner);
      if (representation?.case === 'translatedType' && representation.value.sdnType.case === 'sdnBitwidth') {
        return representation.value.sdnType.value;
      }
      return fail(`${owner} is of type ${spec.value.name}, which has no width`);
    }
    default:
      return fail(`${owner} is of type ${spec?.case}, which is not a bit string`);
  }
}

function matchFieldInfo(field: MatchField, owner: string): MatchFieldInfo {
  const kind = field.match.case === 'matchType' ? matchKinds[field.match.value] : undefined;
  if (kind === undefined) {
    fail(
      `${owner}, field ${field.name}: match kind ${field.match.value} is not exact, lpm, ternary, range or optional`,
    );
  }
  return { ...fieldInfo(field), kind };
}

const matchKinds: Readonly<Record<number, MatchKind>> = {
  [MatchField_MatchType.EXACT]: 'exact',
  [MatchField_MatchType.LPM]: 'lpm',
  [MatchField_MatchType.TERNARY]: 'ternary',
  [MatchField_MatchType.RANGE]: 'range',
  [MatchField_MatchType.OPTIONAL]: 'optional',
};

const fieldInfo = ({ id, name, bitwidth }: FieldInfo): FieldInfo => ({ id, name, bitwidth });

function preambleOf(object: { preamble?: Preamble | undefined }): {
  id: number;
  name: string;
  alias: string;
} {
  const { preamble } = object;
  if (preamble === undefined || preamble.id === 0 || preamble.name === '') {
    return fail(`an object has no id or no name: ${JSON.stringify(preamble ?? {})}`);
  }
  return { id: preamble.id, name: preamble.name, alias: preamble.alias || preamble.name };
}

function fail(message: string): never {
  throw new P4RuntimeError('bad-p4info', { message });
}
