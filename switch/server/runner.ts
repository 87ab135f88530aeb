// SPDX-License-Identifier: Apache-2.0
/**
 * A pipeline at work, in whichever thread: it holds the program in force and the staged one, feeds packets, and collects
 * what is meant for the controller until somebody takes it.
 */

import { type CompiledPipeline, compile } from '../engine/compile.ts';
import type {
  CounterCell,
  Pipeline,
  PipelineSink,
  ProfileOperation,
  TableOperation,
} from '../engine/pipeline.ts';
import { ProgramError } from '../engine/pipeline.ts';
import type { Program } from '../engine/program.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import type { PacketTrace } from '../engine/trace/trace.ts';
import type { WatchReport, WatchRequest } from '../engine/trace/watching.ts';
import type { CarryOver, HostOperation, PipelineOutput, PipelineSettings } from './host.ts';

export interface RunnerOptions extends PipelineSettings {
  nowMicros: () => number;
  /** `frame` is valid only during the call. */
  send: (port: number, frame: Uint8Array) => void;
  /** Frames that wait behind `send`, by port. Without, none do. */
  queueDepth?: (port: number) => number;
}

/** What may wait for its taker; more is dropped and counted. */
export const outputLimits = {
  digestsMax: 8192,
  packetInsMax: 4096,
  diagnosticsMax: 64,
  packetDumpMax: 4096,
  reportsMax: 64,
} as const;

export class Runner {
  readonly #options: RunnerOptions;
  #staged: CompiledPipeline | undefined;
  #pipeline: CompiledPipeline | undefined;
  #generation = 0;
  #applied = 0;
  #output: PipelineOutput = emptyOutput(0);
  /** What is watched for, whichever the program. */
  readonly #watches = new Map<number, WatchRequest>();
  /** Packets that a watch was not told of, for want of room. */
  readonly #untold = new Map<number, number>();

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  get generation(): number {
    return this.#generation;
  }

  /** `apply` calls of this generation so far. */
  get applied(): number {
    return this.#applied;
  }

  /** @throws ProgramError */
  stage(json: string): Program {
    const { pipeline, program } = compile(parseJson(json), {
      dropPort: this.#options.dropPort,
      priorityQueues: this.#options.priorityQueues ?? 1,
      tier: this.#options.tier,
      queueDepth: this.#options.queueDepth,
      sink: this.#sinkOf(this.#generation + 1),
    });
    this.#staged = pipeline;
    return program;
  }

