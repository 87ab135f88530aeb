// SPDX-License-Identifier: Apache-2.0
/**
 * The little network that packet fixtures live in, as rows of the balancer's tables:
 *
 *   client ── port 0 ── balancer ── port 1 ── blue, green
 *
 * Everybody has an IPv4 and an IPv6 address. Every pool has one slot, which is stable and belongs to blue.
 */
import type { EntryInput } from '../../p4runtime/entries.ts';
import { parseIpv4, parseIpv6, parseMac } from '../../wire/address.ts';
import { protocols } from '../../wire/ipv4.ts';

interface Host {
  readonly name: string;
  readonly mac: number;
  readonly ipv4: number;
  readonly ipv6: bigint;
}

const host = (name: string, mac: string, ipv4: string, ipv6: string): Host => ({
  name,
  mac: parseMac(mac),
  ipv4: parseIpv4(ipv4),
  ipv6: parseIpv6(ipv6),
});

export const client = host('client', '02:00:00:00:00:01', '10.0.0.1', '2001:db8::1');
export const blue = host('blue', '02:00:00:00:01:01', '10.0.1.1', '2001:db8:1::1');
export const green = host('green', '02:00:00:00:01:02', '10.0.1.2', '2001:db8:1::2');
/** The balancer's own. */
export const own = host('balancer', '02:00:00:00:00:fe', '10.0.0.254', '2001:db8::fe');
export const hosts: readonly Host[] = [client, blue, green, own];

/** Has the balancer's MAC address, as far as clients can see. */
export const vip = { ipv4: parseIpv4('10.0.0.100'), ipv6: parseIpv6('2001:db8::100') };
export const backendPort = 8080;
export const linkMtu = 1500;

export const clientPort = 0;
export const backendsPort = 1;

export const pools = { tcp: 1, udp: 2, tcpIpv6: 3, udpIpv6: 4 };
/** Backend ids. */
export const ids = { blue: 1, green: 2, blueIpv6: 3, greenIpv6: 4 };

export type Pool = keyof typeof pools;

const isIpv6 = (pool: Pool) => pool.endsWith('Ipv6');
const protocolOf = (pool: Pool) => (pool.startsWith('tcp') ? protocols.tcp : protocols.udp);
const portOf = (pool: Pool) => (pool.startsWith('tcp') ? 80 : 443);
export const vipPorts = { tcp: 80, udp: 443 };

export interface Serving {
  slotMask?: number;
  affinity?: number;
  hint?: number;
  onDead?: number;
  byPrefix?: number;
}

/** The vip of a pool, with what fixtures vary. */
export function vipRow(
  pool: Pool,
  { slotMask = 0, affinity = 0, hint = 0, onDead = 0, byPrefix = 0 }: Serving = {},
): EntryInput {
  const params = {
    pool: pools[pool],
    slot_mask: slotMask,
    affinity,
    hint,
    on_dead: onDead,
    by_prefix: byPrefix,
  };
  return {
    table: isIpv6(pool) ? 'vip_ipv6' : 'vip',
    match: { address: isIpv6(pool) ? vip.ipv6 : vip.ipv4, protocol: protocolOf(pool), port: portOf(pool) },
    action: { name: 'serve', params },
  };
}

export function fragmentRow(
  pool: Pool,
  { slotMask = 0, affinity = 0, onDead = 0, byPrefix = 0 }: Serving = {},
): EntryInput {
  const params = { pool: pools[pool], slot_mask: slotMask, affinity, on_dead: onDead, by_prefix: byPrefix };
  return {
    table: isIpv6(pool) ? 'vip_fragment_ipv6' : 'vip_fragment',
    match: { address: isIpv6(pool) ? vip.ipv6 : vip.ipv4, protocol: protocolOf(pool) },
    action: { name: 'serve_fragments', params },
  };
}

export function slotRow(
  pool: Pool,
  backend: number,
  changes: { unstable?: number; slot?: number } = {},
): EntryInput {
  const { unstable = 0, slot = 0 } = changes;
  return {
    table: 'slot',
    match: { pool: pools[pool], slot },
    action: { name: 'set_slot', params: { unstable, pin_base: unstable, backend } },
  };
}

