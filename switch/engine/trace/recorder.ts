// SPDX-License-Identifier: Apache-2.0
/**
 * Writes down what happens to one packet. What has changed is found by comparing the words of the packet with how they
 * were when last looked at, so no primitive can change a field unseen.
 */

import { varbitOf } from '../interpreter/fields.ts';
import type { Memory } from '../memory.ts';
import type { DropReason, Observation, Observer } from '../observer.ts';
import type { Action, Header, ParserState, Program, Table } from '../program.ts';
import { colours } from '../tables/meters.ts';
import { Aliases } from './aliases.ts';
import {
  caseText,
  concerns,
  entryOf,
  extractedHeader,
  hex,
  hexOf,
  isStatement,
  namedValue,
} from './describe.ts';
import { conditionText, valueText } from './expression-text.ts';
import { FieldNames } from './field-names.ts';
import { SourceMap } from './source-map.ts';
import type {
  Change,
  Effect,
  NamedValue,
  PacketTrace,
  SourcePosition,
  StatementStep,
  StateStep,
  TableStep,
  TracePart,
  TraceStep,
} from './trace.ts';
import { Watch } from './watch.ts';

/** Steps of one trace; what a packet in a loop does beyond is left out, and a diagnostic says so. */
export const traceStepsMax = 10_000;

/** What all traces of a program share. */
export interface TraceContext {
  program: Program;
  memory: Memory;
  names: FieldNames;
  aliases: Aliases;
  sources: SourceMap;
  dropPort: number;
}

/** @param json  what the program was loaded from */
export function traceContext(
  json: unknown,
  program: Program,
  memory: Memory,
  dropPort: number,
): TraceContext {
  return {
    program,
    memory,
    names: new FieldNames(program),
    aliases: new Aliases(program),
    sources: new SourceMap(json),
    dropPort,
  };
}

export class Recorder implements Observer {
  readonly trace: PacketTrace;
  private readonly context: TraceContext;
  private readonly watch: Watch;
  private part: TracePart | undefined;
  private state: StateStep | undefined;
  private table: TableStep | undefined;
  private statements: StatementStep[] | undefined;
  /** Of the primitive, parser operation or table in hand. */
  private effects: Effect[] = [];
  private action: Action | undefined;
  /** The last that wrote the drop port into egress_spec. */
  private dropSource: SourcePosition | undefined;
  private steps = 0;
  /** Ids of the parts that asked for the passes and copies that are to come, in their order. */
  private readonly passParents: number[] = [];
  private readonly copyParents: number[] = [];
  /** The part whose ingress clones are being made. */
  private original: TracePart | undefined;

  constructor(context: TraceContext, port: number, frame: Uint8Array, nowMicros: number) {
    this.context = context;
    this.watch = new Watch(context.program, context.memory, context.names);
    this.trace = { port, nowMicros, frame: hex(frame), parts: [] };
  }

