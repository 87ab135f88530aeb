// SPDX-License-Identifier: Apache-2.0
/** How the parts of a configuration must fit together, once each of them is well-formed: switches, stores, the network. */

import { ADDRESS_BITS, familyOf, formatAddress } from '../core/address.ts';
import type { Address } from '../core/desired.ts';
import { configLimits } from './config.ts';
import { healthTroubles } from './health.ts';
import { error, type Inconsistency, isHost, listed, type Path, tooMany } from './inconsistency.ts';
import { lifecycleTroubles } from './lifecycle.ts';
import { type Link, linksOf } from './links.ts';
import { contains, formatHostPort, formatNetwork, type Network, wholeNetwork } from './scalar.ts';
import type { ConfigShape } from './schema.ts';
import { backendTroubles, vipTroubles } from './vip-consistency.ts';

/** @param sections  the top-level keys that are written in the file */
export function inconsistencies(config: ConfigShape, sections: ReadonlySet<string>): Inconsistency[] {
  return [
    ...switchTroubles(config, sections),
    ...storeTroubles(config),
    ...interfaceTroubles(config),
    ...routeTroubles(config),
    ...neighbourTroubles(config),
    ...tunnelTroubles(config),
    ...vipTroubles(config),
    ...backendTroubles(config),
    ...healthTroubles(config),
    ...lifecycleTroubles(config),
  ];
}

function* storeTroubles({ controller }: ConfigShape): Generator<Inconsistency> {
  const { kind, ...keys } = controller.store;
  const path = ['controller', 'store'];
  const foreign = kind === 'file' ? (['endpoints', 'prefix', 'lease'] as const) : (['path'] as const);
  for (const key of foreign)
    if (keys[key] !== undefined)
      yield error(
        [...path, key],
        `a store of kind '${kind}' has no ${key}`,
        kind === 'file' ? 'kind: etcd, or no such key' : 'kind: file, or no such key',
      );
  if (kind === 'file') return;
  if (keys.endpoints === undefined || keys.endpoints.length === 0)
    yield error(path, 'etcd has no endpoints', 'endpoints: [127.0.0.1:2379]');
  yield* tooMany([...path, 'endpoints'], keys.endpoints?.length ?? 0, configLimits.endpoints);
  if (controller.election_id !== undefined)
    yield error(
      ['controller', 'election_id'],
      'with etcd the election id is the term of the leader',
      'no such key',
    );
}

function* switchTroubles({ switches }: ConfigShape, sections: ReadonlySet<string>): Generator<Inconsistency> {
  if (switches === undefined) return;
  const path = ['switches'];
  if (sections.has('switch'))
    yield error(path, "there is a section 'switch' already", "'switch' for one, or 'switches' for many");
  if (switches.length === 0) yield error(path, 'there is no switch', 'at least one');
  yield* tooMany(path, switches.length, configLimits.switches);
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const [index, { name, address, device_id }] of switches.entries()) {
    if (names.has(name))
      yield error([...path, index, 'name'], `'${name}' is the name of another switch`, 'a name of its own');
    names.add(name);
    const target = `device ${device_id} at ${formatHostPort(address)}`;
    const owner = owners.get(target);
    if (owner !== undefined)
      yield error([...path, index, 'address'], `${target} is switch '${owner}' already`, 'another switch');
    owners.set(target, name);
  }
}

function* interfaceTroubles({ network }: ConfigShape): Generator<Inconsistency> {
  yield* tooMany(['network', 'interfaces'], network.interfaces.length, configLimits.interfaces);
  for (const [index, { address, ipv6_address: ipv6, mtu }] of network.interfaces.entries()) {
    const path = ['network', 'interfaces', index];
    if (address === undefined && ipv6 === undefined)
      yield error(path, 'an interface has no address', 'address, ipv6_address or both');
    if (ipv6 !== undefined && familyOf(ipv6.address) !== 'ipv6')
      yield error(
        [...path, 'ipv6_address'],
        `${formatNetwork(ipv6)} is not an IPv6 address`,
        'address for this one',
      );
    if (ipv6 !== undefined && address !== undefined && familyOf(address.address) === 'ipv6')
      yield error(
        [...path, 'address'],
        'an interface has one address of a family',
        'an IPv4 address, or only one of the two',
      );
    const hasIpv6 = [address, ipv6].some((own) => own !== undefined && familyOf(own.address) === 'ipv6');
    if (hasIpv6 && mtu < configLimits.mtu.leastIpv6)
      yield error(
        [...path, 'mtu'],
        `${mtu} octets are too few for IPv6`,
        `at least ${configLimits.mtu.leastIpv6}`,
      );
  }
  const links = linksOf(network);
  for (const [index, { network: own, path }] of links.entries()) {
    if (!isHost(own.address) || isEdge(own))
      yield error(
        path,
        `${formatNetwork(own)} is not the address of a host`,
        'an address inside the network',
      );
    const other = links.slice(0, index).find((earlier) => overlap(earlier.network, own));
    if (other !== undefined)
      yield error(
        path,
        `${formatNetwork(own)} overlaps ${formatNetwork(other.network)} of port ${other.port}`,
        'networks that have no address in common',
      );
  }
}

