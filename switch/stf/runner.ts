// SPDX-License-Identifier: Apache-2.0
/**
 * Runs an STF file against a program in memory: programs the tables, sends the packets, and compares what leaves.
 *
 * What leaves is compared per port and in order. Every packet must be expected, and every expected packet must leave.
 * Time stands still but for `microsPerPacket`, and a second for each `wait`.
 */

import { type CompiledPipeline, compile } from '../engine/compile.ts';
import { ProgramError, type Replica } from '../engine/pipeline.ts';
import type { CounterArray, MeterArray, Program, Table } from '../engine/program.ts';
import { actionOf, hasPriorities, keyOf } from './entry.ts';
import { findNamed, StatementError } from './names.ts';
import { type CloneTarget, type Comparison, type CounterCheck, parseStf, type Statement } from './stf.ts';

export type StfResult =
  | { outcome: 'passed'; packets: number; expected: number; diagnostics: readonly string[] }
  /** The first difference per port or check, each with its line. */
  | { outcome: 'failed'; differences: readonly string[]; diagnostics: readonly string[] }
  /** The file is not STF, or does not fit the program. */
  | { outcome: 'invalid'; problems: readonly string[] }
  /** The program does not run here. */
  | { outcome: 'refused'; problems: readonly string[] };

const dropPort = 511;
const microsPerPacket = 1000;
const microsPerSecond = 1_000_000;
const microsPerWait = microsPerSecond;
const diagnosticsMax = 20;

/** @param json  what p4c-bm2-ss made of the program */
export function runStf(json: unknown, text: string): StfResult {
  const parsed = parseStf(text);
  if ('problems' in parsed) {
    const problems = parsed.problems.map(({ line, column, message }) => `line ${line}:${column}: ${message}`);
    return { outcome: 'invalid', problems };
  }
  try {
    return new Run(json).all(parsed.statements);
  } catch (cause) {
    if (cause instanceof ProgramError) return { outcome: 'refused', problems: cause.problems };
    if (cause instanceof StatementError) return { outcome: 'invalid', problems: [cause.message] };
    throw cause;
  }
}

interface Expectation {
  line: number;
  data: string | undefined;
  isExact: boolean;
}

interface Output {
  /** Of the packet that caused it. */
  line: number;
  hex: string;
}

class Run {
  readonly #pipeline: CompiledPipeline;
  readonly #program: Program;
  readonly #outputs = new Map<number, Output[]>();
  readonly #expected = new Map<number, Expectation[]>();
  readonly #differences: string[] = [];
  readonly #diagnostics: string[] = [];
  /** By table id, then by key and priority. */
  readonly #entries = new Map<number, Map<string, number>>();
  readonly #labels = new Map<string, { table: Table; handle: number }>();
  readonly #nodes: { instance: number; ports: readonly number[] }[] = [];
  /** Nodes of each multicast group. */
  readonly #groups = new Map<number, Set<number>>();
  readonly #sessions = new Map<number, Exclude<CloneTarget, 'nowhere'>>();
  #nowMicros = 0;
  #nextHandle = 0;
  #packets = 0;
  #packetLine = 0;
  #outputsOfPacket = 0;

