// SPDX-License-Identifier: Apache-2.0
/**
 * A v1model program as the engine knows it: p4c's BMv2 JSON after validation, with every name resolved to the thing
 * it names and every header given its place in the packet's word array (see layout.ts).
 *
 * Control-plane owners match `tables`, `profiles`, `actions`, `counters`, `meters`, `registers` and `learnLists` with
 * P4Info by name.
 */

import type { Condition, Value } from './expression.ts';

/** One field of a header type. `$valid$` is a field too: one bit at slot 0 of every header. */
export interface Field {
  name: string;
  /** Bits; for a varbit field the largest number of bits. */
  width: number;
  signed: boolean;
  /** Bits from the start of the header on the wire; what follows a varbit field does not count its length. */
  bitOffset: number;
  /** First word of the value inside its header's block, least significant word first; a varbit's word is its length in bytes. */
  slot: number;
  words: number;
  varbit: boolean;
  /** Values that do not fit become the nearest that does, instead of losing bits. */
  saturating: boolean;
}

export interface HeaderType {
  name: string;
  id: number;
  fields: readonly Field[];
  /** Bytes on the wire, without the varbit field. */
  bytes: number;
  /** Bytes the varbit field may take; 0 without one. */
  varbitBytes: number;
  /** Bits the varbit field takes in a header yet to be extracted, where the type says so (P4_14). */
  varbitLength: Value | undefined;
  /** Words of one instance, the validity word included. */
  stride: number;
}

export interface Header {
  name: string;
  id: number;
  type: HeaderType;
  /** Metadata is always valid and never on the wire. */
  metadata: boolean;
  /** First word of the instance: its validity. */
  base: number;
  /** First byte of its varbit field in the varbit store. */
  varbitBase: number;
  /** The union it is a member of: at most one member is valid. */
  union: HeaderUnion | undefined;
  /** Neither metadata nor in a stack or union, and without varbit field. */
  isPlain?: boolean;
  /**
   * Its fields can be read after it was removed, as in BMv2, where removing a header only makes it invalid. Only of plain
   * headers that some action or parser state removes: the words of all others are zero while they are not valid.
   */
  keepsFields?: boolean;
}

export interface HeaderStack {
  name: string;
  id: number;
  type: HeaderType;
  /** At equal distances in the word array. */
  headers: readonly Header[];
  /** Words from one element to the next. */
  stride: number;
  /** Bytes from one element to the next in the varbit store. */
  varbitStride: number;
  /** The word that counts extracted elements. */
  next: number;
}

export interface HeaderUnion {
  name: string;
  id: number;
  members: readonly Header[];
}

export interface HeaderUnionStack {
  name: string;
  id: number;
  /** The members of each union side by side, the unions at equal distances in the word array. */
  unions: readonly HeaderUnion[];
  /** One per member of the union: that member of every element, seen as a stack. All share `next`. */
  members: readonly HeaderStack[];
  memberNames: readonly string[];
  stride: number;
  varbitStride: number;
  /** The word that counts extracted elements. */
  next: number;
}

export interface FieldRef {
  header: Header;
  field: Field;
}

/** Where `assign` and friends may write: a field, a field of a stack element chosen at run time, or a register cell. */
export type Target =
  | { kind: 'field'; ref: FieldRef }
  | { kind: 'element'; stack: HeaderStack; index: Value; field: Field }
  | { kind: 'register'; register: RegisterArray; index: Value };

/** A header, or the element of a stack chosen at run time. */
export type HeaderPlace =
  | { kind: 'header'; header: Header }
  | { kind: 'element'; stack: HeaderStack; index: Value };

export interface Parser {
  initState: ParserState | undefined;
  states: readonly ParserState[];
}

export interface ParserState {
  name: string;
  ops: readonly ParserOp[];
  /** Each component is padded to whole bytes; they are compared side by side. */
  key: readonly Value[];
  transitions: readonly Transition[];
  /** Where to go when no transition matches; null accepts. */
  defaultNext: string | null;
}

/** One alternative of a select: per key component a value and a mask, or a mask for the members of a value set. */
export type Transition =
  | { kind: 'value'; parts: readonly { value: bigint; mask: bigint }[]; next: string | null }
  | { kind: 'value_set'; set: ValueSet; masks: readonly bigint[]; next: string | null };

/** Values the control plane may add to a select; empty at first. */
export interface ValueSet {
  name: string;
  id: number;
  /** Bits of a member: the components of the select side by side, without padding. */
  width: number;
}

export type ParserOp =
  | { op: 'extract'; header: Header }
  | { op: 'extract_next'; stack: HeaderStack }
  | { op: 'extract_varbit'; header: Header; bits: Value }
  | { op: 'extract_varbit_next'; stack: HeaderStack; bits: Value }
  | { op: 'set'; target: FieldRef; source: Value }
  | { op: 'verify'; condition: Condition; error: Value }
  | { op: 'advance'; bits: Value }
  | { op: 'primitive'; primitive: Primitive };

