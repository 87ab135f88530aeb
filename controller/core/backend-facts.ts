// SPDX-License-Identifier: Apache-2.0
/** What the engine knows that bears on what one backend gets. As plain JSON-able data. */

import { formatAddress, formatEndpoint } from './address.ts';
import type { BackendState } from './desired.ts';
import type { Millis } from './event.ts';
import { isFlooded } from './flood.ts';
import { newestColumn, type Pool, type State } from './model.ts';
import { interfaceTowards, nextHopOf } from './neighbours.ts';
import { backendKey } from './rows.ts';
import { backendOf, baseOf, isUnstable } from './slots.ts';
import type { ChangePhase } from './status.ts';

export interface BackendFacts {
  engine: 'disconnected' | 'waiting' | 'running';
  /** Of the vip; undefined: the switch has none of this name. */
  phase: Pool['phase'] | undefined;
  slotCount: number;
  /** Undefined: no row of the switch names it, nor is it wanted. */
  backend: BackendInEngine | undefined;
  change: { phase: ChangePhase; waitingFor: string | undefined };
  isFlooded: boolean;
  pinsRefused: number;
}

export interface BackendInEngine {
  id: number;
  endpoint: string;
  state: BackendState | 'leaving';
  weight: number;
  /** Of all backends of the pool that get new flows. */
  weightInAll: number;
  /** Whose new flows it gets; which it is to have by the table wanted, and by the change under way, if there is one. */
  slots: number;
  slotsWanted: number;
  slotsInChange: number | undefined;
  /** Of the slots that it does not get: those that still have flows of it from before they moved. */
  slotsKept: number;
  pins: number;
  /** For a seat of a dead backend; milliseconds from now, undefined: it does not wait. */
  seatWaitMs: number | undefined;
  /** Of its own row: how often the switch has refused it; undefined: it has taken it. */
  rowRefusals: number | undefined;
  reach: Reach;
}

/** unreachable: no interface and no route leads there. configured, known: its MAC address is. silent: asked so often, in vain. */
export type Reach =
  | { kind: 'unreachable' }
  | { kind: 'configured' | 'known' | 'unasked'; hop: string }
  | { kind: 'silent'; hop: string; asked: number };

/** @param name  of the backend; that of a pool decides which */
export function backendFacts(state: State, now: Millis, poolName: string, name: string): BackendFacts {
  const pools = [...state.pools.values()].filter((pool) => pool.name === poolName);
  const pool = pools.find(({ phase }) => phase !== 'leaving') ?? pools[0];
  const { change, pinsRefused } = state;
  return {
    engine: !state.isConnected ? 'disconnected' : state.isReady ? 'running' : 'waiting',
    phase: pool?.phase,
    slotCount: pool?.slotCount ?? 0,
    backend: pool && inEngine(state, now, pool, name),
    change: { phase: change.phase, waitingFor: change.waitingFor },
    isFlooded: isFlooded(state, now),
    pinsRefused,
  };
}

function inEngine(state: State, now: Millis, pool: Pool, name: string): BackendInEngine | undefined {
  const all = [...pool.backends.values()].filter((one) => one.name === name);
  const backend = all.find((one) => one.state !== 'leaving') ?? all[0];
  if (backend === undefined) return undefined;
  const column = newestColumn(state);
  const target = state.change.phase === 'idle' ? undefined : state.change.targets.get(pool);
  let slots = 0;
  let slotsWanted = 0;
  let slotsInChange = 0;
  let slotsKept = 0;
  for (let slot = 0; slot < pool.slotCount; slot++) {
    const isOwner = backendOf(pool, slot, column) === backend.id;
    if (isOwner) slots++;
    else if (isUnstable(pool, slot) && baseOf(pool, slot) === backend.id) slotsKept++;
    if (pool.target[slot] === backend.id) slotsWanted++;
    if (target?.[slot] === backend.id) slotsInChange++;
  }
  let weightInAll = 0;
  for (const one of pool.backends.values()) if (one.state === 'active') weightInAll += one.weight;
  return {
    id: backend.id,
    endpoint: formatEndpoint(backend),
    state: backend.state,
    weight: backend.weight,
    weightInAll,
    slots,
    slotsWanted,
    slotsInChange: target && slotsInChange,
    slotsKept,
    pins: backend.pinRefs,
    seatWaitMs:
      backend.state === 'active' && backend.waitsUntil !== undefined
        ? Math.max(0, Math.round(backend.waitsUntil - now))
        : undefined,
    rowRefusals: state.ledger.entries.get(backendKey(backend.id))?.failures,
    reach: reachOf(state, backend),
  };
}

function reachOf(state: State, { address }: { address: BackendAddress }): Reach {
  const { desired, learned, solicitations } = state;
  const hop = desired && nextHopOf(desired, address);
  if (desired === undefined || hop === undefined || interfaceTowards(desired, hop) === undefined)
    return { kind: 'unreachable' };
  const name = formatAddress(hop);
  if (desired.neighbours.some((fixed) => fixed.address === hop)) return { kind: 'configured', hop: name };
  const neighbour = learned.get(hop);
  if (neighbour !== undefined && !neighbour.isSilent) return { kind: 'known', hop: name };
  const asked = neighbour?.probes ?? solicitations.get(hop)?.attempts ?? 0;
  return asked > 0 ? { kind: 'silent', hop: name, asked } : { kind: 'unasked', hop: name };
}

type BackendAddress = Parameters<typeof formatAddress>[0];