  commit(carry?: CarryOver): number {
    const before = this.#pipeline;
    if (this.#staged === undefined) throw new Error('a program is staged before it is committed');
    this.#pipeline = this.#staged;
    this.#staged = undefined;
    this.#generation += 1;
    this.#applied = 0;
    this.#output = emptyOutput(this.#generation);
    this.#watchOn(this.#pipeline);
    if (carry !== undefined) {
      this.apply(carry.operations);
      if (before !== undefined) carryValues(before, this.#pipeline, carry);
    }
    return this.#generation;
  }

  apply(operations: readonly HostOperation[]): void {
    const pipeline = this.#loaded();
    this.#applied += 1;
    const nowMicros = this.#options.nowMicros();
    if (operations.every(isPipelineOperation)) {
      pipeline.apply(operations, nowMicros);
      return;
    }
    for (const operation of operations) applyOne(pipeline, operation, nowMicros);
  }

  /** A packet that arrives before there is a program is dropped. */
  process(port: number, frame: Uint8Array): void {
    this.#dump('Received packet', port, frame);
    this.#pipeline?.process(port, frame, this.#options.nowMicros());
  }

  /** As `process`, told step by step. */
  trace(port: number, frame: Uint8Array): PacketTrace {
    return this.#loaded().trace(port, frame, this.#options.nowMicros());
  }

  /** @returns what is wrong with the request */
  watch(id: number, request: WatchRequest): FilterProblem | undefined {
    if (this.#pipeline === undefined) return { column: 0, message: 'there is no program yet' };
    const problem = this.#pipeline.watch(id, request);
    if (problem === undefined) this.#watches.set(id, request);
    return problem;
  }

  unwatch(id: number): void {
    this.#watches.delete(id);
    this.#untold.delete(id);
    this.#pipeline?.unwatch(id);
  }

  readCounters(counter: number, firstIndex: number, count: number): CounterCell[] {
    const pipeline = this.#loaded();
    return Array.from({ length: count }, (_, offset) => pipeline.readCounter(counter, firstIndex + offset));
  }

  readDirectCounters(table: number, handles: readonly number[]): CounterCell[] {
    const pipeline = this.#loaded();
    return handles.map((handle) => pipeline.readDirectCounter(table, handle));
  }

  readRegisters(register: number, firstIndex: number, count: number): bigint[] {
    const pipeline = this.#loaded();
    return Array.from({ length: count }, (_, offset) => pipeline.readRegister(register, firstIndex + offset));
  }

  readIdleMicros(table: number, handles: readonly number[]): number[] {
    const pipeline = this.#loaded();
    const nowMicros = this.#options.nowMicros();
    return handles.map((handle) => Math.max(0, nowMicros - pipeline.lastHitMicros(table, handle)));
  }

  idleEntries(): readonly (readonly [table: number, handle: number])[] {
    return this.#pipeline?.idleEntries(this.#options.nowMicros()) ?? [];
  }

  get hasOutput(): boolean {
    const { digests, packetIns, diagnostics, packetDump, reports, lost } = this.#output;
    const lines = diagnostics.length + packetDump.length;
    return digests.length + packetIns.length + lines + reports.length + lost > 0;
  }

  takeOutput(): PipelineOutput {
    const output = this.#output;
    this.#output = emptyOutput(this.#generation);
    return output;
  }

  #loaded(): CompiledPipeline {
    if (this.#pipeline === undefined) throw new Error('a program is committed before it is used');
    return this.#pipeline;
  }

  #sinkOf(generation: number): PipelineSink {
    const { cpuPort, send } = this.#options;
    return {
      transmit: (port, frame) => {
        this.#dump(port === cpuPort ? 'Sending packet-in' : 'Sending packet', port, frame);
        if (port === cpuPort) this.#packetIn(frame);
        else send(port, frame);
      },
      digest: (sample) => {
        const output = this.#output;
        if (output.generation !== generation || output.digests.length >= outputLimits.digestsMax) {
          output.lost += 1;
        } else output.digests.push(sample);
      },
      diagnostic: (what) => {
        const { diagnostics } = this.#output;
        if (diagnostics.length < outputLimits.diagnosticsMax && !diagnostics.includes(what)) {
          diagnostics.push(what);
        }
      },
      report: (report) => this.#report(report),
    };
  }

  #report(report: WatchReport): void {
    const { watch, ended } = report;
    if (!this.#watches.has(watch)) return;
    const skipped = report.skipped + (this.#untold.get(watch) ?? 0);
    const { reports } = this.#output;
    // A last word is always told: there is one for each watch.
    if (reports.length >= outputLimits.reportsMax && ended === undefined) {
      this.#untold.set(watch, skipped + 1);
      return;
    }
    reports.push({ ...report, skipped });
    this.#untold.delete(watch);
    if (ended !== undefined) this.#watches.delete(watch);
  }

  /** Watches whose filter means nothing to the new program end. */
  #watchOn(pipeline: CompiledPipeline): void {
    for (const [watch, request] of this.#watches) {
      const problem = pipeline.watch(watch, request);
      if (problem === undefined) continue;
      const ended = `the program was replaced, and the filter does not fit the new one: ${problem.message}`;
      this.#report({ watch, trace: undefined, skipped: 0, ended });
    }
  }

  /** The words are BMv2's. */
  #dump(what: string, port: number, frame: Uint8Array): void {
    const bytes = this.#options.packetDumpBytes ?? 0;
    if (bytes === 0) return;
    const { packetDump } = this.#output;
    if (packetDump.length >= outputLimits.packetDumpMax) {
      this.#output.lost += 1;
      return;
    }
    const hex = Buffer.from(frame.subarray(0, bytes)).toString('hex');
    packetDump.push(`${what} of length ${frame.length} on port ${port}: ${hex}`);
  }

  #packetIn(frame: Uint8Array): void {
    if (this.#output.packetIns.length >= outputLimits.packetInsMax) this.#output.lost += 1;
    else this.#output.packetIns.push(frame.slice());
  }
}

function isPipelineOperation(operation: HostOperation): operation is TableOperation | ProfileOperation {
  switch (operation.kind) {
    case 'write-counter':
    case 'write-direct-counter':
    case 'write-meter':
    case 'write-direct-meter':
    case 'write-register':
    case 'value-set':
    case 'multicast-group':
    case 'clone-session':
      return false;
    default:
      return true;
  }
}

function applyOne(pipeline: Pipeline, operation: HostOperation, nowMicros: number): void {
  switch (operation.kind) {
    case 'write-counter':
      pipeline.writeCounter(operation.counter, operation.index, operation.cell);
      break;
    case 'write-direct-counter':
      pipeline.writeDirectCounter(operation.table, operation.handle, operation.cell);
      break;
    case 'write-meter':
      pipeline.setMeter(operation.meter, operation.index, operation.rates);
      break;
    case 'write-direct-meter':
      pipeline.setDirectMeter(operation.table, operation.handle, operation.rates);
      break;
    case 'write-register':
      pipeline.writeRegister(operation.register, operation.index, operation.value);
      break;
    case 'value-set':
      pipeline.setValueSet(operation.set, operation.members);
      break;
    case 'multicast-group':
      pipeline.setMulticastGroup(operation.group, operation.replicas);
      break;
    case 'clone-session':
      pipeline.setCloneSession(operation.session, operation.replicas);
      break;
    default:
      pipeline.apply([operation], nowMicros);
  }
}

function carryValues(before: Pipeline, after: Pipeline, carry: CarryOver): void {
  for (const { from, to, size } of carry.counters) {
    for (let index = 0; index < size; index++) after.writeCounter(to, index, before.readCounter(from, index));
  }
  for (const { from, to, size } of carry.registers) {
    for (let index = 0; index < size; index++) {
      after.writeRegister(to, index, before.readRegister(from, index));
    }
  }
  for (const { from, to, handles } of carry.directCounters) {
    for (const handle of handles) {
      after.writeDirectCounter(to, handle, before.readDirectCounter(from, handle));
    }
  }
}

function emptyOutput(generation: number): PipelineOutput {
  return { generation, digests: [], packetIns: [], diagnostics: [], packetDump: [], reports: [], lost: 0 };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProgramError([`the device config is not JSON: ${(cause as Error).message}`]);
  }
}
