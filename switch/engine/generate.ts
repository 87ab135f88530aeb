// SPDX-License-Identifier: Apache-2.0
/** A program to JavaScript text, and that text to functions. */

import type { EmitOptions } from './emit-action.ts';
import { dataWords, emitActionFunction, emitControl, parameterPlan, type TablePlan } from './emit-control.ts';
import { emitDeparser, emitUpdate, emitVerify, headerBytesMax } from './emit-deparser.ts';
import { emitParser } from './emit-parser.ts';
import { Emitter } from './emitter.ts';
import { crc16, crc32, csum16, foldedComplement, sum16, xor16 } from './hashes.ts';
import { frameBytesMax, slackBytes } from './layout.ts';
import { ProgramError, throughGroup, throughMember } from './pipeline.ts';
import type { Action, Program } from './program.ts';
import { ActionProfileState } from './tables/action-profile.ts';
import { planKey } from './tables/key.ts';
import { emitFind } from './tables/lookup.ts';
import { Meters } from './tables/meters.ts';
import { type DataPlan, TableState } from './tables/table-state.ts';

/** What the generated functions work on. */
export interface Memory {
  /** The words of the packet (layout.ts). */
  F: Uint32Array;
  /** The bytes of the packet, from `headroom` on. */
  A: Uint8Array;
  /** The bytes of varbit fields. */
  V: Uint8Array;
  /** Now, in microseconds. */
  clock: Float64Array;
  headroom: number;
  tables: ReadonlyMap<number, TableState>;
  counters: ReadonlyMap<number, { packets: Float64Array; bytes: Float64Array }>;
  registers: ReadonlyMap<number, Uint32Array>;
  profiles: ReadonlyMap<number, ActionProfileState>;
  meters: ReadonlyMap<number, Meters>;
  /** By table; a meter has the number of its entry's row. */
  directMeters: ReadonlyMap<number, Meters>;
}

export interface GeneratedCode {
  source: string;
  parse(): void;
  verify(): void;
  ingress(): void;
  egress(): void;
  update(): void;
  deparse(): number;
}

/** @throws ProgramError for what validation could not see: values without bound, jumps into loops */
export function generate(
  program: Program,
  dropPort: number,
  diagnostic: (what: string) => void,
): { code: GeneratedCode; memory: Memory } {
  const problems = new Set<string>();
  const options: EmitOptions = { dropPort, problem: (what) => problems.add(what) };
  const plans = new Map<number, TablePlan>(
    program.tables.map((table) => [
      table.id,
      {
        table,
        key: planKey(table.key),
        stride: table.profile ? 1 : Math.max(0, ...table.actions.map(dataWords)),
      },
    ]),
  );
  const memory = allocate(program, plans, diagnostic);
  const source = emitProgram(program, plans, memory.headroom, options);
  if (problems.size > 0) throw new ProgramError([...problems]);
  const functions = new Function('library', 'memory', source)(library(memory, diagnostic), memory);
  return { code: { source, ...functions }, memory };
}

/** Entries of a table with an action profile hold a handle. */
const referencePlan: DataPlan = new Map(
  [throughMember, throughGroup].map((reference) => [reference, [{ at: 0, width: 32 }]]),
);

function allocate(
  program: Program,
  plans: ReadonlyMap<number, TablePlan>,
  diagnostic: (what: string) => void,
): Memory {
  const headroom = Math.ceil(headerBytesMax(program) / 8) * 8;
  return {
    F: new Uint32Array(program.wordCount),
    A: new Uint8Array(headroom + frameBytesMax + slackBytes),
    V: new Uint8Array(program.varbitByteCount),
    clock: new Float64Array(1),
    headroom,
    tables: new Map(
      [...plans.values()].map(({ table, key, stride }) => {
        const dataPlan = table.profile ? referencePlan : dataPlanOf(table.actions);
        return [table.id, new TableState(table.name, key, stride, dataPlan)];
      }),
    ),
    counters: new Map(
      program.counters
        .filter((counter) => !counter.isDirect)
        .map(({ id, size }) => [
          id,
          {
            packets: new Float64Array(size),
            bytes: new Float64Array(size),
          },
        ]),
    ),
    registers: new Map(
      program.registers.map(({ id, size, width }) => [id, new Uint32Array(size * Math.ceil(width / 32))]),
    ),
    profiles: new Map(
      program.profiles.map(({ id, name, actions }) => {
        const stride = Math.max(0, ...actions.map(dataWords));
        return [id, new ActionProfileState(name, stride, dataPlanOf(actions), diagnostic)];
      }),
    ),
    meters: new Map(program.meters.filter(({ isDirect }) => !isDirect).map(({ id }) => [id, new Meters()])),
    directMeters: new Map(
      program.tables.filter(({ directMeter }) => directMeter).map(({ id }) => [id, new Meters()]),
    ),
  };
}

function dataPlanOf(actions: readonly Action[]): DataPlan {
  return new Map(actions.map((action) => [action.id, parameterPlan(action)]));
}

