// SPDX-License-Identifier: Apache-2.0
/** The rows of table pin, for a million of them: pool, source address and source port name a backend, until idle. */

import { requireIpv4 } from '../../controller/core/address.ts';
import type { PinRow } from '../../controller/core/row.ts';
import { FlowTable, grown, poolPortOf } from './flow-table.ts';

export class PinTable {
  private readonly flows = new FlowTable();
  private backends = new Uint16Array(this.flows.capacity);
  private hitAt = new Float64Array(this.flows.capacity);
  private idleTimeoutMs = new Float64Array(this.flows.capacity);
  /** No pin is idle before. Hits only make that later. */
  private noneIdleBefore = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.flows.size;
  }

  /** @returns the pin's number, or `noRow` */
  find(pool: number, sourceAddress: number, sourcePort: number): number {
    return this.flows.find(sourceAddress, poolPortOf(pool, sourcePort));
  }

  /** A packet of the pinned flow. @returns the backend */
  hit(pin: number, now: number): number {
    this.hitAt[pin] = now;
    return this.backends[pin]!;
  }

  insert(row: PinRow, now: number): void {
    const { flows } = this;
    const pin = flows.add(requireIpv4(row.sourceAddress), poolPortOf(row.pool, row.sourcePort));
    if (flows.capacity > this.backends.length) {
      this.backends = grown(this.backends, new Uint16Array(flows.capacity));
      this.hitAt = grown(this.hitAt, new Float64Array(flows.capacity));
      this.idleTimeoutMs = grown(this.idleTimeoutMs, new Float64Array(flows.capacity));
    }
    this.modify(pin, row, now);
  }

  /** Another backend, another timeout, which begins anew. */
  modify(pin: number, { backend, idleTimeoutMs }: PinRow, now: number): void {
    this.hitAt[pin] = now;
    this.backends[pin] = backend;
    this.idleTimeoutMs[pin] = idleTimeoutMs;
    if (idleTimeoutMs > 0) {
      this.noneIdleBefore = Math.min(this.noneIdleBefore, now + idleTimeoutMs);
    }
  }

  delete(pin: number): void {
    this.flows.remove(pin);
  }

  /** Pins that nothing has hit for as long as they say. Free of cost while there can be none. */
  idle(now: number): PinRow[] {
    if (now < this.noneIdleBefore) return [];
    const idle: PinRow[] = [];
    this.noneIdleBefore = Number.POSITIVE_INFINITY;
    for (let pin = 0; pin < this.flows.rowEnd; pin++) {
      const timeoutMs = this.idleTimeoutMs[pin]!;
      if (timeoutMs === 0 || !this.flows.has(pin)) continue;
      const idleAt = this.hitAt[pin]! + timeoutMs;
      if (idleAt <= now) idle.push(this.rowOf(pin));
      this.noneIdleBefore = Math.min(this.noneIdleBefore, idleAt);
    }
    return idle;
  }

  rows(): PinRow[] {
    const rows: PinRow[] = [];
    for (let pin = 0; pin < this.flows.rowEnd; pin++) if (this.flows.has(pin)) rows.push(this.rowOf(pin));
    return rows;
  }

  private rowOf(pin: number): PinRow {
    return {
      table: 'pin',
      pool: this.flows.poolOf(pin),
      sourceAddress: this.flows.addressOf(pin),
      sourcePort: this.flows.portOf(pin),
      backend: this.backends[pin]!,
      idleTimeoutMs: this.idleTimeoutMs[pin]!,
    };
  }
}
