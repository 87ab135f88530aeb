// SPDX-License-Identifier: Apache-2.0
/**
 * The entry point: p4c's BMv2 JSON in, a running pipeline out. One JavaScript module is generated per program
 * (generate.ts), and an interpreter stands beside it (interpreter/); this file joins them with the tables, counters,
 * meters and registers they work on.
 */

import { type Generated, generate, type Speaker } from './generate.ts';
import { type Interpreter, interpret } from './interpreter/interpreter.ts';
import { IndexedLookup, ScanLookup } from './interpreter/lookup.ts';
import { load } from './load.ts';
import { allocate, type Memory } from './memory.ts';
import type { Observer } from './observer.ts';
import { PacketLife } from './packet-life.ts';
import type {
  CounterCell,
  MeterRates,
  Pipeline,
  PipelineOptions,
  PipelineSink,
  ProfileOperation,
  Replica,
  TableOperation,
} from './pipeline.ts';
import type { Program, Table } from './program.ts';
import { noAction, type TableState } from './tables/table-state.ts';
import type { FilterProblem } from './trace/filter.ts';
import { Recorder, type TraceContext, traceContext } from './trace/recorder.ts';
import type { PacketTrace } from './trace/trace.ts';
import { Watching, type WatchRequest } from './trace/watching.ts';

/** Who handles packets: the generated code, the interpreter, or first the one and then the other. */
export type Tier = 'compiled' | 'interpreted' | 'adaptive';

export interface CompileOptions extends PipelineOptions {
  /** Without: `compiled`. The measurement behind that is in bench/tiers.ts. */
  tier?: Tier | undefined;
  /** How the interpreter finds entries. `scan` asks them all: slow, and the judge of the index. Without: `index`. */
  lookup?: 'index' | 'scan' | undefined;
}

/** Packets an `adaptive` pipeline interprets before it runs its generated code. */
export const interpretedPacketsMax = 16;

/** A pipeline in this thread, with its generated code to look at. */
export interface CompiledPipeline extends Pipeline {
  /** The generated JavaScript. */
  readonly source: string;
  /** Of the next packet. */
  readonly currentTier: 'compiled' | 'interpreted';
  /** Ends the interpretation of an `adaptive` pipeline now; nothing to another. */
  finishCompiling(): void;
  /** Is told of everything that happens to packets that are interpreted; undefined: nobody is. */
  observer: Observer | undefined;
  /** As `process`, with all its effects, and told step by step. Interpreted, whichever the tier. */
  trace(port: number, frame: Uint8Array, nowMicros: number): PacketTrace;
  /**
   * Traces packets that fit a filter as they are processed, and reports them to the sink. Costs every packet a second
   * parser, and nothing when nobody watches.
   *
   * @param id  chosen by the owner, not in use
   * @returns what is wrong with the request; nothing is watched then
   */
  watch(id: number, request: WatchRequest): FilterProblem | undefined;
  /** Ends a watch, if it has not ended by itself. */
  unwatch(id: number): void;
}

/** @throws ProgramError with every reason why the program cannot run here, whichever the tier */
export function compile(
  json: unknown,
  options: CompileOptions,
): { pipeline: CompiledPipeline; program: Program } {
  const program = load(json);
  const speaker = new WatchedSpeaker(options.sink);
  const memory = allocate(program, speaker.diagnostic);
  const generated = generate(program, memory, options.dropPort, speaker);
  const traces = traceContext(json, program, memory, options.dropPort);
  const pipeline = new LocalPipeline(program, generated, memory, traces, speaker, options);
  return { pipeline, program };
}

/** Passes on what a program says, and lets an observer hear of it. */
class WatchedSpeaker implements Speaker {
  observer: Observer | undefined;
  private readonly sink: PipelineSink;

  constructor(sink: PipelineSink) {
    this.sink = sink;
  }

  readonly diagnostic = (what: string): void => {
    this.observer?.observe({ kind: 'diagnostic', what });
    this.sink.diagnostic(what);
  };

  readonly log = (text: string): void => {
    this.sink.log?.(text);
  };
}

class LocalPipeline implements CompiledPipeline {
  readonly source: string;
  private readonly tier: Tier;
  private readonly program: Program;
  private readonly generated: Generated;
  private readonly interpreter: Interpreter;
  private readonly scan: ScanLookup | undefined;
  /** Until the generated code takes over; infinite when it never does. */
  private interpretedLeft: number;
  private readonly memory: Memory;
  private readonly traces: TraceContext;
  private readonly speaker: WatchedSpeaker;
  private readonly sink: PipelineSink;
  /** While somebody watches. */
  private watching: Watching | undefined;
  private readonly life: PacketLife;
  private readonly multicastGroups = new Map<number, readonly Replica[]>();
  private readonly cloneSessions = new Map<number, readonly Replica[]>();

