// SPDX-License-Identifier: Apache-2.0
/** The rows of compat-table.ts about what stands beside the tables: counters, profiles, digests, copies, packets. */

import type { Behaviour } from './behaviour.ts';

export const externBehaviours = {
  // Counters, meters, registers, value sets.
  'all-cells-written': {
    when: 'A counter or meter is written without index.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'every cell is written',
  },
  'counter-delete': {
    when: 'DELETE of a cell of a counter.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'the cell is reset',
    spec: 'INVALID_ARGUMENT',
  },
  'counter-without-data': {
    when: 'A counter is written without data.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'zero',
    spec: 'the cell stays',
  },
  'peak-below-committed': {
    when: 'A meter config whose peak rate is below its committed rate.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'INVALID_ARGUMENT',
  },
  'meter-counter-data': {
    when: 'A meter is written with counts of its colours.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'ignored',
    spec: 'UNIMPLEMENTED',
  },
  'meter-burst': {
    when: 'A meter config with a burst of more than 32 bits.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'accepted',
  },
  register: {
    when: 'A register is read or written.',
    strict: 'accepted',
    bmv2: 'UNIMPLEMENTED',
    spec: 'accepted',
  },
  'value-set': {
    when: 'A value set is read or written.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'accepted',
  },

  // Action profiles.
  'member-id-zero': {
    when: 'INSERT of member 0, which stands for all when it is read.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'accepted',
    spec: 'INVALID_ARGUMENT',
  },
  'group-size-zero': {
    when: 'A group of max_size 0 where the P4Info gives a max_group_size.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'accepted',
    spec: 'INVALID_ARGUMENT',
  },
  'delete-in-use': {
    when: 'DELETE of a member or a group that something refers to.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'FAILED_PRECONDITION',
  },
  'profile-full': {
    when: 'A profile has more members than its size.',
    strict: 'RESOURCE_EXHAUSTED',
    bmv2: 'accepted',
    spec: 'RESOURCE_EXHAUSTED',
  },
  'entry-of-empty-group': {
    when: 'An entry names a group without members.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'accepted',
  },
  'empty-action-set': {
    when: 'An entry has an action set without actions.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'UNIMPLEMENTED',
    spec: 'INVALID_ARGUMENT',
  },
  'action-set-too-large': {
    when: 'The weights of an action set add up to more than max_group_size.',
    strict: 'RESOURCE_EXHAUSTED',
    bmv2: 'RESOURCE_EXHAUSTED',
    spec: 'INVALID_ARGUMENT',
  },
  'watch-port-zero': {
    when: 'A member watches port 0.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'not watched',
    spec: 'watched',
  },

  // Digests and idle entries.
  'digest-without-timer': {
    when: 'A digest with max_timeout_ns 0 and a list size above 1 has one sample.',
    strict: 'waits for a full list',
    bmv2: 'waits for a full list',
    spec: 'sent at once',
  },
  'digest-equal-samples': {
    when: 'Equal samples come within one list, and there is no ack_timeout_ns.',
    strict: 'sent once',
    bmv2: 'sent once',
    spec: 'all sent',
  },

  'idle-metadata': {
    when: 'An idle entry that has metadata is reported.',
    strict: 'without metadata',
    bmv2: 'without metadata',
    spec: 'with metadata',
  },

  // Replication.
  'replica-port-zero': {
    when: 'A replica whose port, in bytes, is 0.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'INVALID_ARGUMENT',
    spec: 'accepted',
  },
  'replica-port-beyond': {
    when: 'A replica whose port is above 511.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'accepted',
    spec: 'INVALID_ARGUMENT',
  },
  'multicast-metadata': {
    when: 'A multicast group with metadata.',
    strict: 'UNIMPLEMENTED',
    bmv2: 'lost',
    spec: 'kept',
  },
  'clone-length': {
    when: 'A clone session that cuts its clones short.',
    strict: 'UNKNOWN',
    bmv2: 'UNKNOWN',
    spec: 'UNIMPLEMENTED',
  },

  // Packets of the controller.
  'packet-out-metadata-missing': {
    when: 'A packet-out lacks a metadatum.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'zero',
    spec: 'INVALID_ARGUMENT',
  },
  'packet-out-metadata-bad': {
    when: 'A packet-out has a metadatum that the program does not.',
    strict: 'INVALID_ARGUMENT',
    bmv2: 'silence',
    spec: 'INVALID_ARGUMENT',
  },
  'stream-errors': {
    when: 'A message on the stream is in error, and nobody has asked for stream errors.',
    strict: 'told',
    bmv2: 'silence',
    spec: 'told',
  },
} as const satisfies Record<string, Behaviour>;
