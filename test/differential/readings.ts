// SPDX-License-Identifier: Apache-2.0
/**
 * Reads back everything a program has, in a form in which two switches can be compared: one line for each entity,
 * sorted, without what the specification leaves open.
 */
import { create, type JsonObject, toJson } from '@bufbuild/protobuf';
import type { P4RuntimeClient } from '../../p4runtime/client.ts';
import { CounterSpec_Unit } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type {
  CounterData,
  Entity,
  FieldMatch,
  Replica,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { EntitySchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { P4RuntimeError } from '../../p4runtime/p4runtime-error.ts';
import { hexOf, type Reading } from './script.ts';

interface Question {
  readonly what: string;
  readonly entity: Entity;
}

/** One Read for each table, profile, counter, meter and digest, and for the replication engine. */
export async function readBack(client: P4RuntimeClient, index: P4InfoIndex): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const { what, entity } of questions(index)) readings.push(await read(client, index, what, entity));
  return readings;
}

function questions({ tables, actionProfiles, counters, meters, digests }: P4InfoIndex): Question[] {
  const ask = (what: string, entity: Entity['entity']): Question => ({
    what,
    entity: create(EntitySchema, { entity }),
  });
  const entry = (value: object) => create(EntitySchema, { entity: { case: 'tableEntry', value } }).entity;
  const all = (kind: 'actionProfileMember' | 'actionProfileGroup', actionProfileId: number) =>
    create(EntitySchema, { entity: { case: kind, value: { actionProfileId } } }).entity;
  const other = (kind: 'counterEntry' | 'meterEntry' | 'digestEntry', value: object) =>
    create(EntitySchema, { entity: { case: kind, value } as Entity['entity'] }).entity;
  const replication = (kind: 'multicastGroupEntry' | 'cloneSessionEntry') =>
    create(EntitySchema, {
      entity: { case: 'packetReplicationEngineEntry', value: { type: { case: kind, value: {} } } },
    }).entity;
  return [
    ...tables.all().flatMap(({ id, name, directCounter, directMeter, actionProfileId }) => {
      const value = {
        tableId: id,
        ...(directCounter && { counterData: {} }),
        ...(directMeter && { meterConfig: {} }),
      };
      const entries = ask(`table ${name}`, entry(value));
      if (actionProfileId !== undefined) return [entries];
      return [entries, ask(`default of ${name}`, entry({ tableId: id, isDefaultAction: true }))];
    }),
    ...actionProfiles
      .all()
      .flatMap(({ id, name }) => [
        ask(`members of ${name}`, all('actionProfileMember', id)),
        ask(`groups of ${name}`, all('actionProfileGroup', id)),
      ]),
    ...counters.all().map(({ id, name }) => ask(`counter ${name}`, other('counterEntry', { counterId: id }))),
    ...meters.all().map(({ id, name }) => ask(`meter ${name}`, other('meterEntry', { meterId: id }))),
    ...digests.all().map(({ id, name }) => ask(`digest ${name}`, other('digestEntry', { digestId: id }))),
    ask('multicast groups', replication('multicastGroupEntry')),
    ask('clone sessions', replication('cloneSessionEntry')),
  ];
}

async function read(
  client: P4RuntimeClient,
  index: P4InfoIndex,
  what: string,
  entity: Entity,
): Promise<Reading> {
  const entities: string[] = [];
  try {
    for await (const each of client.read([entity])) {
      const line = lineOf(each, index);
      if (line !== undefined) entities.push(line);
    }
  } catch (cause) {
    if (!(cause instanceof P4RuntimeError) || cause.status === undefined) throw cause;
    return { what, code: cause.status, entities: [] };
  }
  // simple_switch_grpc tells a member once for each unit of weight it has in a group.
  return { what, code: 0, entities: [...new Set(entities)].sort() };
}

/** @returns undefined for what says nothing: a counter at zero, a meter without rates */
function lineOf(given: Entity, index: P4InfoIndex): string | undefined {
  const entity = create(EntitySchema, given).entity;
  switch (entity.case) {
    case 'tableEntry': {
      const { value } = entity;
      const unit = index.tables.byId(value.tableId)?.directCounter?.spec?.unit;
      if (value.counterData) onlyCounted(value.counterData, unit);
      value.match = value.match
        .filter((match) => !isDontCare(match))
        .sort((first, second) => first.fieldId - second.fieldId);
      // Servers of older versions of the specification do not know it.
      value.isConst = false;
      value.timeSinceLastHit = undefined;
      break;
    }
    case 'counterEntry': {
      const { data, counterId } = entity.value;
      if (!data) return undefined;
      onlyCounted(data, index.counters.byId(counterId)?.object.spec?.unit);
      if (data.packetCount === 0n && data.byteCount === 0n) return undefined;
      break;
    }
    case 'meterEntry':
      if (!entity.value.config) return undefined;
      break;
    case 'packetReplicationEngineEntry': {
      const { type } = entity.value;
      // Neither group nor session has an order.
      type.value?.replicas.sort((first, second) => keyOf(first).localeCompare(keyOf(second)));
      break;
    }
    case 'actionProfileGroup':
      entity.value.members.sort((first, second) => first.memberId - second.memberId);
      // simple_switch_grpc tells the port that the last member watches as that of every member.
      for (const member of entity.value.members) member.watchKind = { case: undefined };
      break;
    default:
  }
  const { $typeName: _, ...rest } = toJson(EntitySchema, create(EntitySchema, { entity })) as JsonObject;
  return JSON.stringify(rest);
}

/** simple_switch_grpc spells out the full range of a constant entry; the specification has such fields left out. */
function isDontCare({ fieldMatchType: { case: kind, value } }: FieldMatch): boolean {
  return (
    kind === 'range' &&
    value.low.every((byte) => byte === 0) &&
    value.high.every((byte, index) => byte === 0xff || (index === 0 && (byte & (byte + 1)) === 0))
  );
}

function keyOf({ portKind: { case: kind, value }, instance }: Replica): string {
  return `${instance} ${kind} ${kind === 'port' ? hexOf(value) : value}`;
}

/** A counter of packets may keep bytes too, and the other way round. */
function onlyCounted(data: CounterData, unit: CounterSpec_Unit | undefined): void {
  if (unit === CounterSpec_Unit.PACKETS) data.byteCount = 0n;
  if (unit === CounterSpec_Unit.BYTES) data.packetCount = 0n;
}
