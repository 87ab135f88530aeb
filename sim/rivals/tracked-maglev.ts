// SPDX-License-Identifier: Apache-2.0
/**
 * Maglev with a table of all connections; the least recently used one makes room.
 *
 * Source: "Maglev", NSDI 2016, section 3.3 (each thread's connection table); that a connection's end frees its entry is how
 * JET's replay (github.com/anchorhash/jetlb) treats full tracking. Without it 25,000 entries would hold five seconds of flows.
 */

import type { FlowTable } from '../workload/flow-table.ts';
import { FIN, type PacketKind } from '../workload/traffic.ts';
import type { MaglevTables } from './maglev-tables.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

const NONE = -1;

export class TrackedMaglev implements System {
  readonly name: string;
  readonly #flows: FlowTable;
  readonly #tables: MaglevTables;
  readonly #capacity: number;
  /** Who has room for all need not know who was used last. */
  readonly #isBounded: boolean;
  #table: Uint16Array;
  readonly #server: Int16Array;
  /** A ring through `#end`: what follows it was used last, what precedes it makes room first. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #end: number;
  #size = 0;

  /** @param capacity  entries; Infinity for as many as there are flows */
  constructor(flows: FlowTable, tables: MaglevTables, capacity: number) {
    this.name =
      capacity === Number.POSITIVE_INFINITY
        ? 'Maglev, all tracked'
        : `Maglev, LRU of ${capacity.toLocaleString('en')}`;
    this.#flows = flows;
    this.#tables = tables;
    this.#capacity = capacity;
    this.#isBounded = capacity < flows.capacity;
    this.#table = tables.current;
    this.#server = new Int16Array(flows.capacity).fill(NONE);
    this.#next = new Int32Array(flows.capacity + 1);
    this.#previous = new Int32Array(flows.capacity + 1);
    this.#end = flows.capacity;
    this.failOver();
  }

  packet(flow: number, kind: PacketKind): number {
    let server = this.#server[flow]!;
    if (server === NONE) {
      server = this.#table[this.#flows.slot[flow]!]!;
      if (this.#size >= this.#capacity) this.#remove(this.#previous[this.#end]!);
      this.#size++;
      this.#server[flow] = server;
    } else if (this.#isBounded) {
      this.#unlink(flow);
    }
    if (this.#isBounded) this.#linkFirst(flow);
    if (kind === FIN) this.#remove(flow);
    return server;
  }

  serverDown(): void {
    this.#table = this.#tables.current;
  }

  serverUp(): void {
    this.#table = this.#tables.current;
  }

  reset(flow: number): void {
    if (this.#server[flow] !== NONE) this.#remove(flow);
  }

  failOver(): void {
    this.#server.fill(NONE);
    this.#next[this.#end] = this.#end;
    this.#previous[this.#end] = this.#end;
    this.#size = 0;
  }

  state(): SystemState {
    return { ...NO_STATE, held: this.#size, live: this.#size };
  }

  #remove(flow: number): void {
    if (this.#isBounded) this.#unlink(flow);
    this.#server[flow] = NONE;
    this.#size--;
  }

  #unlink(flow: number): void {
    const next = this.#next[flow]!;
    const previous = this.#previous[flow]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #linkFirst(flow: number): void {
    const first = this.#next[this.#end]!;
    this.#next[flow] = first;
    this.#previous[flow] = this.#end;
    this.#previous[first] = flow;
    this.#next[this.#end] = flow;
  }
}
