// SPDX-License-Identifier: Apache-2.0
/**
 * What happens to a packet, told while it happens: by the interpreter about the program, by PacketLife about the way
 * between its parts. Nobody is asked for permission; an observer that changes anything has broken its promise.
 */

import type { CounterCell, DigestSample, Replica } from './pipeline.ts';
import type {
  Action,
  ActionProfile,
  Calculation,
  Checksum,
  Conditional,
  CounterArray,
  Header,
  LearnList,
  MeterArray,
  ParserState,
  RegisterArray,
  Table,
} from './program.ts';

/** Why a packet enters the parser. */
export type PassReason = 'received' | 'resubmit' | 'recirculate' | 'ingress-clone';
/** Why a packet enters egress. */
export type EgressReason = 'unicast' | 'multicast' | 'ingress-clone' | 'egress-clone';
export type DropReason =
  | 'egress_spec'
  | 'no-group'
  | 'no-clone-session'
  | 'egress'
  | 'passes'
  | 'frame-too-long';

export type Observation =
  /** A frame enters the parser. */
  | { kind: 'pass'; why: PassReason; port: number; frame: Uint8Array }
  | { kind: 'state'; state: ParserState }
  /** A parser operation is done. `from` and `to`: where the parser stood, in bytes from the start of the frame. */
  | { kind: 'parser-op'; state: ParserState; index: number; from: number; to: number }
  /** The parser ends here. */
  | { kind: 'parser-error'; state: ParserState; name: string; code: number }
  /** `taken` counts the transitions; undefined is the default. */
  | {
      kind: 'select';
      state: ParserState;
      key: readonly bigint[];
      taken: number | undefined;
      next: string | null;
    }
  /** The parser has ended, one way or the other. */
  | { kind: 'parsed'; payloadAt: number }
  /** Not told of a checksum whose condition or header is not there. */
  | { kind: 'checksum-verified'; checksum: Checksum; expected: bigint; found: bigint }
  | { kind: 'checksum-updated'; checksum: Checksum; value: bigint }
  | { kind: 'conditional'; conditional: Conditional; outcome: boolean }
  /** Row 0 is a miss. */
  | { kind: 'apply'; table: Table; key: readonly bigint[]; row: number }
  /** A group has been asked for a member; row 0 when none is active. */
  | {
      kind: 'member';
      profile: ActionProfile;
      group: number | undefined;
      hash: number | undefined;
      row: number;
    }
  | { kind: 'action'; table: Table; action: Action; data: readonly bigint[] }
  /** A primitive of the action is done. */
  | { kind: 'primitive'; action: Action; index: number }
  | { kind: 'action-done'; action: Action }
  | { kind: 'applied'; table: Table; next: string | null }
  | { kind: 'hash'; calculation: Calculation; value: bigint }
  | { kind: 'register-read' | 'register-write'; register: RegisterArray; index: number; value: bigint }
  | { kind: 'count'; counter: CounterArray; index: number; cell: CounterCell }
  | { kind: 'meter'; meter: MeterArray; index: number; colour: number }
  /** What the program asked for; it is carried out at the end of the control. */
  | { kind: 'asked'; what: 'digest'; list: LearnList }
  | { kind: 'asked'; what: 'clone'; session: number; fieldList: number }
  | { kind: 'asked'; what: 'resubmit' | 'recirculate'; fieldList: number }
  | { kind: 'asked'; what: 'truncate'; bytes: number }
  | { kind: 'asked'; what: 'drop' }
  | { kind: 'asked'; what: 'exit' }
  | { kind: 'log'; text: string }
  | { kind: 'ingress' | 'egress-done' | 'ingress-done' }
  | { kind: 'digest'; sample: DigestSample }
  /** Copies are about to be made. */
  | {
      kind: 'copies';
      why: 'multicast' | 'ingress-clone' | 'egress-clone';
      id: number;
      replicas: readonly Replica[];
    }
  | { kind: 'egress'; why: EgressReason; port: number; instance: number | undefined }
  | { kind: 'deparse' }
  | { kind: 'emit'; header: Header; bytes: Uint8Array }
  | { kind: 'transmit'; port: number; frame: Uint8Array; truncatedFrom: number | undefined }
  | { kind: 'again'; why: 'resubmit' | 'recirculate' }
  | { kind: 'drop'; why: DropReason; id: number | undefined }
  | { kind: 'diagnostic'; what: string };

export interface Observer {
  observe(event: Observation): void;
}
