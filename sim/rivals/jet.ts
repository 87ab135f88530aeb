// SPDX-License-Identifier: Apache-2.0
/**
 * Just Enough Tracking: a connection is remembered only if adding one of the servers expected next (the horizon) would move
 * it. So a removal is safe by the consistent hash, an addition by the horizon.
 *
 * Source: "Load Balancing with JET", CoNEXT 2021, and its replay (github.com/anchorhash/jetlb): AnchorHash with twice as
 * many buckets as servers; a horizon of a tenth of the servers that stays as large through removals and additions; a server
 * that returns gets the bucket removed last; the end of a connection frees its entry.
 */

import type { FlowTable } from '../workload/flow-table.ts';
import { FIN, type PacketKind } from '../workload/traffic.ts';
import { AnchorHash } from './anchor-hash.ts';
import { NO_SERVER, NO_STATE, type System, type SystemState } from './system.ts';

const NONE = -1;
const HORIZON_SHARE = 0.1;

export class Jet implements System {
  readonly name = 'JET';
  readonly #flows: FlowTable;
  readonly #anchor: AnchorHash;
  readonly #horizon: number;
  readonly #serverOf: Int16Array;
  readonly #bucketOf: Int16Array;
  readonly #tracked: Int16Array;
  #size = 0;

  constructor(flows: FlowTable, servers: number) {
    this.#flows = flows;
    this.#horizon = Math.ceil(servers * HORIZON_SHARE);
    this.#anchor = new AnchorHash(servers, 2 * servers);
    this.#serverOf = new Int16Array(2 * servers).fill(NO_SERVER);
    this.#bucketOf = new Int16Array(servers);
    for (let server = 0; server < servers; server++) {
      this.#serverOf[server] = server;
      this.#bucketOf[server] = server;
    }
    this.#tracked = new Int16Array(flows.capacity).fill(NONE);
  }

  packet(flow: number, kind: PacketKind): number {
    let server = this.#tracked[flow]!;
    if (server === NONE) {
      const found = this.#anchor.find(
        this.#flows.crc32[flow]! ^ (this.#flows.crc16[flow]! << 16),
        this.#horizon,
      );
      server = this.#serverOf[found < 0 ? ~found : found]!;
      if (found < 0) {
        this.#tracked[flow] = server;
        this.#size++;
      }
    }
    if (kind === FIN) this.reset(flow);
    return server;
  }

  serverDown(server: number): void {
    const bucket = this.#bucketOf[server]!;
    this.#anchor.remove(bucket);
    this.#serverOf[bucket] = NO_SERVER;
  }

  serverUp(server: number): void {
    const bucket = this.#anchor.add()!;
    this.#serverOf[bucket] = server;
    this.#bucketOf[server] = bucket;
  }

  reset(flow: number): void {
    if (this.#tracked[flow] === NONE) return;
    this.#tracked[flow] = NONE;
    this.#size--;
  }

  failOver(): void {
    this.#tracked.fill(NONE);
    this.#size = 0;
  }

  state(): SystemState {
    return { ...NO_STATE, held: this.#size, live: this.#size };
  }
}
