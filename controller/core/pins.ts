// SPDX-License-Identifier: Apache-2.0
/**
 * Pins: flows that are sent to a backend other than their slot's, by name. Digests ask for them; the same digest may come
 * twice, late or never.
 */

import { addressKey } from './address.ts';
import type { Address } from './desired.ts';
import type { Event, WriteFailureCode } from './event.ts';
import { type Entry, want } from './ledger.ts';
import { isLive, isOut, log, noteProblem, type Pin, type Pool, type State, type Turn } from './model.ts';
import type { FilterSlot, PinRow } from './row.ts';
import { baseOf, isUnstable } from './slots.ts';
import { noteGap } from './versions.ts';

type FlowDigest = Extract<Event, { kind: 'flow-digest' }>;
type PinIdle = Extract<Event, { kind: 'pin-idle' }>;

export function handleFlowDigest(state: State, turn: Turn, digest: FlowDigest): void {
  const pool = state.pools.get(digest.pool);
  if (pool?.phase !== 'serving' || digest.slot >= pool.slotCount) return;
  const backend = pool.backends.get(digest.backend);
  // What is sent to the dead cannot be saved.
  if (backend === undefined || isOut(backend)) return;

  const pin = state.pins.get(pinKeyOf(digest));
  if (digest.reason === 'closing') {
    if (pin)
      setClosing(state, turn, pool, pin, Math.min(turn.options.closingTimeoutMs, pool.sessionTimeoutMs));
    return;
  }
  if (digest.reason === 'opening') {
    if (pin) {
      setClosing(state, turn, pool, pin, undefined);
      return;
    }
    // Forgotten a moment ago, and its delete on its way: it is needed again.
    if (!state.ledger.entries.has(pinKeyOf(digest))) return;
  }
  if (pin?.backend === digest.backend) return;
  // It was asked for by a connection that has ended: whoever has its 5-tuple now was not pinned yet, and is elsewhere.
  if (pin) removePin(state, pin);
  if (!isUnstable(pool, digest.slot)) {
    const isAgreed = baseOf(pool, digest.slot) === digest.backend;
    const isStale = turn.now - pool.since[digest.slot]! >= turn.options.staleDigestMs;
    if (isAgreed || (isStale && digest.reason !== 'opening')) return;
  }
  if (pinsHeld(state) >= turn.options.maxPins || turn.now < state.pinsFullUntil) {
    refuse(state, turn, pool);
    return;
  }
  addPin(state, turn, pool, digest);
}

/** The switch has not seen the flow for as long as we promised to remember it. It says so until the pin is gone. */
export function handlePinIdle(state: State, event: PinIdle): void {
  const key = pinKeyOf(event);
  const pin = state.pins.get(key);
  if (pin !== undefined) {
    // The switch goes by what it held when it looked.
    const isOutOfDate = state.ledger.entries.has(key) || event.now - pin.reopenedAt < pin.idleTimeoutMs;
    if (!isOutOfDate && !isRemembered(state, pin)) removePin(state, pin);
  } else if (!state.ledger.entries.has(key)) {
    // A pin that we do not know of: an answer was lost, once.
    const row: PinRow = {
      table: 'pin',
      pool: event.pool,
      sourceAddress: event.sourceAddress,
      sourcePort: event.sourcePort,
      backend: 0,
      idleTimeoutMs: 0,
    };
    want(state.ledger, { key, pool: state.pools.get(event.pool), before: row, wanted: undefined });
  }
}

/**
 * A filter slot that will soon be emptied may know the flow's SYN. If the pin went first, the same 5-tuple could open again
 * in that filter slot's column, and be found in another when it is emptied. The switch reports the pin again.
 */
function isRemembered(state: State, pin: Pin): boolean {
  const pool = state.pools.get(pin.pool);
  if (pool === undefined || !isUnstable(pool, pin.slot)) return false;
  return state.filters.some(
    ({ activatedAt }, filterSlot) =>
      filterSlot !== state.version.active &&
      isLive(state.version, filterSlot as FilterSlot) &&
      activatedAt <= pin.createdAt,
  );
}

/** Takes over a pin that was read from the switch. */
export function loadPin(state: State, turn: Turn, pool: Pool, slot: number, row: PinRow): void {
  recordPin(state, pool, {
    key: pinKeyOf(row),
    pool: row.pool,
    slot,
    sourceAddress: row.sourceAddress,
    sourcePort: row.sourcePort,
    backend: row.backend,
    idleTimeoutMs: row.idleTimeoutMs,
    isClosing: row.idleTimeoutMs < pool.sessionTimeoutMs,
    isInstalled: true,
    createdAt: turn.now,
    reopenedAt: Number.NEGATIVE_INFINITY,
  });
}

/** The digest that tells of a 5-tuple opening again may have been lost: whoever seemed to close may be at it again. */
export function reopenPins(state: State, turn: Turn): void {
  for (const pin of state.pins.values()) {
    const pool = state.pools.get(pin.pool);
    if (pool) setClosing(state, turn, pool, pin, undefined);
  }
}