  observe(event: Observation): void {
    const { names, aliases, sources } = this.context;
    switch (event.kind) {
      case 'pass': {
        const parent = event.why === 'ingress-clone' ? this.original?.id : this.passParents.shift();
        this.begin({ kind: 'ingress', why: event.why, port: event.port, instance: undefined, parent });
        return;
      }
      case 'egress': {
        const parent = event.why === 'egress-clone' ? this.copyParents.shift() : this.ingressId();
        this.begin({ kind: 'egress', why: event.why, port: event.port, instance: event.instance, parent });
        return;
      }
      case 'state':
        this.state = { kind: 'state', name: event.state.name, operations: [], next: undefined };
        this.add(this.state);
        return;
      case 'parser-op':
        this.parserOperation(event);
        return;
      case 'parser-error':
        this.state?.operations.push({ kind: 'error', name: event.name });
        return;
      case 'select':
        this.select(event.state, event.key, event.taken, event.next);
        return;
      case 'parsed':
        this.state = undefined;
        this.add({ kind: 'accept', payloadAt: event.payloadAt, changes: this.watch.changes() });
        return;
      case 'checksum-verified':
      case 'checksum-updated': {
        const { checksum } = event;
        const { width } = checksum.target.field;
        const isVerified = event.kind === 'checksum-verified';
        this.add({
          kind: 'checksum',
          what: isVerified ? 'verified' : 'updated',
          field: names.ofRef(checksum.target),
          width,
          found: isVerified ? hexOf(event.found) : undefined,
          computed: hexOf(isVerified ? event.expected : BigInt.asUintN(width, event.value)),
          at: sources.checksum(checksum),
          changes: this.watch.changes(),
        });
        return;
      }
      case 'control':
        this.add({ kind: 'stage', stage: event.control, changes: this.watch.changes() });
        return;
      case 'conditional': {
        const at = sources.node(event.conditional);
        const text = at?.fragment || conditionText(event.conditional.condition, names);
        this.add({ kind: 'condition', text, outcome: event.outcome, at });
        return;
      }
      case 'apply':
        this.apply(event.table, event.key, event.row);
        return;
      case 'member': {
        const { profile, group, hash, row } = event;
        this.table!.member = {
          profile: aliases.of('profile', profile.name),
          group,
          hash: hash === undefined ? undefined : hexOf(BigInt(hash)),
          member: row === 0 ? undefined : row - 1,
        };
        return;
      }
      case 'action':
        this.beginAction(event.action, event.data, 'key' in event.by ? event.by : undefined);
        return;
      case 'primitive':
        this.primitive(event.action, event.index);
        return;
      case 'action-done':
        this.action = undefined;
        return;
      case 'applied':
        this.settle();
        return;
      case 'hash': {
        const { algorithm } = event.calculation;
        this.effects.push({ kind: 'hash', algorithm, value: hexOf(event.value) });
        return;
      }
      case 'register-read':
      case 'register-write': {
        const { register, index, value } = event;
        const name = aliases.of('register', register.name);
        const { width } = register;
        this.effects.push({ kind: event.kind, register: name, index, width, value: hexOf(value) });
        return;
      }
      case 'count': {
        const { counter, index, cell } = event;
        const [packets, bytes] = [Number(cell.packets), Number(cell.bytes)];
        this.effects.push({
          kind: 'count',
          counter: aliases.of('counter', counter.name),
          index,
          packets,
          bytes,
        });
        return;
      }
      case 'direct-count': {
        const [packets, bytes] = [Number(event.cell.packets), Number(event.cell.bytes)];
        this.effects.push({
          kind: 'count',
          counter: aliases.of('table', event.table.name),
          index: undefined,
          packets,
          bytes,
        });
        return;
      }
      case 'meter': {
        const { meter, index, colour } = event;
        const name = (Object.keys(colours) as (keyof typeof colours)[]).find(
          (each) => colours[each] === colour,
        )!;
        const ofEntry = meter.isDirect ? undefined : index;
        this.effects.push({
          kind: 'meter',
          meter: aliases.of('meter', meter.name),
          index: ofEntry,
          colour: name,
        });
        return;
      }
      case 'asked':
        this.ask(event);
        return;
      case 'log':
        this.effects.push({ kind: 'log', text: event.text });
        return;
      case 'diagnostic':
        if (this.state || this.table || this.action)
          this.effects.push({ kind: 'diagnostic', what: event.what });
        else this.add({ kind: 'diagnostic', what: event.what });
        return;
      case 'digest': {
        const { list, values } = event;
        const named = list.elements.map((ref, index) =>
          namedValue(names.ofRef(ref), ref.field.width, values[index]!),
        );
        this.add({ kind: 'digest', list: list.name, values: named });
        return;
      }
      case 'copies': {
        const { why, id, replicas } = event;
        this.add({
          kind: 'copies',
          why,
          id,
          replicas: replicas?.map(({ port, instance }) => ({ port, instance })),
        });
        if (why === 'ingress-clone') this.original = this.part;
        for (const _ of why === 'egress-clone' ? (replicas ?? []) : []) this.copyParents.push(this.part!.id);
        return;
      }
      case 'copied':
        this.part = this.original;
        this.original = undefined;
        this.watch.look();
        return;
      case 'emit':
        this.add({ kind: 'emit', header: event.header.name, bytes: hex(event.bytes) });
        return;
      case 'transmit':
        this.add({ kind: 'transmit', port: event.port, frame: hex(event.frame), wholeBytes: event.whole });
        return;
      case 'again':
        this.passParents.push(this.part!.id);
        this.add({ kind: 'again', why: event.why });
        return;
      case 'drop':
        this.drop(event.why, event.id);
        return;
    }
  }

