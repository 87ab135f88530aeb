// SPDX-License-Identifier: Apache-2.0
/** Table entries to rows: the sisters of a table for IPv4 and IPv6 give rows of one table. */
import type { TypedEntry } from '../../../p4runtime/typed-entries.ts';
import type { Address, Forwarding } from '../../core/desired.ts';
import { INITIAL_VERSION } from '../../core/model.ts';
import type { BackendRow, Column, FilterSlot, SwitchRow, VersionRow } from '../../core/row.ts';
import type { Program } from './generated/evenkeel.ts';
import { nanosPerMilli, type VersionParams } from './row-encoding.ts';
import { hintOf, serviceOf } from './row-numbers.ts';

type Entry = TypedEntry<Program>;
type BackendAction = NonNullable<TypedEntry<Program, 'backend'>['action']>;

export interface PinKey {
  pool: number;
  sourceAddress: Address;
  sourcePort: number;
}

/** The row of an entry; undefined for entries that are none, such as those of constant tables. */
export function rowOf(entry: Entry): SwitchRow | undefined {
  switch (entry.table) {
    case 'version':
      // A switch may leave out a default action that nobody has modified: then it is the program's.
      return entry.action ? versionRow(entry.action.params) : INITIAL_VERSION;
    case 'tunnel_source': {
      const {
        ipv4_address: ipv4Address = 0,
        ipv4_mask: ipv4Mask = 0,
        ipv6_address: ipv6Address = 0n,
      } = entry.action?.params ?? {};
      const isSet = ipv4Address !== 0 || ipv6Address !== 0n;
      return isSet ? { table: 'tunnel_source', ipv4Address, ipv4Mask, ipv6Address } : undefined;
    }
    default:
      return entry.isDefault || entry.action === undefined ? undefined : keyedRow(entry);
  }
}

/** The key of a pin that the switch says is idle: such an entry comes without its action. */
export function pinKeyOf(entry: Entry): PinKey | undefined {
  if (entry.table !== 'pin' && entry.table !== 'pin_ipv6') return undefined;
  const { pool, source_address: sourceAddress, source_port: sourcePort } = entry.match;
  return { pool, sourceAddress, sourcePort };
}

function keyedRow(entry: Exclude<Entry, { table: 'version' | 'tunnel_source' }>): SwitchRow | undefined {
  switch (entry.table) {
    case 'vip':
    case 'vip_ipv6': {
      const { params } = entry.action!;
      const { pool, slot_mask: slotMask } = params;
      const hint = hintOf(params.hint);
      return { table: 'vip', ...entry.match, pool, slotMask, ...serviceOf(params), hint };
    }
    case 'vip_fragment':
    case 'vip_fragment_ipv6': {
      const { params } = entry.action!;
      const { pool, slot_mask: slotMask } = params;
      return { table: 'vip_fragment', ...entry.match, pool, slotMask, ...serviceOf(params) };
    }
    case 'server_id': {
      const { pool, hint = { value: 0n, mask: 0n } } = entry.match;
      return { table: 'server_id', pool, ...hint, ...entry.action!.params };
    }
    case 'slot': {
      const { unstable, pin_base: pinsBase, backend } = entry.action!.params;
      return { table: 'slot', ...entry.match, unstable: unstable === 1, pinsBase: pinsBase === 1, backend };
    }
    case 'slot_prefix': {
      const { unstable, pin_base: pinsBase, backend } = entry.action!.params;
      const flags = { unstable: unstable === 1, pinsBase: pinsBase === 1 };
      return {
        table: 'slot_prefix',
        pool: entry.match.pool,
        ...slotPrefixOf(entry.match),
        ...flags,
        backend,
      };
    }
    case 'slot_version_prefix': {
      const { pool, column: of } = entry.match;
      const column = of as 1 | 2 | 3;
      return {
        table: 'slot_version_prefix',
        pool,
        column,
        ...slotPrefixOf(entry.match),
        ...entry.action!.params,
      };
    }
    case 'slot_version': {
      const { pool, slot, column } = entry.match;
      return { table: 'slot_version', pool, slot, column: column as 1 | 2 | 3, ...entry.action!.params };
    }
    case 'pin':
    case 'pin_ipv6': {
      const idleTimeoutMs = Number(entry.idleTimeoutNs / nanosPerMilli);
      return { table: 'pin', ...pinKeyOf(entry)!, ...entry.action!.params, idleTimeoutMs };
    }
    case 'backend':
      return { table: 'backend', ...entry.match, ...reach(entry.action!) };
    case 'return_path':
    case 'return_path_ipv6': {
      const { address: vipAddress, port: vipPort } = entry.action!.params;
      return { table: 'return_path', ...entry.match, vipAddress, vipPort };
    }
    case 'route': {
      const nextHop = entry.action!.name === 'via' ? entry.action!.params.next_hop : undefined;
      return { table: 'route', ...prefixOf(entry.match.prefix, 0), nextHop };
    }
    case 'route_ipv6': {
      const nextHop = entry.action!.name === 'via_ipv6' ? entry.action!.params.next_hop : undefined;
      return { table: 'route', ...prefixOf(entry.match.prefix, 0n), nextHop };
    }
    case 'neighbour':
    case 'neighbour_ipv6': {
      const { port, source_mac: sourceMac, target_mac: targetMac, mtu } = entry.action!.params;
      const macs = { sourceMac: Number(sourceMac), targetMac: Number(targetMac) };
      return { table: 'neighbour', ...entry.match, port, ...macs, mtu };
    }
    case 'known_neighbour':
    case 'known_neighbour_ipv6':
      return { table: 'known_neighbour', ...entry.match, mac: Number(entry.match.mac) };
    case 'own_address':
    case 'own_address_ipv6':
      return { table: 'own_address', ...entry.match, mac: Number(entry.action!.params.mac) };
    case 'interface': {
      const { ipv4_address: ipv4Address, ipv6_address: ipv6Address } = entry.action!.params;
      return { table: 'interface', ...entry.match, ipv4Address, ipv6Address };
    }
    default:
      return undefined;
  }
}

/** A field left out is a prefix of no bits. */
function prefixOf<A>(prefix: { value: A; prefixLength: number } | undefined, zero: A) {
  return { prefix: prefix?.value ?? zero, prefixLength: prefix?.prefixLength ?? 0 };
}

function slotPrefixOf({ slot }: { slot?: { value: number; prefixLength: number } }) {
  return { slot: slot?.value ?? 0, prefixLength: slot?.prefixLength ?? 0 };
}

function reach({ name, params }: BackendAction): Pick<BackendRow, 'forwarding' | 'address' | 'port'> {
  const forwarding = name.replace(/_ipv6$/, '') as Forwarding;
  const address = 'next_hop' in params ? params.next_hop : params.address;
  return { forwarding, address, port: 'port' in params ? params.port : 0 };
}

function versionRow(params: VersionParams): VersionRow {
  const filter = (epoch: number, column: number, learn: number) => {
    return { epoch, column: column as Column, learn: learn === 1 };
  };
  return {
    table: 'version',
    active: params.active as FilterSlot,
    filters: [
      filter(params.epoch0, params.column0, params.learn0),
      filter(params.epoch1, params.column1, params.learn1),
      filter(params.epoch2, params.column2, params.learn2),
      filter(params.epoch3, params.column3, params.learn3),
    ],
  };
}
