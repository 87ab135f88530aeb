// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours: who lives at an address, learned from ARP and NDP.
 *
 *   needed ──asked, less and less often──> heard ──reachable time──> probed ──answers──> heard
 *                                            ^                         └──silent too often──> needed: silent, and asked less and less often
 *   client ──has asked for us───────────────┘                                                 not needed: gone (row deleted)
 *
 * The switch tells of what it does not know, so a probe begins with forgetting known_neighbour; the neighbour's own row
 * stays, and its traffic with it: for as long as it is needed, since silence may be our own deafness (docs/decisions/0029). Configured
 * neighbours are neither asked for nor overruled.
 */

import { addressKey, formatAddress, isInside } from './address.ts';
import type { Address, Desired, DesiredInterface } from './desired.ts';
import type { Event, Millis } from './event.ts';
import { type LearnedNeighbour, log, noteProblem, type State, type Turn } from './model.ts';
import type { EngineOptions } from './options.ts';
import type { KnownNeighbourRow } from './row.ts';
import { dropRow, type SmallRow, smallRowKey, wantRow } from './rows.ts';

type NeighbourDigest = Extract<Event, { kind: 'neighbour-digest' }>;

/** It has not answered so often when it becomes a problem for people to look at. */
const ATTEMPTS_UNTIL_PROBLEM = 4;

/** Somebody has told the switch where they live. */
export function handleNeighbourDigest(state: State, turn: Turn, digest: NeighbourDigest): void {
  const { desired } = state;
  if (desired === undefined) return;
  const { address, mac, port } = digest;
  if (desired.neighbours.some((fixed) => fixed.address === address)) return;
  if (!isPlausible(desired, { address, port })) return;
  const before = state.learned.get(address);
  if (before === undefined && state.learned.size >= turn.options.maxNeighbours) {
    log(turn, 'warn', 'no room for another neighbour', { address: formatAddress(address) });
    return;
  }
  if (before !== undefined && (before.mac !== mac || before.port !== port)) {
    dropRow(state, smallRowKey(knownRow(before)));
    log(turn, 'info', 'neighbour has moved', { address: formatAddress(address), port });
  }
  const nextAt = turn.now + turn.options.neighbourReachableMs;
  const neighbour = { address, mac, port, probes: 0, isSilent: false, nextAt };
  state.learned.set(address, neighbour);
  state.solicitations.delete(address);
  state.solicitAt = Math.min(state.solicitAt, neighbour.nextAt);
  const isUrgent = state.needed.has(address);
  for (const row of neighbourRows(desired, neighbour)) wantRow(state, row, undefined, isUrgent);
}

/** Answers may have been lost, or wait to be read: who is being asked is asked from the beginning. */
export function questionAnew(state: State, turn: Turn): void {
  for (const neighbour of state.learned.values()) {
    if (neighbour.probes === 0 || neighbour.isSilent) continue;
    neighbour.probes = 1;
    neighbour.nextAt = turn.now + waitMs(1, turn.options);
    state.solicitAt = Math.min(state.solicitAt, neighbour.nextAt);
  }
}

/** Rows of every neighbour, known or configured. */
export function wantedNeighbours(state: State, desired: Desired): SmallRow[] {
  const fixed = desired.neighbours.map((neighbour) => ({
    ...neighbour,
    probes: 0,
    isSilent: false,
    nextAt: Number.POSITIVE_INFINITY,
  }));
  return [...state.learned.values(), ...fixed].flatMap((neighbour) => neighbourRows(desired, neighbour));
}

/** Neighbours learned before this controller started, and those learned before the network changed. */
export function adoptNeighbours(state: State, desired: Desired, turn: Turn): void {
  for (const row of state.rows.values()) {
    if (row.table !== 'neighbour' || state.learned.has(row.address)) continue;
    const nextAt = turn.now + turn.options.neighbourReachableMs;
    const { address, targetMac: mac, port } = row;
    state.learned.set(address, { address, mac, port, probes: 0, isSilent: false, nextAt });
  }
  for (const neighbour of [...state.learned.values()]) {
    const isFixed = desired.neighbours.some(({ address }) => address === neighbour.address);
    const isTooMany = state.learned.size > turn.options.maxNeighbours;
    if (isFixed || isTooMany || !isPlausible(desired, neighbour)) state.learned.delete(neighbour.address);
  }
}

/** Who is needed and not known is asked for from now on; who is not needed, no longer. */
export function needNeighbours(state: State, desired: Desired, turn: Turn): void {
  const needed = neededNeighbours(desired);
  state.needed = needed;
  for (const address of [...state.solicitations.keys()]) {
    if (!needed.has(address)) state.solicitations.delete(address);
  }
  for (const address of needed) {
    if (!state.learned.has(address) && !state.solicitations.has(address)) {
      state.solicitations.set(address, { attempts: 0, nextAt: turn.now });
    }
  }
  state.solicitAt = turn.now;
}

