// SPDX-License-Identifier: Apache-2.0
/** The parser: states, what they extract, and where their selects lead. */

import { lookaheadBytes } from '../emit-parser.ts';
import type { Value } from '../expression.ts';
import { loopTurnsMax, slots } from '../layout.ts';
import { keyWidth } from '../load-parser.ts';
import type { Field, Header, HeaderStack, ParserOp, ParserState, Program, Transition } from '../program.ts';
import { loopHeads } from '../structure.ts';
import { runPrimitive } from './actions.ts';
import { bitsOf } from './bit-string.ts';
import { evaluate, evaluateSmall, holds, type Surroundings } from './expressions.ts';
import { clearSiblings, writeField, writeFieldAt } from './fields.ts';
import type { Machine } from './machine.ts';

/** Ends the parser. */
class ParserError {
  readonly code: number;

  constructor(code: number) {
    this.code = code;
  }
}

export function runParser(machine: Machine): void {
  const { memory, program } = machine;
  const walk = new Walk(machine);
  let error = program.errors.get('NoError')!;
  try {
    walk.run();
  } catch (cause) {
    if (!(cause instanceof ParserError)) throw cause;
    error = cause.code;
  }
  memory.F[slots.payload] = walk.position;
  if (program.standard.parserError) writeField(memory, program.standard.parserError, BigInt(error));
  machine.observer?.observe({ kind: 'parsed', payloadAt: walk.position - memory.headroom });
}

class Walk {
  /** Where the parser stands in `A`. */
  position: number;
  private readonly machine: Machine;
  private readonly end: number;

  constructor(machine: Machine) {
    this.machine = machine;
    this.position = machine.memory.headroom;
    this.end = machine.memory.F[slots.end]!;
  }

  /** @throws ParserError */
  run(): void {
    const { program, observer, diagnostic, memory } = this.machine;
    const { byName, heads } = shapeOf(program);
    let turns = 0;
    for (let state = program.parser.initState; state; ) {
      observer?.observe({ kind: 'state', state });
      if (heads.has(state.name) && ++turns > loopTurnsMax) {
        diagnostic(`the parser was cut off after ${loopTurnsMax} turns of a loop`);
        this.fail('ParserTimeout', state);
      }
      for (const [index, op] of state.ops.entries()) {
        const from = this.position - memory.headroom;
        this.runOp(op, state);
        observer?.observe({ kind: 'parser-op', state, index, from, to: this.position - memory.headroom });
      }
      const next = this.select(state);
      state = next === null ? undefined : byName.get(next);
    }
  }

  private runOp(op: ParserOp, state: ParserState): void {
    const { memory } = this.machine;
    const around = this.around();
    switch (op.op) {
      case 'extract':
        this.need(op.header.type.bytes, state);
        clearSiblings(memory, op.header);
        this.extract(op.header, 0);
        return;
      case 'extract_next': {
        const next = this.nextOf(op.stack, state);
        this.need(next.type.bytes, state);
        clearSiblings(memory, next);
        this.extract(next, 0);
        memory.F[op.stack.next]! += 1;
        return;
      }
      case 'extract_varbit':
        this.extractVarbit(op.header, op.bits, state);
        return;
      case 'extract_varbit_next':
        this.extractVarbit(this.nextOf(op.stack, state), op.bits, state);
        memory.F[op.stack.next]! += 1;
        return;
      case 'set':
        this.need(lookaheadBytes(op.source), state);
        writeField(memory, op.target, evaluate(op.source, around));
        return;
      case 'verify':
        if (!holds(op.condition, around))
          this.stop(Number(BigInt.asUintN(32, evaluate(op.error, around))), state);
        return;
      case 'advance': {
        const bits = evaluateSmall(op.bits, around);
        if (bits % 8 !== 0) this.fail('ParserInvalidArgument', state);
        this.need(bits / 8, state);
        this.position += bits / 8;
        return;
      }
      case 'primitive':
        runPrimitive(op.primitive, { ...around, name: `parser state ${state.name}` }, this.machine);
        return;
    }
  }

  private nextOf(stack: HeaderStack, state: ParserState): Header {
    return stack.headers[this.machine.memory.F[stack.next]!] ?? this.fail('StackOutOfBounds', state);
  }