  private begin(part: Omit<TracePart, 'id' | 'steps'>): void {
    this.part = { id: this.trace.parts.length + 1, ...part, steps: [] };
    this.trace.parts.push(this.part);
    this.dropSource = undefined;
    this.endAction();
    this.watch.look();
  }

  /** The nearest ingress part: the copies of one packet are made one after the other. */
  private ingressId(): number | undefined {
    return this.trace.parts.findLast(({ kind }) => kind === 'ingress')?.id;
  }

  private add(step: TraceStep): void {
    this.steps += 1;
    if (this.steps > traceStepsMax) return;
    if (this.steps === traceStepsMax) {
      const what = `the trace was cut off after ${traceStepsMax} steps`;
      this.part?.steps.push({ kind: 'diagnostic', what });
      return;
    }
    if (step.kind !== 'statements') this.statements = undefined;
    // Before the first part there is only a frame that nothing can be done with.
    if (!this.part)
      this.begin({
        kind: 'ingress',
        why: 'received',
        port: this.trace.port,
        instance: undefined,
        parent: undefined,
      });
    this.part!.steps.push(step);
  }

  private parserOperation({ state, index, from, to }: Extract<Observation, { kind: 'parser-op' }>): void {
    const operations = this.state!.operations;
    const op = state.ops[index]!;
    const changes = this.watch.changes();
    const header = extractedHeader(op, this.context.memory);
    if (header) {
      const others = changes.filter((change) => !concerns(change, header, this.context.names));
      const fields = this.fieldsOf(header);
      operations.push({ kind: 'extract', header: header.name, from, to, fields, changes: others });
    } else if (op.op === 'advance') operations.push({ kind: 'advance', from, to });
    else if (changes.length > 0 || this.effects.length > 0) {
      operations.push({ kind: 'statement', changes, effects: this.takeEffects() });
    }
  }

  private fieldsOf(header: Header): NamedValue[] {
    const { memory } = this.context;
    return header.type.fields.map((field): NamedValue => {
      if (!field.varbit) return namedValue(field.name, field.width, this.watch.value(header, field));
      const bytes = varbitOf(memory, header, field);
      return { name: field.name, width: 8 * bytes.length, value: hex(bytes) };
    });
  }

  private select(
    state: ParserState,
    key: readonly bigint[],
    taken: number | undefined,
    next: string | null,
  ): void {
    const { names } = this.context;
    const named = key.map((value, index) => {
      const component = state.key[index]!;
      const width = component.op === 'field' ? component.ref.field.width : 0;
      return namedValue(valueText(component, names), width, value);
    });
    this.state!.next = { key: named, case: caseText(state, taken), state: next ?? 'accept' };
    const effects = this.takeEffects();
    if (effects.length > 0) this.state!.operations.push({ kind: 'statement', changes: [], effects });
  }

