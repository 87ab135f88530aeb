// SPDX-License-Identifier: Apache-2.0
/** Ties what stands beside the tables: meters, counters, registers, value sets, digests, packet headers. */

import type {
  ControllerPacketMetadata,
  Digest,
  MeterSpec,
  P4Info,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  CounterSpec_Unit,
  MeterSpec_Type,
  MeterSpec_Unit,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { P4DataTypeSpec } from '../../p4runtime/generated/p4/config/v1/p4types_pb.ts';
import type { MeterArray } from '../engine/program.ts';
import { type Context, idOf, nameOf } from './bind-context.ts';
import type {
  BoundCounter,
  BoundDigest,
  BoundMeter,
  BoundRegister,
  BoundValueSet,
  CounterUnit,
  PacketField,
  PacketHeader,
} from './bound.ts';

export function bindMeters(context: Context): BoundMeter[] {
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

export function checkMeter(
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

export function bindCounters({ p4info, program, problems }: Context): BoundCounter[] {
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
export function bindRegisters({ p4info, program, problems }: Context): BoundRegister[] {
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

export function bindValueSets({ p4info, program, problems }: Context): BoundValueSet[] {
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

export function unitOf(unit: CounterSpec_Unit | undefined): CounterUnit {
  return { packets: unit !== CounterSpec_Unit.BYTES, bytes: unit !== CounterSpec_Unit.PACKETS };
}

export function bindDigests(context: Context): BoundDigest[] {
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

export function bindPacketHeader({ problems }: Context, header: ControllerPacketMetadata): PacketHeader {
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
