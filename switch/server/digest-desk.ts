// SPDX-License-Identifier: Apache-2.0
/** The digests a controller has asked for: their configs as it writes and reads them, and the lists it gets. */

import { create } from '@bufbuild/protobuf';
import type { P4Data } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import { P4DataSchema } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import type { DigestEntry, DigestList } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { DigestListSchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import { type Batch, put } from './batch.ts';
import type { BoundDigest } from './bound.ts';
import type { Clock } from './clock.ts';
import { DigestQueue, type Sample } from './digest-queue.ts';
import type { Loaded } from './loaded.ts';
import { Code, invalid, Refusal } from './refusal.ts';

export interface DigestDeskOptions {
  clock: Clock;
  send: (list: DigestList) => void;
}

export class DigestDesk {
  readonly #options: DigestDeskOptions;

  constructor(options: DigestDeskOptions) {
    this.#options = options;
  }

  /** @throws Refusal; then nothing has changed */
  write(
    { binding, digests, rules, traps }: Loaded,
    type: Update_Type,
    { digestId, config }: DigestEntry,
    batch: Batch,
  ): void {
    const digest = binding.digests.get(digestId);
    if (digest === undefined) throw new Refusal(Code.NOT_FOUND, `there is no digest ${digestId}`);
    const existing = digests.get(digestId);
    if (type === Update_Type.INSERT && existing !== undefined) {
      throw new Refusal(Code.ALREADY_EXISTS, `digest '${digest.name}' is configured already, use MODIFY`);
    }
    if (type !== Update_Type.INSERT && existing === undefined) {
      throw new Refusal(Code.NOT_FOUND, `digest '${digest.name}' is not configured`);
    }
    const { maxTimeoutNs = 0n, maxListSize = 0, ackTimeoutNs = 0n } = config ?? {};
    const isDelete = type === Update_Type.DELETE;
    if (!isDelete && (maxTimeoutNs < 0n || maxListSize < 0 || ackTimeoutNs < 0n)) {
      throw invalid('a digest config has no negative values');
    }
    // Until the batch stands the old queue goes on.
    if (existing !== undefined) batch.afterwards.push(() => existing.close());
    if (isDelete) {
      put(batch, digests, digestId, undefined);
      return;
    }
    const digestConfig = { maxTimeoutNs, maxListSize, ackTimeoutNs };
    if (DigestQueue.canStall(digestConfig)) traps.note('digest-without-timer', `digest '${digest.name}'`);
    const { clock, send } = this.#options;
    const queue = new DigestQueue(digestConfig, clock, rules, (listId, samples) => {
      const data = samples.map((sample) => digestData(digest, sample));
      const timestamp = BigInt(clock.nowMicros()) * 1000n;
      send(create(DigestListSchema, { digestId, listId, data, timestamp }));
    });
    put(batch, digests, digestId, queue);
  }
}

function digestData({ shape, list }: BoundDigest, sample: Sample): P4Data {
  const members = sample.map((value, index) =>
    create(P4DataSchema, {
      data: { case: 'bitstring', value: encodeValue(value, list.elements[index]!.field.width) },
    }),
  );
  if (shape === 'bitstring') return members[0]!;
  return create(P4DataSchema, { data: { case: shape, value: { members } } });
}