  constructor(
    program: Program,
    generated: Generated,
    memory: Memory,
    traces: TraceContext,
    speaker: WatchedSpeaker,
    options: CompileOptions,
  ) {
    const { sink, dropPort, tier = 'compiled', lookup = 'index' } = options;
    this.source = generated.source;
    this.tier = tier;
    this.program = program;
    this.generated = generated;
    this.memory = memory;
    this.traces = traces;
    this.speaker = speaker;
    this.sink = sink;
    this.scan = lookup === 'scan' ? new ScanLookup() : undefined;
    this.interpreter = interpret({
      program,
      memory,
      dropPort,
      lookup: this.scan ?? new IndexedLookup(memory.tables),
      diagnostic: speaker.diagnostic,
      log: speaker.log,
      observer: undefined,
    });
    this.interpretedLeft =
      tier === 'compiled' ? 0 : tier === 'adaptive' ? interpretedPacketsMax : Number.POSITIVE_INFINITY;
    this.life = new PacketLife(
      program,
      this.interpretedLeft === 0 ? generated.stages() : this.interpreter,
      memory,
      options,
      this.multicastGroups,
      this.cloneSessions,
    );
    for (const table of program.tables) this.fill(table);
  }

  get currentTier(): 'compiled' | 'interpreted' {
    return this.interpretedLeft === 0 ? 'compiled' : 'interpreted';
  }

  get observer(): Observer | undefined {
    return this.interpreter.machine.observer;
  }

  set observer(observer: Observer | undefined) {
    this.interpreter.machine.observer = observer;
    this.life.observer = observer;
    this.speaker.observer = observer;
  }

  trace(port: number, frame: Uint8Array, nowMicros: number): PacketTrace {
    const recorder = new Recorder(this.traces, port, frame, nowMicros);
    const { observer } = this;
    const { stages } = this.life;
    this.observer = recorder;
    this.life.stages = this.interpreter;
    try {
      this.life.process(port, frame, nowMicros);
    } finally {
      this.observer = observer;
      this.life.stages = stages;
    }
    return recorder.trace;
  }

  watch(id: number, request: WatchRequest): FilterProblem | undefined {
    const watching = this.watching ?? this.newWatching();
    const problem = watching.add(id, request);
    if (!watching.isIdle) this.watching = watching;
    return problem;
  }

  unwatch(id: number): void {
    this.watching?.remove(id);
    if (this.watching?.isIdle) this.watching = undefined;
  }

  private newWatching(): Watching {
    const { F, A, V } = this.memory;
    const memory: Memory = {
      ...this.memory,
      F: new Uint32Array(F.length),
      A: new Uint8Array(A.length),
      V: new Uint8Array(V.length),
    };
    const stages = this.generated.stages(memory, { diagnostic: () => {}, log: () => {} });
    return new Watching(this.program, memory, stages, {
      process: (port, frame, nowMicros) => this.run(port, frame, nowMicros),
      trace: (port, frame, nowMicros) => this.trace(port, frame, nowMicros),
      report: (report) => this.sink.report?.(report),
    });
  }

  finishCompiling(): void {
    if (this.tier !== 'adaptive' || this.interpretedLeft === 0) return;
    this.interpretedLeft = 0;
    this.life.stages = this.generated.stages();
  }

  apply(operations: readonly (TableOperation | ProfileOperation)[], nowMicros = this.memory.clock[0]!): void {
    this.memory.clock[0] = nowMicros;
    for (const operation of operations) {
      if ('table' in operation) this.applyToTable(operation);
      else this.applyToProfile(operation);
    }
  }

  process(port: number, frame: Uint8Array, nowMicros: number): void {
    if (this.watching === undefined) {
      this.run(port, frame, nowMicros);
      return;
    }
    this.watching.process(port, frame, nowMicros);
    if (this.watching.isIdle) this.watching = undefined;
  }

  private run(port: number, frame: Uint8Array, nowMicros: number): void {
    this.life.process(port, frame, nowMicros);
    if (this.interpretedLeft !== 0 && --this.interpretedLeft === 0) {
      this.life.stages = this.generated.stages();
    }
  }

  setMulticastGroup(group: number, replicas: readonly Replica[]): void {
    if (replicas.length === 0) this.multicastGroups.delete(group);
    else this.multicastGroups.set(group, inBmv2Order(replicas));
  }

  setCloneSession(session: number, replicas: readonly Replica[]): void {
    if (replicas.length === 0) this.cloneSessions.delete(session);
    else this.cloneSessions.set(session, inBmv2Order(replicas));
  }

  setValueSet(set: number, members: readonly bigint[]): void {
    found(this.memory.valueSets.get(set), `value set ${set}`).replace(members);
  }

  readCounter(counter: number, index: number): CounterCell {
    return cellOf(found(this.memory.counters.get(counter), `counter ${counter}`), index);
  }

  writeCounter(counter: number, index: number, cell: CounterCell): void {
    storeCell(found(this.memory.counters.get(counter), `counter ${counter}`), index, cell);
  }

  readDirectCounter(table: number, handle: number): CounterCell {
    const state = this.table(table);
    return cellOf(state, state.rowOf(handle));
  }

  writeDirectCounter(table: number, handle: number, cell: CounterCell): void {
    const state = this.table(table);
    storeCell(state, state.rowOf(handle), cell);
  }

