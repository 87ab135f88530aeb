// SPDX-License-Identifier: Apache-2.0
/**
 * What a compiled P4 program offers to those who own it: the P4Runtime server, the ports, tests and the simulator.
 *
 * The owner keeps the state of record (which entry has which match, what a client asked for) and validates every
 * request; the pipeline is told only operations that are already known to be right. Everything here is plain data, so
 * that a pipeline can live in this thread or behind a message port in a worker.
 */

import type { WatchReport } from './trace/watching.ts';

/** One key field of an entry. A field left out by the client arrives as a full wildcard. Values fit the field's width. */
export type KeyPart =
  | { kind: 'exact'; value: bigint }
  | { kind: 'lpm'; value: bigint; prefixLength: number }
  | { kind: 'ternary'; value: bigint; mask: bigint }
  | { kind: 'range'; low: bigint; high: bigint };

/**
 * Stand for an action in the operations of a table with an action profile; the only datum is then the handle of the
 * member or group. An entry may name only what exists; what it names may lose its members, not itself.
 */
export const throughMember = 0;
export const throughGroup = 1;

/** `table` and `action` are the ids of the BMv2 JSON (`pipelines[].tables[].id`, `actions[].id`). */
export type TableOperation =
  | {
      kind: 'insert';
      table: number;
      /** Chosen by the owner; unique in the table until deleted; small, because entries are stored by handle. */
      handle: number;
      key: readonly KeyPart[];
      /** Higher wins, as in P4Runtime; 0 in tables without ternary, range or optional keys. */
      priority: number;
      action: number;
      /** One value per action parameter. */
      data: readonly bigint[];
      /** 0: never reported as idle. */
      idleTimeoutMs: number;
    }
  | {
      kind: 'modify';
      table: number;
      handle: number;
      action: number;
      data: readonly bigint[];
      idleTimeoutMs: number;
    }
  | { kind: 'delete'; table: number; handle: number }
  /** `action: undefined` gives back the default of the program. */
  | { kind: 'default'; table: number; action: number | undefined; data: readonly bigint[] };

/** `profile` is the id of the BMv2 JSON (`action_profiles[].id`); handles are chosen by the owner, and small. */
export type ProfileOperation =
  /** Creates the member, or gives it another action: an id of `ActionProfile.actions`. */
  | { kind: 'member'; profile: number; member: number; action: number; data: readonly bigint[] }
  | { kind: 'delete-member'; profile: number; member: number }
  /**
   * Creates the group, or gives it other members: the handles of those that are up, each once, in any order. A packet
   * gets number `hash mod count` in the order of handles. Without any it gets no action, and there is a diagnostic.
   */
  | { kind: 'group'; profile: number; group: number; activeMembers: readonly number[] }
  | { kind: 'delete-group'; profile: number; group: number };

/** What a meter lets pass: packets or bytes, whichever its program counts. */
export interface MeterRates {
  committedPerSecond: number;
  committedBurst: number;
  /** Not below the committed rate. */
  peakPerSecond: number;
  peakBurst: number;
}

/** One copy a multicast group or clone session makes. */
export interface Replica {
  port: number;
  /** `standard_metadata.egress_rid` of the copy. */
  instance: number;
}

export interface CounterCell {
  packets: bigint;
  bytes: bigint;
}

/** One digest sample: the values of the learn list's elements, in its order. */
export interface DigestSample {
  /** `learn_lists[].id` of the BMv2 JSON. */
  list: number;
  values: readonly bigint[];
}

/** What leaves the pipeline. Called while a packet is processed; must not call back into the pipeline. */
export interface PipelineSink {
  /** `frame` is valid only during the call: copy what must outlive it. A port nobody listens to is the sink's business. */
  transmit(port: number, frame: Uint8Array): void;
  digest(sample: DigestSample): void;
  /** Something that would have been undefined behaviour or a crash on BMv2; `what` is one sentence. */
  diagnostic(what: string): void;
  /** What the program writes with `log_msg`. */
  log?(text: string): void;
  /** Something to tell a watch (trace/watching.ts). */
  report?(report: WatchReport): void;
}

export interface PipelineOptions {
  /** `standard_metadata.egress_spec` of a dropped packet. */
  dropPort: number;
  /** Queues of each port; a packet whose `standard_metadata.priority` is not below is dropped. 1 without. */
  priorityQueues?: number;
  /**
   * How many packets wait to leave a port: `standard_metadata.enq_qdepth`, cut at the field's largest value. Asked once
   * before every egress of a program that reads the field. 0 without.
   */
  queueDepth?: ((port: number) => number) | undefined;
  sink: PipelineSink;
}

/** A loaded program. Single-threaded: a packet sees all of an `apply` or nothing of it. */
export interface Pipeline {
  /**
   * Applies operations in order. They were validated by the owner; an unknown handle is the owner's broken promise.
   *
   * @param nowMicros  the time, since which inserted and modified entries count as idle; without it, that of the last packet
   */
  apply(operations: readonly (TableOperation | ProfileOperation)[], nowMicros?: number): void;

  /**
   * Runs one packet to its end: every copy it makes is transmitted before this returns.
   *
   * @param frame  is not modified and not kept
   * @param nowMicros  microseconds since the switch started (`ingress_global_timestamp`)
   */
  process(port: number, frame: Uint8Array, nowMicros: number): void;

  /** What `standard_metadata.mcast_grp` copies to; no replicas deletes the group. Group 0 does not exist. */
  setMulticastGroup(group: number, replicas: readonly Replica[]): void;
  /** What `clone` copies to; no replicas deletes the session. */
  setCloneSession(session: number, replicas: readonly Replica[]): void;

  /**
   * What the parser compares with where the program names a value set; nothing at first.
   *
   * @param set  `parse_vsets[].id` of the BMv2 JSON
   * @param members  numbers of the set's width: the components of the select side by side
   * @throws RangeError when there are more than `valueSetMembersMax`, or one does not fit
   */
  setValueSet(set: number, members: readonly bigint[]): void;

  /** `counter_arrays[].id`; direct counters are read with `readDirectCounter`. */
  readCounter(counter: number, index: number): CounterCell;
  writeCounter(counter: number, index: number, cell: CounterCell): void;
  readDirectCounter(table: number, handle: number): CounterCell;
  writeDirectCounter(table: number, handle: number, cell: CounterCell): void;
  /** `meter_arrays[].id`. The meter starts anew, with full buckets; without rates everything is green. */
  setMeter(meter: number, index: number, rates: MeterRates | undefined): void;
  /** The meter of an entry; it has none until told. */
  setDirectMeter(table: number, handle: number, rates: MeterRates | undefined): void;
  readRegister(register: number, index: number): bigint;
  writeRegister(register: number, index: number, value: bigint): void;

  /** Microseconds (same clock as `process`) of the entry's last hit, or of its insertion if it was never hit. */
  lastHitMicros(table: number, handle: number): number;

  /** Entries whose idle timeout has passed at `nowMicros`, as [table, handle]. Does not delete them. */
  idleEntries(nowMicros: number): readonly (readonly [table: number, handle: number])[];
}

/** A program that cannot run here: every reason, each naming the construct and where it stands in the JSON. */
export class ProgramError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the program cannot be loaded:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ProgramError';
    this.problems = problems;
  }
}
