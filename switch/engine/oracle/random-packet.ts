// SPDX-License-Identifier: Apache-2.0
/**
 * Packets a program's parser has something to say about: a walk through its states that lays down a header for every
 * extract and makes the select come true for one of its transitions. Some are damaged afterwards.
 */

import type { Value } from '../expression.ts';
import { BitString, bitsOf } from '../interpreter/bit-string.ts';
import type { Header, Parser, ParserState, Transition } from '../program.ts';
import type { Dice } from './dice.ts';

export interface RandomPacket {
  port: number;
  frame: Uint8Array;
  /** Where in the frame the walk has put each header, in bytes. */
  places: ReadonlyMap<Header, number>;
}

/** Where a header, or bits ahead of the parser, were laid down; in bits. */
interface Wish {
  at: number;
  width: number;
  value: bigint;
  mask: bigint;
}

/** States one walk goes through at most: parsers have loops. */
const statesMax = 24;

export function randomPacket(parser: Parser, ports: readonly number[], dice: Dice): RandomPacket {
  const walk = new Walk(parser, dice, dice.pick(ports));
  let state = parser.initState;
  for (let count = 0; state && count < statesMax; count++) {
    const next = walk.through(state);
    state = next === null ? undefined : parser.states.find(({ name }) => name === next);
  }
  const { places, port } = walk;
  const frame = walk.frame();
  if (dice.once(6)) return { port, frame: damaged(frame, dice), places: new Map() };
  return { port, frame, places };
}

class Walk {
  port: number;
  /** First byte. */
  readonly places = new Map<Header, number>();
  private readonly parser: Parser;
  private readonly dice: Dice;
  private readonly fields: { value: bigint; width: number }[] = [];
  private readonly nextElement = new Map<number, number>();
  private readonly wishes: Wish[] = [];
  private bits = 0;

  constructor(parser: Parser, dice: Dice, port: number) {
    this.parser = parser;
    this.dice = dice;
    this.port = port;
  }

  /** @returns the name of the next state */
  through(state: ParserState): string | null {
    for (const op of state.ops) {
      if (op.op === 'extract') this.lay(op.header, 0);
      else if (op.op === 'extract_varbit') this.lay(op.header, 8 * this.dice.below(5));
      else if (op.op === 'extract_next' || op.op === 'extract_varbit_next') {
        const { headers, next } = op.stack;
        const index = this.nextElement.get(next) ?? 0;
        this.nextElement.set(next, index + 1);
        const varbitBits = op.op === 'extract_next' ? 0 : 8 * this.dice.below(5);
        this.lay(headers[Math.min(index, headers.length - 1)]!, varbitBits);
      } else if (op.op === 'advance') this.append(this.dice.bits(8), 8);
    }
    const ways = [...new Set([...state.transitions.map(({ next }) => next), state.defaultNext])];
    // The more states lie behind a way, the more there is to go wrong.
    const weights = ways.map((way) => statesBehind(this.parser, way));
    let chosen = this.dice.below(weights.reduce((sum, weight) => sum + weight));
    const next = ways.find((_, index) => (chosen -= weights[index]!) < 0) ?? null;
    const candidates = state.transitions.filter((candidate) => candidate.next === next);
    if (candidates.length === 0) return next;
    const transition = this.dice.pick(candidates);
    this.wishFor(transition, state.key);
    return transition.next;
  }

  frame(): Uint8Array {
    const bits = new BitString();
    for (const { value, width } of this.fields) bits.append(value, width);
    const payload = Array.from({ length: this.dice.below(40) }, () => this.dice.below(256));
    bits.appendBytes(Uint8Array.from(payload));
    const frame = bits.toBytes();
    for (const wish of this.wishes) {
      if (wish.at + wish.width > 8 * frame.length) continue;
      const old = bitsOf(frame, wish.at, wish.width);
      storeBits(frame, wish.at, wish.width, (old & ~wish.mask) | (wish.value & wish.mask));
    }
    return frame;
  }

  private lay(header: Header, varbitBits: number): void {
    this.places.set(header, this.bits / 8);
    for (const field of header.type.fields) {
      if (field.varbit) this.append(this.dice.bits(varbitBits), varbitBits);
      else this.append(this.dice.value(field.width), field.width);
    }
  }

  private append(value: bigint, width: number): void {
    this.fields.push({ value, width });
    this.bits += width;
  }

  private wishFor(transition: Transition, key: readonly Value[]): void {
    // What a value set holds is as likely as any other small number.
    const parts =
      transition.kind === 'value'
        ? transition.parts
        : transition.masks.map((mask) => ({ value: this.dice.value(8), mask }));
    for (const [index, { value, mask }] of parts.entries()) {
      const component = key[index]!;
      if (component.op === 'lookahead') {
        const { bitOffset, width } = component;
        this.wishes.push({ at: this.bits + bitOffset, width, value, mask });
      } else if (component.op === 'field') {
        const { header, field } = component.ref;
        const at = this.places.get(header);
        if (at !== undefined)
          this.wishes.push({ at: 8 * at + field.bitOffset, width: field.width, value, mask });
        else if (field.name === 'ingress_port') this.port = Number(value & mask);
      } else if (component.op === 'last') {
        const last = (this.nextElement.get(component.stack.next) ?? 0) - 1;
        const at = this.places.get(component.stack.headers[last]!);
        const { field } = component;
        if (at !== undefined)
          this.wishes.push({ at: 8 * at + field.bitOffset, width: field.width, value, mask });
      }
    }
  }
}

/** Counts itself, and the end as one. */
function statesBehind(parser: Parser, way: string | null): number {
  const seen = new Set<string | null>([way]);
  for (const name of seen) {
    const state = parser.states.find((candidate) => candidate.name === name);
    if (!state) continue;
    for (const { next } of state.transitions) seen.add(next);
    seen.add(state.defaultNext);
  }
  return seen.size;
}

/** Shorter, or with a few bits turned over. */
function damaged(frame: Uint8Array, dice: Dice): Uint8Array {
  if (dice.once(2)) return frame.subarray(0, dice.below(frame.length + 1));
  for (let count = 1 + dice.below(4); count > 0 && frame.length > 0; count--) {
    frame[dice.below(frame.length)]! ^= 1 << dice.below(8);
  }
  return frame;
}

export function storeBits(bytes: Uint8Array, at: number, width: number, value: bigint): void {
  for (let bit = 0; bit < width; bit++) {
    const place = at + width - 1 - bit;
    const mask = 0x80 >> (place & 7);
    if ((value >> BigInt(bit)) & 1n) bytes[place >> 3]! |= mask;
    else bytes[place >> 3]! &= ~mask;
  }
}
