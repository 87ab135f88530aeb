// SPDX-License-Identifier: Apache-2.0
/**
 * What p4/core decides about a packet of a vip, in TypeScript, for tests: vip, pin, slot, version, filters, slot_version,
 * digest (load_balancer.p4, filters.p4, version.p4). Rows are written one update at a time, as a switch does.
 */

import type { Address } from '../desired.ts';
import type { DigestReason, WriteFailureCode } from '../event.ts';
import { type Flow, type FlowHash, flowHash } from '../flow-hash.ts';
import { INITIAL_VERSION, NO_BACKEND } from '../model.ts';
import { pinKey } from '../pins.ts';
import type { Column, FilterSlot, PinRow, Row, RowUpdate, VersionRow, VipRow } from '../row.ts';
import { smallRowKey, vipKey } from '../rows.ts';

export interface Packet {
  flow: Flow;
  /** TCP flags that matter; ignored for UDP. */
  flags: 'syn' | 'ack' | 'fin' | 'rst';
}

export interface Digest {
  reason: DigestReason;
  pool: number;
  slot: number;
  column: Column;
  backend: number;
  sourceAddress: Address;
  sourcePort: number;
}

export interface Verdict {
  decision: 'not ours' | 'stable' | 'pinned' | 'filter' | 'base' | 'new';
  /** 0: dropped. */
  backend: number;
  digest: Digest | undefined;
}

export interface ModelSwitchOptions {
  /** cells: two rows of 65,536 epoch cells per filter slot, false positives included. perfect: sets. off: nobody is ever known. */
  filters: 'cells' | 'perfect' | 'off';
  /** Most rows of a table; a table not named has room for everything. */
  capacity: Partial<Record<Row['table'], number>>;
}

const UDP = 17;

export class ModelSwitch {
  readonly rows = new Map<string, Row>();
  readonly pinHits = new Map<string, number>();
  #version: VersionRow = INITIAL_VERSION;
  #counts = new Map<Row['table'], number>();
  #filters: Filter[];
  readonly #options: ModelSwitchOptions;