  /** The order of the checks is BMv2's. */
  private extractVarbit(header: Header, length: Value, state: ParserState): void {
    const { type } = header;
    this.need(lookaheadBytes(length), state);
    const bits = evaluateSmall(length, this.around());
    if (bits % 8 !== 0) this.fail('ParserInvalidArgument', state);
    this.need(type.bytes + bits / 8, state);
    if (bits > 8 * type.varbitBytes) this.fail('HeaderTooShort', state);
    clearSiblings(this.machine.memory, header);
    this.extract(header, bits);
  }

  /** Reads the fields one behind the other. @param varbitBits  of its varbit field, if it has one */
  private extract(header: Header, varbitBits: number): void {
    const { memory } = this.machine;
    memory.F[header.base] = 1;
    const bytes = memory.A.subarray(this.position, this.end);
    let bit = 0;
    for (const field of header.type.fields) {
      if (field.varbit) {
        this.storeVarbit(header, field, bytes, bit, varbitBits);
        bit += varbitBits;
      } else {
        writeFieldAt(memory, header.base, field, bitsOf(bytes, bit, field.width));
        bit += field.width;
      }
    }
    this.position += bit / 8;
  }

  private storeVarbit(header: Header, field: Field, bytes: Uint8Array, bit: number, bits: number): void {
    const { F, V } = this.machine.memory;
    F[header.base + field.slot] = bits / 8;
    for (let index = 0; index < bits / 8; index++) {
      V[header.varbitBase + index] = Number(bitsOf(bytes, bit + 8 * index, 8));
    }
  }

  private select(state: ParserState): string | null {
    const { observer } = this.machine;
    if (state.transitions.length === 0) {
      observer?.observe({ kind: 'select', state, key: [], taken: undefined, next: state.defaultNext });
      return state.defaultNext;
    }
    if (this.position + Math.max(...state.key.map(lookaheadBytes)) > this.end) {
      this.machine.diagnostic(`parser state ${state.name}: lookahead past the end of the packet`);
    }
    const around = this.around();
    const key = state.key.map((part) => BigInt.asUintN(keyWidth(part), evaluate(part, around)));
    const taken = state.transitions.findIndex((transition) => this.matches(transition, state, key));
    const next = taken < 0 ? state.defaultNext : state.transitions[taken]!.next;
    observer?.observe({ kind: 'select', state, key, taken: taken < 0 ? undefined : taken, next });
    return next;
  }

  private matches(transition: Transition, state: ParserState, key: readonly bigint[]): boolean {
    if (transition.kind === 'value')
      return transition.parts.every(({ value, mask }, index) => (key[index]! & mask) === (value & mask));
    const { set, masks } = transition;
    return this.machine.memory.valueSets.get(set.id)!.contains(key, state.key.map(keyWidth), masks);
  }

  private around(): Surroundings {
    const { memory, diagnostic } = this.machine;
    return { memory, parameters: [], ahead: memory.A.subarray(this.position, this.end), diagnostic };
  }

  private need(bytes: number, state: ParserState): void {
    if (this.position + bytes > this.end) this.fail('PacketTooShort', state);
  }

  private fail(error: string, state: ParserState): never {
    return this.stop(this.machine.program.errors.get(error)!, state);
  }

  private stop(code: number, state: ParserState): never {
    const { observer, program } = this.machine;
    const name = [...program.errors].find(([, number]) => number === code)?.[0] ?? String(code);
    observer?.observe({ kind: 'parser-error', state, name, code });
    throw new ParserError(code);
  }
}

interface Shape {
  byName: ReadonlyMap<string, ParserState>;
  /** States that are jumped back to. */
  heads: ReadonlySet<string>;
}

const shapes = new WeakMap<Program, Shape>();

function shapeOf(program: Program): Shape {
  let shape = shapes.get(program);
  if (shape) return shape;
  const { states, initState } = program.parser;
  const indexOf = new Map(states.map((state, index) => [state.name, index]));
  const successors = states.map((state) =>
    [...state.transitions.map(({ next }) => next), state.defaultNext].flatMap((next) =>
      next === null ? [] : [indexOf.get(next)!],
    ),
  );
  const heads = initState ? loopHeads(successors, indexOf.get(initState.name)!) : new Set<number>();
  shape = {
    byName: new Map(states.map((state) => [state.name, state])),
    heads: new Set([...heads].map((index) => states[index]!.name)),
  };
  shapes.set(program, shape);
  return shape;
}
