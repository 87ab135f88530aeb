// SPDX-License-Identifier: Apache-2.0
/**
 * STF, the "simple test framework" language of p4c: table entries, packets to send and packets to expect, one
 * statement a line, `#` for comments.
 *
 *     add TABLE [PRIORITY] KEY:VALUE ... ACTION(PARAMETER:VALUE, ...) [= LABEL]
 *     setdefault TABLE ACTION(PARAMETER:VALUE, ...)
 *     packet PORT HEX ...
 *     expect PORT [HEX ... with * for any digit] [$]
 *     no_packet | wait | remove all
 *     check_counter NAME(INDEX or LABEL) [packets|bytes CMP NUMBER]
 *     mirroring_add SESSION PORT | mirroring_add_mc SESSION GROUP | mirroring_delete SESSION | mirroring_get SESSION
 *     mc_mgrp_create GROUP | mc_node_create RID PORT ... | mc_node_update NODE PORT ... | mc_node_associate GROUP NODE
 *     counter_read NAME INDEX | counter_write NAME INDEX PACKETS BYTES
 *     register_read NAME INDEX | register_write NAME INDEX VALUE | register_reset NAME
 *     meter_get_rates NAME INDEX | meter_set_rates NAME INDEX RATE:BURST RATE:BURST
 *     meter_array_set_rates NAME RATE:BURST RATE:BURST
 *
 * A rate is in packets or bytes per microsecond and may have a fraction; the committed rate comes first, then the peak
 * rate. Values are decimal, 0x, 0o or 0b; in the latter three a `*` stands for any digit. An LPM key may be VALUE/LENGTH.
 *
 * Source: p4c, tools/stf/stf_lexer.py and stf_parser.py; the commands after check_counter: backends/bmv2/bmv2stf.py.
 */

export type Statement = { line: number } & (
  | { kind: 'add'; table: string; priority: number | undefined; key: Match[]; action: Call; label?: string }
  | { kind: 'set-default'; table: string; action: Call }
  | { kind: 'packet'; port: number; data: string }
  /** `data` undefined: one packet, whatever is in it. Not `isExact`: a prefix of the packet. */
  | { kind: 'expect'; port: number; data: string | undefined; isExact: boolean }
  | { kind: 'no-packet' | 'wait' | 'remove-all' }
  | { kind: 'check-counter'; counter: string; cell: number | string; check?: CounterCheck }
  | { kind: 'clone-session'; session: number; to: CloneTarget }
  | { kind: 'clone-session-get'; session: number }
  | { kind: 'group-create'; group: number }
  | { kind: 'node-create'; instance: number; ports: number[] }
  | { kind: 'node-update'; node: number; ports: number[] }
  | { kind: 'node-associate'; group: number; node: number }
  | { kind: 'counter-read'; counter: string; index: number }
  | { kind: 'counter-write'; counter: string; index: number; packets: bigint; bytes: bigint }
  | { kind: 'register-read'; register: string; index: number }
  | { kind: 'register-write'; register: string; index: number; value: bigint }
  | { kind: 'register-reset'; register: string }
  | { kind: 'meter-get'; meter: string; index: number }
  /** `index` undefined: every cell. */
  | { kind: 'meter-set'; meter: string; index: number | undefined; committed: Bucket; peak: Bucket }
);

/** Of a meter. */
export interface Bucket {
  perMicrosecond: number;
  burst: number;
}

export type CloneTarget = { port: number } | { group: number } | 'nowhere';

export interface Match {
  name: string;
  value: Numeral;
  /** Of VALUE/LENGTH. */
  prefixLength: number | undefined;
}

export interface Call {
  name: string;
  arguments: { name: string; value: Numeral }[];
}

export interface Numeral {
  text: string;
  /** A wildcard digit counts as 0. */
  value: bigint;
  /** Ones for each digit written, zeros for each wildcard; undefined for a decimal, whose digits are not bits. */
  mask: bigint | undefined;
}