/** Asks whom it is time to ask, as many as a step may. */
export function solicitDue(state: State, turn: Turn): void {
  const { desired } = state;
  if (desired === undefined || turn.now < state.solicitAt) return;
  let left = turn.options.solicitBatch;
  state.solicitAt = Number.POSITIVE_INFINITY;
  for (const neighbour of state.learned.values()) {
    if (neighbour.nextAt <= turn.now && left > 0) {
      if (probe(state, turn, desired, neighbour)) left--;
    }
    state.solicitAt = Math.min(state.solicitAt, neighbour.nextAt);
  }
  for (const [address, solicitation] of state.solicitations) {
    if (solicitation.nextAt <= turn.now && left > 0) {
      left--;
      const attempts = ++solicitation.attempts;
      solicitation.nextAt = turn.now + waitMs(attempts, turn.options);
      ask(turn, desired, address);
      if (attempts === ATTEMPTS_UNTIL_PROBLEM) {
        noteProblem(state, turn, 'a neighbour does not answer', { address: formatAddress(address) });
      }
    }
    state.solicitAt = Math.min(state.solicitAt, solicitation.nextAt);
  }
}

/** Whose MAC address must be known: where this address is reached through. Undefined: it is not reached. */
export function nextHopOf(desired: Desired, address: Address): Address | undefined {
  if (interfaceTowards(desired, address)) return address;
  let best: Desired['routes'][number] | undefined;
  for (const route of desired.routes) {
    const isLonger = best === undefined || route.prefixLength > best.prefixLength;
    if (isLonger && isInside(address, route.prefix, route.prefixLength)) best = route;
  }
  return best?.nextHop;
}

export function interfaceTowards(desired: Desired, address: Address): DesiredInterface | undefined {
  let best: DesiredInterface | undefined;
  for (const i of desired.interfaces) {
    const isLonger = best === undefined || i.prefixLength > best.prefixLength;
    if (isLonger && isInside(address, i.address, i.prefixLength)) best = i;
  }
  return best;
}

/** Is it still there? @returns whether it was asked; not, when it has been asked often enough */
function probe(state: State, turn: Turn, desired: Desired, neighbour: LearnedNeighbour): boolean {
  const { address, port } = neighbour;
  const known = smallRowKey(knownRow(neighbour));
  const fields = { address: formatAddress(address), port };
  const isNeeded = state.needed.has(address);
  if (neighbour.probes >= turn.options.neighbourProbes && !isNeeded) {
    state.learned.delete(address);
    dropRow(state, known);
    dropRow(state, `neighbour/${addressKey(address)}`);
    log(turn, 'info', 'a neighbour has gone', fields);
    return false;
  }
  if (neighbour.probes === turn.options.neighbourProbes && !neighbour.isSilent) {
    neighbour.isSilent = true;
    noteProblem(state, turn, 'a neighbour is lost: it has ceased to answer', fields);
    // No haste any more.
    neighbour.nextAt = turn.now + waitMs(neighbour.probes, turn.options);
    return false;
  }
  // As long as the switch knows it, it keeps the answers to itself: the question before this one was none.
  if (neighbour.probes === 0 || !state.ledger.entries.has(known)) neighbour.probes++;
  neighbour.nextAt = turn.now + waitMs(neighbour.probes, turn.options);
  dropRow(state, known, undefined, true);
  ask(turn, desired, address);
  return true;
}

function ask(turn: Turn, desired: Desired, address: Address): void {
  const from = interfaceTowards(desired, address);
  if (from === undefined) return;
  const { port, mac } = from;
  turn.effects.push({ kind: 'solicit', port, address, sourceAddress: from.address, sourceMac: mac });
}

/** After so many questions without an answer. */
function waitMs(attempts: number, { solicitMs, solicitMaxMs }: EngineOptions): Millis {
  return Math.min(solicitMs * 2 ** Math.min(attempts - 1, 30), solicitMaxMs);
}

function neighbourRows(desired: Desired, neighbour: LearnedNeighbour): SmallRow[] {
  const { address, mac, port } = neighbour;
  const links = desired.interfaces.filter((i) => i.port === port);
  const from = links.find((i) => isInside(address, i.address, i.prefixLength)) ?? links[0];
  if (from === undefined) return [];
  const row = {
    table: 'neighbour',
    address,
    port,
    sourceMac: from.mac,
    targetMac: mac,
    mtu: from.mtu,
  } as const;
  return neighbour.probes > 0 ? [row] : [row, knownRow(neighbour)];
}

function knownRow({ address, mac, port }: LearnedNeighbour): KnownNeighbourRow {
  return { table: 'known_neighbour', address, mac, port };
}

/** It lives in the network of the port it was heard on, and is not ourselves. */
function isPlausible(desired: Desired, { address, port }: { address: Address; port: number }): boolean {
  if (isOwn(desired, address)) return false;
  return desired.interfaces.some((i) => i.port === port && isInside(address, i.address, i.prefixLength));
}

function isOwn(desired: Desired, address: Address): boolean {
  return (
    desired.interfaces.some((i) => i.address === address) ||
    desired.pools.some((p) => p.vip.address === address)
  );
}

/** Backends, or what they are reached through; and every next hop, for the way back to the clients. */
function neededNeighbours(desired: Desired): Set<Address> {
  const needed = new Set<Address>();
  for (const pool of desired.pools) {
    for (const backend of pool.backends) {
      const hop = nextHopOf(desired, backend.address);
      if (hop !== undefined) needed.add(hop);
    }
  }
  for (const { nextHop } of desired.routes) needed.add(nextHop);
  for (const { address } of desired.neighbours) needed.delete(address);
  return needed;
}