  constructor(json: unknown) {
    const { pipeline, program } = compile(json, {
      dropPort,
      sink: {
        transmit: (port, frame) => {
          this.#outputsOfPacket += 1;
          const hex = Buffer.from(frame).toString('hex');
          appendTo(this.#outputs, port, { line: this.#packetLine, hex });
        },
        digest: () => {},
        diagnostic: (what) => {
          if (this.#diagnostics.length < diagnosticsMax) {
            this.#diagnostics.push(this.#packetLine === 0 ? what : `line ${this.#packetLine}: ${what}`);
          }
        },
      },
    });
    this.#pipeline = pipeline;
    this.#program = program;
  }

  all(statements: readonly Statement[]): StfResult {
    for (const statement of statements) {
      try {
        this.#execute(statement);
      } catch (cause) {
        if (!(cause instanceof StatementError)) throw cause;
        throw new StatementError(`line ${statement.line}: ${cause.message}`);
      }
    }
    this.#compareAll();
    const differences = this.#differences;
    const diagnostics = this.#diagnostics;
    if (differences.length > 0) return { outcome: 'failed', differences, diagnostics };
    const expected = [...this.#expected.values()].reduce((sum, { length }) => sum + length, 0);
    return { outcome: 'passed', packets: this.#packets, expected, diagnostics };
  }

  #execute(statement: Statement): void {
    switch (statement.kind) {
      case 'add':
        this.#add(statement);
        break;
      case 'set-default':
        this.#setDefault(statement);
        break;
      case 'remove-all':
        this.#removeAll();
        break;
      case 'packet':
        this.#send(statement);
        break;
      case 'expect':
        appendTo(this.#expected, statement.port, statement);
        break;
      case 'no-packet':
        this.#checkSilence(statement.line);
        break;
      case 'wait':
        this.#nowMicros += microsPerWait;
        break;
      case 'clone-session':
        this.#setSession(statement.session, statement.to);
        break;
      case 'clone-session-get':
        if (!this.#sessions.has(statement.session)) {
          throw new StatementError(`there is no clone session ${statement.session}`);
        }
        break;
      case 'group-create':
        if (this.#groups.has(statement.group))
          throw new StatementError(`there is a group ${statement.group}`);
        this.#groups.set(statement.group, new Set());
        break;
      case 'node-create':
        this.#nodes.push({ instance: statement.instance, ports: statement.ports });
        break;
      case 'node-update':
        this.#nodes[statement.node] = { ...this.#node(statement.node), ports: statement.ports };
        this.#replicate();
        break;
      case 'node-associate':
        this.#node(statement.node);
        this.#group(statement.group).add(statement.node);
        this.#replicate();
        break;
      case 'check-counter':
        this.#checkCounter(statement);
        break;
      case 'counter-read':
        this.#counterCell(statement.counter, statement.index);
        break;
      case 'counter-write': {
        const { id } = this.#counterCell(statement.counter, statement.index);
        const { packets, bytes } = statement;
        this.#pipeline.writeCounter(id, statement.index, { packets, bytes });
        break;
      }
      case 'register-read':
        this.#registerCell(statement.register, statement.index);
        break;
      case 'register-write': {
        const { id, width } = this.#registerCell(statement.register, statement.index);
        if (statement.value >> BigInt(width) !== 0n) {
          throw new StatementError(`${statement.value} does not fit into the ${width} bits of a cell`);
        }
        this.#pipeline.writeRegister(id, statement.index, statement.value);
        break;
      }
      case 'register-reset': {
        const { id, size } = findNamed('register', statement.register, this.#program.registers);
        for (let index = 0; index < size; index++) this.#pipeline.writeRegister(id, index, 0n);
        break;
      }
      case 'meter-get':
        this.#meterCell(statement.meter, statement.index);
        break;
      case 'meter-set':
        this.#setMeter(statement);
        break;
    }
  }

  #add({
    table: name,
    priority: given,
    key,
    action: call,
    label,
  }: Extract<Statement, { kind: 'add' }>): void {
    const table = findNamed('table', name, this.#program.tables);
    if (table.entries !== undefined) throw new StatementError(`the entries of ${table.name} are constant`);
    checkNoProfile(table);
    const isOrdered = hasPriorities(table);
    if (isOrdered && given === undefined) {
      throw new StatementError(`an entry of ${table.name} needs a priority, after the table's name`);
    }
    const priority = isOrdered ? given! : 0;
    const parts = keyOf(table, key);
    const { action, data } = actionOf(table, call);
    const entries = this.#entries.get(table.id) ?? new Map<string, number>();
    this.#entries.set(table.id, entries);
    const identity = `${priority} ${JSON.stringify(parts, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}`;
    if (entries.has(identity)) throw new StatementError(`${table.name} has an entry with this key`);
    if (entries.size >= table.maxSize)
      throw new StatementError(`${table.name} has room for ${table.maxSize}`);
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    this.#pipeline.apply([
      {
        kind: 'insert',
        table: table.id,
        handle,
        key: parts,
        priority,
        action: action.id,
        data,
        idleTimeoutMs: 0,
      },
    ]);
    entries.set(identity, handle);
    if (label !== undefined) this.#labels.set(label, { table, handle });
  }

  #setDefault({ table: name, action: call }: Extract<Statement, { kind: 'set-default' }>): void {
    const table = findNamed('table', name, this.#program.tables);
    checkNoProfile(table);
    const { action, data } = actionOf(table, call);
    if (table.default?.isActionConstant && table.default.action !== action) {
      throw new StatementError(`the default action of ${table.name} is constant`);
    }
    this.#pipeline.apply([{ kind: 'default', table: table.id, action: action.id, data }]);
  }

  #removeAll(): void {
    for (const [table, entries] of this.#entries) {
      this.#pipeline.apply([...entries.values()].map((handle) => ({ kind: 'delete', table, handle })));
    }
    this.#entries.clear();
    this.#labels.clear();
  }

  #send({ line, port, data }: Extract<Statement, { kind: 'packet' }>): void {
    this.#packets += 1;
    this.#nowMicros += microsPerPacket;
    this.#packetLine = line;
    this.#outputsOfPacket = 0;
    this.#pipeline.process(port, Buffer.from(data, 'hex'), this.#nowMicros);
  }

