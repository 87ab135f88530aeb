// SPDX-License-Identifier: Apache-2.0
/**
 * Maglev Hashing Stateless: IPVS with two tables. Where both agree a slot is stable and nothing is remembered; where they
 * differ, a SYN goes by the candidate table and anything else by the old one, and either gets an entry.
 *
 * Source: github.com/kndrvt/mhs, patch to Linux's IPVS. The timer of a slot starts when it becomes unstable, a further
 * change does not restart it, a return to the old server ends it; when it has run out, the next packet of the slot merges.
 * Destinations are sorted, so the table depends on the set alone.
 */

import type { Millis } from '../../controller/core/event.ts';
import type { FlowTable } from '../workload/flow-table.ts';
import { FIN, type PacketKind, SYN } from '../workload/traffic.ts';
import { Entries } from './entries.ts';
import { ipvsTimeouts } from './ipvs-mh.ts';
import type { MaglevTables } from './maglev-tables.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

const STABLE = Number.POSITIVE_INFINITY;

export class Mhs implements System {
  readonly name = 'MHS';
  readonly #flows: FlowTable;
  readonly #tables: MaglevTables;
  readonly #entries: Entries;
  readonly #timeoutMs: number;
  readonly #old: Uint16Array;
  #candidate: Uint16Array;
  /** Per slot, when its timer runs out; STABLE: it has none. */
  readonly #mergeAt: Float64Array;

  constructor(flows: FlowTable, tables: MaglevTables, timeouts = ipvsTimeouts) {
    this.#flows = flows;
    this.#tables = tables;
    this.#candidate = tables.current;
    this.#old = tables.current.slice();
    this.#entries = new Entries(flows.capacity, timeouts);
    this.#timeoutMs = Math.max(timeouts.idleMs, timeouts.finMs);
    this.#mergeAt = new Float64Array(tables.slotCount).fill(STABLE);
  }

  packet(flow: number, kind: PacketKind, now: Millis): number {
    const server = this.#entries.use(flow, now) ?? this.#schedule(flow, kind, now);
    if (kind === FIN) this.#entries.finish(flow, now);
    return server;
  }

  serverDown(_server: number, now: Millis): void {
    this.#change(now);
  }

  serverUp(_server: number, now: Millis): void {
    this.#change(now);
  }

  reset(flow: number, now: Millis): void {
    this.#entries.reset(flow, now);
  }

  failOver(): void {
    this.#entries.clear();
  }

  state(now: Millis): SystemState {
    let unstableSlots = 0;
    for (const mergeAt of this.#mergeAt) if (mergeAt !== STABLE) unstableSlots++;
    return { ...NO_STATE, held: this.#entries.held(now), live: this.#entries.live, unstableSlots };
  }

  #schedule(flow: number, kind: PacketKind, now: Millis): number {
    const slot = this.#flows.slot[flow]!;
    const mergeAt = this.#mergeAt[slot]!;
    if (mergeAt === STABLE) return this.#old[slot]!;
    if (mergeAt <= now) {
      this.#old[slot] = this.#candidate[slot]!;
      this.#mergeAt[slot] = STABLE;
      return this.#old[slot]!;
    }
    const server = kind === SYN ? this.#candidate[slot]! : this.#old[slot]!;
    this.#entries.add(flow, server, now);
    return server;
  }

  #change(now: Millis): void {
    this.#candidate = this.#tables.current;
    for (let slot = 0; slot < this.#old.length; slot++) {
      if (this.#candidate[slot] === this.#old[slot]) this.#mergeAt[slot] = STABLE;
      else if (this.#mergeAt[slot] === STABLE) this.#mergeAt[slot] = now + this.#timeoutMs;
    }
  }
}
