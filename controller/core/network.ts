// SPDX-License-Identifier: Apache-2.0
/**
 * What the switch must know of the network around it: routes, its own addresses, and its neighbours, some of them
 * configured, the others learned by ARP and asked for where they are needed.
 */

import type { Desired, DesiredInterface, Ipv4Address } from './desired.ts';
import type { Event, Millis } from './event.ts';
import { dotted, type LearnedNeighbour, log, noteProblem, type State, type Turn } from './model.ts';
import type { RouteRow } from './row.ts';
import { dropRow, type SmallRow, smallRowKey, wantRow } from './rows.ts';

type NeighbourDigest = Extract<Event, { kind: 'neighbour-digest' }>;

const NETWORK_TABLES: ReadonlySet<string> = new Set(['route', 'own_address', 'neighbour', 'known_neighbour']);

/** Makes the network rows those that are wanted. Neighbours that the switch knows already are believed. */
export function reconcileNetwork(state: State, turn: Turn, desired: Desired): void {
  adoptNeighbours(state, desired, turn);
  const wanted = new Map<string, SmallRow>();
  for (const row of wantedRows(state, desired)) wanted.set(smallRowKey(row), row);
  for (const [key, row] of [...state.rows]) {
    if (NETWORK_TABLES.has(row.table) && !wanted.has(key)) dropRow(state, key);
  }
  for (const row of wanted.values()) wantRow(state, row);
  const needed = neededNeighbours(desired);
  for (const address of [...state.solicitations.keys()]) {
    if (!needed.has(address)) state.solicitations.delete(address);
  }
  for (const address of needed) {
    if (!isKnown(state, address) && !state.solicitations.has(address)) {
      state.solicitations.set(address, { attempts: 0, nextAt: turn.now });
    }
  }
}

/** Somebody has told the switch by ARP where they live. */
export function handleNeighbourDigest(state: State, turn: Turn, digest: NeighbourDigest): void {
  const { desired } = state;
  if (desired === undefined) return;
  const neighbour = { address: digest.address, mac: digest.mac, port: digest.port };
  if (desired.neighbours.some(({ address }) => address === digest.address)) return;
  if (!isPlausible(desired, neighbour)) return;
  const before = state.learned.get(digest.address);
  if (before?.mac === digest.mac && before.port === digest.port) return;
  if (before === undefined && state.learned.size >= turn.options.maxNeighbours) {
    log(turn, 'warn', 'no room for another neighbour', { address: dotted(digest.address) });
    return;
  }
  if (before !== undefined) {
    dropRow(state, smallRowKey({ table: 'known_neighbour', ...before }));
    log(turn, 'info', 'neighbour has moved', { address: dotted(digest.address), port: digest.port });
  }
  state.learned.set(digest.address, neighbour);
  state.solicitations.delete(digest.address);
  for (const row of neighbourRows(desired, neighbour)) wantRow(state, row);
}

/** Asks for needed neighbours that have not answered; each less and less often. */
export function solicitDue(state: State, turn: Turn): void {
  if (state.desired === undefined) return;
  let asked = 0;
  for (const [address, solicitation] of state.solicitations) {
    if (solicitation.nextAt > turn.now) continue;
    const from = interfaceTowards(state.desired, address);
    if (from === undefined) continue;
    if (++asked > turn.options.solicitBatch) return;
    const waitMs = Math.min(
      turn.options.solicitMs * 2 ** Math.min(solicitation.attempts, 30),
      turn.options.solicitMaxMs,
    );
    solicitation.attempts++;
    solicitation.nextAt = turn.now + waitMs;
    const { port, mac } = from;
    turn.effects.push({ kind: 'solicit', port, address, sourceAddress: from.address, sourceMac: mac });
    if (solicitation.attempts === 4) {
      noteProblem(state, turn, 'a neighbour does not answer ARP', { address: dotted(address), port });
    }
  }
}

export function nextSolicitAt(state: State): Millis {
  let at = Number.POSITIVE_INFINITY;
  for (const { nextAt } of state.solicitations.values()) at = Math.min(at, nextAt);
  return at;
}