  constructor(options: ModelSwitchOptions) {
    this.#options = options;
    this.#filters = [0, 1, 2, 3].map(() =>
      options.filters === 'cells' ? new CellFilter() : new SetFilter(),
    );
  }

  get version(): VersionRow {
    return this.#version;
  }

  /** Everything it holds, as `connected` brings it. */
  read(): Row[] {
    return [this.#version, ...this.rows.values()];
  }

  count(table: Row['table']): number {
    return this.#counts.get(table) ?? 0;
  }

  apply({ operation, row }: RowUpdate, now: number): WriteFailureCode | undefined {
    if (row.table === 'version') {
      this.#version = row;
      return undefined;
    }
    const key = keyOf(row);
    const exists = this.rows.has(key);
    if (operation === 'insert') {
      if (exists) return 'exists';
      if (this.count(row.table) >= (this.#options.capacity[row.table] ?? Number.POSITIVE_INFINITY))
        return 'full';
      this.#counts.set(row.table, this.count(row.table) + 1);
    } else if (!exists) {
      return 'missing';
    }
    if (operation === 'delete') {
      this.rows.delete(key);
      this.pinHits.delete(key);
      this.#counts.set(row.table, this.count(row.table) - 1);
    } else {
      this.rows.set(key, row);
      if (row.table === 'pin') this.pinHits.set(key, now);
    }
    return undefined;
  }

  process(packet: Packet, now: number): Verdict {
    const { flow } = packet;
    const { targetAddress: address, protocol, targetPort: port } = flow;
    const vip = this.rows.get(vipKey({ address, protocol, port }));
    if (vip?.table !== 'vip') return { decision: 'not ours', backend: 0, digest: undefined };
    const hash = flowHash(flow, vip.slotMask, vip.affinity);
    const decided = this.#decide(packet, vip, hash, now);
    const isServed = decided.backend !== NO_BACKEND && this.rows.has(`backend/${decided.backend}`);
    // Nobody is to be pinned to nobody.
    return isServed ? decided : { ...decided, backend: 0, digest: undefined };
  }

  /** Where an opening packet that no filter knows would go. */
  backendOfNewFlow(pool: number, slot: number): number {
    const row = this.rows.get(`slot/${pool}/${slot}`);
    if (row?.table !== 'slot') return 0;
    return row.unstable
      ? this.#columnBackend(pool, slot, this.#version.filters[this.#version.active].column)
      : row.backend;
  }

  #decide(packet: Packet, vip: VipRow, hash: FlowHash, now: number): Verdict {
    const { flow, flags } = packet;
    const { pool } = vip;
    const isUdp = flow.protocol === UDP;
    const isOpening = isUdp || flags === 'syn';
    const isClosing = !isUdp && (flags === 'fin' || flags === 'rst');
    const digest = (reason: DigestReason, column: Column, backend: number): Digest => ({
      reason,
      pool,
      slot: hash.slot,
      column,
      backend,
      sourceAddress: flow.sourceAddress,
      sourcePort: flow.sourcePort,
    });

    const key = pinKey(pool, flow.sourceAddress, flow.sourcePort);
    const pin = this.rows.get(key);
    if (pin?.table === 'pin') {
      this.pinHits.set(key, now);
      const { backend } = pin;
      if (isClosing) return { decision: 'pinned', backend, digest: digest('closing', 0, backend) };
      const isReopening = !isUdp && isOpening;
      return { decision: 'pinned', backend, digest: isReopening ? digest('opening', 0, backend) : undefined };
    }
    const slot = this.rows.get(`slot/${pool}/${hash.slot}`);
    if (slot?.table !== 'slot') return { decision: 'stable', backend: 0, digest: undefined };
    if (!slot.unstable) return { decision: 'stable', backend: slot.backend, digest: undefined };

    const known = this.#askFilters(hash, isOpening);
    if (known !== undefined) {
      const { column, learn } = this.#version.filters[known];
      const backend = this.#columnBackend(pool, hash.slot, column);
      const hasRow = column !== 0 && this.rows.has(`slot_version/${pool}/${hash.slot}/${column}`);
      const learns = learn && flags !== 'rst' && (hasRow || slot.pinsBase) && (isUdp || !isOpening);
      return { decision: 'filter', backend, digest: learns ? digest('learn', column, backend) : undefined };
    }
    if (isOpening) {
      const { column } = this.#version.filters[this.#version.active];
      return { decision: 'new', backend: this.#columnBackend(pool, hash.slot, column), digest: undefined };
    }
    const raises = slot.pinsBase && flags !== 'rst';
    return {
      decision: 'base',
      backend: slot.backend,
      digest: raises ? digest('old', 0, slot.backend) : undefined,
    };
  }

  /** @returns the oldest live filter slot that knows the flow; an opening packet leaves its mark in the active one */
  #askFilters(hash: FlowHash, isOpening: boolean): FilterSlot | undefined {
    const { active, filters } = this.#version;
    const knows = filters.map(({ epoch }, i) => {
      const insert = isOpening && i === active;
      const known = this.#filters[i]!.testAndInsert(hash, epoch, insert);
      return known && epoch !== 0 && this.#options.filters !== 'off';
    });
    for (let age = 1; age <= 4; age++) {
      const filterSlot = ((active + age) % 4) as FilterSlot;
      if (knows[filterSlot]) return filterSlot;
    }
    return undefined;
  }

  #columnBackend(pool: number, slot: number, column: Column): number {
    const base = this.rows.get(`slot/${pool}/${slot}`);
    const row = column === 0 ? undefined : this.rows.get(`slot_version/${pool}/${slot}/${column}`);
    if (row?.table === 'slot_version') return row.backend;
    return base?.table === 'slot' ? base.backend : 0;
  }

  /** Pins that nothing has hit for as long as their row says. */
  idlePins(now: number): PinRow[] {
    const idle: PinRow[] = [];
    for (const [key, hitAt] of this.pinHits) {
      const row = this.rows.get(key);
      if (row?.table === 'pin' && row.idleTimeoutMs > 0 && now - hitAt >= row.idleTimeoutMs) idle.push(row);
    }
    return idle;
  }
}

interface Filter {
  testAndInsert(hash: FlowHash, epoch: number, insert: boolean): boolean;
}

class CellFilter implements Filter {
  #rowA = new Uint16Array(65_536);
  #rowB = new Uint16Array(65_536);

  testAndInsert(hash: FlowHash, epoch: number, insert: boolean): boolean {
    const known = this.#rowA[hash.rowA] === epoch && this.#rowB[hash.rowB] === epoch;
    if (insert) {
      this.#rowA[hash.rowA] = epoch;
      this.#rowB[hash.rowB] = epoch;
    }
    return known;
  }
}

class SetFilter implements Filter {
  #epochs = new Map<string, number>();

  testAndInsert(hash: FlowHash, epoch: number, insert: boolean): boolean {
    const key = `${hash.crc32}/${hash.crc16}`;
    const known = this.#epochs.get(key) === epoch;
    if (insert) this.#epochs.set(key, epoch);
    return known;
  }
}

export function keyOf(row: Row): string {
  switch (row.table) {
    case 'version':
      return 'version';
    case 'slot':
      return `slot/${row.pool}/${row.slot}`;
    case 'slot_version':
      return `slot_version/${row.pool}/${row.slot}/${row.column}`;
    case 'pin':
      return pinKey(row.pool, row.sourceAddress, row.sourcePort);
    default:
      return smallRowKey(row);
  }
}
