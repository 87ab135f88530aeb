// SPDX-License-Identifier: Apache-2.0
/**
 * Brings rows to what is wanted of them. The rest of the engine only says what a row should be; the ledger knows what the
 * switch has acknowledged, has at most one update of a row in flight, and repeats what failed until it fits. An entry
 * exists only while the two differ.
 */

import type { Effect, Millis, WriteFailure } from './event.ts';
import type { Pool } from './model.ts';
import type { EngineOptions } from './options.ts';
import type { Row, RowUpdate } from './row.ts';

export type RowKey = string | number;

export interface Entry {
  readonly key: RowKey;
  /** Any row with this key: what a delete names. */
  readonly row: Row;
  /** Whose table this row belongs to; its count of unsettled rows includes this one. */
  readonly pool: Pool | undefined;
  wanted: Row | undefined;
  /** What the switch held when the entry came to be. */
  readonly before: Row | undefined;
  /** As last acknowledged; undefined: no row. */
  held: Row | undefined;
  /** The switch may hold something else: an answer was lost, or did not fit. */
  isDoubtful: boolean;
  sent: Row | undefined;
  isSending: boolean;
  isQueued: boolean;
  isUrgent: boolean;
  failures: number;
  retryAt: Millis;
}

export interface Ledger {
  entries: Map<RowKey, Entry>;
  urgent: Entry[];
  normal: Entry[];
  writes: Map<number, Entry[]>;
  retries: Set<Entry>;
  nextWrite: number;
  updatesInFlight: number;
  /** Pins wanted or being deleted whose last word is not acknowledged. */
  unsettledPins: number;
  failures: number;
}

export interface Wish {
  key: RowKey;
  pool?: Pool | undefined;
  /** What the model says the row is now; used only when nothing is under way for it. */
  before: Row | undefined;
  wanted: Row | undefined;
  isUrgent?: boolean;
  /** The switch may hold something else than `before`. */
  isDoubtful?: boolean;
}

export function createLedger(): Ledger {
  return {
    entries: new Map(),
    urgent: [],
    normal: [],
    writes: new Map(),
    retries: new Set(),
    nextWrite: 1,
    updatesInFlight: 0,
    unsettledPins: 0,
    failures: 0,
  };
}

/** From now on the row should be `wanted`; undefined: there should be none. */
export function want(ledger: Ledger, wish: Wish): void {
  const { key, wanted, pool } = wish;
  let entry = ledger.entries.get(key);
  if (entry === undefined) {
    const row = wanted ?? wish.before;
    if (row === undefined || (!wish.isDoubtful && sameRow(wish.before, wanted))) return;
    entry = {
      key,
      row,
      pool,
      wanted,
      before: wish.before,
      held: wish.before,
      isDoubtful: wish.isDoubtful ?? false,
      sent: undefined,
      isSending: false,
      isQueued: false,
      isUrgent: wish.isUrgent ?? false,
      failures: 0,
      retryAt: 0,
    };
    ledger.entries.set(key, entry);
    countUnsettled(ledger, entry, 1);
  } else {
    entry.wanted = wanted;
    entry.isUrgent ||= wish.isUrgent ?? false;
  }
  if (!entry.isSending) enqueue(ledger, entry);
}

/** Every row of this pool's own tables is as wanted. */
export function isSettled(pool: Pool): boolean {
  return pool.unsettledRows === 0;
}

/** Sends what is due, as far as the limits allow. Entries that turn out to be settled are handed to `onSettled`. */
export function flush(
  ledger: Ledger,
  options: EngineOptions,
  effects: Effect[],
  onSettled: (entry: Entry) => void,
): void {
  for (const queue of [ledger.urgent, ledger.normal]) {
    let taken = 0;
    let batch: Entry[] = [];
    const together: Entry[] = [];
    while (taken < queue.length && ledger.updatesInFlight + batch.length < options.maxUpdatesInFlight) {
      const entry = queue[taken++]!;
      // An entry may wait in both queues; the first to take it clears the mark.
      if (!entry.isQueued || entry.isSending) continue;
      entry.isQueued = false;
      if (settleIfEqual(ledger, entry)) {
        onSettled(entry);
        continue;
      }
      if (isByPrefix(entry.row)) {
        together.push(entry);
        continue;
      }
      batch.push(entry);
      if (batch.length === options.writeBatch) {
        effects.push(send(ledger, batch));
        batch = [];
      }
    }
    if (batch.length > 0) effects.push(send(ledger, batch));
    if (together.length > 0) effects.push(send(ledger, together));
    if (taken === queue.length) queue.length = 0;
    else if (taken > 0) queue.splice(0, taken);
  }
}

