// SPDX-License-Identifier: Apache-2.0
/** Why does this flow go there? As plain JSON-able data. */

import type { Address, Protocol } from './desired.ts';
import { type FlowHash, flowHash } from './flow-hash.ts';
import {
  activeFilter,
  COLUMNS,
  isDead,
  isLive,
  newestColumn,
  type Pool,
  PROTOCOL_NUMBER,
  type State,
} from './model.ts';
import { pinKey } from './pins.ts';
import type { Column, FilterSlot } from './row.ts';
import { backendOf, baseOf, isUnstable } from './slots.ts';
import { liveColumns } from './versions.ts';

/** What an operator types; both addresses are of one family, or no pool serves the flow. */
export interface FlowQuestion {
  sourceAddress: Address;
  sourcePort: number;
  vipAddress: Address;
  vipPort: number;
  protocol: Protocol;
}

export interface Explanation {
  /** Undefined when no pool serves this vip; then only `why` says more. */
  pool: string | undefined;
  hash: { crc32: number; crc16: number; rowA: number; rowB: number } | undefined;
  slot: number | undefined;
  stable: boolean | undefined;
  pin: { backend: string; acknowledged: boolean } | undefined;
  /** Backend of the slot; while it is unstable, of flows older than the change. */
  base: string | undefined;
  /** What each column 1..3 says at this slot; `live` iff a live filter slot refers to it. Empty when stable. */
  columns: { column: Column; backend: string; live: boolean }[];
  activeFilter: FilterSlot;
  /** Every backend the flow may go to, and when. Exactly one when only one is possible. */
  outcomes: { backend: string; when: string }[];
  /** Whom new flows of the slot get when the change that is wanted or under way is done; undefined: whom they get now. */
  afterChange: string | undefined;
  /** One or two sentences. */
  why: string;
}

/** Filter membership is known to the switch alone: where it decides, every outcome is named. */
export function explain(state: State, question: FlowQuestion): Explanation {
  const pool = [...state.pools.values()].find(
    ({ phase, vip }) =>
      phase === 'serving' &&
      typeof question.sourceAddress === typeof vip.address &&
      vip.address === question.vipAddress &&
      vip.protocol === question.protocol &&
      vip.port === question.vipPort,
  );
  if (pool === undefined) return notServed(state);
  const hash = flowHash(
    {
      sourceAddress: question.sourceAddress,
      targetAddress: question.vipAddress,
      protocol: PROTOCOL_NUMBER[question.protocol],
      sourcePort: question.sourcePort,
      targetPort: question.vipPort,
    },
    pool.slotCount - 1,
    pool.affinity,
  );
  const pin = state.pins.get(pinKey(pool.id, question.sourceAddress, question.sourcePort));
  const unstable = isUnstable(pool, hash.slot);
  const live = liveColumns(state.version);
  return {
    pool: pool.name,
    hash: { crc32: hash.crc32, crc16: hash.crc16, rowA: hash.rowA, rowB: hash.rowB },
    slot: hash.slot,
    stable: !unstable,
    pin: pin && { backend: nameOf(pool, pin.backend), acknowledged: pin.isInstalled },
    base: nameOf(pool, baseOf(pool, hash.slot)),
    columns: unstable
      ? COLUMNS.map((column) => ({
          column,
          backend: nameOf(pool, backendOf(pool, hash.slot, column)),
          live: live.includes(column),
        }))
      : [],
    activeFilter: state.version.active,
    afterChange: afterChange(state, pool, hash.slot),
    ...hinted(pool, decide(state, pool, hash, pin?.isInstalled ? pin.backend : undefined)),
  };
}

/** A live backend that a packet names itself comes before everything else. */
function hinted<E extends Pick<Explanation, 'why'>>(pool: Pool, explanation: E): E {
  if (pool.hint === 'none') return explanation;
  const where = pool.hint === 'quic' ? 'connection id' : 'TCP option';
  return {
    ...explanation,
    why: `${explanation.why} A packet whose ${where} names a live backend goes to that one.`,
  };
}

/** The change under way may be followed by another, for what has come since it began. */
function afterChange(state: State, pool: Pool, slot: number): string | undefined {
  const next = pool.target[slot]!;
  const now = backendOf(pool, slot, newestColumn(state));
  return next === now ? undefined : nameOf(pool, next);
}

function notServed(state: State): Explanation {
  return {
    pool: undefined,
    hash: undefined,
    slot: undefined,
    stable: undefined,
    pin: undefined,
    base: undefined,
    columns: [],
    activeFilter: state.version.active,
    afterChange: undefined,
    outcomes: [],
    why: 'No pool serves this address, protocol and port; the packet is routed, not balanced.',
  };
}

function decide(
  state: State,
  pool: Pool,
  hash: FlowHash,
  pinned: number | undefined,
): Pick<Explanation, 'outcomes' | 'why'> {
  const { slot } = hash;
  if (pinned !== undefined) {
    const backend = nameOf(pool, pinned);
    return {
      outcomes: [{ backend, when: 'always' }],
      why: `The flow has a pin to ${backend}; pins are looked up before anything else.`,
    };
  }
  const base = baseOf(pool, slot);
  if (!isUnstable(pool, slot)) {
    const backend = nameOf(pool, base);
    return {
      outcomes: [{ backend, when: 'always' }],
      why: `Slot ${slot} is stable on ${backend}.${fate(pool, base)}`,
    };
  }
  const outcomes: Explanation['outcomes'] = [];
  for (let age = 1; age <= 4; age++) {
    const filterSlot = ((state.version.active + age) % 4) as FilterSlot;
    if (!isLive(state.version, filterSlot)) continue;
    const { column } = state.version.filters[filterSlot];
    outcomes.push({
      backend: nameOf(pool, backendOf(pool, slot, column)),
      when: `filter slot ${filterSlot} knows the flow${outcomes.length > 0 ? ' and no older one does' : ''} (column ${column})`,
    });
  }
  const { column } = activeFilter(state.version);
  const newest = nameOf(pool, backendOf(pool, slot, column));
  outcomes.push({
    backend: newest,
    when: `no filter slot knows the flow and it is opening (column ${column})`,
  });
  outcomes.push({
    backend: nameOf(pool, base),
    when: 'no filter slot knows the flow and it is not opening (base)',
  });
  const backends = new Set(outcomes.map(({ backend }) => backend));
  if (backends.size === 1) {
    return {
      outcomes: [{ backend: newest, when: 'always' }],
      why: `Slot ${slot} is unstable, but every live filter slot and base say ${newest}.${fate(pool, base)}`,
    };
  }
  return {
    outcomes,
    why:
      `Slot ${slot} is unstable: new flows go to ${newest}, those older than the change to ${nameOf(pool, base)}. ` +
      'Only the switch knows which filter slots know this flow.',
  };
}

function fate(pool: Pool, backend: number): string {
  return isDead(pool, backend) ? ' Nobody serves it: the packet is dropped.' : '';
}

function nameOf(pool: Pool, backend: number): string {
  return pool.backends.get(backend)?.name ?? 'nobody';
}
