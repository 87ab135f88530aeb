// SPDX-License-Identifier: Apache-2.0
/**
 * What happens to a packet, told while it happens: by the interpreter about the program, by PacketLife about the way
 * between its parts. Nobody is asked for permission; an observer that changes anything has broken its promise.
 */

import type { CounterCell, Replica } from './pipeline.ts';
import type {
  Action,
  ActionCall,
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
  /** `egress_spec` was the drop port behind ingress. */
  | 'egress-spec'
  /** The same behind egress. */
  | 'egress'
  /** A false assertion, or a loop without end. */
  | 'abandoned'
  | 'priority'
  | 'grown'
  | 'passes'
  | 'frame-too-long';

export type Observation =
  /** A frame enters the parser; what it caused before is done, or done elsewhere. */
  | { kind: 'pass'; why: PassReason; port: number; frame: Uint8Array }
  | { kind: 'state'; state: ParserState }
  /** A parser operation is done. `from` and `to`: where the parser stood, in bytes from the start of the frame. */
  | { kind: 'parser-op'; state: ParserState; index: number; from: number; to: number }
  /** The parser ends here, for `because`; `name` is the P4 error. */
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
  /** Not told of a checksum whose condition is false or whose header is not there. */
  | { kind: 'checksum-verified'; checksum: Checksum; expected: bigint; found: bigint }
  | { kind: 'checksum-updated'; checksum: Checksum; value: bigint }
  | { kind: 'control'; control: 'ingress' | 'deparser' }
  | { kind: 'conditional'; conditional: Conditional; outcome: boolean }
  /** Row 0 is a miss. */
  | { kind: 'apply'; table: Table; key: readonly bigint[]; row: number }
  /** A member has been chosen, by an entry or by a group; row 0 when the group has none that is active. */
  | {
      kind: 'member';
      profile: ActionProfile;
      group: number | undefined;
      hash: number | undefined;
      row: number;
    }
  /** An action begins: of a table, or called where it stands. */
  | { kind: 'action'; by: Table | ActionCall; action: Action; data: readonly bigint[] }
  /** A primitive of the action is done. */
  | { kind: 'primitive'; action: Action; index: number }
  | { kind: 'action-done'; action: Action }
  | { kind: 'applied'; table: Table; next: string | null }
  | { kind: 'hash'; calculation: Calculation; value: bigint }
  | { kind: 'register-read' | 'register-write'; register: RegisterArray; index: number; value: bigint }
  /** `cell` as it is afterwards. */
  | { kind: 'count'; counter: CounterArray; index: number; cell: CounterCell }
  | { kind: 'direct-count'; table: Table; cell: CounterCell }
  /** `index` of a direct meter is the row of its entry. */
  | { kind: 'meter'; meter: MeterArray; index: number; colour: number }
  /** What the program asks for, to be done at the end of the control. */
  | { kind: 'asked'; what: 'digest'; list: LearnList }
  | { kind: 'asked'; what: 'clone'; session: number; fieldList: number }
  | { kind: 'asked'; what: 'resubmit' | 'recirculate'; fieldList: number }
  | { kind: 'asked'; what: 'truncate'; bytes: number }
  | { kind: 'asked'; what: 'drop' | 'exit' }
  | { kind: 'log'; text: string }
  | { kind: 'digest'; list: LearnList; values: readonly bigint[] }
  /** Copies are about to be made; undefined when there is no such group or session. */
  | {
      kind: 'copies';
      why: 'multicast' | 'ingress-clone' | 'egress-clone';
      id: number;
      replicas: readonly Replica[] | undefined;
    }
  /** The clones of ingress are done, and what follows is about their original again. */
  | { kind: 'copied' }
  | { kind: 'egress'; why: EgressReason; port: number; instance: number }
  | { kind: 'emit'; header: Header; bytes: Uint8Array }
  /** `frame` is valid only during the call; `whole` are its bytes before it was truncated. */
  | { kind: 'transmit'; port: number; frame: Uint8Array; whole: number }
  /** The packet will come back. */
  | { kind: 'again'; why: 'resubmit' | 'recirculate' }
  | { kind: 'drop'; why: DropReason; id: number | undefined }
  | { kind: 'diagnostic'; what: string };

export interface Observer {
  observe(event: Observation): void;
}