export type Primitive =
  | { op: 'assign'; target: Target; source: Value }
  | { op: 'assign_varbit'; target: FieldRef; source: FieldRef }
  | { op: 'assign_header'; target: Header; source: Header }
  | { op: 'assign_stack'; target: HeaderStack; source: HeaderStack }
  | { op: 'assign_union_stack'; target: HeaderUnionStack; source: HeaderUnionStack }
  | { op: 'assign_union'; target: HeaderUnion; source: HeaderUnion }
  | { op: 'add_header' | 'remove_header'; header: Header }
  /** `assign_header` where an element is chosen at run time; a diagnostic and nothing else when there is none. */
  | { op: 'assign_element'; target: HeaderPlace; source: HeaderPlace }
  | { op: 'add_element' | 'remove_element'; stack: HeaderStack; index: Value }
  | { op: 'push' | 'pop'; stack: HeaderStack | HeaderUnionStack; count: number }
  | { op: 'jump'; to: number }
  | { op: 'jump_if_zero'; condition: Condition; to: number }
  | { op: 'exit' }
  | { op: 'mark_to_drop'; egressSpec: FieldRef; multicastGroup: FieldRef | undefined }
  | { op: 'random'; target: Target; low: Value; high: Value }
  | { op: 'hash'; target: Target; base: Value; calculation: Calculation; max: Value }
  | { op: 'count'; counter: CounterArray; index: Value }
  | { op: 'execute_meter'; meter: MeterArray; index: Value; target: Target }
  | { op: 'register_read'; target: Target; register: RegisterArray; index: Value }
  | { op: 'register_write'; register: RegisterArray; index: Value; value: Value }
  | { op: 'generate_digest'; list: LearnList }
  | { op: 'clone_ingress' | 'clone_egress'; session: Value; fieldList: number }
  | { op: 'resubmit' | 'recirculate'; fieldList: number }
  | { op: 'truncate'; bytes: Value }
  | { op: 'no_op' }
  /** The first text, the first value in decimal, the second text, and so on; one text more than values. */
  | { op: 'log'; texts: readonly string[]; values: readonly Value[] }
  /** Does nothing but say so: what would end the process of BMv2. */
  | { op: 'diagnose'; what: string }
  /** When false, a diagnostic, and the packet is gone at once: BMv2 aborts. */
  | { op: 'assert'; condition: Condition; what: string };

export interface Action {
  name: string;
  /** Unique in the program; names are not. */
  id: number;
  parameters: readonly { name: string; width: number }[];
  primitives: readonly Primitive[];
}

export type MatchKind = 'exact' | 'lpm' | 'ternary' | 'range';

export interface KeyField {
  /** The control-plane name. */
  name: string;
  /** `optional` fields of P4 are `ternary` here: p4c writes them so. */
  kind: MatchKind;
  ref: FieldRef;
  width: number;
  /** Applied to packets and entries alike: a key written `field & CONSTANT` in P4. */
  mask: bigint | undefined;
}

export interface ConstantEntry {
  key: readonly ConstantKeyPart[];
  /** Lower wins: BMv2's order, the opposite of P4Runtime's. */
  bmv2Priority: number;
  action: Action;
  data: readonly bigint[];
}

export type ConstantKeyPart =
  | { kind: 'exact'; value: bigint }
  | { kind: 'lpm'; value: bigint; prefixLength: number }
  | { kind: 'ternary'; value: bigint; mask: bigint }
  | { kind: 'range'; low: bigint; high: bigint };

export interface DefaultEntry {
  action: Action;
  data: readonly bigint[];
  /** The action can never be changed. */
  isActionConstant: boolean;
  /** Its data can never be changed. */
  isDataConstant: boolean;
}

export interface Table {
  name: string;
  id: number;
  pipeline: 'ingress' | 'egress';
  key: readonly KeyField[];
  actions: readonly Action[];
  /** Its entries then name members or groups of the profile instead of actions. */
  profile: ActionProfile | undefined;
  maxSize: number;
  withCounters: boolean;
  /** Run by every hit, before the action. */
  directMeter: MeterArray | undefined;
  supportsTimeout: boolean;
  default: DefaultEntry | undefined;
  /** Immutable when it has entries of its own: these have the handles 0, 1, ... in this order. */
  entries: readonly ConstantEntry[] | undefined;
  /** `byAction` is keyed by action id. */
  next: { hit: string | null; miss: string | null } | { byAction: ReadonlyMap<number, string | null> };
  /** Where a miss without default action goes. */
  baseNext: string | null;
}

/** Actions with their data, kept apart from the tables whose entries name them. */
export interface ActionProfile {
  name: string;
  id: number;
  /** What chooses a member of a group; a profile without has no groups. */
  selector: Calculation | undefined;
  /** Of its tables; p4c gives each table a copy of an action, so here the first of each name stands for all. */
  actions: Action[];
}

export interface Conditional {
  name: string;
  condition: Condition;
  onTrue: string | null;
  onFalse: string | null;
}

/** A node that runs an action without parameters. */
export interface ActionCall {
  name: string;
  action: Action;
  next: string | null;
}

