// SPDX-License-Identifier: Apache-2.0
/**
 * The forwarding state of a switch as the P4 tutorials write it (sX-runtime.json): entries by name, values as numbers
 * or addresses, one JSON file per switch.
 *
 * Source: p4lang/tutorials utils/p4runtime_lib/simple_controller.py (the form, and what a value may be).
 */

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { EntryCodec, type EntryInput, type MatchValue } from '../../p4runtime/entries.ts';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  type PacketReplicationEngineEntrySchema,
  type ReplicaSchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { MatchFieldInfo, P4InfoIndex } from '../../p4runtime/p4info.ts';
import { P4RuntimeError } from '../../p4runtime/p4runtime-error.ts';
import { placeIn } from '../../p4runtime/text-format.ts';
import type { FieldValue } from '../../p4runtime/values.ts';
import { JsonMistake, type PlacedJson, parsePlacedJson } from './json-places.ts';

export interface PlacedUpdate {
  update: Update;
  /** "file:line:column". */
  place: string;
}

type Json = Record<string, unknown>;

/** Sections that hold forwarding state; others say what the file is for. */
const sections = ['table_entries', 'multicast_group_entries', 'clone_session_entries'] as const;
const otherKeys = ['target', 'p4info', 'bmv2_json'];

/** @throws P4RuntimeError with all problems, each with its place */
export function parseRuntimeJson(text: string, fileName: string, index: P4InfoIndex): PlacedUpdate[] {
  const { json, places } = parseJson(text, fileName);
  const placeOf = (path: string) => placeIn(text, places.get(path) ?? 0, fileName);
  const problems: string[] = [];
  const updates: PlacedUpdate[] = [];
  for (const key of Object.keys(json)) {
    if (!otherKeys.includes(key) && !(sections as readonly string[]).includes(key)) {
      problems.push(`${placeOf(key)}: no such section; there are ${[...sections, ...otherKeys].join(', ')}`);
    }
  }
  const codec = new EntryCodec(index);
  for (const section of sections) {
    const items = json[section] ?? [];
    if (!Array.isArray(items)) {
      problems.push(`${placeOf(section)}: expected an array`);
      continue;
    }
    for (const [number, item] of items.entries()) {
      const place = placeOf(`${section}[${number}]`);
      try {
        if (typeof item !== 'object' || item === null) throw bad('expected an object');
        updates.push({ update: updateOf(section, item as Json, codec, index), place });
      } catch (cause) {
        if (!(cause instanceof P4RuntimeError)) throw cause;
        problems.push(`${place}: ${cause.message}`);
      }
    }
  }
  if (problems.length > 0) throw bad(problems.join('\n'));
  return updates;
}

function updateOf(
  section: (typeof sections)[number],
  item: Json,
  codec: EntryCodec,
  index: P4InfoIndex,
): Update {
  switch (section) {
    case 'table_entries':
      return tableUpdate(item, codec, index);
    case 'multicast_group_entries': {
      const multicastGroupId = wholeNumber(item, 'multicast_group_id');
      return replicationUpdate({
        case: 'multicastGroupEntry',
        value: { multicastGroupId, replicas: replicasOf(item) },
      });
    }
    case 'clone_session_entries': {
      const value = {
        sessionId: wholeNumber(item, 'clone_session_id'),
        replicas: replicasOf(item),
        packetLengthBytes:
          item.packet_length_bytes === undefined ? 0 : wholeNumber(item, 'packet_length_bytes'),
      };
      return replicationUpdate({ case: 'cloneSessionEntry', value });
    }
  }
}

function tableUpdate(item: Json, codec: EntryCodec, index: P4InfoIndex): Update {
  const table = text(item, 'table');
  const params = item.action_params ?? {};
  if (typeof params !== 'object' || params === null) throw bad('action_params: expected an object');
  const action =
    item.action_name === undefined
      ? undefined
      : { name: text(item, 'action_name'), params: params as Record<string, FieldValue> };
  if (item.default_action === true) return codec.setDefault(table, action);
  const { fieldsByName } = index.tables.get(table);
  const match: Record<string, MatchValue> = {};
  for (const [name, value] of Object.entries((item.match ?? {}) as Json)) {
    match[name] = matchOf(fieldsByName.get(name), value);
  }
  const input: EntryInput = {
    table,
    match,
    ...(action && { action }),
    ...(item.priority !== undefined && { priority: wholeNumber(item, 'priority') }),
  };
  return codec.insert(input);
}

/** A prefix, a mask and a range are arrays of two. */
function matchOf({ kind, name }: MatchFieldInfo, value: unknown): MatchValue {
  if (kind === 'exact' || kind === 'optional') {
    return (Array.isArray(value) && value.length === 1 ? value[0] : value) as FieldValue;
  }
  if (!Array.isArray(value) || value.length !== 2) {
    const right = { lpm: '[value, prefix length]', ternary: '[value, mask]', range: '[low, high]' }[kind];
    throw bad(`${name}: expected ${right}`);
  }
  const [first, second] = value as [FieldValue, FieldValue];
  if (kind === 'lpm') return { value: first, prefixLength: Number(second) };
  return kind === 'ternary' ? { value: first, mask: second } : { low: first, high: second };
}

function replicasOf(item: Json): MessageInitShape<typeof ReplicaSchema>[] {
  const { replicas } = item;
  if (!Array.isArray(replicas)) throw bad('replicas: expected an array');
  return replicas.map((replica: Json) => ({
    portKind: { case: 'egressPort', value: wholeNumber(replica, 'egress_port') },
    instance: replica.instance === undefined ? 0 : wholeNumber(replica, 'instance'),
  }));
}

function replicationUpdate(
  type: NonNullable<MessageInitShape<typeof PacketReplicationEngineEntrySchema>['type']>,
): Update {
  return create(UpdateSchema, {
    type: Update_Type.INSERT,
    entity: { entity: { case: 'packetReplicationEngineEntry', value: { type } } },
  });
}

function parseJson(source: string, fileName: string): { json: Json; places: PlacedJson['places'] } {
  try {
    const { value, places } = parsePlacedJson(source);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { json: value as Json, places };
    }
    throw new JsonMistake(0, 'expected an object');
  } catch (cause) {
    if (!(cause instanceof JsonMistake)) throw cause;
    throw bad(`${placeIn(source, cause.offset, fileName)}: ${cause.message}`);
  }
}

function text(item: Json, key: string): string {
  const value = item[key];
  if (typeof value !== 'string') throw bad(`${key}: expected a string`);
  return value;
}

function wholeNumber(item: Json, key: string): number {
  const value = item[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw bad(`${key}: expected a whole number`);
  return value;
}

function bad(message: string): P4RuntimeError {
  return new P4RuntimeError('bad-entry', { message });
}