function* routeTroubles({ network }: ConfigShape): Generator<Inconsistency> {
  const { routes } = network;
  const links = linksOf(network);
  yield* tooMany(['network', 'routes'], routes.length, configLimits.routes);
  const prefixes = new Map<string, number>();
  for (const [index, { prefix, next_hop: nextHop }] of routes.entries()) {
    const path = ['network', 'routes', index];
    const name = formatNetwork(prefix);
    const whole = wholeNetwork(prefix);
    if (prefix.address !== whole.address)
      yield error([...path, 'prefix'], `${name} has bits beyond its prefix`, formatNetwork(whole));
    if (prefixes.has(name))
      yield error([...path, 'prefix'], `${name} has a route already`, 'one route a prefix');
    prefixes.set(name, index);
    if (links.some((link) => formatNetwork(wholeNetwork(link.network)) === name))
      yield error(
        [...path, 'prefix'],
        `${name} is the network of an interface`,
        'a network beyond a next hop',
      );
    if (familyOf(nextHop) !== familyOf(prefix.address))
      yield error(
        [...path, 'next_hop'],
        `${formatAddress(nextHop)} is not of the family of ${name}`,
        'a next hop of the same family',
      );
    else yield* onLink(links, [...path, 'next_hop'], 'next hop', nextHop);
  }
}

function* neighbourTroubles({ network }: ConfigShape): Generator<Inconsistency> {
  const { neighbours } = network;
  const links = linksOf(network);
  yield* tooMany(['network', 'neighbours'], neighbours.length, configLimits.neighbours);
  const known = new Set<Address>();
  for (const [index, { address, port }] of neighbours.entries()) {
    const path = ['network', 'neighbours', index];
    if (known.has(address))
      yield error([...path, 'address'], `${formatAddress(address)} is given twice`, 'one row a neighbour');
    known.add(address);
    yield* onLink(links, [...path, 'address'], 'neighbour', address);
    const link = links.find((candidate) => contains(candidate.network, address));
    if (link !== undefined && link.port !== port)
      yield error(
        [...path, 'port'],
        `${formatAddress(address)} is in the network of port ${link.port}`,
        `${link.port}`,
      );
  }
}

function* onLink(
  links: readonly Link[],
  path: Path,
  what: string,
  address: Address,
): Generator<Inconsistency> {
  const ofFamily = links.filter(({ network }) => familyOf(network.address) === familyOf(address));
  if (links.some(({ network }) => network.address === address))
    yield error(
      path,
      `${formatAddress(address)} is the switch itself`,
      `a ${what} in the network of an interface`,
    );
  else if (!links.some(({ network }) => contains(network, address)))
    yield error(
      path,
      `${formatAddress(address)} is not on link`,
      ofFamily.length === 0
        ? 'an interface whose network contains it'
        : `an address in ${listed(ofFamily.map(({ network }) => formatNetwork(wholeNetwork(network))))}`,
    );
}

/** The bits that the flow chooses are 16 at most, and 0 in the file. */
function* tunnelTroubles({ network: { tunnel } }: ConfigShape): Generator<Inconsistency> {
  const limits = {
    ipv4: { least: 16, most: 32, right: 'a prefix from /16 to /32, such as 10.0.9.0/24' },
    ipv6: { least: 112, most: 112, right: 'a prefix of /112, such as 2001:db8:9::/112' },
  } as const;
  for (const family of ['ipv4', 'ipv6'] as const) {
    const source = tunnel?.[family];
    if (source === undefined) continue;
    const path = ['network', 'tunnel', family];
    const { least, most, right } = limits[family];
    const { prefixLength, address } = source;
    const whole = wholeNetwork(source);
    if (familyOf(address) !== family || prefixLength < least || prefixLength > most || !isHost(address))
      yield error(path, `${formatNetwork(source)} is not a source of tunnels`, right);
    else if (whole.address !== address)
      yield error(path, `${formatNetwork(source)} has bits beyond its prefix`, formatNetwork(whole));
  }
}

/**
 * The network's own or its broadcast address; networks of two addresses or one have neither (RFC 3021, RFC 6164). The first
 * address of an IPv6 network is that of any router (RFC 4291, section 2.6.1); its last is a host's.
 */
function isEdge({ address, prefixLength }: Network): boolean {
  if (ADDRESS_BITS[familyOf(address)] - prefixLength <= 1) return false;
  if (wholeNetwork({ address, prefixLength }).address === address) return true;
  if (typeof address === 'bigint') return false;
  const hostBits = 0xffff_ffff >>> prefixLength;
  return (address & hostBits) >>> 0 === hostBits;
}

function overlap(left: Network, right: Network): boolean {
  return left.prefixLength < right.prefixLength
    ? contains(left, right.address)
    : contains(right, left.address);
}
