// SPDX-License-Identifier: Apache-2.0
/** Digests of p4/core, made events. */
import type { DigestList, Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { DigestInfo, P4InfoIndex } from '../../../p4runtime/p4info.ts';
import { decodeNumber } from '../../../p4runtime/values.ts';
import type { DigestReason } from '../../core/event.ts';
import type { Column } from '../../core/row.ts';
import type { SwitchEvent } from '../../ports/switch.ts';

/** p4/core/types.p4, DIGEST_*. */
const reasons: Readonly<Record<number, DigestReason>> = { 1: 'old', 2: 'learn', 3: 'closing' };

/**
 * Each sample at once, never held back. simple_switch_grpc holds a list of any other size until it is full, and crashes
 * when a configuration with an ack timeout is deleted.
 */
const digestConfig = { maxListSize: 1, maxTimeoutNs: 0n, ackTimeoutNs: 0n } as const;

type Fields = Readonly<Record<string, number>>;

export class DigestCodec {
  private readonly digests: ReadonlyMap<
    number,
    { info: DigestInfo; toEvent: (fields: Fields) => SwitchEvent | undefined }
  >;

  constructor(index: P4InfoIndex) {
    const flow = index.digests.get('flow_digest_t');
    const neighbour = index.digests.get('neighbour_digest_t');
    this.digests = new Map([
      [flow.id, { info: flow, toEvent: flowDigest }],
      [neighbour.id, { info: neighbour, toEvent: neighbourDigest }],
    ]);
  }

  /** Makes the switch send its digests. */
  configure(operation: 'insert' | 'modify'): Update[] {
    const type = operation === 'insert' ? Update_Type.INSERT : Update_Type.MODIFY;
    return [...this.digests.keys()].map((digestId) => ({
      $typeName: 'p4.v1.Update',
      type,
      entity: {
        $typeName: 'p4.v1.Entity',
        entity: {
          case: 'digestEntry',
          value: {
            $typeName: 'p4.v1.DigestEntry',
            digestId,
            config: { $typeName: 'p4.v1.DigestEntry.Config', ...digestConfig },
          },
        },
      },
    }));
  }

  /** @returns an event for each sample, undefined for one that cannot be read */
  decode(list: DigestList): (SwitchEvent | undefined)[] {
    const digest = this.digests.get(list.digestId);
    return list.data.map(({ data }) => {
      if (digest === undefined || data.case !== 'struct') return undefined;
      const { fields } = digest.info;
      if (data.value.members.length !== fields.length) return undefined;
      const values: Record<string, number> = {};
      for (const [i, member] of data.value.members.entries()) {
        if (member.data.case !== 'bitstring') return undefined;
        values[fields[i]!.name] = decodeNumber(member.data.value);
      }
      return digest.toEvent(values);
    });
  }
}

function flowDigest(fields: Fields): SwitchEvent | undefined {
  const reason = reasons[fields.reason!];
  if (reason === undefined) return undefined;
  return {
    kind: 'flow-digest',
    reason,
    pool: fields.pool!,
    slot: fields.slot!,
    column: fields.column as Column,
    backend: fields.backend!,
    sourceAddress: fields.source_address!,
    sourcePort: fields.source_port!,
  };
}

function neighbourDigest(fields: Fields): SwitchEvent {
  return { kind: 'neighbour-digest', port: fields.port!, address: fields.address!, mac: fields.mac! };
}
