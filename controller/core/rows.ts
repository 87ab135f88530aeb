// SPDX-License-Identifier: Apache-2.0
/** The rows of the small tables: all but slot, slot_version, pin and version. `state.rows` holds them as wanted. */

import { addressKey } from './address.ts';
import { want } from './ledger.ts';
import type { Pool, State } from './model.ts';
import type { BackendRow, ReturnPathRow, Row, VipFragmentRow, VipRow } from './row.ts';

export type SmallRow = Exclude<Row, { table: 'version' | 'slot' | 'slot_version' | 'pin' }>;

/** A row from now on. */
export function wantRow(state: State, row: SmallRow, pool?: Pool, isUrgent = false): void {
  const key = smallRowKey(row);
  want(state.ledger, { key, pool, before: state.rows.get(key), wanted: row, isUrgent });
  state.rows.set(key, row);
}

/** No row from now on. */
export function dropRow(state: State, key: string, pool?: Pool, isUrgent = false): void {
  const before = state.rows.get(key);
  if (before === undefined) return;
  state.rows.delete(key);
  want(state.ledger, { key, pool, before, wanted: undefined, isUrgent });
}

export function smallRowKey(row: SmallRow): string {
  switch (row.table) {
    case 'vip':
      return vipKey(row);
    case 'backend':
      return backendKey(row.backend);
    case 'vip_fragment':
      return vipFragmentKey(row);
    case 'server_id':
      return `server_id/${row.pool}/${row.value}/${row.mask}`;
    case 'return_path':
      return returnPathKey(row);
    case 'route':
      return `route/${addressKey(row.prefix)}/${row.prefixLength}`;
    case 'neighbour':
      return `neighbour/${addressKey(row.address)}`;
    case 'known_neighbour':
      return `known_neighbour/${addressKey(row.address)}/${row.mac}/${row.port}`;
    case 'own_address':
      return `own_address/${addressKey(row.address)}`;
    case 'interface':
      return `interface/${row.port}`;
    case 'tunnel_source':
      return 'tunnel_source';
  }
}

export function vipKey(vip: Pick<VipRow, 'address' | 'protocol' | 'port'>): string {
  return `vip/${addressKey(vip.address)}/${vip.protocol}/${vip.port}`;
}

export function vipFragmentKey(vip: Pick<VipFragmentRow, 'address' | 'protocol'>): string {
  return `vip_fragment/${addressKey(vip.address)}/${vip.protocol}`;
}

export function backendKey(backend: BackendRow['backend']): string {
  return `backend/${backend}`;
}

export function returnPathKey(from: Pick<ReturnPathRow, 'address' | 'protocol' | 'port'>): string {
  return `return_path/${addressKey(from.address)}/${from.protocol}/${from.port}`;
}
