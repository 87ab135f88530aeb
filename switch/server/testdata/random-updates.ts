// SPDX-License-Identifier: Apache-2.0
/** Random updates of the programs features.p4 and compat.p4, in order and out of order. */

import fc from 'fast-check';
import type { Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import { type EntityInit, update } from './compat-stage.ts';
import { features, type TestProgram } from './harness.ts';

const { INSERT, MODIFY, DELETE } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);
const exact = (fieldId: number, ...value: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'exact' as const, value: { value: bytes(...value) } },
});

/** Updates of few objects, so that they collide. */
export function updatesOf(program: TestProgram): fc.Arbitrary<Update> {
  const index = new P4InfoIndex(program.p4info);
  const small = fc.integer({ min: 1, max: 3 });
  const type = fc.constantFrom(INSERT, MODIFY, DELETE);
  const typeOr = (rare: Update_Type) =>
    fc.oneof({ weight: 5, arbitrary: fc.constant(MODIFY) }, fc.constant(rare));
  const action = (name: string, ...params: number[]) => ({
    actionId: index.actions.get(name).id,
    params: params.map((value, at) => ({ paramId: at + 1, value: bytes(value) })),
  });
  const forward = small.map((port) => action('forward', port));
  const direct = forward.map((value) => ({ type: { case: 'action' as const, value } }));
  const group = fc.record({ id: small, port: fc.integer({ min: 0, max: 2 }) });
  const kinds: fc.Arbitrary<{ type: Update_Type; entity: EntityInit }>[] = [
    fc.record({ type, group }).map(({ type, group: { id: multicastGroupId, port } }) => ({
      type,
      entity: {
        case: 'packetReplicationEngineEntry',
        value: {
          type: {
            case: 'multicastGroupEntry',
            value: { multicastGroupId, replicas: [{ portKind: { case: 'port', value: bytes(port) } }] },
          },
        },
      },
    })),
  ];
  const register = program.p4info.registers[0]!;
  kinds.push(
    fc.record({ type: typeOr(INSERT), cell: small, value: small }).map(({ type, cell, value }) => ({
      type,
      entity: {
        case: 'registerEntry',
        value: {
          registerId: register.preamble!.id,
          index: { index: BigInt(cell) },
          data: { data: { case: 'bitstring', value: bytes(value) } },
        },
      },
    })),
  );
  if (program === features) {
    const entry = (name: string, value: object): EntityInit => ({
      case: 'tableEntry',
      value: { tableId: index.tables.get(name).id, ...value },
    });
    kinds.push(
      fc.record({ type, key: fc.integer({ min: 1, max: 6 }), action: direct, count: small }).map((each) => ({
        type: each.type,
        entity: entry('exact_small', {
          match: [exact(1, each.key), exact(2, 1)],
          action: each.action,
          counterData: { packetCount: BigInt(each.count) },
        }),
      })),
      fc.record({ type: typeOr(DELETE), action: direct }).map((each) => ({
        type: each.type,
        entity: entry('keyless', { isDefaultAction: true, action: each.action }),
      })),
      fc.record({ type, size: small }).map((each) => ({
        type: each.type,
        entity: {
          case: 'digestEntry' as const,
          value: { digestId: index.digests.get('seen_t').id, config: { maxListSize: each.size } },
        },
      })),
      fc.record({ type: typeOr(INSERT), cell: fc.integer({ min: 0, max: 4 }) }).map((each) => ({
        type: each.type,
        entity: {
          case: 'counterEntry' as const,
          value: {
            counterId: index.counters.get('by_kind').id,
            index: { index: BigInt(each.cell) },
            data: { packetCount: 9n },
          },
        },
      })),
    );
  } else {
    const actionProfileId = index.actionProfiles.get('spread_members').id;
    const reference = fc.oneof(
      small.map((value) => ({ case: 'actionProfileMemberId' as const, value })),
      small.map((value) => ({ case: 'actionProfileGroupId' as const, value })),
      fc.array(fc.record({ action: forward, weight: small }), { minLength: 1, maxLength: 2 }).map((each) => ({
        case: 'actionProfileActionSet' as const,
        value: { actionProfileActions: each },
      })),
    );
    const config = fc.option(small.map((rate) => ({ cir: BigInt(rate), cburst: 1n, pir: 2n, pburst: 1n })));
    kinds.push(
      fc.record({ type, memberId: small, action: forward }).map(({ type, memberId, action }) => ({
        type,
        entity: { case: 'actionProfileMember' as const, value: { actionProfileId, memberId, action } },
      })),
      fc
        .record({ type, groupId: small, members: fc.uniqueArray(small, { maxLength: 2 }), weight: small })
        .map(({ type, groupId, members, weight }) => ({
          type,
          entity: {
            case: 'actionProfileGroup' as const,
            value: {
              actionProfileId,
              groupId,
              maxSize: 4,
              members: members.map((memberId) => ({ memberId, weight })),
            },
          },
        })),
      fc.record({ type, key: small, reference }).map((each) => ({
        type: each.type,
        entity: {
          case: 'tableEntry' as const,
          value: {
            tableId: index.tables.get('spread').id,
            match: [exact(1, each.key)],
            action: { type: each.reference },
          },
        },
      })),
      fc.record({ type, key: small, config }).map((each) => ({
        type: each.type,
        entity: {
          case: 'tableEntry' as const,
          value: {
            tableId: index.tables.get('policed').id,
            match: [exact(1, each.key)],
            action: { type: { case: 'action' as const, value: action('metered', each.key) } },
            ...(each.config && { meterConfig: each.config }),
          },
        },
      })),
      fc.record({ type: typeOr(INSERT), values: fc.array(small, { maxLength: 3 }) }).map((each) => ({
        type: each.type,
        entity: {
          case: 'valueSetEntry' as const,
          value: {
            valueSetId: program.p4info.valueSets[0]!.preamble!.id,
            members: each.values.map((value) => ({ match: [exact(1, value)] })),
          },
        },
      })),
    );
  }
  return fc.oneof(...kinds).map(({ type, entity }) => update(type, entity));
}
