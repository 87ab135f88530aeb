// SPDX-License-Identifier: Apache-2.0
/**
 * What the experiment's processes say to each other. Over TCP, lines: 'NUMBER COST' asks, with the cost in milliseconds of a CPU, and
 * 'NUMBER NAME' answers, NAME being the server's. Beside that, JSON lines to and from the experiment (host-process.ts).
 */
import type { LatencyQuantiles } from '../../sim/load/requests-world.ts';

export type ServerReport =
  | { kind: 'ready' }
  /** Every second. `busyMs`: of all its CPUs, since it began. */
  | { kind: 'load'; load: number; busyMs: number; open: number };

export type ClientCommand = { kind: 'lap'; label: string } | { kind: 'stop' };

export type ClientReport =
  | { kind: 'ready' }
  | { kind: 'summary'; summary: ClientSummary }
  | { kind: 'broken'; broken: BrokenUser }
  /** Since the lap before, by server. */
  | { kind: 'lap'; label: string; latencies: Record<string, LatencyQuantiles> };

export interface ClientSummary {
  open: number;
  opened: number;
  finished: number;
  broken: number;
  answers: number;
}

/** A connection that ended otherwise than its user wanted. */
export interface BrokenUser {
  reason: string;
  /** Undefined before the first answer. */
  server: string | undefined;
  ageMs: number;
}

/** Cuts what arrives into lines. */
export class LineReader {
  #rest = '';

  /** @throws Error when a line does not end: nobody here has so much to say */
  read(bytes: Uint8Array): string[] {
    const lines = (this.#rest + Buffer.from(bytes).toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > lineLengthMax) throw new Error('a line without end');
    return lines;
  }
}

const lineLengthMax = 200;