  #checkSilence(line: number): void {
    if (this.#packetLine === 0) throw new StatementError('no_packet follows the packet it speaks of');
    if (this.#outputsOfPacket > 0) {
      const count = this.#outputsOfPacket;
      this.#differences.push(
        `line ${line}: the packet of line ${this.#packetLine} made ${count} leave, not none`,
      );
    }
  }

  #setSession(session: number, to: CloneTarget): void {
    if (to === 'nowhere') {
      this.#sessions.delete(session);
      this.#pipeline.setCloneSession(session, []);
      return;
    }
    if ('group' in to) this.#group(to.group);
    this.#sessions.set(session, to);
    this.#replicate();
  }

  /** Tells the pipeline all groups, and the sessions that copy to one. */
  #replicate(): void {
    for (const group of this.#groups.keys()) this.#pipeline.setMulticastGroup(group, this.#replicasOf(group));
    for (const [session, to] of this.#sessions) {
      const replicas = 'port' in to ? [{ port: to.port, instance: 0 }] : this.#replicasOf(to.group);
      this.#pipeline.setCloneSession(session, replicas);
    }
  }

  #replicasOf(group: number): Replica[] {
    return [...this.#group(group)].flatMap((index) => {
      const { instance, ports } = this.#node(index);
      return ports.map((port) => ({ port, instance }));
    });
  }

  #group(group: number): Set<number> {
    const nodes = this.#groups.get(group);
    if (nodes === undefined) throw new StatementError(`there is no multicast group ${group}`);
    return nodes;
  }

  #node(index: number): { instance: number; ports: readonly number[] } {
    const node = this.#nodes[index];
    if (node === undefined) {
      throw new StatementError(`there is no node ${index}; nodes are numbered from 0 as they are created`);
    }
    return node;
  }

  #checkCounter({ line, counter: name, cell, check }: Extract<Statement, { kind: 'check-counter' }>): void {
    const counter = findNamed('counter', name, this.#program.counters);
    const { packets, bytes } = counter.isDirect
      ? this.#readDirect(counter, cell)
      : this.#readIndirect(counter, cell);
    if (check === undefined) return;
    const counted = check.unit === 'packets' ? packets : bytes;
    if (holds(counted, check)) return;
    const { unit, comparison, number } = check;
    this.#differences.push(
      `line ${line}: ${counter.name}(${cell}) has ${counted} ${unit}, not ${comparison} ${number}`,
    );
  }

  #readDirect(counter: CounterArray, cell: number | string) {
    const entry = typeof cell === 'string' ? this.#labels.get(cell) : undefined;
    if (entry === undefined || entry.table.name !== counter.binding) {
      throw new StatementError(
        `${counter.name} counts entries of ${counter.binding}: '${cell}' should be the label of one (add ... = ${cell})`,
      );
    }
    return this.#pipeline.readDirectCounter(entry.table.id, entry.handle);
  }

  #readIndirect(counter: CounterArray, cell: number | string) {
    if (typeof cell === 'string') throw new StatementError(`${counter.name} has indexes, not '${cell}'`);
    this.#counterCell(counter.name, cell);
    return this.#pipeline.readCounter(counter.id, cell);
  }

  #counterCell(name: string, index: number): CounterArray {
    const counter = findNamed('counter', name, this.#program.counters);
    if (counter.isDirect) throw new StatementError(`${counter.name} counts entries; it has no indexes`);
    if (index >= counter.size) throw new StatementError(`${counter.name} has ${counter.size} cells`);
    return counter;
  }

  #registerCell(name: string, index: number) {
    const register = findNamed('register', name, this.#program.registers);
    if (index >= register.size) throw new StatementError(`${register.name} has ${register.size} cells`);
    return register;
  }

  #setMeter({ meter: name, index, committed, peak }: Extract<Statement, { kind: 'meter-set' }>): void {
    const { id, size } = this.#meterCell(name, index ?? 0);
    if (peak.perMicrosecond < committed.perMicrosecond) {
      throw new StatementError('the peak rate, the second, is below the committed rate');
    }
    const rates = {
      committedPerSecond: committed.perMicrosecond * microsPerSecond,
      committedBurst: committed.burst,
      peakPerSecond: peak.perMicrosecond * microsPerSecond,
      peakBurst: peak.burst,
    };
    const indexes = index === undefined ? Array(size).keys() : [index];
    for (const cell of indexes) this.#pipeline.setMeter(id, cell, rates);
  }

  #meterCell(name: string, index: number): MeterArray {
    const meter = findNamed('meter', name, this.#program.meters);
    if (meter.isDirect) throw new StatementError(`${meter.name} meters entries; it has no indexes`);
    if (index >= meter.size) throw new StatementError(`${meter.name} has ${meter.size} cells`);
    return meter;
  }

  #compareAll(): void {
    const ports = [...new Set([...this.#outputs.keys(), ...this.#expected.keys()])];
    for (const port of ports.sort((first, second) => first - second)) {
      const difference = firstDifference(this.#expected.get(port) ?? [], this.#outputs.get(port) ?? []);
      if (difference !== undefined) this.#differences.push(`port ${port}: ${difference}`);
    }
  }
}

function checkNoProfile({ name, profile }: Table): void {
  if (profile === undefined) return;
  throw new StatementError(`${name} has the action profile ${profile.name}, whose members STF cannot write`);
}

function firstDifference(expected: readonly Expectation[], outputs: readonly Output[]): string | undefined {
  for (const [index, expectation] of expected.entries()) {
    const output = outputs[index];
    if (output === undefined) {
      return `line ${expectation.line} expects packet ${index + 1}, but ${outputs.length} left`;
    }
    const difference = compareHex(expectation, output.hex);
    if (difference !== undefined) {
      const wanted = `${expectation.data}${expectation.isExact ? '$' : ''}`;
      return (
        `line ${expectation.line}: ${difference}\n  expected ${wanted}\n  got      ${output.hex}` +
        ` (for the packet of line ${output.line})`
      );
    }
  }
  const extra = outputs[expected.length];
  if (extra === undefined) return undefined;
  return `${outputs.length} packets left, ${expected.length} are expected; the packet of line ${extra.line} made ${extra.hex}`;
}

function compareHex({ data, isExact }: Expectation, got: string): string | undefined {
  if (data === undefined) return undefined;
  const wanted = data.toLowerCase();
  for (const [index, digit] of [...wanted].entries()) {
    if (index >= got.length) return `the packet ends after ${got.length / 2} bytes`;
    if (digit !== '*' && digit !== got[index]) return `byte ${Math.floor(index / 2)} differs`;
  }
  if (isExact && got.length > wanted.length) return `the packet goes on after ${wanted.length / 2} bytes`;
  return undefined;
}

const comparisons: Readonly<Record<Comparison, (counted: bigint, number: bigint) => boolean>> = {
  '==': (counted, number) => counted === number,
  '!=': (counted, number) => counted !== number,
  '<': (counted, number) => counted < number,
  '<=': (counted, number) => counted <= number,
  '>': (counted, number) => counted > number,
  '>=': (counted, number) => counted >= number,
};

function holds(counted: bigint, { comparison, number }: CounterCheck): boolean {
  return comparisons[comparison](counted, number);
}

function appendTo<T>(lists: Map<number, T[]>, key: number, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
