// SPDX-License-Identifier: Apache-2.0
/**
 * Which packets are worth a trace: `ingress_port == 1 && ipv4.dst_addr in 10.0.0.0/8 && !(tcp.dst_port in 80..90)`.
 *
 * It is asked about a packet as the parser leaves it: headers, metadata the parser has set, standard metadata. A field of
 * a header that is not there compares as false, whatever the operator. Fields are named as in P4 or by the end of their
 * name; where several fit, standard_metadata wins.
 *
 *     or         = and ("||" and)*
 *     and        = not ("&&" not)*
 *     not        = "!" not | "(" or ")" | predicate
 *     predicate  = header [".isValid" "(" ")"] | field ["&" number] test
 *     test       = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | "in" set
 *     set        = value ".." value | value "/" bits | "{" value ("," value)* "}"
 *     value      = number, IPv4, IPv6 or MAC address
 */

import { isValid, readField } from '../interpreter/fields.ts';
import type { Memory } from '../memory.ts';
import type { Field, FieldRef, Header, Program } from '../program.ts';
import { FieldNames } from './field-names.ts';
import { nearest } from './nearest.ts';

export type Filter = (memory: Memory) => boolean;

export interface FilterProblem {
  /** From 1. */
  column: number;
  message: string;
}

/** Longer texts are refused, and so are those that nest deeper. */
export const filterLimits = { charactersMax: 4096, depthMax: 100 } as const;

export function parseFilter(text: string, program: Program): { filter: Filter } | { problem: FilterProblem } {
  try {
    return { filter: new Parser(text, program).whole() };
  } catch (cause) {
    if (!(cause instanceof Mistake)) throw cause;
    return { problem: { column: cause.offset + 1, message: cause.message } };
  }
}

class Mistake extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

interface Token {
  kind: 'name' | 'value' | 'symbol' | 'end';
  text: string;
  offset: number;
}

const tokens = new RegExp(
  [
    String.raw`(?<space>\s+)`,
    String.raw`(?<value>[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}(?![\w:])|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*|\d+\.\d+\.\d+\.\d+|0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)`,
    String.raw`(?<name>[A-Za-z_$][\w$]*(?:\[\d+\])?(?:\.[A-Za-z_$][\w$]*(?:\[\d+\])?)*)`,
    String.raw`(?<symbol>\|\||&&|==|!=|<=|>=|\.\.|[!<>()&{},/])`,
  ].join('|'),
  'y',
);

class Parser {
  private readonly text: string;
  private readonly program: Program;
  private readonly names: FieldNames;
  private token: Token = { kind: 'end', text: '', offset: 0 };
  private position = 0;
  private depth = 0;

  constructor(text: string, program: Program) {
    this.text = text;
    this.program = program;
    this.names = new FieldNames(program);
    if (text.length > filterLimits.charactersMax)
      throw new Mistake(0, `a filter of more than ${filterLimits.charactersMax} characters`);
    this.advance();
  }

  whole(): Filter {
    const filter = this.or();
    if (this.token.kind !== 'end') this.fail("expected '&&', '||' or the end");
    return filter;
  }

  private or(): Filter {
    const parts = [this.and()];
    while (this.accept('||')) parts.push(this.and());
    return parts.length === 1 ? parts[0]! : (memory) => parts.some((part) => part(memory));
  }

  private and(): Filter {
    const parts = [this.not()];
    while (this.accept('&&')) parts.push(this.not());
    return parts.length === 1 ? parts[0]! : (memory) => parts.every((part) => part(memory));
  }

  private not(): Filter {
    this.depth += 1;
    if (this.depth > filterLimits.depthMax) this.fail(`nested deeper than ${filterLimits.depthMax}`);
    try {
      if (this.accept('!')) {
        const operand = this.not();
        return (memory) => !operand(memory);
      }
      if (!this.accept('(')) return this.predicate();
      const inner = this.or();
      this.expect(')');
      return inner;
    } finally {
      this.depth -= 1;
    }
  }

  private predicate(): Filter {
    const name = this.token;
    if (name.kind !== 'name') this.fail('expected the name of a field or header');
    this.advance();
    const written = name.text.replace(/\.isValid$/, '');
    if (written !== name.text) {
      this.expect('(');
      this.expect(')');
      return this.validity(written, name.offset);
    }
    const ref = this.field(written, name.offset);
    if (!ref) {
      if (findHeader(written, this.program)) return this.validity(written, name.offset);
      throw new Mistake(name.offset, `there is no field '${written}'; ${this.hint(written)}`);
    }
    return this.comparison(ref);
  }

  /** @returns undefined when no field has this name */
  private field(written: string, offset: number): FieldRef | undefined {
    const found = fieldsMeant(written, this.program, this.names);
    const best =
      found.find((ref) => this.names.ofRef(ref) === written) ??
      found.find(({ header }) => header.name === 'standard_metadata');
    if (best || found.length <= 1) return best ?? found[0];
    const all = found.map((ref) => this.names.ofRef(ref)).join(' or ');
    throw new Mistake(offset, `'${written}' may be ${all}`);
  }

  private validity(written: string, offset: number): Filter {
    const header = findHeader(written, this.program);
    if (header) return (memory) => isValid(memory, header);
    const near = nearest(
      written,
      this.program.headers.filter(({ metadata }) => !metadata).map(({ name }) => name),
    );
    throw new Mistake(offset, `there is no header '${written}'; ${near}`);
  }