export function removePin(state: State, pin: Pin, isUrgent = false): void {
  const pool = state.pools.get(pin.pool);
  state.pins.delete(pin.key);
  state.outstandingPins.delete(pin);
  const neighbours = pool?.pins.get(pin.slot);
  neighbours?.delete(pin);
  if (neighbours?.size === 0) pool?.pins.delete(pin.slot);
  const backend = pool?.backends.get(pin.backend);
  if (backend) backend.pinRefs--;
  want(state.ledger, { key: pin.key, pool, before: pinRow(pin), wanted: undefined, isUrgent });
}

/** Stable traffic needs no pin. */
export function removeAgreeingPins(state: State, pool: Pool, slot: number): void {
  for (const pin of pool.pins.get(slot) ?? []) {
    if (pin.backend === baseOf(pool, slot)) removePin(state, pin);
  }
}

export function hasOutstandingPin(pool: Pool, slot: number): boolean {
  for (const pin of pool.pins.get(slot) ?? []) if (!pin.isInstalled) return true;
  return false;
}

export function pinSettled(state: State, key: string): void {
  const pin = state.pins.get(key);
  if (pin === undefined) return;
  pin.isInstalled = true;
  state.outstandingPins.delete(pin);
}

/**
 * The switch has no room for a pin, or will not have it: its flow stays where version and filters send it, as long as
 * nothing is recycled.
 */
export function pinFailed(state: State, turn: Turn, entry: Entry, code: WriteFailureCode): void {
  const pin = state.pins.get(String(entry.key));
  const isHopeless = code === 'full' || entry.failures >= turn.options.pinRetryLimit;
  if (pin === undefined || !isHopeless) return;
  const pool = state.pools.get(pin.pool);
  removePin(state, pin);
  if (code === 'full') state.pinsFullUntil = turn.now + turn.options.pinFullBackoffMs;
  if (pool) refuse(state, turn, pool);
}

/** Rows that table pin may hold just now: a pin counts until its delete is acknowledged. */
function pinsHeld(state: State): number {
  return state.pins.size + state.ledger.unsettledPins - state.outstandingPins.size;
}

export function pinKey(pool: number, sourceAddress: Address, sourcePort: number): string {
  return `pin/${pool}/${addressKey(sourceAddress)}/${sourcePort}`;
}

function pinKeyOf(flow: { pool: number; sourceAddress: Address; sourcePort: number }): string {
  return pinKey(flow.pool, flow.sourceAddress, flow.sourcePort);
}

export function pinRow(pin: Pin): PinRow {
  return {
    table: 'pin',
    pool: pin.pool,
    sourceAddress: pin.sourceAddress,
    sourcePort: pin.sourcePort,
    backend: pin.backend,
    idleTimeoutMs: pin.idleTimeoutMs,
  };
}

function addPin(state: State, turn: Turn, pool: Pool, digest: FlowDigest): void {
  const pin: Pin = {
    key: pinKeyOf(digest),
    pool: digest.pool,
    slot: digest.slot,
    sourceAddress: digest.sourceAddress,
    sourcePort: digest.sourcePort,
    backend: digest.backend,
    idleTimeoutMs: pool.sessionTimeoutMs,
    isClosing: false,
    isInstalled: false,
    createdAt: turn.now,
    reopenedAt: Number.NEGATIVE_INFINITY,
  };
  recordPin(state, pool, pin);
  state.outstandingPins.add(pin);
  want(state.ledger, { key: pin.key, pool, before: undefined, wanted: pinRow(pin), isUrgent: true });
}

function recordPin(state: State, pool: Pool, pin: Pin): void {
  state.pins.set(pin.key, pin);
  const neighbours = pool.pins.get(pin.slot);
  if (neighbours) neighbours.add(pin);
  else pool.pins.set(pin.slot, new Set([pin]));
  const backend = pool.backends.get(pin.backend);
  if (backend) backend.pinRefs++;
}

/** FIN or RST: the flow is forgotten sooner, unless its 5-tuple opens again (`timeoutMs` undefined). */
function setClosing(state: State, turn: Turn, pool: Pool, pin: Pin, timeoutMs: number | undefined): void {
  const isClosing = timeoutMs !== undefined;
  if (pin.isClosing === isClosing) return;
  const before = pinRow(pin);
  pin.isClosing = isClosing;
  if (!isClosing) pin.reopenedAt = turn.now;
  pin.idleTimeoutMs = timeoutMs ?? pool.sessionTimeoutMs;
  want(state.ledger, { key: pin.key, pool, before, wanted: pinRow(pin) });
}

function refuse(state: State, turn: Turn, pool: Pool): void {
  if (turn.now - state.pinsRefusedAt >= turn.options.refusalHoldMs) {
    noteProblem(state, turn, 'no room for pins: changes are postponed and filter slots kept', {
      pool: pool.name,
      pins: state.pins.size,
    });
  } else {
    log(turn, 'debug', 'digest refused: no room for pins', { pool: pool.name });
  }
  state.pinsRefused++;
  state.pinsRefusedAt = turn.now;
  noteGap(state, turn.now);
}