export interface CounterCheck {
  unit: 'packets' | 'bytes';
  comparison: Comparison;
  number: bigint;
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

export interface Problem {
  line: number;
  column: number;
  message: string;
}

export const stfLimits = { linesMax: 100_000, problemsMax: 20, packetBytesMax: 10_240 } as const;

/** @returns every statement, or the first `problemsMax` problems */
export function parseStf(text: string): { statements: Statement[] } | { problems: Problem[] } {
  const lines = text.split(/\r?\n/);
  if (lines.length > stfLimits.linesMax) {
    const message = `${lines.length} lines; at most ${stfLimits.linesMax} are read`;
    return { problems: [{ line: stfLimits.linesMax + 1, column: 1, message }] };
  }
  const statements: Statement[] = [];
  const problems: Problem[] = [];
  for (const [index, raw] of lines.entries()) {
    const scanner = new Scanner(raw.replace(/#.*$/, ''), index + 1);
    if (scanner.isAtEnd) continue;
    try {
      statements.push(parseStatement(scanner));
    } catch (cause) {
      if (!(cause instanceof LineError)) throw cause;
      problems.push(cause.problem);
      if (problems.length === stfLimits.problemsMax) break;
    }
  }
  return problems.length > 0 ? { problems } : { statements };
}

type StatementParser = (scanner: Scanner) => Statement;

const parsers: Readonly<Record<string, StatementParser>> = {
  add: parseAdd,
  setdefault: (scanner) => ({
    line: scanner.line,
    kind: 'set-default',
    table: scanner.name('a table'),
    action: parseCall(scanner, scanner.name('an action')),
  }),
  packet: parsePacket,
  expect: parseExpect,
  no_packet: ({ line }) => ({ line, kind: 'no-packet' }),
  wait: ({ line }) => ({ line, kind: 'wait' }),
  remove(scanner) {
    scanner.expect(/all\b/iy, "'all': single entries cannot be removed");
    return { line: scanner.line, kind: 'remove-all' };
  },
  check_counter: parseCheckCounter,
  mirroring_add: (scanner) => ({
    line: scanner.line,
    kind: 'clone-session',
    session: scanner.integer('a session'),
    to: { port: scanner.integer('a port') },
  }),
  mirroring_add_mc: (scanner) => ({
    line: scanner.line,
    kind: 'clone-session',
    session: scanner.integer('a session'),
    to: { group: scanner.integer('a group') },
  }),
  mirroring_delete: (scanner) => ({
    line: scanner.line,
    kind: 'clone-session',
    session: scanner.integer('a session'),
    to: 'nowhere',
  }),
  mirroring_get: (scanner) => ({
    line: scanner.line,
    kind: 'clone-session-get',
    session: scanner.integer('a session'),
  }),
  mc_mgrp_create: (scanner) => ({
    line: scanner.line,
    kind: 'group-create',
    group: scanner.integer('a group'),
  }),
  mc_node_create: (scanner) => ({
    line: scanner.line,
    kind: 'node-create',
    instance: scanner.integer('a replication id'),
    ports: parsePorts(scanner),
  }),
  mc_node_update: (scanner) => ({
    line: scanner.line,
    kind: 'node-update',
    node: scanner.integer('a node'),
    ports: parsePorts(scanner),
  }),
  mc_node_associate: (scanner) => ({
    line: scanner.line,
    kind: 'node-associate',
    group: scanner.integer('a group'),
    node: scanner.integer('a node'),
  }),
  counter_read: (scanner) => ({
    line: scanner.line,
    kind: 'counter-read',
    counter: scanner.name('a counter'),
    index: scanner.integer('an index'),
  }),
  counter_write: (scanner) => ({
    line: scanner.line,
    kind: 'counter-write',
    counter: scanner.name('a counter'),
    index: scanner.integer('an index'),
    packets: scanner.plainNumeral('a number of packets'),
    bytes: scanner.plainNumeral('a number of bytes'),
  }),
  register_read: (scanner) => ({
    line: scanner.line,
    kind: 'register-read',
    register: scanner.name('a register'),
    index: scanner.integer('an index'),
  }),
  register_write: (scanner) => ({
    line: scanner.line,
    kind: 'register-write',
    register: scanner.name('a register'),
    index: scanner.integer('an index'),
    value: scanner.plainNumeral('a value'),
  }),
  register_reset: (scanner) => ({
    line: scanner.line,
    kind: 'register-reset',
    register: scanner.name('a register'),
  }),
  meter_get_rates: (scanner) => ({
    line: scanner.line,
    kind: 'meter-get',
    meter: scanner.name('a meter'),
    index: scanner.integer('an index'),
  }),
  meter_set_rates: (scanner) => ({
    line: scanner.line,
    kind: 'meter-set',
    meter: scanner.name('a meter'),
    index: scanner.integer('an index'),
    committed: parseBucket(scanner),
    peak: parseBucket(scanner),
  }),
  meter_array_set_rates: (scanner) => ({
    line: scanner.line,
    kind: 'meter-set',
    meter: scanner.name('a meter'),
    index: undefined,
    committed: parseBucket(scanner),
    peak: parseBucket(scanner),
  }),
};

function parseStatement(scanner: Scanner): Statement {
  const word = scanner.expect(/\w+/y, 'a command');
  const parser = Object.hasOwn(parsers, word.toLowerCase()) ? parsers[word.toLowerCase()] : undefined;
  if (parser === undefined) {
    throw scanner.errorBefore(
      `there is no command '${word}'; commands are ${Object.keys(parsers).join(', ')}`,
    );
  }
  const statement = parser(scanner);
  if (!scanner.isAtEnd) throw scanner.error('the line should end here');
  return statement;
}

function parseAdd(scanner: Scanner): Statement {
  const { line } = scanner;
  const table = scanner.name('a table');
  const priorityText = scanner.take(/\d+(?=\s)/y);
  const priority = priorityText === undefined ? undefined : Number(priorityText);
  const key: Match[] = [];
  for (;;) {
    const name = scanner.name('a key field or an action');
    if (scanner.take(/:/y) === undefined) {
      const action = parseCall(scanner, name);
      const entry = { line, kind: 'add', table, priority, key, action } as const;
      return scanner.take(/=/y) === undefined ? entry : { ...entry, label: scanner.name('a label') };
    }
    const value = scanner.numeral('a value');
    const prefixLength = scanner.take(/\//y) === undefined ? undefined : scanner.integer('a prefix length');
    key.push({ name, value, prefixLength });
  }
}

function parseCall(scanner: Scanner, name: string): Call {
  scanner.expect(/\(/y, `'(' after the action ${name}`);
  const given: Call['arguments'] = [];
  if (scanner.take(/\)/y) !== undefined) return { name, arguments: given };
  do {
    const parameter = scanner.name('a parameter');
    scanner.expect(/:/y, `':' after the parameter ${parameter}`);
    given.push({ name: parameter, value: scanner.numeral('a value without wildcards') });
  } while (scanner.take(/,/y) !== undefined);
  scanner.expect(/\)/y, "')' or ','");
  return { name, arguments: given };
}

function parsePacket(scanner: Scanner): Statement {
  const port = scanner.decimal('a port');
  const data = scanner.expect(/[0-9a-fA-F\s]+/y, 'the packet in hex').replace(/\s+/g, '');
  if (data.length % 2 !== 0) {
    throw scanner.errorBefore(`a packet is whole bytes, this is ${data.length} hex digits`);
  }
  if (data.length / 2 > stfLimits.packetBytesMax) {
    throw scanner.errorBefore(`${data.length / 2} bytes; a packet has at most ${stfLimits.packetBytesMax}`);
  }
  return { line: scanner.line, kind: 'packet', port, data };
}

function parseExpect(scanner: Scanner): Statement {
  const { line } = scanner;
  const port = scanner.decimal('a port');
  const data = scanner.take(/[0-9a-fA-F*\s]+/y)?.replace(/\s+/g, '') ?? '';
  const isExact = scanner.take(/\$/y) !== undefined;
  return { line, kind: 'expect', port, data: data === '' && !isExact ? undefined : data, isExact };
}

function parseCheckCounter(scanner: Scanner): Statement {
  const { line } = scanner;
  const counter = scanner.name('a counter');
  scanner.expect(/\(/y, "'(' and the index or the label of an entry");
  const label = scanner.take(/\$?[A-Za-z_][\w]*/y);
  const cell = label === undefined ? scanner.integer('an index') : label.replace(/^\$/, '');
  scanner.expect(/\)/y, "')'");
  if (scanner.isAtEnd) return { line, kind: 'check-counter', counter, cell };
  const unit = scanner.expect(/(packets|bytes)\b/iy, "'packets' or 'bytes'").toLowerCase();
  const comparison = scanner.expect(/[=!<>]=|[<>]/y, 'a comparison: ==, !=, <, <=, > or >=');
  const check: CounterCheck = {
    unit: unit as CounterCheck['unit'],
    comparison: comparison as Comparison,
    number: scanner.plainNumeral('a number'),
  };
  return { line, kind: 'check-counter', counter, cell, check };
}

function parsePorts(scanner: Scanner): number[] {
  const ports = [scanner.integer('a port')];
  while (!scanner.isAtEnd) ports.push(scanner.integer('a port'));
  return ports;
}

function parseBucket(scanner: Scanner): Bucket {
  const perMicrosecond = Number(scanner.expect(/\d+(\.\d+)?/y, 'a rate per microsecond'));
  scanner.expect(/:/y, "':' and the burst");
  return { perMicrosecond, burst: scanner.integer('a burst') };
}

class LineError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

const identifier = String.raw`(?:[A-Za-z_$][\w$]*(?:\[\d+\])?)`;
const namePattern = new RegExp(String.raw`"[^"]+"|${identifier}(?:\.${identifier})*`, 'y');
const numeralPattern = /0[xX][0-9a-fA-F*]+|0[bB][01*]+|0[oO][0-7*]+|\d+/y;
const bitsPerDigit: Readonly<Record<string, number>> = { x: 4, o: 3, b: 1 };

/** Reads one line from left to right; blanks before an item do not matter. */
class Scanner {
  readonly line: number;
  readonly #text: string;
  #at = 0;
  #before = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.line = line;
    this.#skipBlanks();
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#before = this.#at;
    this.#at += found.length;
    this.#skipBlanks();
    return found;
  }

  expect(sticky: RegExp, what: string): string {
    const found = this.take(sticky);
    if (found === undefined) throw this.error(`expected ${what}`);
    return found;
  }

  name(what: string): string {
    return this.expect(namePattern, `the name of ${what}`).replace(/^"(.*)"$/, '$1');
  }

  numeral(what: string): Numeral {
    const text = this.expect(numeralPattern, what);
    const bits = bitsPerDigit[text[1]?.toLowerCase() ?? ''];
    if (bits === undefined) return { text, value: BigInt(text), mask: undefined };
    const digits = text.slice(2);
    const all = (1n << BigInt(bits)) - 1n;
    const mask = [...digits].reduce((sum, digit) => (sum << BigInt(bits)) | (digit === '*' ? 0n : all), 0n);
    return { text, value: BigInt(text.slice(0, 2).toLowerCase() + digits.replaceAll('*', '0')), mask };
  }

  plainNumeral(what: string): bigint {
    const { text, value } = this.numeral(what);
    if (text.includes('*')) throw this.errorBefore(`${text}: wildcards have no meaning here`);
    return value;
  }

  integer(what: string): number {
    const value = this.plainNumeral(what);
    if (value > 0xffffffffn) throw this.errorBefore(`${value} is more than 32 bits`);
    return Number(value);
  }

  /** Before packet data a number is always decimal, and ends at a blank. */
  decimal(what: string): number {
    const text = this.expect(/\d+(?=\s|$)/y, what);
    if (Number(text) > 0xffffffff) throw this.errorBefore(`${text} is more than 32 bits`);
    return Number(text);
  }

  error(message: string): LineError {
    return this.#errorAt(this.#at, message);
  }

  /** Of what was taken last. */
  errorBefore(message: string): LineError {
    return this.#errorAt(this.#before, message);
  }

  #errorAt(at: number, message: string): LineError {
    const found = this.#text.slice(at, at + 20).trim();
    const what = found === '' ? 'the line ends' : `found '${found}'`;
    return new LineError({ line: this.line, column: at + 1, message: `${message} (${what})` });
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at]!)) this.#at++;
  }
}