  setMeter(meter: number, index: number, rates: MeterRates | undefined): void {
    found(this.memory.meters.get(meter), `meter ${meter}`).set(index, rates);
  }

  setDirectMeter(table: number, handle: number, rates: MeterRates | undefined): void {
    const meters = found(this.memory.directMeters.get(table), `meter of table ${table}`);
    meters.set(this.table(table).rowOf(handle), rates);
  }

  readRegister(register: number, index: number): bigint {
    const { words, at, count } = this.registerCell(register, index);
    let value = 0n;
    for (let word = count - 1; word >= 0; word--) value = (value << 32n) | BigInt(words[at + word]!);
    return value;
  }

  writeRegister(register: number, index: number, value: bigint): void {
    const { words, at, count, width } = this.registerCell(register, index);
    const fitting = BigInt.asUintN(width, value);
    for (let word = 0; word < count; word++) {
      words[at + word] = Number(BigInt.asUintN(32, fitting >> BigInt(32 * word)));
    }
  }

  lastHitMicros(table: number, handle: number): number {
    const state = this.table(table);
    return state.lastHit[state.rowOf(handle)]!;
  }

  idleEntries(nowMicros: number): readonly (readonly [table: number, handle: number])[] {
    const idle: [number, number][] = [];
    for (const { id, supportsTimeout } of this.program.tables) {
      if (!supportsTimeout) continue;
      for (const handle of this.table(id).idleHandles(nowMicros)) idle.push([id, handle]);
    }
    return idle;
  }

  /** The program's own default action and entries. */
  private fill(table: Table): void {
    const state = this.table(table.id);
    state.setDefault(table.default?.action.id ?? noAction, table.default?.data ?? []);
    for (const [handle, entry] of (table.entries ?? []).entries()) {
      // In BMv2 the lowest number wins, here the highest.
      state.insert(handle, entry.key, -entry.bmv2Priority, entry.action.id, entry.data, 0, 0);
      this.scan?.insert(table.id, handle, entry.key, -entry.bmv2Priority);
    }
  }

  private applyToProfile(operation: ProfileOperation): void {
    const profile = found(this.memory.profiles.get(operation.profile), `action profile ${operation.profile}`);
    switch (operation.kind) {
      case 'member':
        profile.setMember(operation.member, operation.action, operation.data);
        return;
      case 'delete-member':
        profile.deleteMember(operation.member);
        return;
      case 'group':
        profile.setGroup(operation.group, operation.activeMembers);
        return;
      case 'delete-group':
        profile.setGroup(operation.group, undefined);
        return;
    }
  }

  private applyToTable(operation: TableOperation): void {
    const state = this.table(operation.table);
    this.scan?.apply(operation);
    switch (operation.kind) {
      case 'insert': {
        const { handle, key, priority, action, data, idleTimeoutMs } = operation;
        state.insert(handle, key, priority, action, data, idleTimeoutMs * 1000, this.memory.clock[0]!);
        return;
      }
      case 'modify': {
        const { handle, action, data, idleTimeoutMs } = operation;
        state.modify(handle, action, data, idleTimeoutMs * 1000, this.memory.clock[0]!);
        return;
      }
      case 'delete':
        this.memory.directMeters.get(operation.table)?.set(state.rowOf(operation.handle), undefined);
        state.delete(operation.handle);
        return;
      case 'default': {
        if (operation.action !== undefined) {
          state.setDefault(operation.action, operation.data);
          return;
        }
        const table = this.program.tables.find((candidate) => candidate.id === operation.table);
        state.setDefault(table?.default?.action.id ?? noAction, table?.default?.data ?? []);
        return;
      }
    }
  }

  private table(id: number): TableState {
    return found(this.memory.tables.get(id), `table ${id}`);
  }

  private registerCell(register: number, index: number) {
    const { size, width } = found(
      this.program.registers.find(({ id }) => id === register),
      `register ${register}`,
    );
    const words = this.memory.registers.get(register)!;
    const count = Math.ceil(width / 32);
    found(index >= 0 && index < size ? index : undefined, `cell ${index} of register ${register}`);
    return { words, at: index * count, count, width };
  }
}

/** BMv2 makes one node per instance, in the order instances first appear, and sends to its ports in ascending order. */
function inBmv2Order(replicas: readonly Replica[]): readonly Replica[] {
  const instances = [...new Set(replicas.map((replica) => replica.instance))];
  return instances.flatMap((instance) =>
    replicas
      .filter((replica) => replica.instance === instance)
      .sort((first, second) => first.port - second.port),
  );
}

function cellOf(cells: { packets: Float64Array; bytes: Float64Array }, index: number): CounterCell {
  return {
    packets: BigInt(found(cells.packets[index], `counter cell ${index}`)),
    bytes: BigInt(found(cells.bytes[index], `counter cell ${index}`)),
  };
}

function storeCell(
  cells: { packets: Float64Array; bytes: Float64Array },
  index: number,
  cell: CounterCell,
): void {
  found(cells.packets[index], `counter cell ${index}`);
  cells.packets[index] = Number(cell.packets);
  cells.bytes[index] = Number(cell.bytes);
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`broken promise: there is a ${what}`);
  return value;
}