function emitProgram(
  program: Program,
  plans: ReadonlyMap<number, TablePlan>,
  headroom: number,
  options: EmitOptions,
): string {
  const out = new Emitter();
  out.line("'use strict';");
  out.line('const { F, A, V } = memory;');
  out.line('const D = new DataView(A.buffer);');
  out.line('const { S, clock, diagnostic, random, divide, modulo, bigOperation, sameWords } = library;');
  out.line('const { crc16, crc32, csum16, xor16, sum16, foldedComplement } = library;');
  out.line('const { appendBits, appendBytes, bigEndian } = library;');
  out.line('const SD = new DataView(S.buffer);');
  for (const id of plans.keys()) out.line(`const table_${id} = memory.tables.get(${id});`);
  for (const { id, isDirect } of program.counters) {
    if (!isDirect) out.line(`const counter_${id} = memory.counters.get(${id});`);
  }
  for (const { id } of program.registers) out.line(`const register_${id} = memory.registers.get(${id});`);
  for (const { id } of program.profiles) out.line(`const profile_${id} = memory.profiles.get(${id});`);
  for (const { id, isDirect } of program.meters) {
    if (!isDirect) out.line(`const meter_${id} = memory.meters.get(${id});`);
  }
  for (const { id, directMeter } of program.tables) {
    if (directMeter) out.line(`const meter_of_table_${id} = memory.directMeters.get(${id});`);
  }
  out.line('');
  emitParser(program, headroom, options, out);
  emitVerify(program, options, out);
  for (const { table, key } of plans.values()) if (key.search !== 'none') emitFind(table.id, key, out);
  const used = new Set(program.tables.flatMap((table) => table.actions));
  for (const action of used) if (action.primitives.length > 0) emitActionFunction(action, options, out);
  emitControl(program.ingress, plans, options, out);
  emitControl(program.egress, plans, options, out);
  emitUpdate(program, options, out);
  emitDeparser(program, out);
  out.line('return { parse, verify, ingress, egress, update, deparse };');
  return out.toString();
}

/** What generated code calls. */
function library(memory: Memory, diagnostic: (what: string) => void) {
  const { F, clock } = memory;
  // Calculations over everything: all headers, all varbit bytes and a payload.
  const S = new Uint8Array(4 * F.length + memory.V.length + frameBytesMax + slackBytes);
  let randomState = 0x2545f491;
  const next = () => {
    // Marsaglia's xorshift, period 2^32 - 1. The sequence is fixed: a replayed run gives the same packets.
    randomState ^= randomState << 13;
    randomState ^= randomState >>> 17;
    randomState ^= randomState << 5;
    return randomState >>> 0;
  };
  return {
    S,
    clock,
    diagnostic,
    crc16,
    crc32,
    csum16,
    xor16,
    sum16,
    foldedComplement,
    random: (low: number, high: number): number => low + Math.floor((next() / 2 ** 32) * (high - low + 1)),
    divide: (dividend: number, divisor: number): number => {
      if (divisor !== 0) return Math.floor(dividend / divisor);
      diagnostic('division by zero');
      return 0;
    },
    modulo: (dividend: number, divisor: number): number => {
      if (divisor !== 0) return dividend % divisor;
      diagnostic('modulo by zero');
      return 0;
    },
    bigOperation: (operator: '*' | '/' | '%', left: bigint, right: bigint): bigint => {
      if (operator === '*') return left * right;
      if (right !== 0n) return operator === '/' ? left / right : left % right;
      diagnostic(operator === '/' ? 'division by zero' : 'modulo by zero');
      return 0n;
    },
    sameWords: (left: number, right: number, count: number): boolean => {
      for (let index = 0; index < count; index++) if (F[left + index] !== F[right + index]) return false;
      return true;
    },
    appendBits,
    appendBytes,
    bigEndian,
  };
}

/** Writes the low `width` bits of `value` at bit `at`; @returns the bit behind them. */
function appendBits(bytes: Uint8Array, at: number, value: number, width: number): number {
  for (let bit = width - 1; bit >= 0; bit--) {
    const place = at + width - 1 - bit;
    const mask = 0x80 >>> (place & 7);
    // The first bit of a byte clears what an earlier packet left there.
    const before = (place & 7) === 0 ? 0 : bytes[place >>> 3]!;
    bytes[place >>> 3] = (value >>> bit) & 1 ? before | mask : before & ~mask;
  }
  return at + width;
}

/** Writes bytes [from, to) of `source` at bit `at`; @returns the bit behind them. */
function appendBytes(bytes: Uint8Array, at: number, source: Uint8Array, from: number, to: number): number {
  if ((at & 7) === 0) {
    for (let index = from; index < to; index++) bytes[(at >>> 3) + index - from] = source[index]!;
    return at + 8 * (to - from);
  }
  let bit = at;
  for (let index = from; index < to; index++) bit = appendBits(bytes, bit, source[index]!, 8);
  return bit;
}

/** Up to four bytes as a number. */
function bigEndian(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index++) value = value * 256 + bytes[index]!;
  return value;
}
