// SPDX-License-Identifier: Apache-2.0
/** A program to JavaScript text, and that text to functions. */

import { abandoned } from './abandon.ts';
import type { EmitOptions } from './emit-action.ts';
import { inputBits } from './emit-calculation.ts';
import { emitActionFunction, emitControl, type TablePlan } from './emit-control.ts';
import { emitDeparser, emitUpdate, emitVerify } from './emit-deparser.ts';
import { emitParser } from './emit-parser.ts';
import { CodeLimitError, Emitter } from './emitter.ts';
import { crc16, crc32, csum16, foldedComplement, sum16, xor16 } from './hashes.ts';
import { frameBytesMax, slackBytes } from './layout.ts';
import type { Memory } from './memory.ts';
import { ProgramError } from './pipeline.ts';
import type { Program } from './program.ts';
import type { Stages } from './stages.ts';
import { emitFind } from './tables/lookup.ts';

/** Who hears of what a program has to say. */
export interface Speaker {
  diagnostic(what: string): void;
  log(text: string): void;
}

/** A program as JavaScript text, checked but not yet run. */
export interface Generated {
  source: string;
  /** Turns the text into functions over the memory it was generated for, or over one of the same shape. */
  stages(memory?: Memory, speaker?: Speaker): Stages;
}

/** @throws ProgramError for what validation could not see: values without bound, code without end */
export function generate(program: Program, memory: Memory, dropPort: number, speaker: Speaker): Generated {
  const problems = new Set<string>();
  const options: EmitOptions = { dropPort, problem: (what) => problems.add(what) };
  const plans = new Map<number, TablePlan>(
    program.tables.map((table) => [
      table.id,
      {
        table,
        key: memory.tables.get(table.id)!.plan,
        stride: memory.tables.get(table.id)!.stride,
      },
    ]),
  );
  const source = withinLimits(() => emitProgram(program, plans, memory.headroom, options));
  if (problems.size > 0) throw new ProgramError([...problems]);
  const scratchBytes = Math.ceil(scratchBits(program) / 8) + frameBytesMax + slackBytes;
  const stages = (over = memory, to = speaker) =>
    new Function('library', 'memory', source)(library(over, scratchBytes, to), over) as Stages;
  return { source, stages };
}

/** @throws ProgramError where the code has no end */
function withinLimits<T>(emit: () => T): T {
  try {
    return emit();
  } catch (cause) {
    if (cause instanceof CodeLimitError)
      throw new ProgramError([`the program is too large: ${cause.message}`]);
    throw cause;
  }
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
  out.line('const { log, abandon, outside, bigRandom, sameNumber } = library;');
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
  emitDeparser(program, options, out);
  out.line('return { parse, verify, ingress, egress, update, deparse };');
  return out.toString();
}

/** Bits of the largest input of a calculation, without payload. */
function scratchBits({ calculations, checksums, profiles }: Program): number {
  const all = [
    ...calculations,
    ...checksums.map(({ calculation }) => calculation),
    ...profiles.flatMap(({ selector }) => selector ?? []),
  ];
  return all.reduce((most, calculation) => Math.max(most, inputBits(calculation)), 0);
}

/** What generated code calls. */
function library(memory: Memory, scratchBytes: number, { diagnostic, log }: Speaker) {
  const { F, V, clock } = memory;
  const S = new Uint8Array(scratchBytes);
  return {
    S,
    clock,
    diagnostic,
    log,
    /** The packet ends here. */
    abandon: (what: string): never => {
      diagnostic(what);
      throw abandoned;
    },
    /** The place of what is not there. */
    outside: (what: string): 0 => {
      diagnostic(what);
      return 0;
    },
    crc16,
    crc32,
    csum16,
    xor16,
    sum16,
    foldedComplement,
    random: memory.random,
    bigRandom: memory.bigRandom,
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
    /** Two varbit fields as numbers: places in `V` and bytes. */
    sameNumber: (left: number, leftBytes: number, right: number, rightBytes: number): boolean => {
      for (let back = 1; back <= leftBytes || back <= rightBytes; back++) {
        const leftByte = back > leftBytes ? 0 : V[left + leftBytes - back];
        const rightByte = back > rightBytes ? 0 : V[right + rightBytes - back];
        if (leftByte !== rightByte) return false;
      }
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
