// SPDX-License-Identifier: Apache-2.0
/** What the switch must know of the network around it: routes, its own addresses, who it is to others, its neighbours. */

import { familyOf, networkOf } from './address.ts';
import type { Desired, DesiredTunnel } from './desired.ts';
import type { State, Turn } from './model.ts';
import { adoptNeighbours, interfaceTowards, needNeighbours, wantedNeighbours } from './neighbours.ts';
import type { InterfaceRow, Row } from './row.ts';
import { dropRow, type SmallRow, smallRowKey, wantRow } from './rows.ts';

const NETWORK_TABLES: ReadonlySet<Row['table']> = new Set([
  'route',
  'own_address',
  'interface',
  'tunnel_source',
  'neighbour',
  'known_neighbour',
]);

/** Makes the network rows those that are wanted. Neighbours that the switch knows already are believed. */
export function reconcileNetwork(state: State, turn: Turn, desired: Desired): void {
  adoptNeighbours(state, desired, turn);
  const wanted = new Map<string, SmallRow>();
  for (const row of wantedRows(state, desired)) wanted.set(smallRowKey(row), row);
  for (const [key, row] of [...state.rows]) {
    if (NETWORK_TABLES.has(row.table) && !wanted.has(key)) dropRow(state, key);
  }
  for (const row of wanted.values()) wantRow(state, row);
  needNeighbours(state, desired, turn);
}

function wantedRows(state: State, desired: Desired): SmallRow[] {
  const { interfaces, routes, pools, tunnel } = desired;
  return [
    ...interfaces.map(({ address, prefixLength }): SmallRow => {
      return { table: 'route', prefix: networkOf(address, prefixLength), prefixLength, nextHop: undefined };
    }),
    ...routes.map(({ prefix, prefixLength, nextHop }): SmallRow => {
      return { table: 'route', prefix: networkOf(prefix, prefixLength), prefixLength, nextHop };
    }),
    ...pools.flatMap(({ vip }) => ownVip(desired, vip)),
    ...interfaces.map(({ address, mac }): SmallRow => ({ table: 'own_address', address, mac })),
    ...interfaceRows(desired),
    ...(tunnel ? [tunnelSource(tunnel)] : []),
    ...wantedNeighbours(state, desired),
  ];
}

/** A vip in no connected network is answered for by the first interface, of its own family if there is one. */
function ownVip(desired: Desired, { address }: Desired['pools'][number]['vip']): SmallRow[] {
  const through =
    interfaceTowards(desired, address) ??
    desired.interfaces.find((i) => familyOf(i.address) === familyOf(address)) ??
    desired.interfaces[0];
  return through ? [{ table: 'own_address', address, mac: through.mac }] : [];
}

/** Of several networks of one family behind a port, the first one's address answers. */
function interfaceRows({ interfaces }: Desired): InterfaceRow[] {
  const rows = new Map<number, InterfaceRow>();
  for (const { port, address } of interfaces) {
    const row = rows.get(port) ?? { table: 'interface', port, ipv4Address: 0, ipv6Address: 0n };
    if (typeof address === 'number') row.ipv4Address ||= address;
    else row.ipv6Address ||= address;
    rows.set(port, row);
  }
  return [...rows.values()];
}

function tunnelSource({ ipv4, ipv6 }: DesiredTunnel): SmallRow {
  return {
    table: 'tunnel_source',
    ipv4Address: ipv4 ? networkOf(ipv4.address, ipv4.prefixLength) : 0,
    ipv4Mask: ipv4 ? 2 ** (32 - ipv4.prefixLength) - 1 : 0,
    ipv6Address: ipv6 ?? 0n,
  };
}
