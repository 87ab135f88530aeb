// SPDX-License-Identifier: Apache-2.0
/**
 * Where the embedded switch and simple_switch_grpc differ, under which rule, what is right and why. A difference that
 * is not here is a failure. What no script does, because simple_switch_grpc crashes or loses its mind then, and what
 * readings.ts evens out, is listed in docs/conformance.md.
 */
import { type Entity, type Update, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { Difference } from './compare.ts';
import type { Rule } from './duel.ts';
import type { Step } from './script.ts';

export interface KnownDifference {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** What each switch does, which is right, and why. */
  readonly explanation: string;
  /** The switches have different states from here on, so the rest of the script says nothing. */
  readonly diverges: boolean;
  matches(difference: Difference, step: Step): boolean;
}

/** A refused update of a group, or of an entry that names one. */
const refusedGroup = refused(
  (_update, entity) =>
    entity.case === 'actionProfileGroup' ||
    (entity.case === 'tableEntry' && entity.value.action?.type.case === 'actionProfileGroupId'),
);

export const knownDifferences: readonly KnownDifference[] = [
  {
    name: 'masked-key-unreadable',
    rules: ['same', 'accepted'],
    explanation:
      'A key `field & CONSTANT` and an entry with bits outside the constant: simple_switch_grpc keeps the entry without ' +
      'those bits, does not find it again, and answers every read of the table with INTERNAL. We answer with the entry ' +
      'as it was written, as the specification has it. Both match packets alike.',
    diverges: false,
    matches: ({ where, first, second }) =>
      where === 'table Match.expression_table' && first === 'code 0' && second === 'code 13',
  },
  {
    name: 'delete-with-direct-resources',
    rules: ['same'],
    explanation:
      'DELETE of an entry with counter_data or meter_config, in a table that has none: simple_switch_grpc does not look ' +
      'at them, and the specification says that only the key counts in a DELETE. We refuse, also in mode bmv2.',
    diverges: true,
    matches: refused((update, entity) => {
      if (update.type !== Update_Type.DELETE || entity.case !== 'tableEntry') return false;
      return entity.value.counterData !== undefined || entity.value.meterConfig !== undefined;
    }),
  },
  {
    name: 'clone-session-extras-first',
    rules: ['same'],
    explanation:
      'A clone session with class_of_service or packet_length_bytes: simple_switch_grpc looks at these last, after ' +
      'existence and replicas, and not at all in a DELETE. Mode bmv2 refuses them first.',
    diverges: true,
    matches: refused((_update, entity) => {
      if (entity.case !== 'packetReplicationEngineEntry') return false;
      const { type } = entity.value;
      return (
        type.case === 'cloneSessionEntry' &&
        (type.value.classOfService !== 0 || type.value.packetLengthBytes !== 0)
      );
    }),
  },
  {
    name: 'group-without-selector',
    rules: ['same'],
    explanation:
      'A group in an action profile without selector: simple_switch_grpc keeps such groups, and refuses only the entry ' +
      'that names one (UNKNOWN). A group that nothing can use is no use, so we refuse it in every mode.',
    diverges: true,
    matches: (difference, step) => difference.first === 'code 3' && refusedGroup(difference, step),
  },
  {
    name: 'failed-group-stays',
    rules: ['same'],
    explanation:
      'INSERT of a group with a member that does not exist, or twice: simple_switch_grpc answers NOT_FOUND, and has the ' +
      'group without members from then on. A refused write must not change anything.',
    diverges: true,
    matches: (difference, step) =>
      /^groups of /.test(difference.where)
        ? /"groupId"/.test(difference.second) && !/"members"/.test(difference.second)
        : difference.first === 'code 5' && refusedGroup(difference, step),
  },
  {
    name: 'negative-priority',
    rules: ['same'],
    explanation:
      'A negative priority: simple_switch_grpc takes it in tables without ternary keys, and answers UNKNOWN from the ' +
      'target in others. The specification has INVALID_ARGUMENT for both, and so have we in every mode.',
    diverges: true,
    matches: refused((_update, entity) => entity.case === 'tableEntry' && entity.value.priority < 0),
  },
];

export function knownDifference(difference: Difference, step: Step, rule: Rule): KnownDifference | undefined {
  return knownDifferences.find((known) => known.rules.includes(rule) && known.matches(difference, step));
}

/** An update that the embedded switch refuses, whatever the other says. */
function refused(
  fits: (update: Update, entity: Entity['entity']) => boolean,
): (difference: Difference, step: Step) => boolean {
  return ({ where, first }, step) => {
    const index = /^update (\d+)$/.exec(where)?.[1];
    if (index === undefined || step.kind !== 'write' || first === 'code 0') return false;
    const update = step.updates[Number(index)]!;
    return fits(update, update.entity?.entity ?? { case: undefined });
  };
}
