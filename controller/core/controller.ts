// SPDX-License-Identifier: Apache-2.0
/**
 * The controller as one function: `step(state, event)` gives the next state and what is to be done in the world.
 *
 *   events ──> step ──> handle the event ──> advance: pools, change, version, merges ──> ledger ──> effects
 */

import { assert } from './assert.ts';
import type { Effect, Event } from './event.ts';
import { noteAdmitted } from './flood.ts';
import { answered, type Entry, flush, isHopeless, nextRetryAt, retryDue } from './ledger.ts';
import { mergeDue, nextMergeAt, slotSettled } from './merger.ts';
import { createState, log, noteProblem, type State, type Turn } from './model.ts';
import { handleNeighbourDigest, questionAnew, solicitDue } from './neighbours.ts';
import { reconcileNetwork } from './network.ts';
import { type EngineOptions, engineDefaults } from './options.ts';
import { handleFlowDigest, handlePinIdle, pinFailed, pinSettled, reopenPins } from './pins.ts';
import { countMoved } from './placement.ts';
import {
  abandonIfHopeless,
  abandonInFlood,
  advanceChange,
  committed,
  nextChangeAt,
  placeStalePools,
} from './planner.ts';
import { advancePools, backendGone, reconcilePools } from './pools.ts';
import { rebuild } from './rebuild.ts';
import { endWaiting, forgoSeat, seatOrphans } from './seats.ts';
import { stabilityOfRow } from './slots.ts';
import {
  makeFiltersLearn,
  nextVersionAt,
  noteAdmitting,
  noteGap,
  retireOrRotate,
  versionSettled,
} from './versions.ts';

export { createState };

/** One thing may lead to another in a step, but not without end. */
const MAX_ROUNDS = 8;
/** What could not be done when it was due is looked at again after this. */
const POLL_MS = 50;

/**
 * @param state  given up by the caller: it is changed in place and handed back
 * @returns the state, and effects in the order in which they are to happen
 */
export function step(
  state: State,
  event: Event,
  options: EngineOptions = engineDefaults,
): { state: State; effects: Effect[] } {
  const turn: Turn = { now: event.now, options, effects: [] };
  handle(state, turn, event);
  if (state.isReady) {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (state.mustAdvance || turn.now >= state.wakeAt) advance(state, turn);
      flush(state.ledger, options, turn.effects, (entry) => settled(state, turn, entry));
      if (!state.mustAdvance) break;
    }
    wake(state, turn);
  }
  return { state, effects: turn.effects };
}

function handle(state: State, turn: Turn, event: Event): void {
  switch (event.kind) {
    case 'desired':
      state.desired = event.desired;
      state.isDesiredNew = true;
      state.mustAdvance = true;
      if (state.isConnected && !state.isReady) start(state, turn);
      return;
    case 'connected':
      state.isConnected = true;
      state.isReady = false;
      state.rowsRead = event.rows;
      if (state.desired) start(state, turn);
      return;
    case 'disconnected':
      state.isConnected = false;
      state.isReady = false;
      state.rowsRead = undefined;
      log(turn, 'warn', 'disconnected: the switch forwards as it last did', {}, 'switch');
      return;
    case 'written':
      if (!state.isReady) return;
      answered(
        state.ledger,
        event.write,
        event.failures,
        turn.now,
        turn.options,
        (entry) => settled(state, turn, entry),
        (entry, failure) => {
          if (entry.row.table === 'pin') {
            pinFailed(state, turn, entry, failure.code);
            return;
          }
          if (entry.failures === 1 && (failure.code === 'full' || failure.code === 'rejected')) {
            const { code, message } = failure;
            noteProblem(state, turn, 'the switch refuses a row', {
              table: entry.row.table,
              code,
              reason: message,
            });
          }
          if (
            entry.row.table === 'slot_version' &&
            entry.pool &&
            isHopeless(entry, failure.code, turn.options)
          ) {
            forgoSeat(state, entry.pool, entry.row.slot);
          }
          abandonIfHopeless(state, turn, entry, failure.code, failure.message);
        },
      );
      state.mustAdvance = true;
      return;
    case 'flow-digest':
      if (state.isReady) handleFlowDigest(state, turn, event);
      return;
    case 'neighbour-digest':
      if (state.isReady) handleNeighbourDigest(state, turn, event);
      return;
    case 'pin-idle':
      if (state.isReady) handlePinIdle(state, event);
      return;
    case 'admitted':
      if (noteAdmitted(state, turn, event.flows) && state.isReady) abandonInFlood(state, turn);
      state.mustAdvance = true;
      return;
    case 'gap':
      if (!state.isReady) return;
      noteGap(state, event.now);
      reopenPins(state, turn);
      questionAnew(state, turn);
      return;
    case 'tick':
      state.mustAdvance = true;
      return;
  }
}