  private hint(written: string): string {
    const all = this.program.headers.flatMap((header) =>
      header.type.fields.map((field) => this.names.of(header, field)),
    );
    return nearest(written, all);
  }

  private comparison(ref: FieldRef): Filter {
    const { header, field } = ref;
    const mask = this.accept('&') ? this.value(field) : -1n;
    const test = this.test(field);
    return (memory) =>
      isValid(memory, header) && test(BigInt.asUintN(field.width, readField(memory, ref)) & mask);
  }

  private test(field: Field): (value: bigint) => boolean {
    const operator = this.token;
    if (operator.kind === 'name' && operator.text === 'in') {
      this.advance();
      return this.set(field);
    }
    if (!['==', '!=', '<', '<=', '>', '>='].includes(operator.text))
      this.fail("expected '==', '!=', '<', '<=', '>', '>=' or 'in'");
    this.advance();
    const right = this.value(field);
    switch (operator.text) {
      case '==':
        return (value) => value === right;
      case '!=':
        return (value) => value !== right;
      case '<':
        return (value) => value < right;
      case '<=':
        return (value) => value <= right;
      case '>':
        return (value) => value > right;
      default:
        return (value) => value >= right;
    }
  }

  private set(field: Field): (value: bigint) => boolean {
    if (this.accept('{')) {
      const members = new Set<bigint>();
      do members.add(this.value(field));
      while (this.accept(','));
      this.expect('}');
      return (value) => members.has(value);
    }
    const first = this.value(field);
    if (this.accept('..')) {
      const { offset } = this.token;
      const last = this.value(field);
      if (last < first) throw new Mistake(offset, 'the range ends before it begins');
      return (value) => value >= first && value <= last;
    }
    if (!this.accept('/')) this.fail("expected '..' or '/' behind the first value of a set");
    const { offset, text } = this.token;
    const length = this.number();
    if (length > BigInt(field.width))
      throw new Mistake(offset, `a prefix of ${text} bits; the field has ${field.width}`);
    const shift = BigInt(field.width) - length;
    return (value) => value >> shift === first >> shift;
  }

  /** That fits the field. */
  private value(field: Field): bigint {
    const { offset, text } = this.token;
    const value = this.number();
    if (value >> BigInt(field.width) !== 0n)
      throw new Mistake(offset, `${text} does not fit into the ${field.width} bits of ${field.name}`);
    return value;
  }

  private number(): bigint {
    const { kind, text, offset } = this.token;
    if (kind !== 'value') this.fail('expected a number or an address');
    this.advance();
    const value = numberOf(text);
    if (value === undefined) throw new Mistake(offset, `'${text}' is no address`);
    return value;
  }

  private accept(symbol: string): boolean {
    if (this.token.kind !== 'symbol' || this.token.text !== symbol) return false;
    this.advance();
    return true;
  }

  private expect(symbol: string): void {
    if (!this.accept(symbol)) this.fail(`expected '${symbol}'`);
  }

  private advance(): void {
    for (;;) {
      const offset = this.position;
      if (offset === this.text.length) {
        this.token = { kind: 'end', text: '', offset };
        return;
      }
      tokens.lastIndex = offset;
      const groups = tokens.exec(this.text)?.groups;
      if (!groups) throw new Mistake(offset, `'${this.text[offset]}' means nothing here`);
      this.position = tokens.lastIndex;
      if (groups.space !== undefined) continue;
      const kind = (['value', 'name', 'symbol'] as const).find((each) => groups[each] !== undefined)!;
      this.token = { kind, text: groups[kind]!, offset };
      return;
    }
  }

  private fail(expected: string): never {
    const { kind, text, offset } = this.token;
    throw new Mistake(offset, `${expected}, found ${kind === 'end' ? 'the end' : `'${text}'`}`);
  }
}

function fieldsMeant(written: string, program: Program, names: FieldNames): FieldRef[] {
  return program.headers.flatMap((header) =>
    header.type.fields
      .filter((field) => !field.varbit)
      .filter((field) => isMeant(written, [names.of(header, field), `${header.name}.${field.name}`]))
      .map((field): FieldRef => ({ header, field })),
  );
}

function findHeader(written: string, program: Program): Header | undefined {
  return program.headers.find((header) => !header.metadata && isMeant(written, [header.name]));
}

/** `hdr.ipv4.ttl`, `ipv4.ttl` and `ttl` are one, and so are `meta.flow.port` and `meta.flow_port`. */
function isMeant(written: string, names: readonly string[]): boolean {
  const flat = (name: string) => name.replaceAll('.', '_');
  return names.some(
    (name) =>
      name === written ||
      name.endsWith(`.${written}`) ||
      written.endsWith(`.${name}`) ||
      flat(name) === flat(written),
  );
}

/** @returns undefined for an address that is none */
function numberOf(text: string): bigint | undefined {
  if (/^(0x|0b)?[0-9a-f]+$/i.test(text) && !text.includes(':')) return BigInt(text);
  if (/^(..:){5}..$/.test(text)) return BigInt(`0x${text.replaceAll(':', '')}`);
  if (!text.includes(':')) return ipv4(text);
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);
}

function ipv4(text: string): bigint | undefined {
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}