/** The switch has answered a write. Answers to writes of an earlier connection are not ours any more. */
export function answered(
  ledger: Ledger,
  write: number,
  failures: readonly WriteFailure[],
  now: Millis,
  options: EngineOptions,
  onSettled: (entry: Entry) => void,
  onFailed: (entry: Entry, failure: WriteFailure) => void,
): void {
  const batch = ledger.writes.get(write);
  if (batch === undefined) return;
  ledger.writes.delete(write);
  ledger.updatesInFlight -= countInFlight(batch);
  const failed = new Map(failures.map((failure) => [failure.index, failure]));
  batch.forEach((entry, index) => {
    entry.isSending = false;
    const failure = failed.get(index);
    if (failure === undefined) {
      entry.held = entry.sent;
      entry.isDoubtful = false;
      entry.failures = 0;
    } else {
      noteFailure(ledger, entry, failure, now, options);
      onFailed(entry, failure);
    }
    if (settleIfEqual(ledger, entry)) onSettled(entry);
    else if (entry.isQueued) return;
    else if (entry.retryAt <= now) enqueue(ledger, entry);
    else ledger.retries.add(entry);
  });
}

/** Failed updates whose time has come are queued again. */
export function retryDue(ledger: Ledger, now: Millis): void {
  for (const entry of ledger.retries) if (entry.retryAt <= now) enqueue(ledger, entry);
}

/** The switch will hardly take this row: it is full, or has refused too often. */
export function isHopeless(entry: Entry, code: string, options: EngineOptions): boolean {
  return code === 'full' || entry.failures >= options.prepareRetryLimit;
}

export function nextRetryAt(ledger: Ledger): Millis {
  let at = Number.POSITIVE_INFINITY;
  for (const entry of ledger.retries) at = Math.min(at, entry.retryAt);
  return at;
}

function enqueue(ledger: Ledger, entry: Entry): void {
  ledger.retries.delete(entry);
  entry.retryAt = 0;
  entry.isQueued = true;
  (entry.isUrgent ? ledger.urgent : ledger.normal).push(entry);
}

function send(ledger: Ledger, batch: Entry[]): Effect {
  const write = ledger.nextWrite++;
  ledger.writes.set(write, batch);
  ledger.updatesInFlight += countInFlight(batch);
  return { kind: 'write', write, updates: batch.map(updateOf) };
}

/**
 * Rows of a prefix table travel in one write, however many: half of them would be another table, with other rows. What
 * reaches the switch is few, and limited by controller/prefix; here, by the slots there are.
 */
function countInFlight(batch: readonly Entry[]): number {
  return batch.length > 0 && isByPrefix(batch[0]!.row) ? 0 : batch.length;
}

function isByPrefix(row: Row): boolean {
  return (row.table === 'slot' || row.table === 'slot_version') && row.byPrefix === true;
}

function updateOf(entry: Entry): RowUpdate {
  entry.isSending = true;
  entry.sent = entry.wanted;
  if (entry.wanted === undefined) return { operation: 'delete', row: entry.held ?? entry.row };
  return { operation: entry.held === undefined ? 'insert' : 'modify', row: entry.wanted };
}

function noteFailure(
  ledger: Ledger,
  entry: Entry,
  failure: WriteFailure,
  now: Millis,
  options: EngineOptions,
): void {
  ledger.failures++;
  entry.failures++;
  entry.retryAt = now + Math.min(options.retryMs * 2 ** Math.min(entry.failures - 1, 30), options.retryMaxMs);
  switch (failure.code) {
    case 'exists':
      // The row is there, whatever it says: modify it.
      entry.held = entry.row;
      entry.isDoubtful = true;
      if (entry.failures === 1) entry.retryAt = now;
      break;
    case 'missing':
      entry.held = undefined;
      entry.isDoubtful = false;
      if (entry.failures === 1) entry.retryAt = now;
      break;
    case 'unavailable':
      entry.isDoubtful = true;
      break;
    case 'full':
    case 'rejected':
      break;
  }
}

function settleIfEqual(ledger: Ledger, entry: Entry): boolean {
  if (entry.isDoubtful || !sameRow(entry.held, entry.wanted)) return false;
  ledger.entries.delete(entry.key);
  ledger.retries.delete(entry);
  entry.isQueued = false;
  countUnsettled(ledger, entry, -1);
  return true;
}

function countUnsettled(ledger: Ledger, { row, pool }: Entry, by: number): void {
  if (row.table === 'pin') {
    ledger.unsettledPins += by;
    if (pool) pool.unsettledPins += by;
  } else if (pool) {
    pool.unsettledRows += by;
  }
}

function sameRow(a: Row | undefined, b: Row | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  if (a.table === 'version') return JSON.stringify(a) === JSON.stringify(b);
  for (const field in a) if (a[field as keyof Row] !== b[field as keyof Row]) return false;
  return true;
}
