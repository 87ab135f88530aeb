// SPDX-License-Identifier: Apache-2.0
/**
 * One program, compiled and interpreted side by side: both are told the same and given the same packets, and whatever
 * can be seen of them must be the same after every step.
 */

import { type CompiledPipeline, compile } from '../compile.ts';
import { runCalculation } from '../interpreter/calculations.ts';
import { holds } from '../interpreter/expressions.ts';
import { writeField } from '../interpreter/fields.ts';
import { type Interpreter, interpret } from '../interpreter/interpreter.ts';
import { IndexedLookup } from '../interpreter/lookup.ts';
import { plainly } from '../interpreter/machine.ts';
import { slots } from '../layout.ts';
import { allocate } from '../memory.ts';
import type { Program } from '../program.ts';
import { traceText } from '../trace/text.ts';
import type { PacketTrace } from '../trace/trace.ts';
import { Dice } from './dice.ts';
import { type OwnerStep, RandomOwner } from './random-owner.ts';
import { type RandomPacket, randomPacket, storeBits } from './random-packet.ts';

/** A step of a script; everything else follows from its seed and the steps before. */
export interface ScriptStep {
  kind: 'owner' | 'packet';
  seed: number;
}

const dropPort = 511;
const cpuPort = 510;
const ports = [0, 1, 2, 7, cpuPort];
/** Cells of an array that are compared: indexes from few values stay below. */
const cellsCompared = 8;
/** Packets remembered. */
const sentMax = 8;

/** What a step did, as far as anyone can see. */
interface Seen {
  transmitted: string[];
  digests: string[];
  diagnostics: string[];
  logged: string[];
}

const nothingSeen = (): Seen => ({ transmitted: [], digests: [], diagnostics: [], logged: [] });

export class Oracle {
  private readonly program: Program;
  private readonly compiled: Side;
  private readonly interpreted: Side;
  private readonly owner: RandomOwner;
  private readonly checksums: ChecksumFixer;
  private sent: RandomPacket[] = [];
  private now = 0;

  constructor(json: unknown) {
    this.compiled = new Side(json, 'compiled');
    this.interpreted = new Side(json, 'interpreted');
    this.program = this.compiled.program;
    this.owner = new RandomOwner(this.program, ports);
    this.checksums = new ChecksumFixer(this.program);
    this.interpreted.pipeline.observer = {
      observe: (event) => {
        if (event.kind !== 'apply' || event.key.length === 0 || event.row !== 0) return;
        this.owner.noteMiss(event.table.id, event.key);
      },
    };
  }

  /** @returns what the two sides did, each in its own words: equal if all is well */
  step({ kind, seed }: ScriptStep): { what: string; compiled: unknown; interpreted: unknown } {
    const dice = new Dice(seed);
    if (kind === 'owner') {
      const step = this.owner.step(dice);
      if (step) for (const side of [this.compiled, this.interpreted]) side.tell(step);
      return { what: describe(step), compiled: undefined, interpreted: undefined };
    }
    const packet = this.packet(dice);
    this.now += dice.below(200_000);
    const compiled = this.compiled.send(packet, this.now, false);
    const interpreted = this.interpreted.send(packet, this.now, dice.once(4));
    return { what: `port ${packet.port} ${hex(packet.frame)} at ${this.now}`, compiled, interpreted };
  }

  /** A new one, or an earlier one again, so that what was done for that has a consequence. */
  private packet(dice: Dice): RandomPacket {
    const last = this.sent.at(-1);
    if (last && !dice.once(3)) return dice.once(3) ? dice.pick(this.sent) : last;
    const packet = randomPacket(this.program.parser, ports, dice);
    if (!dice.once(8)) this.checksums.fix(packet);
    this.sent = [...this.sent.slice(1 - sentMax), packet];
    return packet;
  }

  /** Counters and registers, which outlive packets. */
  leftovers(): { compiled: unknown; interpreted: unknown } {
    return { compiled: this.compiled.leftovers(), interpreted: this.interpreted.leftovers() };
  }
}

class Side {
  readonly program: Program;
  readonly pipeline: CompiledPipeline;
  private readonly handles = new Map<number, Set<number>>();
  private seen: Seen = nothingSeen();

  constructor(json: unknown, tier: 'compiled' | 'interpreted') {
    const { pipeline, program } = compile(json, {
      tier,
      lookup: 'scan',
      dropPort,
      sink: {
        transmit: (port, frame) => this.seen.transmitted.push(`${port}: ${hex(frame)}`),
        digest: ({ list, values }) => this.seen.digests.push(`${list}: ${values.join(' ')}`),
        diagnostic: (what) => this.seen.diagnostics.push(what),
        log: (text) => this.seen.logged.push(text),
      },
    });
    this.pipeline = pipeline;
    this.program = program;
  }

