// SPDX-License-Identifier: Apache-2.0
/**
 * Součková's load balancer: four versions of the pool table, one Bloom filter for each, and a table of connections that the
 * controller fills with every connection. The filters bridge the time until an entry is written.
 *
 * Source: github.com/AnotherKamila/sdn-loadbalancer, p4src/main.p4 and controller/l4_loadbalancer.py, and its report. Kept:
 * - A packet without an entry asks the filters 0..3; the last that knows it gives the version, else the active one. Whatever
 *   the version, its filter is written. Filters have 8,192 bits and two hash functions.
 * - The server is the hash modulo the number of buckets; a removed bucket is replaced by the last one, so one change moves
 *   the share of a bucket and the modulus moves nearly everything: it is the connection table that keeps connections.
 * - A commit waits for the pending entries of the version that it overwrites, empties its filter, flips the version, then
 *   copies the tables, row by row. Changes that come meanwhile wait for the next commit.
 * - Nothing ever leaves the connection table.
 * Changed, in its favour: the connection table (16,384 rows, two for a connection) has no limit, for when it is full every
 * further commit fails. Changed, to share the hash: CRC16 instead of the checksum for the second function.
 */

import type { Millis } from '../../controller/core/event.ts';
import type { FlowTable } from '../workload/flow-table.ts';
import { FIN, type PacketKind, SYN } from '../workload/traffic.ts';
import { NO_SERVER, type System, type SystemState } from './system.ts';

export interface SouckovaOptions {
  /** From a packet to the controller. */
  digestMs: number;
  /** From the controller's write of an entry to its effect; many are under way at a time. */
  writeMs: number;
  /** A row of the pool tables; one after the other. */
  rowMs: number;
}

const VERSIONS = 4;
const FILTER_BITS = 8_192;
const NONE = -1;
/** Entries on their way to the switch at a time; beyond it the controller hears of no further ones. */
const PENDING_LIMIT = 2 ** 20;

export class Souckova implements System {
  readonly name = 'Součková, four versions';
  readonly #flows: FlowTable;
  readonly #options: SouckovaOptions;
  readonly #tables: { buckets: Uint16Array; size: number }[];
  readonly #filters = Array.from({ length: VERSIONS }, () => new Uint8Array(FILTER_BITS));
  readonly #members = new Int32Array(VERSIONS);
  #active = 0;
  readonly #entry: Int16Array;
  /** How often an index has been given to a flow, so that a late write does not meet its next owner. */
  readonly #life: Uint32Array;
  readonly #isAsked: Uint8Array;
  #held = 0;
  #live = 0;
  #writes = 0;