/** Connected, and something is wanted: what the switch holds is where we start from. */
function start(state: State, turn: Turn): void {
  assert(state.rowsRead !== undefined, 'a connection brings the rows of the switch');
  rebuild(state, turn, state.rowsRead);
  state.rowsRead = undefined;
  state.isReady = true;
  state.isDesiredNew = true;
  state.mustAdvance = true;
  // A wake asked for on the old connection may not come.
  state.wakeAt = Number.POSITIVE_INFINITY;
  if (!turn.options.naive) makeFiltersLearn(state, turn);
}

/** Everything that may have something to do, in the order in which one feeds the next. */
function advance(state: State, turn: Turn): void {
  state.mustAdvance = false;
  retryDue(state.ledger, turn.now);
  if (state.isDesiredNew && state.desired) {
    state.isDesiredNew = false;
    reconcilePools(state, turn, state.desired.pools);
    reconcileNetwork(state, turn, state.desired);
  }
  state.seatWaitAt = endWaiting(state, turn.now);
  placeStalePools(state, turn);
  for (const pool of seatOrphans(state)) {
    noteAdmitting(state);
    countMoved(state, pool);
  }
  advancePools(state, turn);
  advanceChange(state, turn);
  retireOrRotate(state, turn);
  mergeDue(state, turn);
  solicitDue(state, turn);
}

/** The switch holds what was wanted of this row. */
function settled(state: State, turn: Turn, entry: Entry): void {
  const { row, pool } = entry;
  switch (row.table) {
    case 'version':
      versionIsSettled(state, turn);
      break;
    case 'slot': {
      const before = stabilityOfRow(entry.before?.table === 'slot' ? entry.before : undefined);
      if (pool?.phase === 'serving' && row.slot < pool.slotCount)
        slotSettled(state, turn, pool, row.slot, before);
      break;
    }
    case 'pin':
      pinSettled(state, String(entry.key));
      // A digest is a light thing; nothing else need be looked at for it.
      return;
    case 'backend':
      if (entry.wanted === undefined) backendGone(state, row.backend);
      else if (pool) pool.isPlacementStale = true;
      break;
    default:
      break;
  }
  state.mustAdvance = true;
}

function versionIsSettled(state: State, turn: Turn): void {
  const kind = versionSettled(state, turn)?.kind;
  if (kind === 'commit') committed(state, turn);
  for (const pool of state.pools.values()) {
    pool.mergeAt = turn.now;
    // What new flows get is not what it was.
    if (kind === 'base') pool.isPlacementStale = true;
  }
}

function wake(state: State, turn: Turn): void {
  const due = Math.min(
    state.mustAdvance ? turn.now : Number.POSITIVE_INFINITY,
    nextRetryAt(state.ledger),
    nextChangeAt(state),
    state.versionChange ? Number.POSITIVE_INFINITY : nextVersionAt(state, turn),
    nextMergeAt(state),
    state.solicitAt,
    state.seatWaitAt,
  );
  if (due === Number.POSITIVE_INFINITY) return;
  const at = Math.max(due, turn.now + POLL_MS);
  // A wake that comes too early does no harm; a new one for every digest would.
  if (state.wakeAt > turn.now && state.wakeAt <= at) return;
  state.wakeAt = at;
  turn.effects.push({ kind: 'wake', at });
}
