// SPDX-License-Identifier: Apache-2.0
/**
 * What happened to one packet, as plain data: it survives JSON and a message port. Values are hexadecimal, as numbers
 * of so many bits; names are those of the P4 program as far as p4c has kept them.
 */

import type { DropReason, EgressReason, PassReason } from '../observer.ts';

/** Where something stands in the P4 source. */
export interface SourcePosition {
  file: string;
  line: number;
  column: number;
  /** As much of the source as p4c has kept; '...' stands for the rest. */
  fragment: string;
}

export interface NamedValue {
  name: string;
  /** Bits. */
  width: number;
  /** "0x1f"; of a varbit field or a header its bytes, "0a0b". */
  value: string;
}

export interface PacketTrace {
  port: number;
  /** Microseconds since the switch started. */
  nowMicros: number;
  /** As received, in hexadecimal. */
  frame: string;
  /** In the order in which they ran. */
  parts: TracePart[];
}

/** From the parser to the end of ingress, or from there out of a port. */
export interface TracePart {
  /** From 1. */
  id: number;
  /** The part that caused it; undefined for the first. */
  parent: number | undefined;
  kind: 'ingress' | 'egress';
  why: PassReason | EgressReason;
  /** Where the packet came in, or is to go out. */
  port: number;
  /** `egress_rid` of a copy. */
  instance: number | undefined;
  steps: TraceStep[];
}

export type TraceStep =
  | StateStep
  | { kind: 'accept'; payloadAt: number; changes: Change[] }
  | ChecksumStep
  | { kind: 'stage'; stage: 'ingress' | 'deparser'; changes: Change[] }
  | { kind: 'condition'; text: string; outcome: boolean; at: SourcePosition | undefined }
  | TableStep
  /** Statements of the source that stand in no action of a table. */
  | { kind: 'statements'; steps: StatementStep[] }
  | { kind: 'digest'; list: string; values: NamedValue[] }
  | CopiesStep
  | { kind: 'emit'; header: string; bytes: string }
  | { kind: 'transmit'; port: number; frame: string; wholeBytes: number }
  | { kind: 'again'; why: 'resubmit' | 'recirculate' }
  | { kind: 'drop'; why: DropReason; explanation: string; at: SourcePosition | undefined }
  | { kind: 'diagnostic'; what: string };

export interface StateStep {
  kind: 'state';
  name: string;
  operations: ParserOperation[];
  /** Undefined when the parser ended in an error. */
  next: { key: NamedValue[]; case: string; state: string } | undefined;
}

export type ParserOperation =
  /** Bytes from the start of the frame. */
  | { kind: 'extract'; header: string; from: number; to: number; fields: NamedValue[]; changes: Change[] }
  | { kind: 'advance'; from: number; to: number }
  | { kind: 'statement'; changes: Change[]; effects: Effect[] }
  | { kind: 'error'; name: string };

export interface ChecksumStep {
  kind: 'checksum';
  what: 'verified' | 'updated';
  field: string;
  width: number;
  /** What was there, undefined for an update; and what it should be. */
  found: string | undefined;
  computed: string;
  at: SourcePosition | undefined;
  changes: Change[];
}

export interface TableStep {
  kind: 'table';
  name: string;
  at: SourcePosition | undefined;
  key: (NamedValue & { match: string })[];
  /** Undefined for a table without key. */
  isHit: boolean | undefined;
  entry: TraceEntry | undefined;
  member: TraceMember | undefined;
  /** Undefined when nothing was done. */
  action: { name: string; parameters: NamedValue[] } | undefined;
  /** What counting and metering did, before the action. */
  changes: Change[];
  effects: Effect[];
  steps: StatementStep[];
}

export interface TraceEntry {
  /** The owner's number of it. */
  handle: number;
  /** Undefined where entries have none. */
  priority: number | undefined;
  /** One text per key field: "0xa000000/8", "0x1..0x5", "0x2 &&& 0x2". */
  match: string[];
}

export interface TraceMember {
  profile: string;
  /** Undefined when the entry names the member. */
  group: number | undefined;
  hash: string | undefined;
  /** Undefined when the group has no active member. */
  member: number | undefined;
}

/** One primitive that did something. */
export interface StatementStep {
  at: SourcePosition | undefined;
  changes: Change[];
  effects: Effect[];
}

export type Change =
  | { kind: 'field'; field: string; width: number; old: string; new: string }
  | { kind: 'header-added' | 'header-removed'; header: string };

export type Effect =
  | {
      kind: 'register-read' | 'register-write';
      register: string;
      index: number;
      width: number;
      value: string;
    }
  /** As the counter stands afterwards; without index it is that of the entry. */
  | { kind: 'count'; counter: string; index: number | undefined; packets: number; bytes: number }
  | { kind: 'meter'; meter: string; index: number | undefined; colour: 'green' | 'yellow' | 'red' }
  | { kind: 'hash'; algorithm: string; value: string }
  | { kind: 'ask'; what: 'digest'; list: string }
  | { kind: 'ask'; what: 'clone'; session: number }
  | { kind: 'ask'; what: 'truncate'; bytes: number }
  | { kind: 'ask'; what: 'resubmit' | 'recirculate' | 'drop' | 'exit' }
  | { kind: 'log'; text: string }
  | { kind: 'diagnostic'; what: string };

export interface CopiesStep {
  kind: 'copies';
  why: 'multicast' | 'ingress-clone' | 'egress-clone';
  /** Of the group or session. */
  id: number;
  /** Undefined when it does not exist. */
  replicas: { port: number; instance: number }[] | undefined;
}
