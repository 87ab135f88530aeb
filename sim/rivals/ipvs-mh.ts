// SPDX-License-Identifier: Apache-2.0
/**
 * IPVS with its scheduler mh: a Maglev table chooses, and every connection gets an entry that outlives it.
 *
 * Source: Linux, net/netfilter/ipvs: ip_vs_mh.c, and the timeouts of ip_vs_proto_tcp.c (established 15 minutes, FIN_WAIT 2
 * minutes, CLOSE 10 seconds). A packet in the midst of a connection without an entry is balanced anew (sloppy_tcp=1); the
 * default drops it, which saves no connection either.
 */

import type { Millis } from '../../controller/core/event.ts';
import type { FlowTable } from '../workload/flow-table.ts';
import { FIN, type PacketKind } from '../workload/traffic.ts';
import { Entries, type EntryTimeouts } from './entries.ts';
import type { MaglevTables } from './maglev-tables.ts';
import { NO_STATE, type System, type SystemState } from './system.ts';

export const ipvsTimeouts: Readonly<EntryTimeouts> = { idleMs: 900_000, finMs: 120_000, resetMs: 10_000 };

export class IpvsMh implements System {
  readonly name = 'IPVS mh';
  readonly #flows: FlowTable;
  readonly #tables: MaglevTables;
  readonly #entries: Entries;
  #table: Uint16Array;

  constructor(flows: FlowTable, tables: MaglevTables, timeouts = ipvsTimeouts) {
    this.#flows = flows;
    this.#tables = tables;
    this.#table = tables.current;
    this.#entries = new Entries(flows.capacity, timeouts);
  }

  packet(flow: number, kind: PacketKind, now: Millis): number {
    let server = this.#entries.use(flow, now);
    if (server === undefined) {
      server = this.#table[this.#flows.slot[flow]!]!;
      this.#entries.add(flow, server, now);
    }
    if (kind === FIN) this.#entries.finish(flow, now);
    return server;
  }

  serverDown(): void {
    this.#table = this.#tables.current;
  }

  serverUp(): void {
    this.#table = this.#tables.current;
  }

  reset(flow: number, now: Millis): void {
    this.#entries.reset(flow, now);
  }

  failOver(): void {
    this.#entries.clear();
  }

  state(now: Millis): SystemState {
    return { ...NO_STATE, held: this.#entries.held(now), live: this.#entries.live };
  }
}