/** @param action  of table backend, with its parameters */
export function backendRow(
  backend: number,
  name: string,
  params: Record<string, number | bigint>,
): EntryInput {
  return { table: 'backend', match: { backend }, action: { name, params } };
}

export function neighbourRow(
  address: number | bigint,
  { mac }: { mac: number },
  port: number,
  mtu = linkMtu,
): EntryInput {
  return {
    table: typeof address === 'bigint' ? 'neighbour_ipv6' : 'neighbour',
    match: { address },
    action: { name: 'to_neighbour', params: { port, source_mac: own.mac, target_mac: mac, mtu } },
  };
}

export function routeRow(
  prefix: number | bigint,
  prefixLength: number,
  nextHop?: number | bigint,
): EntryInput {
  const suffix = typeof prefix === 'bigint' ? '_ipv6' : '';
  return {
    table: `route${suffix}`,
    match: { prefix: { value: prefix, prefixLength } },
    action:
      nextHop === undefined ? { name: 'on_link' } : { name: `via${suffix}`, params: { next_hop: nextHop } },
  };
}

/** Filter slots, oldest last; column 0 is base. A filter slot that is left out is dead. */
export function versionRow(
  active: number,
  filters: readonly { epoch: number; column: number; learn?: number }[],
): EntryInput {
  const params: Record<string, number> = { active };
  for (let index = 0; index < 4; index++) {
    const { epoch = 0, column = 0, learn = 0 } = filters[index] ?? {};
    Object.assign(params, { [`epoch${index}`]: epoch, [`column${index}`]: column, [`learn${index}`]: learn });
  }
  return { table: 'version', action: { name: 'use_version', params } };
}

const ownRow = (address: number | bigint): EntryInput => ({
  table: typeof address === 'bigint' ? 'own_address_ipv6' : 'own_address',
  match: { address },
  action: { name: 'ours', params: { mac: own.mac } },
});

function returnRows(pool: Pool, backend: Host): EntryInput {
  const protocol = protocolOf(pool);
  const port = portOf(pool);
  return isIpv6(pool)
    ? {
        table: 'return_path_ipv6',
        match: { address: backend.ipv6, protocol, port: backendPort },
        action: { name: 'as_vip_ipv6', params: { address: vip.ipv6, port } },
      }
    : {
        table: 'return_path',
        match: { address: backend.ipv4, protocol, port: backendPort },
        action: { name: 'as_vip', params: { address: vip.ipv4, port } },
      };
}

/** What the balancer holds before a fixture changes anything. */
export const labRows: readonly EntryInput[] = [
  ...(Object.keys(pools) as Pool[]).flatMap((pool) => [
    vipRow(pool),
    slotRow(pool, isIpv6(pool) ? ids.blueIpv6 : ids.blue),
    returnRows(pool, blue),
    returnRows(pool, green),
  ]),
  backendRow(ids.blue, 'nat', { address: blue.ipv4, port: backendPort }),
  backendRow(ids.green, 'nat', { address: green.ipv4, port: backendPort }),
  backendRow(ids.blueIpv6, 'nat_ipv6', { address: blue.ipv6, port: backendPort }),
  backendRow(ids.greenIpv6, 'nat_ipv6', { address: green.ipv6, port: backendPort }),
  ...[client, blue, green].flatMap((host) => {
    const port = host === client ? clientPort : backendsPort;
    return [neighbourRow(host.ipv4, host, port), neighbourRow(host.ipv6, host, port)];
  }),
  ...[vip.ipv4, vip.ipv6, own.ipv4, own.ipv6].map(ownRow),
  routeRow(parseIpv4('10.0.0.0'), 24),
  routeRow(parseIpv4('10.0.1.0'), 24),
  routeRow(parseIpv6('2001:db8::'), 64),
  routeRow(parseIpv6('2001:db8:1::'), 64),
  {
    table: 'interface',
    match: { port: clientPort },
    action: { name: 'answers_as', params: { ipv4_address: own.ipv4, ipv6_address: own.ipv6 } },
  },
  {
    table: 'tunnel_source',
    action: {
      name: 'use_sources',
      params: {
        ipv4_address: parseIpv4('10.9.0.0'),
        ipv4_mask: 0xffff,
        ipv6_address: parseIpv6('2001:db8:9::'),
      },
    },
  },
];
