// SPDX-License-Identifier: Apache-2.0
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  PacketReplicationEngineEntrySchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Batch } from './batch.ts';
import { Rules } from './compat.ts';
import { Code, Refusal } from './refusal.ts';
import { Replication } from './replication.ts';

type Init = NonNullable<Parameters<typeof create<typeof PacketReplicationEngineEntrySchema>>[1]>;
const entryOf = (type: Init['type']) => create(PacketReplicationEngineEntrySchema, { type });
const group = (id: number, ...replicas: object[]) =>
  entryOf({ case: 'multicastGroupEntry', value: { multicastGroupId: id, replicas } });
const session = (id: number, rest: object = {}) =>
  entryOf({ case: 'cloneSessionEntry', value: { sessionId: id, ...rest } });
const egress = (port: number, instance = 0) => ({ portKind: { case: 'egressPort', value: port }, instance });
const port = (...bytes: number[]) => ({ portKind: { case: 'port', value: Uint8Array.from(bytes) } });

const { INSERT, MODIFY, DELETE } = Update_Type;

function codeOf(work: () => void): string {
  try {
    work();
  } catch (cause) {
    if (cause instanceof Refusal) return Code[cause.code]!;
    throw cause;
  }
  return 'OK';
}

test('groups and sessions are told to the pipeline, and read back as they were written', () => {
  const replication = new Replication(new Rules('strict'));
  const batch = new Batch(1, 'parts');
  const first = group(5, egress(0), port(1, 2));
  const second = session(7, { replicas: [egress(3, 9)] });
  replication.write(INSERT, first, batch);
  replication.write(INSERT, second, batch);
  expect(replication.read(group(0))).toEqual([first]);
  expect(replication.read(group(5))).toEqual([first]);
  expect(replication.read(session(0))).toEqual([second]);
  replication.write(MODIFY, group(5, egress(4)), batch);
  replication.write(DELETE, group(5), batch);
  expect(replication.read(group(0))).toEqual([]);
  expect(batch.operations).toEqual([
    {
      kind: 'multicast-group',
      group: 5,
      replicas: [
        { port: 0, instance: 0 },
        { port: 258, instance: 0 },
      ],
    },
    { kind: 'clone-session', session: 7, replicas: [{ port: 3, instance: 9 }] },
    { kind: 'multicast-group', group: 5, replicas: [{ port: 4, instance: 0 }] },
    { kind: 'multicast-group', group: 5, replicas: [] },
  ]);
});

test.each<[string, string, Update_Type, ReturnType<typeof entryOf>]>([
  ['an existing group', 'ALREADY_EXISTS', INSERT, group(1)],
  ['a missing group', 'NOT_FOUND', MODIFY, group(2)],
  ['a missing session', 'NOT_FOUND', DELETE, session(2)],
  ['group 0', 'INVALID_ARGUMENT', INSERT, group(0)],
  ['a group above 32767', 'OUT_OF_RANGE', INSERT, group(32_768)],
  ['a session above 32767', 'INVALID_ARGUMENT', INSERT, session(32_768)],
  ['the same copy twice', 'INVALID_ARGUMENT', INSERT, group(3, egress(1), egress(1))],
  ['port 0 in bytes', 'INVALID_ARGUMENT', INSERT, group(3, port(0))],
  ['a port of 5 bytes', 'UNIMPLEMENTED', INSERT, group(3, port(0, 0, 0, 0, 1))],
  ['a port that cannot exist', 'INVALID_ARGUMENT', INSERT, group(3, egress(512))],
  ['a replica without port', 'INVALID_ARGUMENT', INSERT, group(3, {})],
  ['backup replicas', 'UNIMPLEMENTED', INSERT, group(3, { ...egress(1), backupReplicas: [{}] })],
  ['a class of service', 'UNIMPLEMENTED', INSERT, session(3, { classOfService: 1 })],
  ['cutting clones short', 'UNKNOWN', INSERT, session(3, { packetLengthBytes: 64 })],
  ['nothing', 'INVALID_ARGUMENT', INSERT, entryOf({ case: undefined })],
])('%s is refused: %s', (_, code, type, entry) => {
  const replication = new Replication(new Rules('strict'));
  replication.write(INSERT, group(1, egress(1)), new Batch(1, 'parts'));
  const batch = new Batch(1, 'parts');
  expect(codeOf(() => replication.write(type, entry, batch))).toBe(code);
  expect(batch.operations).toEqual([]);
  expect(replication.read(group(0))).toHaveLength(1);
});
