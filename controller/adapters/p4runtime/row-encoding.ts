// SPDX-License-Identifier: Apache-2.0
/** Rows to updates that insert them: the table by the family of the row's address, the action by what the row says. */
import type { Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { TypedEntries } from '../../../p4runtime/typed-entries.ts';
import { requireIpv4, requireIpv6 } from '../../core/address.ts';
import { assert } from '../../core/assert.ts';
import type {
  BackendRow,
  KnownNeighbourRow,
  NeighbourRow,
  OwnAddressRow,
  PinRow,
  ReturnPathRow,
  RouteRow,
  SlotPrefixRow,
  SlotRow,
  SwitchRow,
  TunnelSourceRow,
  VersionRow,
  VipFragmentRow,
  VipRow,
} from '../../core/row.ts';
import type { Program } from './generated/evenkeel.ts';
import { hintNumber, serviceParams } from './row-numbers.ts';

type Entries = TypedEntries<Program>;
export type VersionParams = Program['tables']['version']['defaults']['use_version'];

export const nanosPerMilli = 1_000_000n;
/** Of table server_id: no two patterns of a pool fit one hint, so that any order will do. */
const anyPriority = { priority: 1 };

export function insertion(entries: Entries, row: SwitchRow): Update {
  switch (row.table) {
    case 'version':
      return entries.setDefault('version', 'use_version', versionParams(row));
    case 'tunnel_source':
      return tunnelSource(entries, row);
    case 'vip':
      return vip(entries, row);
    case 'vip_fragment':
      return vipFragment(entries, row);
    case 'server_id': {
      const { pool, value, mask, backend } = row;
      return entries.insert('server_id', { pool, hint: { value, mask } }, 'named', { backend }, anyPriority);
    }
    case 'slot': {
      const { pool, slot } = row;
      assert(!row.byPrefix, 'slots of a prefix table come to a switch as rows of prefixes');
      return entries.insert('slot', { pool, slot }, 'set_slot', slotParams(row));
    }
    case 'slot_prefix': {
      const match = { pool: row.pool, ...prefixMatch(row) };
      return entries.insert('slot_prefix', match, 'set_slot', slotParams(row));
    }
    case 'slot_version_prefix': {
      const { pool, column, backend } = row;
      return entries.insert('slot_version_prefix', { pool, column, ...prefixMatch(row) }, 'set_backend', {
        backend,
      });
    }
    case 'slot_version': {
      const { pool, slot, column, backend } = row;
      assert(!row.byPrefix, 'slots of a prefix table come to a switch as rows of prefixes');
      return entries.insert('slot_version', { pool, slot, column }, 'set_backend', { backend });
    }
    case 'pin':
      return pin(entries, row);
    case 'backend':
      return backend(entries, row);
    case 'return_path':
      return returnPath(entries, row);
    case 'route':
      return route(entries, row);
    case 'neighbour':
      return neighbour(entries, row);
    case 'known_neighbour':
      return knownNeighbour(entries, row);
    case 'own_address':
      return ownAddress(entries, row);
    case 'interface': {
      const params = { ipv4_address: row.ipv4Address, ipv6_address: row.ipv6Address };
      return entries.insert('interface', { port: row.port }, 'answers_as', params);
    }
  }
}

/** No row: the program's default, which is 0 everywhere. */
export function noTunnelSource(entries: Entries): Update {
  return tunnelSource(entries, { ipv4Address: 0, ipv4Mask: 0, ipv6Address: 0n });
}

function tunnelSource(entries: Entries, row: Omit<TunnelSourceRow, 'table'>): Update {
  const { ipv4Address, ipv4Mask, ipv6Address } = row;
  const params = { ipv4_address: ipv4Address, ipv4_mask: ipv4Mask, ipv6_address: ipv6Address };
  return entries.setDefault('tunnel_source', 'use_sources', params);
}

function vip(entries: Entries, row: VipRow): Update {
  const { address, protocol, port, pool, slotMask } = row;
  const params = { pool, slot_mask: slotMask, ...serviceParams(row), hint: hintNumber(row.hint) };
  return typeof address === 'number'
    ? entries.insert('vip', { address, protocol, port }, 'serve', params)
    : entries.insert('vip_ipv6', { address, protocol, port }, 'serve', params);
}

function vipFragment(entries: Entries, row: VipFragmentRow): Update {
  const { address, protocol, pool, slotMask } = row;
  const params = { pool, slot_mask: slotMask, ...serviceParams(row) };
  return typeof address === 'number'
    ? entries.insert('vip_fragment', { address, protocol }, 'serve_fragments', params)
    : entries.insert('vip_fragment_ipv6', { address, protocol }, 'serve_fragments', params);
}

function pin(entries: Entries, row: PinRow): Update {
  const { pool, sourceAddress: address, sourcePort, backend: id } = row;
  const key = { pool, source_port: sourcePort };
  const options = { idleTimeoutNs: BigInt(Math.round(row.idleTimeoutMs)) * nanosPerMilli };
  return typeof address === 'number'
    ? entries.insert('pin', { ...key, source_address: address }, 'pin_to', { backend: id }, options)
    : entries.insert('pin_ipv6', { ...key, source_address: address }, 'pin_to', { backend: id }, options);
}

/** The action's suffix is the family of the address: of the outer header, where there is one. */
function backend(entries: Entries, { backend: id, forwarding, address, port }: BackendRow): Update {
  const key = { backend: id };
  const isIpv4 = typeof address === 'number';
  switch (forwarding) {
    case 'nat':
      return isIpv4
        ? entries.insert('backend', key, 'nat', { address, port })
        : entries.insert('backend', key, 'nat_ipv6', { address, port });
    case 'l2_dsr':
      return isIpv4
        ? entries.insert('backend', key, 'l2_dsr', { next_hop: address })
        : entries.insert('backend', key, 'l2_dsr_ipv6', { next_hop: address });
    case 'ipip':
      return isIpv4
        ? entries.insert('backend', key, 'ipip', { address })
        : entries.insert('backend', key, 'ipip_ipv6', { address });
    case 'gre':
      return isIpv4
        ? entries.insert('backend', key, 'gre', { address })
        : entries.insert('backend', key, 'gre_ipv6', { address });
    case 'gue':
      return isIpv4
        ? entries.insert('backend', key, 'gue', { address, port })
        : entries.insert('backend', key, 'gue_ipv6', { address, port });
  }
}

function returnPath(entries: Entries, row: ReturnPathRow): Update {
  const { address, protocol, port, vipAddress, vipPort } = row;
  if (typeof address === 'number') {
    const params = { address: requireIpv4(vipAddress), port: vipPort };
    return entries.insert('return_path', { address, protocol, port }, 'as_vip', params);
  }
  const params = { address: requireIpv6(vipAddress), port: vipPort };
  return entries.insert('return_path_ipv6', { address, protocol, port }, 'as_vip_ipv6', params);
}

function route(entries: Entries, { prefix, prefixLength, nextHop }: RouteRow): Update {
  if (typeof prefix === 'number') {
    // A prefix of no bits is a field left out.
    const match = prefixLength === 0 ? {} : { prefix: { value: prefix, prefixLength } };
    if (nextHop === undefined) return entries.insert('route', match, 'on_link', {});
    return entries.insert('route', match, 'via', { next_hop: requireIpv4(nextHop) });
  }
  const match = prefixLength === 0 ? {} : { prefix: { value: prefix, prefixLength } };
  if (nextHop === undefined) return entries.insert('route_ipv6', match, 'on_link', {});
  return entries.insert('route_ipv6', match, 'via_ipv6', { next_hop: requireIpv6(nextHop) });
}

function neighbour(entries: Entries, { address, port, sourceMac, targetMac, mtu }: NeighbourRow): Update {
  const params = { port, source_mac: BigInt(sourceMac), target_mac: BigInt(targetMac), mtu };
  return typeof address === 'number'
    ? entries.insert('neighbour', { address }, 'to_neighbour', params)
    : entries.insert('neighbour_ipv6', { address }, 'to_neighbour', params);
}

function knownNeighbour(entries: Entries, { address, mac, port }: KnownNeighbourRow): Update {
  const key = { mac: BigInt(mac), port };
  return typeof address === 'number'
    ? entries.insert('known_neighbour', { ...key, address }, 'known', {})
    : entries.insert('known_neighbour_ipv6', { ...key, address }, 'known', {});
}

function ownAddress(entries: Entries, { address, mac }: OwnAddressRow): Update {
  const params = { mac: BigInt(mac) };
  return typeof address === 'number'
    ? entries.insert('own_address', { address }, 'ours', params)
    : entries.insert('own_address_ipv6', { address }, 'ours', params);
}

function slotParams({ unstable, pinsBase, backend }: Pick<SlotRow, 'unstable' | 'pinsBase' | 'backend'>) {
  return { unstable: unstable ? 1 : 0, pin_base: pinsBase ? 1 : 0, backend };
}

/** A prefix of no bits is a field left out. */
function prefixMatch({ slot, prefixLength }: Pick<SlotPrefixRow, 'slot' | 'prefixLength'>) {
  return prefixLength === 0 ? {} : { slot: { value: slot, prefixLength } };
}

function versionParams({ active, filters }: VersionRow): VersionParams {
  const [filter0, filter1, filter2, filter3] = filters;
  const bit = (flag: boolean): number => (flag ? 1 : 0);
  return {
    active,
    ...{ epoch0: filter0.epoch, column0: filter0.column, learn0: bit(filter0.learn) },
    ...{ epoch1: filter1.epoch, column1: filter1.column, learn1: bit(filter1.learn) },
    ...{ epoch2: filter2.epoch, column2: filter2.column, learn2: bit(filter2.learn) },
    ...{ epoch3: filter3.epoch, column3: filter3.column, learn3: bit(filter3.learn) },
  };
}
