// SPDX-License-Identifier: Apache-2.0
/** Everything a program works on: the packet in hand, and what outlives it. */

import { frameBytesMax, slackBytes } from './layout.ts';
import { type HashFunction, hashFunctionOf } from './more-hashes.ts';
import { throughGroup, throughMember } from './pipeline.ts';
import type { Action, Program } from './program.ts';
import { ActionProfileState } from './tables/action-profile.ts';
import { planKey } from './tables/key.ts';
import { Meters } from './tables/meters.ts';
import { type DataPlan, TableState } from './tables/table-state.ts';
import { ValueSetState } from './tables/value-set.ts';

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
  /** By calculation, for those generated code has no better way for. */
  hashes: ReadonlyMap<string, HashFunction>;
  /** By id. */
  valueSets: ReadonlyMap<number, ValueSetState>;
  /** A whole number from `low` to `high`, both included. */
  random(low: number, high: number): number;
  /** The same for 64 bits; where 32 are enough, the same number as `random`. */
  bigRandom(low: bigint, high: bigint): bigint;
}

/** Entries of a table with an action profile hold a handle. */
const referencePlan: DataPlan = new Map(
  [throughMember, throughGroup].map((reference) => [reference, [{ at: 0, width: 32 }]]),
);

export function allocate(program: Program, diagnostic: (what: string) => void): Memory {
  const headroom = Math.ceil(headerBytesMax(program) / 8) * 8;
  return {
    F: new Uint32Array(program.wordCount),
    A: new Uint8Array(headroom + frameBytesMax + slackBytes),
    V: new Uint8Array(program.varbitByteCount),
    clock: new Float64Array(1),
    headroom,
    tables: new Map(
      program.tables.map(({ id, name, key, profile, actions }) => {
        const stride = profile ? 1 : strideOf(actions);
        const dataPlan = profile ? referencePlan : dataPlanOf(actions);
        return [id, new TableState(name, planKey(key), stride, dataPlan)];
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
        return [id, new ActionProfileState(name, strideOf(actions), dataPlanOf(actions), diagnostic)];
      }),
    ),
    meters: new Map(program.meters.filter(({ isDirect }) => !isDirect).map(({ id }) => [id, new Meters()])),
    directMeters: new Map(
      program.tables.filter(({ directMeter }) => directMeter).map(({ id }) => [id, new Meters()]),
    ),
    hashes: new Map(
      [...program.calculations, ...program.profiles.flatMap(({ selector }) => selector ?? [])].map(
        (calculation) => [calculation.name, hashFunctionOf(calculation)],
      ),
    ),
    valueSets: new Map(program.valueSets.map(({ id, name, width }) => [id, new ValueSetState(name, width)])),
    ...dice(),
  };
}

function dataPlanOf(actions: readonly Action[]): DataPlan {
  return new Map(actions.map((action) => [action.id, parameterPlan(action)]));
}

/** Where each parameter of an action stands in its data. */
export function parameterPlan(action: Action): { at: number; width: number }[] {
  let at = 0;
  return action.parameters.map(({ width }) => {
    const parameter = { at, width };
    at += Math.ceil(width / 32);
    return parameter;
  });
}

/** Words of data per row, for the action that takes most. */
function strideOf(actions: readonly Action[]): number {
  return Math.max(0, ...actions.map(dataWords));
}

/** Words of data an action takes. */
export function dataWords(action: Action): number {
  return action.parameters.reduce((sum, { width }) => sum + Math.ceil(width / 32), 0);
}

/** The most bytes the deparser can put in front of a payload. */
export function headerBytesMax({ deparserOrder }: Program): number {
  return deparserOrder.reduce((sum, { type }) => sum + type.bytes + type.varbitBytes, 0);
}

/** Numbers in a fixed sequence: a replayed run gives the same packets. */
function dice(): Pick<Memory, 'random' | 'bigRandom'> {
  let state = 0x2545f491;
  const next = () => {
    // Marsaglia's xorshift, period 2^32 - 1.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const random = (low: number, high: number) => low + Math.floor((next() / 2 ** 32) * (high - low + 1));
  return {
    random,
    bigRandom: (low, high) => {
      if (high <= 0xffffffffn) return BigInt(random(Number(low), Number(high)));
      const fraction = (BigInt(next()) << 32n) | BigInt(next());
      return low + ((fraction * (high - low + 1n)) >> 64n);
    },
  };
}
