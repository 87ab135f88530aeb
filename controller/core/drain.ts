// SPDX-License-Identifier: Apache-2.0
/**
 * How far backends that get no new connections have come: what still names them, and when the last promise ends.
 *
 *   slots  new connections, until the commit          base   those of before, until the slot is merged
 *   pins   single connections, until they end         on its way: gone as wanted, the switch has not said so yet
 */

import type { Millis } from './event.ts';
import type { Entry } from './ledger.ts';
import type { Backend, Pool, State } from './model.ts';
import type { EngineOptions } from './options.ts';
import { takesSeats } from './seats.ts';
import { baseOf, isUnstable } from './slots.ts';

/** Plain JSON-able data. */
export interface DrainStatus {
  /** Slots whose older connections go to it, unless a pin says otherwise. */
  baseSlots: number;
  /** Slots that name it at all, for older connections or for some of the newer. */
  namedSlots: number;
  /**
   * When connections of its slots that were silent all the time may be forgotten, and the slots let go of it. Undefined: no
   * slot names it, or new connections of one still go to it. Pins end with their connections.
   */
  promisedUntil: Millis | undefined;
  /** Packets may name it by its server id as long as it is configured. */
  hasServerId: boolean;
  /** Nothing names it, and the switch has said so: it may be stopped. */
  isDrained: boolean;
}

/** New connections go elsewhere, those it has go on. */
export function isGoing({ state }: Pick<Backend, 'state'>): boolean {
  return state === 'draining' || state === 'leaving';
}

/** Of those who drain or leave, by id. Costs a look at every slot if there are any. */
export function drainsOf(
  state: State,
  pool: Pool,
  owned: ReadonlyMap<number, number>,
  { mergeMarginMs }: EngineOptions,
): Map<number, DrainStatus> {
  const drains = new Map<number, DrainStatus>();
  for (const backend of pool.backends.values()) {
    if (!isGoing(backend)) continue;
    drains.set(backend.id, {
      baseSlots: 0,
      namedSlots: 0,
      promisedUntil: undefined,
      hasServerId: pool.hint !== 'none' && backend.serverId !== undefined,
      isDrained: false,
    });
  }
  if (drains.size === 0) return drains;
  countSlots(state, pool, drains, mergeMarginMs);
  const onTheirWay = namesOnTheirWay(state);
  for (const [id, drain] of drains) {
    const { pinRefs } = pool.backends.get(id)!;
    if (owned.has(id)) drain.promisedUntil = undefined;
    const isUnnamed = drain.namedSlots === 0 && pinRefs === 0 && !takesSeats(state, pool, id);
    drain.isDrained = isUnnamed && !onTheirWay.has(id);
  }
  return drains;
}

function countSlots(state: State, pool: Pool, drains: Map<number, DrainStatus>, marginMs: number): void {
  if ([...drains.keys()].every((id) => pool.backends.get(id)!.rowRefs === 0)) return;
  const [first, second, third] = pool.columns;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    const base = baseOf(pool, slot);
    const names = [base, first[slot]!, second[slot]!, third[slot]!];
    for (let i = 0; i < names.length; i++) {
      const drain = drains.get(names[i]!);
      if (drain === undefined || names.indexOf(names[i]!) < i) continue;
      drain.namedSlots++;
      if (i === 0) drain.baseSlots++;
      if (!isUnstable(pool, slot)) continue;
      const until = Math.max(pool.since[slot]!, state.gapAt) + pool.sessionTimeoutMs + marginMs;
      drain.promisedUntil = Math.max(drain.promisedUntil ?? until, until);
    }
  }
}

/** Backends that flows may be sent to by rows that are wanted no more. */
function namesOnTheirWay({ ledger }: State): Set<number> {
  const names = new Set<number>();
  for (const entry of ledger.entries.values())
    for (const row of rowsPerhapsHeld(entry))
      if (row.table === 'slot' || row.table === 'slot_version' || row.table === 'pin') names.add(row.backend);
  return names;
}

function rowsPerhapsHeld({ held, before, sent, isSending, isDoubtful }: Entry) {
  const rows = [held, ...(isSending || isDoubtful ? [sent, before] : [])];
  return rows.filter((row) => row !== undefined);
}
