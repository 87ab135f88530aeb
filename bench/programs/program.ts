// SPDX-License-Identifier: Apache-2.0
/** A P4 program as the benchmarks use it: what is pushed, what is written into its tables, and what is sent through it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EntryCodec, type EntryInput } from '../../p4runtime/entries.ts';
import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../p4runtime/p4info.ts';
import type { Flows } from '../traffic/flows.ts';

export interface BenchProgram {
  name: string;
  p4info: P4Info;
  /** BMv2's JSON. */
  deviceConfig: Uint8Array;
  updates: readonly Update[];
  /** Of the traffic that is measured. */
  flows(frameBytes: number): Flows;
  /** Whether a frame that came out is what the program should have made of those flows. */
  isForwarded(frame: Uint8Array): boolean;
}

export const flowCount = 1000;

/** @param base  path of the two files without `.json` and `.p4info.txtpb`, from the root of the repository */
export function readProgram(base: string): Pick<BenchProgram, 'p4info' | 'deviceConfig'> {
  const path = join(repositoryRoot(), base);
  const infoPath = `${path}.p4info.txtpb`;
  return {
    p4info: parseP4Info(readFileSync(infoPath), infoPath),
    deviceConfig: readFileSync(`${path}.json`),
  };
}

export function insertsOf(p4info: P4Info, entries: readonly EntryInput[]): Update[] {
  const codec = new EntryCodec(new P4InfoIndex(p4info));
  return entries.map((entry) => codec.insert(entry));
}

function repositoryRoot(): string {
  const isCompiled = import.meta.filename.endsWith('.js');
  return join(import.meta.dirname, isCompiled ? '../../..' : '../..');
}
