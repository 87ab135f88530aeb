// SPDX-License-Identifier: Apache-2.0
/**
 * SYN floods at unstable slots. The switch counts the flows that a filter slot has admitted; who is claimed by mistake is not
 * among them, so the count flattens as the filter slot fills up (two rows of 65,536 cells: it ends at 98,304). It is read a
 * few times a second; in between it is taken to go on as it did.
 *
 *   fillLimit reached   ──> another filter slot, and the oldest is reused after floodQuarantineMs (versions.ts)
 *   floodLimit reached  ──> the filters cannot be emptied as fast as they fill up: base for everybody
 *
 * Base for everybody: new flows are given a column without rows, so who is claimed by mistake goes where the unknown go, and
 * nobody is hurt. The filter slots of before are emptied at once, or nearly. Then every slot is merged onto its base, as no
 * live column says otherwise, and there is nothing left to aim at. Changes wait until floodHoldMs have passed; if the flood is
 * still there then, it shows while the slots settle, before the commit, and nothing has to be taken back.
 *
 * Those who will answer the handshake are not told apart from those who will not, though the digests of the first would tell, because
 * the remedy is the same: what harms is how many members a filter slot has, whoever they are, since old flows are claimed by
 * mistake; and at floodLimit a second pins are no way out, as they would all be there (maxPins) in ten seconds.
 */

import type { Millis } from './event.ts';
import { isSettled } from './ledger.ts';
import {
  activeFilter,
  COLUMNS,
  log,
  NO_ROW,
  noteProblem,
  type Pool,
  type State,
  type Turn,
  unstableSlotCount,
} from './model.ts';
import type { EngineOptions } from './options.ts';
import type { Column } from './row.ts';
import { closeSeats } from './seats.ts';

/** A count is taken to go on for no longer than this without being read. */
const CARRY_ON_MS = 1_000;

/** The switch has counted so many flows by now. @returns whether a flood has begun, or goes on */
export function noteAdmitted(state: State, turn: Turn, flows: number): boolean {
  const { admitted: before, admittedAt } = state;
  const elapsedMs = turn.now - admittedAt;
  state.admitted = flows;
  state.admittedAt = turn.now;
  // It may have been taken to go on when it did not.
  state.admittedBefore = Math.min(state.admittedBefore ?? flows, flows);
  if (before !== undefined && elapsedMs > 0) state.admitRate = Math.max(0, flows - before) / elapsedMs;
  if (!isFlood(state, turn.options)) return false;
  if (!isFlooded(state, turn.now)) {
    noteProblem(
      state,
      turn,
      'SYNs fill the filters: changes wait, and new flows of unstable slots go to base',
      {
        flowsPerSecond: Math.round(1_000 * state.admitRate),
      },
    );
  } else {
    log(turn, 'debug', 'the flood goes on');
  }
  state.floodUntil = turn.now + turn.options.floodHoldMs;
  // From now on their new flows are not pinned.
  closeSeats(state);
  return true;
}

/** Of the active filter slot, as far as is known. */
export function membersNow(state: State, now: Millis): number {
  return admittedNow(state, now) - (state.admittedBefore ?? 0);
}

/** What the switch would say that it has admitted. */
export function admittedNow({ admitted, admittedAt, admitRate }: State, now: Millis): number {
  return (admitted ?? 0) + admitRate * Math.min(CARRY_ON_MS, Math.max(0, now - admittedAt));
}

/** When the active filter slot has so many members, if it goes on like that. */
export function reachedAt(state: State, members: number): Millis {
  const { admitted, admittedAt, admittedBefore, admitRate } = state;
  const missing = members - ((admitted ?? 0) - (admittedBefore ?? 0));
  if (missing <= 0) return admittedAt;
  const inMs = admitRate === 0 ? Number.POSITIVE_INFINITY : Math.ceil(missing / admitRate);
  return inMs > CARRY_ON_MS ? Number.POSITIVE_INFINITY : admittedAt + inMs;
}

/** Changes wait for its end. */
export function isFlooded({ floodUntil }: State, now: Millis): boolean {
  return now < floodUntil;
}

/** No flow is sent elsewhere than to base by this column. */
export function isBase(state: State, column: Column): boolean {
  return column === 0 || [...state.pools.values()].every((pool) => !hasRows(pool, column));
}

/** A column without rows, on the switch too, that no live filter slot refers to, if there is one; 0 stands for base for ever. */
export function emptyColumn(state: State, live: readonly Column[]): 1 | 2 | 3 | undefined {
  for (const pool of state.pools.values()) if (pool.phase !== 'leaving' && !isSettled(pool)) return undefined;
  return COLUMNS.find((column) => !live.includes(column) && isBase(state, column));
}

function hasRows(pool: Pool, column: 1 | 2 | 3): boolean {
  return pool.columnRowCount > 0 && pool.columns[column - 1]!.some((backend) => backend !== NO_ROW);
}

/** Many, and fast: after a gap filter slots may fill up slowly, which is another matter. */
function isFlood(state: State, { naive, floodLimit }: EngineOptions): boolean {
  if (naive || unstableSlotCount(state) === 0) return false;
  const members = (state.admitted ?? 0) - (state.admittedBefore ?? 0);
  return members >= floodLimit && 1_000 * state.admitRate >= floodLimit;
}

/** In a flood, new flows go to base from now on, unless they do already. */
export function mustGoToBase(state: State, now: Millis): boolean {
  return isFlooded(state, now) && !isBase(state, activeFilter(state.version).column);
}