  private apply(table: Table, key: readonly bigint[], row: number): void {
    const { names, aliases, sources, memory } = this.context;
    this.settle();
    if (isStatement(table)) return;
    const hasKey = key.length > 0;
    this.table = {
      kind: 'table',
      name: aliases.of('table', table.name),
      at: sources.node(table),
      key: table.key.map(({ name, kind, width, ref }, index) => ({
        ...namedValue(
          name === `${ref.header.name}.${ref.field.name}` ? names.ofRef(ref) : name,
          width,
          key[index]!,
        ),
        match: kind,
      })),
      isHit: hasKey ? row !== 0 : undefined,
      entry: row === 0 ? undefined : entryOf(table, row, memory),
      member: undefined,
      action: undefined,
      changes: [],
      effects: [],
      steps: [],
    };
    this.add(this.table);
  }

  private beginAction(action: Action, data: readonly bigint[], table: Table | undefined): void {
    this.action = action;
    if (!this.table || !table) {
      if (!this.statements) {
        const step: TraceStep = { kind: 'statements', steps: [] };
        this.statements = step.steps;
        this.add(step);
      }
      return;
    }
    this.table.changes = this.watch.changes();
    this.table.effects = this.takeEffects();
    this.table.action = {
      name: this.context.aliases.of('action', action.name),
      parameters: action.parameters.map(({ name, width }, index) => namedValue(name, width, data[index]!)),
    };
    this.statements = this.table.steps;
  }

  private primitive(action: Action, index: number): void {
    const changes = this.watch.changes();
    const effects = this.takeEffects();
    if (changes.length === 0 && effects.length === 0) return;
    const at = this.context.sources.primitive(action, index);
    this.statements?.push({ at, changes, effects });
    if (changes.some((change) => this.isDropMark(change))) this.dropSource = at;
  }

  private isDropMark(change: Change): boolean {
    const { program, names, dropPort } = this.context;
    return (
      change.kind === 'field' &&
      change.field === names.ofRef(program.standard.egressSpec) &&
      BigInt(change.new) === BigInt(dropPort)
    );
  }

  /** Puts what happened outside an action where it belongs, and leaves the table. */
  private settle(): void {
    if (this.table) {
      this.table.changes.push(...this.watch.changes());
      this.table.effects.push(...this.takeEffects());
      this.statements = undefined;
    }
    this.table = undefined;
    this.action = undefined;
  }

  private endAction(): void {
    this.settle();
    this.effects = [];
    this.state = undefined;
    this.statements = undefined;
  }

  private ask(event: Extract<Observation, { kind: 'asked' }>): void {
    const { effects } = this;
    switch (event.what) {
      case 'digest':
        effects.push({ kind: 'ask', what: 'digest', list: event.list.name });
        return;
      case 'clone':
        effects.push({ kind: 'ask', what: 'clone', session: event.session });
        return;
      case 'truncate':
        effects.push({ kind: 'ask', what: 'truncate', bytes: event.bytes });
        return;
      default:
        effects.push({ kind: 'ask', what: event.what });
    }
  }

  private drop(why: DropReason, id: number | undefined): void {
    // What an action did before it was given up is worth knowing.
    const changes = this.watch.changes();
    const effects = this.takeEffects();
    if (changes.length > 0 || effects.length > 0) this.statements?.push({ at: undefined, changes, effects });
    this.settle();
    const at = why === 'egress-spec' || why === 'egress' ? this.dropSource : undefined;
    this.add({ kind: 'drop', why, explanation: this.explain(why, id), at });
  }

  private explain(why: DropReason, id: number | undefined): string {
    const { dropPort, names, program } = this.context;
    switch (why) {
      case 'egress-spec':
      case 'egress':
        return `${names.ofRef(program.standard.egressSpec)} is ${dropPort}, the drop port`;
      case 'abandoned':
        return 'the program gave it up';
      case 'priority':
        return `there is no queue of priority ${id}`;
      case 'grown':
        return 'its headers grew too much';
      case 'passes':
        return 'it came back too often';
      case 'frame-too-long':
        return 'the frame is too long';
    }
  }

  private takeEffects(): Effect[] {
    const taken = this.effects;
    this.effects = [];
    return taken;
  }
}
