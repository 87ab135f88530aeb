// SPDX-License-Identifier: Apache-2.0
/**
 * Digests by name: the samples of a DigestList as records of numbers and bigints.
 */
import type { ReadValue } from './entries.ts';
import type { P4Data } from './generated/p4/v1/p4data_pb.ts';
import type { DigestEntry_Config, DigestList, Update } from './generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from './generated/p4/v1/p4runtime_pb.ts';
import type { DigestInfo, P4InfoIndex } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import { canonicalBytes, decodeValue } from './values.ts';

export interface DigestSamples {
  /** Alias of the digest. */
  readonly name: string;
  readonly samples: readonly Readonly<Record<string, ReadValue>>[];
}

export interface DigestOptions {
  /** Samples in a list at most; 0 means the switch decides. */
  readonly listSizeMax: number;
  /** How long the switch may hold samples back. */
  readonly timeoutMs: number;
  /** How long equal samples are suppressed while a list is not acknowledged; 0 suppresses none. */
  readonly ackTimeoutMs: number;
}

/**
 * One sample a message, at once, none suppressed. On simple_switch_grpc it is also the only setting that
 * survives a change of program while digests arrive.
 */
export const digestDefaults: Readonly<DigestOptions> = { listSizeMax: 1, timeoutMs: 0, ackTimeoutMs: 0 };

/**
 * The update that makes the switch send a digest.
 *
 * @throws P4RuntimeError 'bad-value' for a setting with which simple_switch_grpc would hold samples for ever
 */
export function enableDigest(index: P4InfoIndex, name: string, options: Partial<DigestOptions> = {}): Update {
  const { listSizeMax, timeoutMs, ackTimeoutMs } = { ...digestDefaults, ...options };
  if (listSizeMax !== 1 && timeoutMs < 1) {
    const message = `digest ${name}: with lists of ${listSizeMax || 'any number of'} samples, timeoutMs must be at least 1, not ${timeoutMs}`;
    throw new P4RuntimeError('bad-value', { message });
  }
  const config: DigestEntry_Config = {
    $typeName: 'p4.v1.DigestEntry.Config',
    maxTimeoutNs: BigInt(Math.round(timeoutMs * 1e6)),
    maxListSize: listSizeMax,
    ackTimeoutNs: BigInt(Math.round(ackTimeoutMs * 1e6)),
  };
  const value = { $typeName: 'p4.v1.DigestEntry', digestId: index.digests.get(name).id, config } as const;
  return {
    $typeName: 'p4.v1.Update',
    type: Update_Type.INSERT,
    entity: { $typeName: 'p4.v1.Entity', entity: { case: 'digestEntry', value } },
  };
}

/** @throws P4RuntimeError 'unknown-name' or 'bad-value' when the list is of another program */
export function decodeDigest(index: P4InfoIndex, list: DigestList): DigestSamples {
  const digest = index.digests.byId(list.digestId);
  if (digest === undefined) {
    throw new P4RuntimeError('unknown-name', {
      message: `there is no digest with id ${list.digestId} in the P4Info`,
    });
  }
  return { name: digest.alias, samples: list.data.map((data) => decodeSample(digest, data)) };
}

function decodeSample(digest: DigestInfo, { data }: P4Data): Readonly<Record<string, ReadValue>> {
  const isStruct = data.case === 'struct' || data.case === 'tuple';
  const members = isStruct ? data.value.members.map((member) => member.data) : [data];
  if (members.length !== digest.fields.length) {
    const message = `digest ${digest.name}: a sample has ${members.length} members, not ${digest.fields.length}`;
    throw new P4RuntimeError('bad-value', { message });
  }
  const sample: Record<string, ReadValue> = {};
  digest.fields.forEach(({ name, bitwidth }, i) => {
    sample[name] = decodeMember(members[i]!, bitwidth, `digest ${digest.name}.${name}`);
  });
  return sample;
}

function decodeMember(data: P4Data['data'], bitwidth: number, what: string): ReadValue {
  switch (data.case) {
    case 'bitstring':
    case 'enumValue':
      return decodeValue(canonicalBytes(data.value), bitwidth);
    case 'bool':
      return data.value ? 1 : 0;
    default:
      throw new P4RuntimeError('bad-value', { message: `${what}: a ${data.case} is not a bit string` });
  }
}
