// SPDX-License-Identifier: Apache-2.0
/**
 * Traces of packets as they pass: each is parsed once more than it would be, asked about by filters, and traced if one
 * of them wants it. Without watches none of this happens.
 */

import { abandoned } from '../abandon.ts';
import { writeField } from '../interpreter/fields.ts';
import { frameBytesMax, slots } from '../layout.ts';
import type { Memory } from '../memory.ts';
import type { Program } from '../program.ts';
import type { Stages } from '../stages.ts';
import { type Filter, type FilterProblem, parseFilter } from './filter.ts';
import type { PacketTrace } from './trace.ts';

export interface WatchRequest {
  filter: string;
  /** Traces in one second at most; what else fits the filter is counted. */
  perSecond: number;
  /** The watch ends with this many. */
  total: number;
}

export const watchDefaults = { perSecond: 20, total: 1000 } as const;

/** More are refused: each costs every packet. */
export const watchesMax = 8;

/** Something to tell whoever watches. */
export interface WatchReport {
  watch: number;
  trace: PacketTrace | undefined;
  /** Packets that fitted and were not told, since the last report. */
  skipped: number;
  /** Why this is the last report; undefined: it is not. */
  ended: string | undefined;
}

interface Watch {
  id: number;
  filter: Filter;
  perSecond: number;
  left: number;
  skipped: number;
  /** The second in which `taken` were taken. */
  second: number;
  taken: number;
}

/** The parts of a pipeline a packet takes when somebody watches. */
export interface Watched {
  process(port: number, frame: Uint8Array, nowMicros: number): void;
  trace(port: number, frame: Uint8Array, nowMicros: number): PacketTrace;
  report(report: WatchReport): void;
}

const microsPerSecond = 1_000_000;

export class Watching {
  private readonly program: Program;
  /** A packet's memory of its own: nobody sees what is tried out here. */
  private readonly memory: Memory;
  private readonly stages: Stages;
  private readonly watched: Watched;
  private watches: Watch[] = [];

  /** @param stages  over `memory`, silent */
  constructor(program: Program, memory: Memory, stages: Stages, watched: Watched) {
    this.program = program;
    this.memory = memory;
    this.stages = stages;
    this.watched = watched;
  }

  get isIdle(): boolean {
    return this.watches.length === 0;
  }

  /** @returns what is wrong with the filter, or that there are too many */
  add(id: number, { filter: text, perSecond, total }: WatchRequest): FilterProblem | undefined {
    if (this.watches.length >= watchesMax) {
      return { column: 0, message: `there are ${watchesMax} watches already` };
    }
    const parsed = parseFilter(text, this.program);
    if ('problem' in parsed) return parsed.problem;
    const { filter } = parsed;
    this.watches.push({ id, filter, perSecond, left: total, skipped: 0, second: 0, taken: 0 });
    return undefined;
  }

  remove(id: number): void {
    this.watches = this.watches.filter((watch) => watch.id !== id);
  }

  process(port: number, frame: Uint8Array, nowMicros: number): void {
    const takers = this.takers(port, frame, nowMicros);
    if (takers.length === 0) {
      this.watched.process(port, frame, nowMicros);
      return;
    }
    const trace = this.watched.trace(port, frame, nowMicros);
    for (const watch of takers) {
      watch.left -= 1;
      const ended = watch.left === 0 ? 'as many packets were traced as were asked for' : undefined;
      this.watched.report({ watch: watch.id, trace, skipped: watch.skipped, ended });
      watch.skipped = 0;
      if (ended !== undefined) this.remove(watch.id);
    }
  }

  /** Watches that the packet fits and that have traces left in this second. */
  private takers(port: number, frame: Uint8Array, nowMicros: number): Watch[] {
    if (!this.parse(port, frame)) return [];
    const second = Math.floor(nowMicros / microsPerSecond);
    return this.watches.filter((watch) => {
      if (!watch.filter(this.memory)) return false;
      if (watch.second !== second) {
        watch.second = second;
        watch.taken = 0;
      }
      if (watch.taken >= watch.perSecond) {
        watch.skipped += 1;
        return false;
      }
      watch.taken += 1;
      return true;
    });
  }

  /** @returns false when there is nothing to ask about */
  private parse(port: number, frame: Uint8Array): boolean {
    if (frame.length > frameBytesMax) return false;
    const { memory, program } = this;
    const { F, A, headroom } = memory;
    F.fill(0);
    A.set(frame, headroom);
    F[slots.end] = headroom + frame.length;
    F[slots.length] = frame.length;
    F[slots.receivedLength] = frame.length;
    writeField(memory, program.standard.packetLength, BigInt(frame.length));
    writeField(memory, program.standard.ingressPort, BigInt(port));
    try {
      this.stages.parse();
      this.stages.verify();
      return true;
    } catch (cause) {
      if (cause !== abandoned) throw cause;
      return false;
    }
  }
}
