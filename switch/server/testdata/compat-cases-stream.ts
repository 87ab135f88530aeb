// SPDX-License-Identifier: Apache-2.0
/** Cases about who is primary, and about what travels on the stream. */

import { create } from '@bufbuild/protobuf';
import {
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  type StreamMessageResponse,
  Update_Type,
  WriteRequestSchema,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code } from '../refusal.ts';
import { type EntityInit, outcome, type Stage, update } from './compat-stage.ts';
import { compat, features, type TestProgram, type TestStream } from './harness.ts';

const { INSERT } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);

const on = (program: TestProgram, run: (stage: Stage) => Promise<string>) => ({ program, run });

/** How many controllers the stream was told of, and what else. */
const kinds = (told: StreamMessageResponse['update'][]) => told.map((each) => each.case);

async function codeOrAnswer(
  stream: TestStream,
  electionId: bigint | undefined,
  init: object,
): Promise<string> {
  stream.sendArbitration(electionId, init);
  return Promise.race([
    stream.ended.then(({ code }) => Code[code]!),
    stream.next('arbitration').then(() => 'answered'),
  ]);
}

/** An Ethernet frame of 60 bytes. */
function frameOf(target: number, source: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame[5] = target;
  frame[11] = source;
  frame.set([0x12, 0x34], 12);
  return frame;
}

/** Delivers samples of the program's digest, and tells of how many lists of how many samples. */
async function digestsOf(stage: Stage, config: object, sources: number[]): Promise<number[]> {
  await stage.ready();
  const digestId = stage.index.digests.get('seen_t').id;
  const digest: EntityInit = { case: 'digestEntry', value: { digestId, config } };
  await stage.write(INSERT, digest);
  const stream = stage.client.openStream();
  await stream.arbitrate(2n);
  for (const source of sources) await stage.inject(3, frameOf(1, source));
  // simple_switch_grpc takes up to three times the timeout of one second.
  await stage.wait(3500);
  const told = await stream.collect(3n);
  return told.flatMap((each) => (each.case === 'digest' ? [each.value.data.length] : []));
}

const packetOut = (metadata: { metadataId: number; value: Uint8Array }[]) => ({
  case: 'packet' as const,
  value: { payload: frameOf(1, 2), metadata },
});

const idOfPort = (stage: Stage) =>
  stage.index.packetMetadata.get('packet_out').fields.find(({ name }) => name === 'egress_port')!.id;

