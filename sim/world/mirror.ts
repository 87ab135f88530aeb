// SPDX-License-Identifier: Apache-2.0
/** The rows a switch has accepted, arranged so that invariants can be asked of them. */
import { type Flow, flowHash } from '../../controller/core/flow-hash.ts';
import { INITIAL_VERSION } from '../../controller/core/model.ts';
import type {
  BackendRow,
  Column,
  PinRow,
  Row,
  RowUpdate,
  SlotRow,
  SlotVersionRow,
  SwitchRow,
  VersionRow,
  VipRow,
} from '../../controller/core/row.ts';
import { smallRowKey } from '../../controller/core/rows.ts';

import { slotOfValue, valueOfRow } from '../../controller/prefix/slot-values.ts';
import {
  blockOf,
  columnOf,
  isPrefixRow,
  type PrefixRow,
  PrefixRows,
  slotsOf,
} from '../switch/prefix-rows.ts';

const MAX_SLOTS = 65_536;

export class Mirror {
  version: VersionRow = INITIAL_VERSION;
  readonly vips = new Map<string, VipRow>();
  readonly slots = new Map<number, SlotRow>();
  readonly columns = new Map<number, SlotVersionRow>();
  readonly pins = new Map<string, PinRow>();
  readonly backends = new Map<number, BackendRow>();
  readonly #others = new Map<string, Row>();
  /** Of prefix tables; what they make of each slot is among `slots` and `columns`. */
  readonly #prefixRows = new PrefixRows();

  record({ operation, row }: RowUpdate<SwitchRow>): void {
    if (isPrefixRow(row)) {
      if (operation === 'delete') this.#prefixRows.delete(row);
      else this.#prefixRows.set(row);
      this.#refresh(row);
      return;
    }
    if (row.table === 'version') {
      this.version = row;
      return;
    }
    const table = this.#tableOf(row);
    if (operation === 'delete') table.delete(keyOf(row));
    else table.set(keyOf(row), row);
  }

  clear(): void {
    this.version = INITIAL_VERSION;
    for (const table of [this.vips, this.slots, this.columns, this.pins, this.backends, this.#others])
      table.clear();
    this.#prefixRows.clear();
  }

  /** Every row, the version first, the rest in no promised order. */
  rows(): Row[] {
    const tables = [this.vips, this.slots, this.columns, this.pins, this.backends, this.#others];
    return [this.version, ...tables.flatMap((table): Row[] => [...table.values()])];
  }

  vipOf({ targetAddress, protocol, targetPort }: Flow): VipRow | undefined {
    return this.vips.get(`vip/${targetAddress}/${protocol}/${targetPort}`);
  }

  vipOfPool(pool: number): VipRow | undefined {
    for (const vip of this.vips.values()) if (vip.pool === pool) return vip;
    return undefined;
  }

  slot(pool: number, slot: number): SlotRow | undefined {
    return this.slots.get(pool * MAX_SLOTS + slot);
  }

  hasUnstableSlots(): boolean {
    for (const slot of this.slots.values()) if (slot.unstable) return true;
    return false;
  }

  /** The slot this flow falls into. */
  slotOf(flow: Flow): SlotRow | undefined {
    const vip = this.vipOf(flow);
    return vip && this.slot(vip.pool, flowHash(flow, vip.slotMask).slot);
  }

  pin(pool: number, flow: Flow): PinRow | undefined {
    return this.pins.get(`pin/${pool}/${flow.sourceAddress}/${flow.sourcePort}`);
  }

  /** Where an opening packet goes that nobody knows. 0: nowhere. */
  backendOfNewFlow(pool: number, slot: number): number {
    const row = this.slot(pool, slot);
    if (row === undefined) return 0;
    return row.unstable
      ? this.columnBackend(row, this.version.filters[this.version.active].column)
      : row.backend;
  }

  /** address:port; undefined: no such backend, and its packets are dropped. */
  endpointOf(backend: number): string | undefined {
    const row = this.backends.get(backend);
    return row && `${row.address}:${row.port}`;
  }

  private columnBackend(row: SlotRow, column: Column): number {
    const named = column === 0 ? undefined : this.columns.get(columnKey(row.pool, row.slot, column));
    return named?.backend ?? row.backend;
  }

  /** Finds out again by which rows the slots of this one go. */
  #refresh(row: PrefixRow): void {
    const { pool } = row;
    const { first, end } = slotsOf(row);
    for (let slot = first; slot < end; slot++) {
      const column = columnOf(row);
      const found = this.#prefixRows.longest(pool, column, slot);
      const table: Map<number, Row> = column === 0 ? this.slots : this.columns;
      const key = column === 0 ? pool * MAX_SLOTS + slot : columnKey(pool, slot, column);
      if (found === undefined) table.delete(key);
      else table.set(key, slotOfValue(pool, column, slot, valueOfRow(found)));
    }
  }

  #tableOf(row: Exclude<Row, VersionRow>): Map<unknown, Row> {
    switch (row.table) {
      case 'vip':
        return this.vips;
      case 'slot':
        return this.slots;
      case 'slot_version':
        return this.columns;
      case 'pin':
        return this.pins;
      case 'backend':
        return this.backends;
      default:
        return this.#others;
    }
  }
}

/** Unique within the row's table. */
export function keyOf(row: Exclude<SwitchRow, VersionRow>): string | number {
  switch (row.table) {
    case 'slot_prefix':
    case 'slot_version_prefix':
      return `${row.pool}/${columnOf(row)}/${blockOf(row)}`;
    case 'slot':
      return row.pool * MAX_SLOTS + row.slot;
    case 'slot_version':
      return columnKey(row.pool, row.slot, row.column);
    case 'pin':
      return `pin/${row.pool}/${row.sourceAddress}/${row.sourcePort}`;
    case 'backend':
      return row.backend;
    default:
      return smallRowKey(row);
  }
}

function columnKey(pool: number, slot: number, column: Column): number {
  return (pool * 4 + column) * MAX_SLOTS + slot;
}