/** `ingress` or `egress`: nodes that name their successors; null is the end. */
export interface Control {
  name: 'ingress' | 'egress';
  first: string | null;
  tables: readonly Table[];
  conditionals: readonly Conditional[];
  actionCalls: readonly ActionCall[];
}

/** `crc` is any CRC that is not `crc16` or `crc32`, whose parameters stand in the calculation. */
export type HashAlgorithm =
  | 'crc16'
  | 'crc32'
  | 'crc'
  | 'csum16'
  | 'xor16'
  | 'xor32'
  | 'identity'
  | 'xxh64'
  | 'hash_ex'
  | 'toeplitz'
  | 'round_robin'
  | 'round_robin_consistent';

/** A CRC as the Rocksoft model describes it. */
export interface CrcParameters {
  width: 8 | 16 | 32 | 64;
  polynomial: bigint;
  initial: bigint;
  finalXor: bigint;
  /** Input bytes and result, both or neither. */
  reflected: boolean;
}

export type CalculationItem =
  | { kind: 'field'; ref: FieldRef }
  | { kind: 'constant'; value: bigint; width: number }
  | { kind: 'header'; header: Header }
  | { kind: 'payload' };

export interface Calculation {
  /** Unique in the program. */
  name: string;
  algorithm: HashAlgorithm;
  /** Of the algorithm `crc` only. */
  crc: CrcParameters | undefined;
  /** The payload comes last wherever it stands. */
  items: readonly CalculationItem[];
}

export interface Checksum {
  name: string;
  target: FieldRef;
  calculation: Calculation;
  verify: boolean;
  update: boolean;
  condition: Condition;
}

export interface CounterArray {
  name: string;
  id: number;
  size: number;
  /** Direct ones live in their table (`binding`) and are read with `readDirectCounter`. */
  isDirect: boolean;
  binding: string | undefined;
}

/** Meters of two rates: the colours are 0 (green), 1 (yellow) and 2 (red). */
export interface MeterArray {
  name: string;
  id: number;
  /** 0 when direct. */
  size: number;
  isDirect: boolean;
  unit: 'packets' | 'bytes';
  /** Where a direct meter puts the colour. */
  target: FieldRef | undefined;
}

export interface RegisterArray {
  name: string;
  id: number;
  size: number;
  width: number;
}

export interface LearnList {
  name: string;
  /** From 1. */
  id: number;
  elements: readonly FieldRef[];
}

/** Metadata kept when a packet is cloned, resubmitted or recirculated. */
export interface FieldList {
  name: string;
  /** From 1; 0 in a primitive means none. */
  id: number;
  elements: readonly FieldRef[];
}

/** Fields of `standard_metadata` the packet's life depends on; optional ones are features the program does without. */
export interface StandardMetadata {
  ingressPort: FieldRef;
  packetLength: FieldRef;
  instanceType: FieldRef;
  egressSpec: FieldRef;
  egressPort: FieldRef;
  parserError: FieldRef | undefined;
  checksumError: FieldRef | undefined;
  ingressTimestamp: FieldRef | undefined;
  egressTimestamp: FieldRef | undefined;
  /** All there or none. */
  queueing: QueueingMetadata | undefined;
  /** Chooses the queue; a packet for a queue that does not exist is dropped. */
  priority: FieldRef | undefined;
  multicastGroup: FieldRef | undefined;
  egressRid: FieldRef | undefined;
}

export interface QueueingMetadata {
  enqueueTimestamp: FieldRef;
  enqueueDepth: FieldRef;
  /** Whether anything in the program names `enqueueDepth`. */
  isDepthUsed: boolean;
  dequeueDelta: FieldRef;
  dequeueDepth: FieldRef;
  /** Number of the queue. */
  queue: FieldRef | undefined;
}

export interface Program {
  headerTypes: readonly HeaderType[];
  headers: readonly Header[];
  stacks: readonly HeaderStack[];
  unions: readonly HeaderUnion[];
  unionStacks: readonly HeaderUnionStack[];
  errors: ReadonlyMap<string, number>;
  standard: StandardMetadata;
  parser: Parser;
  valueSets: readonly ValueSet[];
  /** Run after the checksums are updated, before the headers are written. */
  deparserPrimitives: readonly Primitive[];
  /** Headers in the order they are put on the wire when valid. */
  deparserOrder: readonly Header[];
  calculations: readonly Calculation[];
  checksums: readonly Checksum[];
  counters: readonly CounterArray[];
  meters: readonly MeterArray[];
  registers: readonly RegisterArray[];
  learnLists: readonly LearnList[];
  fieldLists: readonly FieldList[];
  actions: readonly Action[];
  ingress: Control;
  egress: Control;
  /** Of both controls. */
  tables: readonly Table[];
  /** Of both controls. */
  profiles: readonly ActionProfile[];
  /** Words a packet needs, the engine's own included. */
  wordCount: number;
  /** Bytes its varbit fields need. */
  varbitByteCount: number;
}