  /** Entries on their way, in the order of their arrival, as columns of a ring. */
  readonly #pending = {
    flow: new Int32Array(PENDING_LIMIT),
    life: new Uint32Array(PENDING_LIMIT),
    server: new Int16Array(PENDING_LIMIT),
    dueAt: new Float64Array(PENDING_LIMIT),
    first: 0,
    count: 0,
  };
  /** Per version, when the last of its entries on their way is written. */
  readonly #pendingUntil = new Float64Array(VERSIONS);
  #changes: { server: number; isUp: boolean }[] = [];
  #flipAt = Number.POSITIVE_INFINITY;
  #busyUntil = 0;

  constructor(flows: FlowTable, servers: number, options: SouckovaOptions) {
    this.#flows = flows;
    this.#options = options;
    this.#tables = Array.from({ length: VERSIONS }, () => ({
      buckets: Uint16Array.from({ length: servers }, (_, server) => server),
      size: servers,
    }));
    this.#entry = new Int16Array(flows.capacity).fill(NONE);
    this.#life = new Uint32Array(flows.capacity);
    this.#isAsked = new Uint8Array(flows.capacity);
  }

  packet(flow: number, kind: PacketKind, now: Millis): number {
    this.#advance(now);
    if (kind === SYN) {
      this.#life[flow]!++;
      this.#entry[flow] = NONE;
      this.#isAsked[flow] = 0;
    }
    let server = this.#entry[flow]!;
    if (server === NONE) server = this.#balance(flow, now);
    if (kind === FIN) this.reset(flow);
    return server;
  }

  serverDown(server: number, now: Millis): void {
    this.#change({ server, isUp: false }, now);
  }

  serverUp(server: number, now: Millis): void {
    this.#change({ server, isUp: true }, now);
  }

  /** The entry stays; only the flow is gone. */
  reset(flow: number): void {
    if (this.#entry[flow] !== NONE) this.#live--;
    this.#entry[flow] = NONE;
    this.#life[flow]!++;
  }

  failOver(): void {
    this.#entry.fill(NONE);
    this.#isAsked.fill(0);
    for (const filter of this.#filters) filter.fill(0);
    this.#members.fill(0);
    this.#pending.count = 0;
    this.#held = 0;
    this.#live = 0;
  }

  state(now: Millis): SystemState {
    this.#advance(now);
    return {
      held: this.#held,
      live: this.#live,
      unstableSlots: 0,
      filterMembers: this.#members.reduce((sum, members) => sum + members, 0),
      writes: this.#writes,
    };
  }

  #balance(flow: number, now: Millis): number {
    const crc32 = this.#flows.crc32[flow]!;
    const bitA = crc32 & (FILTER_BITS - 1);
    const bitB = this.#flows.crc16[flow]! & (FILTER_BITS - 1);
    let version = this.#active;
    for (let i = 0; i < VERSIONS; i++) {
      const filter = this.#filters[i]!;
      if (filter[bitA] && filter[bitB]) version = i;
      // It is written as soon as the version is its own, though a later filter may claim the packet yet.
      if (version !== i) continue;
      if (!filter[bitA] || !filter[bitB]) this.#members[i]!++;
      filter[bitA] = 1;
      filter[bitB] = 1;
    }
    const { buckets, size } = this.#tables[version]!;
    const server = size > 0 ? buckets[crc32 % size]! : NO_SERVER;
    this.#learn(flow, version, server, now);
    return server;
  }

  #learn(flow: number, version: number, server: number, now: Millis): void {
    const pending = this.#pending;
    if (this.#isAsked[flow] || pending.count === PENDING_LIMIT) return;
    this.#isAsked[flow] = 1;
    const place = (pending.first + pending.count++) & (PENDING_LIMIT - 1);
    const dueAt = now + this.#options.digestMs + this.#options.writeMs;
    pending.flow[place] = flow;
    pending.life[place] = this.#life[flow]!;
    pending.server[place] = server;
    pending.dueAt[place] = dueAt;
    this.#pendingUntil[version] = dueAt;
    this.#writes += 2;
  }

  #change(change: { server: number; isUp: boolean }, now: Millis): void {
    this.#advance(now);
    this.#changes.push(change);
    this.#begin(now);
  }

  /** Edits the scratch version and says when it will be active. */
  #begin(now: Millis): void {
    if (this.#changes.length === 0 || this.#flipAt < Number.POSITIVE_INFINITY || now < this.#busyUntil)
      return;
    const next = (this.#active + 1) % VERSIONS;
    const table = this.#tables[next]!;
    const current = this.#tables[this.#active]!;
    table.buckets = current.buckets.slice();
    table.size = current.size;
    let rows = 0;
    for (const { server, isUp } of this.#changes) {
      if (isUp) {
        table.buckets[table.size++] = server;
      } else {
        const bucket = table.buckets.subarray(0, table.size).indexOf(server);
        table.buckets[bucket] = table.buckets[--table.size]!;
      }
      rows += 4;
    }
    this.#changes = [];
    this.#writes += rows + 2;
    const editedAt = now + rows * this.#options.rowMs;
    this.#flipAt = Math.max(editedAt, this.#pendingUntil[next]!) + 2 * this.#options.rowMs;
  }

  #flip(): void {
    this.#active = (this.#active + 1) % VERSIONS;
    this.#filters[this.#active]!.fill(0);
    this.#members[this.#active] = 0;
    // The scratch version is emptied and filled again: dips and dips_inverse, each row deleted and added.
    const rows = 4 * this.#tables[this.#active]!.size;
    this.#writes += rows;
    this.#busyUntil = this.#flipAt + rows * this.#options.rowMs;
    this.#flipAt = Number.POSITIVE_INFINITY;
  }

  #advance(now: Millis): void {
    if (this.#flipAt <= now) this.#flip();
    if (this.#changes.length > 0) this.#begin(now);
    const pending = this.#pending;
    while (pending.count > 0 && pending.dueAt[pending.first]! <= now) {
      const flow = pending.flow[pending.first]!;
      this.#held++;
      if (this.#life[flow] === pending.life[pending.first]) {
        this.#entry[flow] = pending.server[pending.first]!;
        this.#live++;
      }
      pending.first = (pending.first + 1) & (PENDING_LIMIT - 1);
      pending.count--;
    }
  }
}
