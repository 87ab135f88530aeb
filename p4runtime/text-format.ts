// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the protobuf text format (.txtpb, as p4c writes P4Info), driven by descriptors. Strict: what the
 * schema does not know is an error, and every error has a line and a column.
 *
 * Source: protobuf.dev, "Text Format Language Specification". Groups and extensions, which proto3 does not
 * have, are left out.
 */
import type { DescEnum, DescField, DescMessage, MessageShape, Registry } from '@bufbuild/protobuf';
import { ScalarType, toBinary } from '@bufbuild/protobuf';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import { reflect } from '@bufbuild/protobuf/reflect';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { P4RuntimeError } from './p4runtime-error.ts';

export interface TextFormatOptions {
  /** Names the text in errors. */
  fileName?: string;
  /** Types that may stand in an expanded Any, `[type.googleapis.com/p4.v1.Error] { ... }`. */
  registry?: Registry;
  /** Is filled with where each message within the text begins, as an offset. */
  offsets?: Map<object, number>;
}

/** Messages nest at most this deep, so that hostile input cannot exhaust the stack. */
export const nestingLimit = 100;

/**
 * Reads one message.
 *
 * @throws P4RuntimeError 'bad-text', with file, line and column, at the first thing that is wrong
 */
export function parseText<Desc extends DescMessage>(
  schema: Desc,
  text: string,
  options: TextFormatOptions = {},
): MessageShape<Desc> {
  const message = reflect(schema);
  new Parser(text, options).parseFields(message, undefined, 0);
  return message.message as MessageShape<Desc>;
}

/** "file:line:column", both from 1. */
export function placeIn(text: string, offset: number, fileName = 'text'): string {
  const before = text.slice(0, offset).split('\n');
  return `${fileName}:${before.length}:${before.at(-1)!.length + 1}`;
}

type TokenKind = 'name' | 'number' | 'string' | 'symbol' | 'end';

interface Token {
  kind: TokenKind;
  /** As written; for strings the quotes are included. */
  text: string;
  offset: number;
}