/** Whose MAC address must be known: where this address is reached through. Undefined: it is not reached. */
export function nextHopOf(desired: Desired, address: Ipv4Address): Ipv4Address | undefined {
  if (interfaceTowards(desired, address)) return address;
  let best: Desired['routes'][number] | undefined;
  for (const route of desired.routes) {
    const isLonger = best === undefined || route.prefixLength > best.prefixLength;
    if (isLonger && isInside(address, route.prefix, route.prefixLength)) best = route;
  }
  return best?.nextHop;
}

function wantedRows(state: State, desired: Desired): SmallRow[] {
  const rows: SmallRow[] = [];
  for (const { address, prefixLength } of desired.interfaces) {
    rows.push({ table: 'route', prefix: network(address, prefixLength), prefixLength, nextHop: undefined });
  }
  for (const { prefix, prefixLength, nextHop } of desired.routes) {
    rows.push({
      table: 'route',
      prefix: network(prefix, prefixLength),
      prefixLength,
      nextHop,
    } satisfies RouteRow);
  }
  for (const { vip } of desired.pools) {
    const through = interfaceTowards(desired, vip.address) ?? desired.interfaces[0];
    if (through) rows.push({ table: 'own_address', address: vip.address, mac: through.mac });
  }
  for (const { address, mac } of desired.interfaces) rows.push({ table: 'own_address', address, mac });
  for (const neighbour of state.learned.values()) rows.push(...neighbourRows(desired, neighbour));
  for (const neighbour of desired.neighbours) rows.push(...neighbourRows(desired, neighbour));
  return rows;
}

function neighbourRows(desired: Desired, { address, mac, port }: LearnedNeighbour): SmallRow[] {
  const from = desired.interfaces.find((i) => i.port === port);
  if (from === undefined) return [];
  return [
    { table: 'neighbour', address, port, sourceMac: from.mac, targetMac: mac },
    { table: 'known_neighbour', address, mac, port },
  ];
}

/** Neighbours learned before this controller started, and those learned before the network changed. */
function adoptNeighbours(state: State, desired: Desired, turn: Turn): void {
  for (const row of state.rows.values()) {
    if (row.table !== 'neighbour' || state.learned.has(row.address)) continue;
    state.learned.set(row.address, { address: row.address, mac: row.targetMac, port: row.port });
  }
  for (const neighbour of [...state.learned.values()]) {
    const isStatic = desired.neighbours.some(({ address }) => address === neighbour.address);
    const isTooMany = state.learned.size > turn.options.maxNeighbours;
    if (isStatic || isTooMany || !isPlausible(desired, neighbour)) state.learned.delete(neighbour.address);
  }
}

/** It lives in the network of the port it was heard on, and is not ourselves. */
function isPlausible(desired: Desired, neighbour: LearnedNeighbour): boolean {
  if (isOwn(desired, neighbour.address)) return false;
  return desired.interfaces.some(
    (i) => i.port === neighbour.port && isInside(neighbour.address, i.address, i.prefixLength),
  );
}

function isOwn(desired: Desired, address: Ipv4Address): boolean {
  return (
    desired.interfaces.some((i) => i.address === address) ||
    desired.pools.some((p) => p.vip.address === address)
  );
}

function isKnown(state: State, address: Ipv4Address): boolean {
  return state.rows.has(`neighbour/${address}`);
}

/** Backends, or what they are reached through; and every next hop, for the way back to the clients. */
function neededNeighbours(desired: Desired): Set<Ipv4Address> {
  const needed = new Set<Ipv4Address>();
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

function interfaceTowards(desired: Desired, address: Ipv4Address): DesiredInterface | undefined {
  let best: DesiredInterface | undefined;
  for (const i of desired.interfaces) {
    const isLonger = best === undefined || i.prefixLength > best.prefixLength;
    if (isLonger && isInside(address, i.address, i.prefixLength)) best = i;
  }
  return best;
}

function isInside(address: Ipv4Address, prefix: Ipv4Address, prefixLength: number): boolean {
  return network(address, prefixLength) === network(prefix, prefixLength);
}

function network(address: Ipv4Address, prefixLength: number): Ipv4Address {
  // A shift by 32 is a shift by 0 in JavaScript.
  return prefixLength === 0 ? 0 : (address & (0xffffffff << (32 - prefixLength))) >>> 0;
}
