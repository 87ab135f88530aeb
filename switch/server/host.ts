// SPDX-License-Identifier: Apache-2.0
/**
 * Where a pipeline runs, as seen by the state of record: in this thread (in-process-host.ts) or in a worker that sleeps
 * on the packet sockets (worker-host.ts). Requests are carried out in the order in which they are made.
 */

import type { Tier } from '../engine/compile.ts';
import type {
  CounterCell,
  DigestSample,
  MeterRates,
  ProfileOperation,
  Replica,
  TableOperation,
} from '../engine/pipeline.ts';
import type { Program } from '../engine/program.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import type { WatchReport, WatchRequest } from '../engine/trace/watching.ts';
import type { PortCounters } from '../ports/port.ts';

export type HostOperation =
  | TableOperation
  | ProfileOperation
  | { kind: 'write-counter'; counter: number; index: number; cell: CounterCell }
  | { kind: 'write-direct-counter'; table: number; handle: number; cell: CounterCell }
  /** No rates: everything is green. */
  | { kind: 'write-meter'; meter: number; index: number; rates: MeterRates | undefined }
  | { kind: 'write-direct-meter'; table: number; handle: number; rates: MeterRates | undefined }
  | { kind: 'write-register'; register: number; index: number; value: bigint }
  /** The numbers as `Pipeline.setValueSet` takes them. */
  | { kind: 'value-set'; set: number; members: readonly bigint[] }
  /** No replicas: the group or session is gone. */
  | { kind: 'multicast-group'; group: number; replicas: readonly Replica[] }
  | { kind: 'clone-session'; session: number; replicas: readonly Replica[] };

/** What a program takes over from the one before it; `from` and `to` are ids of the two. */
export interface CarryOver {
  /** Done before the first packet. */
  operations: readonly HostOperation[];
  /** Cells that keep their value. */
  counters: readonly { from: number; to: number; size: number }[];
  registers: readonly { from: number; to: number; size: number }[];
  /** Entries keep their handles, and with them their counts. */
  directCounters: readonly { from: number; to: number; handles: readonly number[] }[];
}

/** What a Read or a Write needs of a pipeline. */
export interface PipelineAccess {
  /** Resolves when every packet that arrives from now on sees all of the operations. */
  apply(operations: readonly HostOperation[]): Promise<void>;
  readCounters(counter: number, firstIndex: number, count: number): Promise<CounterCell[]>;
  readDirectCounters(table: number, handles: readonly number[]): Promise<CounterCell[]>;
  readRegisters(register: number, firstIndex: number, count: number): Promise<bigint[]>;
  /** Microseconds since each entry was last hit, or inserted. */
  readIdleMicros(table: number, handles: readonly number[]): Promise<number[]>;
}

export interface PipelineHost extends PipelineAccess {
  /**
   * Compiles a program beside the one in force, which goes on.
   *
   * @throws ProgramError
   */
  stage(json: string): Promise<Program>;

  /**
   * Puts the staged program in force, with what is carried over and otherwise empty; no packet comes in between.
   *
   * @returns its generation, which tags all it will report
   */
  commit(carry?: CarryOver): Promise<number>;

  /** Whether what watches this port may be chosen; `listener.portChanged` tells when that changes. */
  isPortUp(port: number): boolean;

  /**
   * Traces packets that fit a filter, as they pass; `listener.output` brings the reports. A watch outlives its program
   * if its filter fits the next one.
   *
   * @param id  chosen by the caller, never in use before
   * @returns what is wrong with the request; nothing is watched then
   */
  watch(id: number, request: WatchRequest): Promise<FilterProblem | undefined>;

  /** Ends a watch, if it has not ended by itself. */
  unwatch(id: number): Promise<void>;

  /** Lets a frame arrive at a port as if the world had sent it. */
  inject(port: number, frame: Uint8Array): void;

  portCounters(): Promise<ReadonlyMap<number, PortCounters>>;

  /** Resolves when the pipeline has stopped and its ports are closed. */
  close(): Promise<void>;
}

/** What a running pipeline has to say. Called from the event loop, never while a packet is processed. */
export interface HostListener {
  output(output: PipelineOutput): void;
  /**
   * All entries that are idle at this moment; called about every `idleSweepMs`.
   *
   * @param applied  how many `apply` calls of this generation the answer takes into account
   */
  idle(
    generation: number,
    entries: readonly (readonly [table: number, handle: number])[],
    applied: number,
  ): void;
  /** The port has gone up or down. */
  portChanged(port: number): void;
  /** The pipeline is gone and will not come back. */
  failed(cause: Error): void;
}

/** What a pipeline is told at its birth. */
export interface PipelineSettings {
  /** Frames sent out here reach the controller as packet-in, its packet-outs arrive here; undefined: no such port. */
  cpuPort: number | undefined;
  /** `egress_spec` of a dropped packet. */
  dropPort: number;
  /** Queues of each port; 1 without it. */
  priorityQueues?: number | undefined;
  /** Bytes of each packet that are logged as it comes and goes; none without it. */
  packetDumpBytes?: number | undefined;
  /** How programs are run; compiled without it. */
  tier?: Tier | undefined;
}

/** Only the settings of an object that has more. */
export function settingsOf(settings: PipelineSettings): PipelineSettings {
  const { cpuPort, dropPort, priorityQueues, packetDumpBytes, tier } = settings;
  return { cpuPort, dropPort, priorityQueues, packetDumpBytes, tier };
}

export interface PipelineOutput {
  generation: number;
  digests: DigestSample[];
  /** Frames that left through the CPU port. */
  packetIns: Uint8Array[];
  diagnostics: string[];
  /** Lines about packets, as `packetDumpBytes` asks for. */
  packetDump: string[];
  /** To watches, oldest first. */
  reports: WatchReport[];
  /** Samples, frames and lines dropped because nobody took the earlier ones in time. */
  lost: number;
}

/** BMv2 sweeps every second; an idle entry is therefore reported up to this much late. */
export const idleSweepMs = 1000;