const tokenPattern =
  /(?<space>(?:\s|#[^\n]*)+)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?)(?![A-Za-z0-9_.]))|(?<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|(?<symbol>[-{}<>[\]:,;./])/y;

class Parser {
  private readonly text: string;
  private readonly options: TextFormatOptions;
  private token: Token;
  private position = 0;

  constructor(text: string, options: TextFormatOptions) {
    this.text = text;
    this.options = options;
    this.token = this.scan();
  }

  /** Fields up to the closing bracket, or to the end of the text. */
  parseFields(message: ReflectMessage, close: '}' | '>' | undefined, depth: number): void {
    if (depth > nestingLimit) throw this.problem(`messages nest more than ${nestingLimit} deep`);
    const seen = new Set<string>();
    for (;;) {
      if (close === undefined ? this.token.kind === 'end' : this.accept(close)) return;
      if (this.token.kind === 'end')
        throw this.problem(`the text ends inside ${message.desc.typeName}; '${close}' is missing`);
      if (this.token.text === '[' && message.desc.typeName === AnySchema.typeName)
        this.parseAny(message, depth);
      else this.parseField(message, seen, depth);
      if (!this.accept(',')) this.accept(';');
    }
  }

  private parseField(message: ReflectMessage, seen: Set<string>, depth: number): void {
    const name = this.expectKind('name', `a field of ${message.desc.typeName}`);
    const field = message.fields.find((candidate) => candidate.name === name.text);
    if (field === undefined) {
      const known = message.fields.map((candidate) => candidate.name).join(', ');
      throw this.problem(
        `${message.desc.typeName} has no field '${name.text}'; it has ${known || 'none'}`,
        name,
      );
    }
    // A oneof may be set once, whichever of its fields sets it.
    const slot = field.oneof === undefined ? field.name : `oneof ${field.oneof.name}`;
    const isSingular = field.fieldKind !== 'list' && field.fieldKind !== 'map';
    if (isSingular && seen.has(slot)) throw this.problem(`${slot} is set twice`, name);
    seen.add(slot);

    const holdsMessage = field.message !== undefined || field.fieldKind === 'map';
    const hasColon = this.accept(':');
    if (!hasColon && !(holdsMessage && ['{', '<', '['].includes(this.token.text))) {
      throw this.problem(`':' is missing after '${name.text}'`);
    }
    if (!isSingular && this.accept('[')) {
      if (this.accept(']')) return;
      do this.parseInto(message, field, depth);
      while (this.accept(','));
      this.expect(']');
    } else {
      this.parseInto(message, field, depth);
    }
  }

  /** One value into its field; list and map fields get one more element. */
  private parseInto(message: ReflectMessage, field: DescField, depth: number): void {
    switch (field.fieldKind) {
      case 'scalar':
        message.set(field, this.parseScalar(field.scalar));
        break;
      case 'enum':
        message.set(field, this.parseEnum(field.enum));
        break;
      case 'message':
        message.set(field, this.parseMessage(field.message, depth));
        break;
      case 'list':
        if (field.listKind === 'message') message.get(field).add(this.parseMessage(field.message, depth));
        else if (field.listKind === 'enum') message.get(field).add(this.parseEnum(field.enum));
        else message.get(field).add(this.parseScalar(field.scalar));
        break;
      case 'map':
        this.parseMapEntry(message, field, depth);
    }
  }

  private parseMessage(desc: DescMessage, depth: number): ReflectMessage {
    const { offset } = this.token;
    const close = this.openBracket();
    const message = reflect(desc);
    this.parseFields(message, close, depth + 1);
    this.options.offsets?.set(message.message, offset);
    return message;
  }

  private parseMapEntry(
    message: ReflectMessage,
    field: DescField & { fieldKind: 'map' },
    depth: number,
  ): void {
    const open = this.token;
    const close = this.openBracket();
    let key: string | number | bigint | boolean | undefined;
    let value: unknown;
    while (!this.accept(close)) {
      const part = this.expectKind('name', "'key' or 'value'");
      const hasColon = this.accept(':');
      if (part.text === 'key' && key === undefined) {
        if (!hasColon) throw this.problem("':' is missing after 'key'");
        key = this.parseScalar(field.mapKey) as typeof key;
      } else if (part.text === 'value' && value === undefined) {
        if (field.mapKind === 'message') value = this.parseMessage(field.message, depth);
        else if (field.mapKind === 'enum') value = this.parseEnum(field.enum);
        else value = this.parseScalar(field.scalar);
      } else {
        throw this.problem(
          `an entry of map '${field.name}' has one 'key' and one 'value', not '${part.text}' here`,
          part,
        );
      }
      if (!this.accept(',')) this.accept(';');
    }
    if (key === undefined || value === undefined) {
      throw this.problem(`an entry of map '${field.name}' needs 'key' and 'value'`, open);
    }
    if (message.get(field).has(key)) throw this.problem(`map '${field.name}' has key '${key}' twice`, open);
    message.get(field).set(key, value);
  }

  /** `[type.googleapis.com/name] { ... }`: the message is packed where it stands. */
  private parseAny(any: ReflectMessage, depth: number): void {
    const open = this.token;
    this.expect('[');
    let url = '';
    while (this.token.text !== ']') {
      if (this.token.kind === 'end') throw this.problem("']' is missing");
      url += this.token.text;
      this.advance();
    }
    this.expect(']');
    this.accept(':');
    const desc = this.options.registry?.getMessage(url.slice(url.lastIndexOf('/') + 1));
    if (desc === undefined) throw this.problem(`type ${url} is not known here`, open);
    const message = this.parseMessage(desc, depth);
    any.set(AnySchema.field.typeUrl, url);
    any.set(AnySchema.field.value, toBinary(desc, message.message));
  }

  private parseEnum(desc: DescEnum): number {
    const token = this.token;
    if (token.kind === 'name') {
      const value = desc.values.find((candidate) => candidate.name === token.text);
      if (value === undefined) {
        throw this.problem(
          `${desc.typeName} has no value '${token.text}'; it has ${desc.values.map((v) => v.name).join(', ')}`,
        );
      }
      this.advance();
      return value.number;
    }
    return Number(this.parseInteger(-(2n ** 31n), 2n ** 31n - 1n));
  }

  private parseScalar(type: ScalarType): unknown {
    switch (type) {
      case ScalarType.STRING:
        return this.parseString();
      case ScalarType.BYTES:
        return this.parseBytes();
      case ScalarType.BOOL:
        return this.parseBool();
      case ScalarType.DOUBLE:
      case ScalarType.FLOAT:
        return this.parseFloat();
      case ScalarType.INT32:
      case ScalarType.SINT32:
      case ScalarType.SFIXED32:
        return Number(this.parseInteger(-(2n ** 31n), 2n ** 31n - 1n));
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return Number(this.parseInteger(0n, 2n ** 32n - 1n));
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return this.parseInteger(-(2n ** 63n), 2n ** 63n - 1n);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return this.parseInteger(0n, 2n ** 64n - 1n);
    }
  }

  private parseInteger(least: bigint, most: bigint): bigint {
    const first = this.token;
    const isNegative = this.accept('-');
    const digits = this.expectKind('number', 'an integer');
    if (!/^(0x[0-9a-f]+|\d+)$/i.test(digits.text))
      throw this.problem(`'${digits.text}' is not an integer`, digits);
    if (/^0[89]|^0\d*[89]/.test(digits.text))
      throw this.problem(`'${digits.text}' is not an octal number`, digits);
    const magnitude = /^0\d/.test(digits.text) ? BigInt(`0o${digits.text.slice(1)}`) : BigInt(digits.text);
    const value = isNegative ? -magnitude : magnitude;
    if (value < least || value > most)
      throw this.problem(`${value} is not between ${least} and ${most}`, first);
    return value;
  }

  private parseFloat(): number {
    const sign = this.accept('-') ? -1 : 1;
    const token = this.token;
    if (token.kind === 'name' && /^inf(inity)?$/i.test(token.text)) {
      this.advance();
      return sign * Number.POSITIVE_INFINITY;
    }
    if (token.kind === 'name' && /^nan$/i.test(token.text)) {
      this.advance();
      return Number.NaN;
    }
    const digits = this.expectKind('number', 'a number').text;
    return sign * Number(/^0x/i.test(digits) ? digits : digits.replace(/f$/i, ''));
  }

  private parseBool(): boolean {
    const token = this.token;
    if (!/^(true|True|t|1|false|False|f|0)$/.test(token.text)) {
      throw this.problem(`${describe(token)} is not true or false`);
    }
    this.advance();
    return /^[tT1]/.test(token.text);
  }

  private parseString(): string {
    const token = this.token;
    const bytes = this.parseBytes();
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.problem('the string is not UTF-8', token);
    }
  }

  /** Adjacent string literals are one string. */
  private parseBytes(): Uint8Array {
    const parts: Buffer[] = [];
    do {
      const literal = this.token;
      if (literal.kind !== 'string') throw this.problem(`${describe(literal)} is not a string in quotes`);
      parts.push(this.unescape(literal));
      this.advance();
    } while (this.token.kind === 'string');
    return Uint8Array.from(Buffer.concat(parts));
  }

  private unescape(literal: Token): Buffer {
    const pattern =
      /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|[^\\]+/gsu;
    const parts = [...literal.text.slice(1, -1).matchAll(pattern)].map((match) => {
      const [all, octal, hex, short, long, letter] = match;
      const at = { ...literal, offset: literal.offset + 1 + match.index };
      if (octal !== undefined || hex !== undefined) {
        const byte = octal === undefined ? Number.parseInt(hex!, 16) : Number.parseInt(octal, 8);
        if (byte > 255) throw this.problem(`${all} is not a byte`, at);
        return Buffer.of(byte);
      }
      if (short !== undefined || long !== undefined) {
        const codePoint = Number.parseInt(short ?? long!, 16);
        if (codePoint > 0x10ffff) throw this.problem(`${all} is not a character`, at);
        return Buffer.from(String.fromCodePoint(codePoint));
      }
      if (letter === undefined) return Buffer.from(all);
      const escaped = simpleEscapes[letter];
      if (escaped === undefined) throw this.problem(`\\${letter} is not an escape`, at);
      return Buffer.from(escaped);
    });
    return Buffer.concat(parts);
  }

  /** Takes '{' or '<' and says what closes it. */
  private openBracket(): '}' | '>' {
    if (this.accept('<')) return '>';
    this.expect('{');
    return '}';
  }

  private expectKind(kind: TokenKind, wanted: string): Token {
    const token = this.token;
    if (token.kind !== kind) throw this.problem(`expected ${wanted}, not ${describe(token)}`);
    this.advance();
    return token;
  }

  private expect(symbol: string): void {
    if (!this.accept(symbol)) throw this.problem(`expected '${symbol}', not ${describe(this.token)}`);
  }

  private accept(symbol: string): boolean {
    if (this.token.kind !== 'symbol' || this.token.text !== symbol) return false;
    this.advance();
    return true;
  }

  private advance(): void {
    this.token = this.scan();
  }

  private scan(): Token {
    for (;;) {
      if (this.position === this.text.length) return { kind: 'end', text: '', offset: this.position };
      tokenPattern.lastIndex = this.position;
      const groups = tokenPattern.exec(this.text)?.groups;
      const offset = this.position;
      if (groups === undefined) {
        const character = String.fromCodePoint(this.text.codePointAt(offset)!);
        const what = /["']/.test(character) ? 'a string that does not end on its line' : `'${character}'`;
        throw this.problem(`did not expect ${what}`, { kind: 'end', text: '', offset });
      }
      this.position = tokenPattern.lastIndex;
      if (groups.space === undefined) {
        const kind = (['name', 'number', 'string', 'symbol'] as const).find((k) => groups[k] !== undefined)!;
        return { kind, text: groups[kind]!, offset };
      }
    }
  }

  private problem(message: string, at: Token = this.token): P4RuntimeError {
    const where = placeIn(this.text, at.offset, this.options.fileName);
    return new P4RuntimeError('bad-text', { message: `${where}: ${message}` });
  }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '?': '?',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

const describe = (token: Token): string => (token.kind === 'end' ? 'the end of the text' : `'${token.text}'`);