export const streamCases = {
  'other-device': on(features, async (stage) => {
    const stream = stage.client.openStream();
    const told = await codeOrAnswer(stream, 1n, { deviceId: 5n });
    if (told !== 'answered') return told;
    const write = await outcome(
      stage.client.call('write', create(WriteRequestSchema, { deviceId: 5n, electionId: { low: 1n } })),
    );
    return write === 'FAILED_PRECONDITION' ? 'a device without program' : write;
  }),

  'same-election-id': on(features, async (stage) => {
    const stream = stage.client.openStream();
    await stream.arbitrate(5n);
    stream.sendArbitration(5n);
    return (await stream.collect(6n)).length === 1 ? 'answered' : 'silence';
  }),
  'primary-takes-new-id': on(features, async (stage) => {
    const [primary, backup] = [stage.client.openStream(), stage.client.openStream()];
    await primary.arbitrate(5n);
    await backup.arbitrate(4n);
    await primary.arbitrate(6n);
    return (await backup.collect(9n)).length === 1 ? 'all are told' : 'the primary is told';
  }),
  'unset-election-id': on(features, async (stage) => {
    const told = await stage.client.openStream().arbitrate(undefined);
    return told.startsWith('0 ') ? 'primary as number 0' : 'never primary';
  }),
  'primary-leaves': on(features, async (stage) => {
    const [primary, backup] = [stage.client.openStream(), stage.client.openStream()];
    await primary.arbitrate(5n);
    await backup.arbitrate(4n);
    primary.close();
    const told = await backup.nextArbitration();
    if (told === '0 Is primary 4') return 'the backup is primary';
    return told === `${Code.NOT_FOUND} No primary 5` ? 'nobody is primary' : told;
  }),
  roles: on(features, async (stage) => {
    const [first, second] = [stage.client.openStream(), stage.client.openStream()];
    await first.arbitrate(5n);
    const told = await second.arbitrate(4n, { role: { name: 'other' } });
    return told === '0 Is primary 4' ? 'an election for each role' : 'one election';
  }),
  'role-in-answer': on(features, async (stage) => {
    const stream = stage.client.openStream();
    stream.sendArbitration(5n, { role: { name: 'other' } });
    const { role } = await stream.next('arbitration');
    return role?.name === 'other' ? 'with the role' : 'without the role';
  }),
  'role-config': on(features, async (stage) => {
    const role = { name: 'other', config: { typeUrl: 'type.googleapis.com/p4.v1.Uint128' } };
    const told = await codeOrAnswer(stage.client.openStream(), 5n, { role });
    return told === 'answered' ? 'ignored' : told;
  }),
  'role-change': on(features, async (stage) => {
    const stream = stage.client.openStream();
    await stream.arbitrate(5n);
    const told = await codeOrAnswer(stream, 6n, { role: { name: 'other' } });
    return told === 'answered' ? 'ignored' : told;
  }),
  'write-without-arbitration': on(features, async (stage) => {
    const code = await stage.push(ConfigAction.VERIFY_AND_COMMIT, { electionId: undefined });
    if (code !== 'accepted') return code;
    const config = { maxListSize: 1 };
    const digestId = stage.index.digests.get('seen_t').id;
    const digest = update(INSERT, { case: 'digestEntry', value: { digestId, config } });
    return stage.writeAll([digest], { electionId: undefined });
  }),
  'packet-from-backup': on(features, async (stage) => {
    await stage.ready();
    const backup = stage.client.openStream();
    await backup.arbitrate(0n);
    backup.send(packetOut([]));
    const errors = (await backup.collect(9n)).filter((each) => each.case === 'error');
    return errors[0] === undefined ? 'silence' : Code[errors[0].value.canonicalCode]!;
  }),

  'digest-without-timer': on(features, async (stage) => {
    const lists = await digestsOf(stage, { maxListSize: 3 }, [7]);
    return lists.length === 0 ? 'waits for a full list' : 'sent at once';
  }),
  'digest-equal-samples': on(features, async (stage) => {
    const lists = await digestsOf(stage, { maxListSize: 9, maxTimeoutNs: 1_000_000_000n }, [7, 7]);
    const samples = lists.reduce((sum, count) => sum + count, 0);
    return samples === 1 ? 'sent once' : samples === 2 ? 'all sent' : `${samples} sent`;
  }),

  'packet-out-metadata-missing': on(features, async (stage) => {
    const stream = await stage.ready();
    stream.send(packetOut([]));
    const [error] = (await stream.collect(2n)).filter((each) => each.case === 'error');
    if (error !== undefined) return Code[error.value.canonicalCode]!;
    await stage.wait(300);
    return stage.sent.some(({ port }) => port === 0) ? 'zero' : 'silence';
  }),
  'packet-out-metadata-bad': on(features, async (stage) => {
    const stream = await stage.ready();
    const port = { metadataId: idOfPort(stage), value: bytes(3) };
    stream.send(packetOut([port, { metadataId: 99, value: bytes(1) }]));
    const [error] = (await stream.collect(2n)).filter((each) => each.case === 'error');
    if (error !== undefined) return Code[error.value.canonicalCode]!;
    await stage.wait(300);
    return stage.sent.length === 0 ? 'silence' : 'sent';
  }),
  'stream-errors': on(features, async (stage) => {
    const stream = await stage.ready();
    stream.send(packetOut([{ metadataId: 99, value: bytes(1) }]));
    return kinds(await stream.collect(2n)).includes('error') ? 'told' : 'silence';
  }),

  'replica-port-zero': on(compat, (stage) =>
    insertGroup(stage, { portKind: { case: 'port', value: bytes(0) } }),
  ),
  'replica-port-beyond': on(compat, (stage) =>
    insertGroup(stage, { portKind: { case: 'egressPort', value: 600 } }),
  ),
  'multicast-metadata': on(compat, async (stage) => {
    await stage.ready();
    const group = (metadata: Uint8Array): EntityInit => ({
      case: 'packetReplicationEngineEntry',
      value: { type: { case: 'multicastGroupEntry', value: { multicastGroupId: 5, metadata } } },
    });
    const code = await stage.write(INSERT, group(bytes(7)));
    if (code !== 'accepted') return code;
    const [read] = await stage.read(group(bytes()));
    const entry = read?.entity.case === 'packetReplicationEngineEntry' ? read.entity.value.type : undefined;
    const isKept = entry?.case === 'multicastGroupEntry' && entry.value.metadata[0] === 7;
    return isKept ? 'kept' : 'lost';
  }),
  'clone-length': on(compat, async (stage) => {
    await stage.ready();
    return stage.write(INSERT, {
      case: 'packetReplicationEngineEntry',
      value: { type: { case: 'cloneSessionEntry', value: { sessionId: 5, packetLengthBytes: 64 } } },
    });
  }),
};

async function insertGroup(
  stage: Stage,
  replica: { portKind: { case: 'port'; value: Uint8Array } | { case: 'egressPort'; value: number } },
): Promise<string> {
  await stage.ready();
  return stage.write(INSERT, {
    case: 'packetReplicationEngineEntry',
    value: {
      type: { case: 'multicastGroupEntry', value: { multicastGroupId: 5, replicas: [replica] } },
    },
  });
}
