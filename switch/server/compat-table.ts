// SPDX-License-Identifier: Apache-2.0
/**
 * Every behaviour of a P4Runtime server in which simple_switch_grpc and the specification differ, and what this switch
 * does in each of its three modes. compat.ts asks this table by name; compat.test.ts puts every row to the test, in all
 * modes and on a real simple_switch_grpc where there is one.
 *
 * An answer in capitals is the code of a refusal: of the update, of the call, or of the stream message. All others are
 * words for what happens. `real` is what simple_switch_grpc does where even mode bmv2 does not follow it: nobody can
 * want a crash, a hang or a state that lies.
 *
 * Sources: P4Runtime specification 1.5; p4lang/PI, proto/frontend and proto/server, and p4lang/behavioral-model, PI,
 * read and run (BMv2 1.15.5).
 */

import type { Behaviour } from './behaviour.ts';
import { externBehaviours } from './compat-table-externs.ts';

export const behaviours = {
  // The server.
  'other-device': {
    when: 'A call names another device than this one.',
    strict: 'NOT_FOUND',
    bmv2: 'a device without program',
    spec: 'NOT_FOUND',
  },
  'push-to-other-device': {
    when: 'A program is pushed to another device than this one.',
    strict: 'NOT_FOUND',
    bmv2: 'UNKNOWN',
    spec: 'NOT_FOUND',
  },
  'api-version': {
    when: 'A controller asks for the capabilities.',
    strict: '1.5.0',
    bmv2: '1.3.0',
    spec: '1.5.0',
  },
  'read-messages': {
    when: 'The answer to a Read is longer than some thousand entities.',
    strict: 'several messages',
    bmv2: 'one message',
    spec: 'several messages',
  },

  // Arbitration.
  'same-election-id': {
    when: 'A stream repeats the election id that it has.',
    strict: 'answered',
    bmv2: 'silence',
    spec: 'answered',
  },
  'primary-takes-new-id': {
    when: 'The primary takes another election id and stays the highest.',
    strict: 'all are told',
    bmv2: 'the primary is told',
    spec: 'all are told',
  },
  'unset-election-id': {
    when: 'A stream without election id is alone.',
    strict: 'never primary',
    bmv2: 'primary as number 0',
    spec: 'never primary',
  },
  'primary-leaves': {
    when: 'The primary leaves and a backup is there.',
    strict: 'nobody is primary',
    bmv2: 'the backup is primary',
    spec: 'nobody is primary',
  },
  roles: {
    when: 'Two streams arbitrate in two roles.',
    strict: 'an election for each role',
    bmv2: 'one election',
    spec: 'an election for each role',
  },
  'role-in-answer': {
    when: 'An arbitration with a role is answered.',
    strict: 'with the role',
    bmv2: 'without the role',
    spec: 'with the role',
  },
  'role-config': {
    when: 'An arbitration has a role with a config.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'ignored',
    spec: 'INVALID_ARGUMENT',
  },
  'role-change': {
    when: 'A stream that has arbitrated names another role.',
    strict: 'FAILED_PRECONDITION',
    bmv2: 'ignored',
    spec: 'FAILED_PRECONDITION',
  },
  'write-without-arbitration': {
    when: 'Nobody has arbitrated, and a Write comes without election id.',
    strict: 'PERMISSION_DENIED',
    bmv2: 'accepted',
    spec: 'PERMISSION_DENIED',
  },
  'packet-from-backup': {
    when: 'A backup sends a packet.',
    strict: 'PERMISSION_DENIED',
    bmv2: 'silence',
    spec: 'PERMISSION_DENIED',
  },

  // SetForwardingPipelineConfig and GetForwardingPipelineConfig.
  'verify-bad-json': {
    when: 'VERIFY of a P4Info that is in order and a device config that is not JSON.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'accepted',
    spec: 'INVALID_ARGUMENT',
  },
  'bad-p4info': {
    when: 'The pushed P4Info cannot be used.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'UNKNOWN',
    spec: 'INVALID_ARGUMENT',
  },
  'bad-json': {
    when: 'The pushed device config is no program this target can run.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'UNKNOWN',
    spec: 'INVALID_ARGUMENT',
  },
  'no-device-config': {
    when: 'The pushed device config is empty.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'INVALID_ARGUMENT',
    real: 'accepted',
  },
  'commit-nothing': {
    when: 'COMMIT without anything saved.',
    strict: 'NOT_FOUND',
    bmv2: 'UNKNOWN',
    spec: 'NOT_FOUND',
  },
  'commit-with-config': {
    when: 'COMMIT of what was saved, with a config all the same.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'config ignored',
    spec: 'INVALID_ARGUMENT',
  },
  'save-again': {
    when: 'A second VERIFY_AND_SAVE before the COMMIT.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'accepted',
  },
  'config-before-push': {
    when: 'The config is asked for before there is one.',
    strict: 'FAILED_PRECONDITION',
    bmv2: 'FAILED_PRECONDITION',
    spec: 'no config',
  },
  'reconcile-arrays': {
    when: 'RECONCILE_AND_COMMIT of a program with counters, meters or const entries.',
    strict: 'state is kept',
    bmv2: 'UNKNOWN',
    spec: 'state is kept',
  },
  'reconcile-defaults': {
    when: 'RECONCILE_AND_COMMIT after a default action was changed and a digest configured.',
    strict: 'both are kept',
    bmv2: 'both are lost',
    spec: 'both are kept',
  },

  // Write.
  atomicity: {
    when: 'A Write with ROLLBACK_ON_ERROR or DATAPLANE_ATOMIC.',
    strict: 'accepted',
    bmv2: 'UNIMPLEMENTED',
    spec: 'accepted',
  },
  'no-entity': {
    when: 'An update, or an entity of a Read, is empty.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'INVALID_ARGUMENT',
  },
  'table-full': {
    when: 'INSERT into a table that is full.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'RESOURCE_EXHAUSTED',
  },
  'const-table-insert': {
    when: 'INSERT into a table whose entries are those of the program.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'PERMISSION_DENIED',
  },
  'const-table-change': {
    when: 'MODIFY or DELETE in a table whose entries are those of the program.',
    strict: 'NOT_FOUND',
    bmv2: 'NOT_FOUND',
    spec: 'PERMISSION_DENIED',
  },
  'keyless-insert': {
    when: 'INSERT into a table without key.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'INVALID_ARGUMENT',
  },
  'default-with-profile': {
    when: 'The default action of a table with an action profile is written.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'PERMISSION_DENIED',
  },
  'modify-without-action': {
    when: 'MODIFY of an entry without action.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'the action stays',
  },
  'modify-without-meter': {
    when: 'MODIFY of an entry with a meter, without meter config.',
    strict: 'the meter stays',
    bmv2: 'the meter stays',
    spec: 'the meter is reset',
  },
  'value-too-wide': {
    when: 'A value of a key or a parameter has more bits than its field.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'OUT_OF_RANGE',
  },
  'empty-value': {
    when: 'A value of a key or a parameter is an empty byte string.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'zero',
    spec: 'OUT_OF_RANGE',
  },
  'is-const-written': {
    when: 'A written entry says is_const.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'ignored',
    spec: 'INVALID_ARGUMENT',
  },
  'unknown-member': {
    when: 'An entry names a member or a group that does not exist.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'NOT_FOUND',
  },
  'lpm-of-odd-width': {
    when: 'A prefix in an lpm field whose width is not a multiple of 8.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'accepted',
  },
  'range-looks-full': {
    when: 'A range from 0 to a canonical ff, in a wider field.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'accepted',
  },
  'full-range': {
    when: 'The full range of a field, its low end in canonical form.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'accepted',
    spec: 'INVALID_ARGUMENT',
  },
  'default-counter': {
    when: 'A default action is written with counter data or a meter config, which it has no place for.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'counter data without effect',
    spec: 'UNIMPLEMENTED',
  },
  'short-idle-timeout': {
    when: 'An idle timeout below one millisecond.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'never idle',
    spec: 'one millisecond',
  },

  // Read.
  'read-filters': {
    when: 'A Read of a table names a priority, an action or metadata.',
    strict: 'only what fits',
    bmv2: 'everything',
    spec: 'only what fits',
  },
  'read-error': {
    when: 'One of the entities of a Read cannot be read.',
    strict: 'its own code',
    bmv2: 'its own code',
    spec: 'UNKNOWN with details',
  },
  'initial-entries-read': {
    when: 'A table whose program gives it entries that are not const is read.',
    strict: 'INTERNAL',
    bmv2: 'INTERNAL',
    spec: 'read',
  },
  'counter-units': {
    when: 'A counter that is declared to count packets is read.',
    strict: 'packets',
    bmv2: 'packets and bytes',
    spec: 'packets',
  },
  'const-entry-read': {
    when: 'A const entry is read.',
    strict: 'with is_const',
    bmv2: 'without is_const',
    spec: 'with is_const',
  },
  'members-beside-sets': {
    when: 'The members of a profile are read while its entries have action sets.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'none',
  },
  'direct-of-all-tables': {
    when: 'The direct counters or meters of all tables are read at once.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'read',
  },
  'direct-of-default': {
    when: 'The direct counter or meter of a default action is read or written.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'UNIMPLEMENTED',
  },
  'direct-of-missing-entry': {
    when: 'The direct counter or meter of an entry that does not exist is read or written.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'NOT_FOUND',
  },
  'index-beyond-array': {
    when: 'A cell beyond the end of a counter or meter is read or written.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'OUT_OF_RANGE',
  },
  'all-digests': {
    when: 'The configs of all digests are read at once.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'read',
  },

  ...externBehaviours,
} as const satisfies Record<string, Behaviour>;

export type BehaviourName = keyof typeof behaviours;
