// SPDX-License-Identifier: Apache-2.0
/**
 * What works on an embedded switch, or looks as if it should, and does not on simple_switch_grpc. Each trap has a name
 * that stays, so that a log can be searched for it; docs/traps.md lists them for readers. Those of a program are found
 * when it is pushed (program-traps.ts), those of a controller when it does it first.
 */

interface Trap {
  readonly level: 'program' | 'controller';
  /** What simple_switch_grpc does. */
  readonly real: string;
  /** What to do in its place. */
  readonly instead: string;
}

export const traps = {
  'initial-entries': {
    level: 'program',
    real: 'simple_switch_grpc makes entries without const immutable, and every Read that comes across the table fails with INTERNAL',
    instead: 'write const entries, or let the controller insert them',
  },
  'lpm-width': {
    level: 'program',
    real: 'simple_switch_grpc counts prefixes from the first bit of whole bytes: right entries are refused, others match too much',
    instead: 'make the lpm key as wide as whole bytes',
  },
  'lpm-mask-entry': {
    level: 'program',
    real: 'p4c computes the mask of such a const entry in 64 bits: it has a wrong prefix, or does not compile',
    instead: 'give the entry as a plain value or _, or insert it at run time',
  },
  'range-any-entry': {
    level: 'program',
    real: 'p4c shifts the end of a range that is written _ out of its integer: the entry matches something else',
    instead: 'write the range out',
  },
  'digest-fields': {
    level: 'program',
    real: 'simple_switch_grpc refuses the whole P4Info of a digest with a member that is not a plain bit<W>',
    instead: 'give the digest a struct of bit<W> members and cast on the way in',
  },
  'digest-tuple': {
    level: 'program',
    real: 'simple_switch_grpc never delivers a digest without the name of a struct: P4Info and JSON call it differently',
    instead: 'declare a struct for the digest',
  },
  'hash-algorithm': {
    level: 'program',
    real: 'simple_switch_grpc answers OK and is left with half a program when the JSON has a hash it does not know',
    instead: 'use crc16, crc32, csum16, xor16 or identity',
  },
  'lost-metadata': {
    level: 'program',
    real: 'ingress_port, timestamps, parser_error and all unlisted metadata are 0 after clone, resubmit and recirculate',
    instead: 'copy what is needed into user metadata that is in the field list',
  },
  'egress-spec-in-egress': {
    level: 'program',
    real: 'egress_spec reads 0 in egress, and writing it there does not redirect: 511 drops, all else is ignored',
    instead: 'choose the port in ingress, and use mark_to_drop in egress',
  },
  'never-dropped': {
    level: 'program',
    real: 'a packet that nothing in ingress sends anywhere leaves through port 0; parser errors do not drop either',
    instead: 'mark_to_drop first, or in the default actions',
  },
  'priority-queue': {
    level: 'program',
    real: 'a packet with a priority other than 0 is dropped unless --priority-queues is above it',
    instead: 'leave standard_metadata.priority alone, or start simple_switch_grpc with the option',
  },
  'truncated-copies': {
    level: 'program',
    real: 'truncate is forgotten by the copies of multicast groups and clone sessions',
    instead: 'truncate in egress, where each copy passes',
  },
  'counter-of-hits': {
    level: 'program',
    real: 'direct counters and meters see hits only, never the default action',
    instead: 'count misses with an indirect counter in the default action',
  },
  'register-in-p4info': {
    level: 'program',
    real: 'simple_switch_grpc answers UNIMPLEMENTED to whoever reads or writes a register',
    instead: 'report through digests, packet-in or counters, and begin a new epoch to forget',
  },
  'value-set-in-p4info': {
    level: 'program',
    real: 'a value set cannot be written over P4Runtime, so that it is always empty',
    instead: 'use a table, or constants in the parser',
  },
  'translated-type': {
    level: 'program',
    real: 'simple_switch_grpc does not translate: entries have another width than the target expects and are refused',
    instead: 'leave @p4runtime_translation out',
  },
  'profile-default': {
    level: 'program',
    real: 'a table with an action profile has no default action, whatever its source says',
    instead: 'act on the miss where the table is applied',
  },
  'process-dies': {
    level: 'program',
    real: 'simple_switch_grpc ends when an assert or assume is false, or a divisor is zero',
    instead: 'test with if, and drop or count',
  },

  'digest-without-timer': {
    level: 'controller',
    real: 'without max_timeout_ns of at least 1 ms a list that is not full is never sent, and size 0 is 1024',
    instead: 'set max_list_size to 1, or a timeout',
  },
  'modify-without-meter': {
    level: 'controller',
    real: 'MODIFY without meter_config leaves the meter as it was; the specification resets it',
    instead: 'send the config with every MODIFY, or write the DirectMeterEntry',
  },
  'read-filters': {
    level: 'controller',
    real: 'simple_switch_grpc ignores filters by priority, action and metadata, and returns everything',
    instead: 'select from what is returned',
  },
  'atomic-write': {
    level: 'controller',
    real: 'simple_switch_grpc has only CONTINUE_ON_ERROR: UNIMPLEMENTED for the whole request',
    instead: 'use CONTINUE_ON_ERROR and prepare what is not referred to yet',
  },
  'register-access': {
    level: 'controller',
    real: 'simple_switch_grpc answers UNIMPLEMENTED to reads and writes of registers',
    instead: 'report through digests, packet-in or counters',
  },
  'reconcile-arrays': {
    level: 'controller',
    real: 'RECONCILE_AND_COMMIT fails on simple_switch_grpc where there are counters, meters or const entries, and blocks further pushes',
    instead: 'use VERIFY_AND_SAVE, write everything, then COMMIT',
  },
  'reconcile-defaults': {
    level: 'controller',
    real: 'RECONCILE_AND_COMMIT forgets default actions, digests and replication on simple_switch_grpc',
    instead: 'write them again afterwards',
  },
  'roles-ignored': {
    level: 'controller',
    real: 'simple_switch_grpc knows no roles: all controllers are in one election, and each may write everything',
    instead: 'give the controllers parts of their own, and election ids that agree',
  },
  'long-error-details': {
    level: 'controller',
    real: 'details of errors beyond 8 KiB are lost in C++ and Python clients with their default limits',
    instead: 'send smaller batches, or raise grpc.max_metadata_size',
  },
  'large-read': {
    level: 'controller',
    real: 'simple_switch_grpc puts the whole answer of a Read into one message, more than the 4 MiB most clients take',
    instead: 'raise grpc.max_receive_message_length, or read table by table',
  },
  'watch-port': {
    level: 'controller',
    real: 'a watched port without interface counts as down, so that its members never get a packet',
    instead: 'watch only ports that have an interface',
  },
} as const satisfies Record<string, Trap>;

export type TrapName = keyof typeof traps;