  tell(step: OwnerStep): void {
    const { pipeline } = this;
    switch (step.kind) {
      case 'apply':
        pipeline.apply(step.operations);
        for (const operation of step.operations) this.note(operation);
        return;
      case 'multicast':
        pipeline.setMulticastGroup(step.id, step.replicas);
        return;
      case 'clone':
        pipeline.setCloneSession(step.id, step.replicas);
        return;
      case 'meter':
        pipeline.setMeter(step.meter, step.index, step.rates);
        return;
      case 'direct-meter':
        pipeline.setDirectMeter(step.table, step.handle, step.rates);
        return;
      case 'value-set':
        pipeline.setValueSet(step.set, step.members);
        return;
      case 'register':
        pipeline.writeRegister(step.register, step.index, step.value);
        return;
    }
  }

  /** @param isTraced  which makes no difference but for the trace */
  send({ port, frame }: RandomPacket, now: number, isTraced: boolean): Seen {
    this.seen = nothingSeen();
    if (isTraced) this.checkTrace(this.pipeline.trace(port, frame, now));
    else this.pipeline.process(port, frame, now);
    // How often generated code says the same about one packet is not promised.
    return { ...this.seen, diagnostics: [...new Set(this.seen.diagnostics)].sort() };
  }

  /** It tells all that has left, and is plain data that can be written as text. */
  private checkTrace(trace: PacketTrace): void {
    const steps = trace.parts.flatMap((part) => part.steps);
    const told = steps.flatMap((step) => (step.kind === 'transmit' ? [`${step.port}: ${step.frame}`] : []));
    if (told.join() !== this.seen.transmitted.join()) throw new Error(`the trace tells of ${told.join()}`);
    const copy = JSON.parse(JSON.stringify(trace)) as PacketTrace;
    if (traceText(copy) !== traceText(trace)) throw new Error('the trace is not plain data');
  }

  leftovers(): unknown {
    const { pipeline, program } = this;
    const cells = (size: number) => [...Array(Math.min(size, cellsCompared)).keys()];
    return {
      counters: program.counters
        .filter(({ isDirect }) => !isDirect)
        .map(({ id, name, size }) => [name, cells(size).map((index) => pipeline.readCounter(id, index))]),
      registers: program.registers.map(({ id, name, size }) => [
        name,
        cells(size).map((index) => pipeline.readRegister(id, index)),
      ]),
      entries: program.tables.map(({ id, name }) => [
        name,
        [...(this.handles.get(id) ?? [])].map((handle) => [
          handle,
          pipeline.readDirectCounter(id, handle),
          pipeline.lastHitMicros(id, handle),
        ]),
      ]),
    };
  }

  private note(operation: { kind: string; table?: number; handle?: number }): void {
    const { kind, table, handle } = operation;
    if (table === undefined || handle === undefined) return;
    const handles = this.handles.get(table) ?? new Set();
    this.handles.set(table, handles);
    if (kind === 'insert') handles.add(handle);
    if (kind === 'delete') handles.delete(handle);
  }
}

/** Makes the checksums of a packet right, where a program verifies them: else few packets would get far. */
class ChecksumFixer {
  private readonly program: Program;
  private readonly interpreter: Interpreter;

  constructor(program: Program) {
    this.program = program;
    const memory = allocate(program, () => {});
    this.interpreter = interpret({
      program,
      memory,
      dropPort,
      lookup: new IndexedLookup(memory.tables),
      diagnostic: () => {},
      log: () => {},
      observer: undefined,
    });
  }

  fix({ frame, places, port }: RandomPacket): void {
    const { machine } = this.interpreter;
    const { memory } = machine;
    memory.F.fill(0);
    memory.A.set(frame, memory.headroom);
    memory.F[slots.end] = memory.headroom + frame.length;
    writeField(memory, this.program.standard.ingressPort, BigInt(port));
    this.interpreter.parse();
    for (const { verify, target, calculation, condition } of this.program.checksums) {
      const at = places.get(target.header);
      if (!verify || at === undefined || !holds(condition, plainly(machine))) continue;
      const { field } = target;
      const from = 8 * at + field.bitOffset;
      if (from + field.width > 8 * frame.length) continue;
      storeBits(frame, from, field.width, runCalculation(calculation, memory));
    }
  }
}

function describe(step: OwnerStep | undefined): string {
  return (
    JSON.stringify(step, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value)) ?? '-'
  );
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
