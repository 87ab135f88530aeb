// SPDX-License-Identifier: Apache-2.0
/** How the parts of a configuration must fit together, once each of them is well-formed. */
import type { Ipv4Address } from '../core/desired.ts';
import { configLimits } from './config.ts';
import { healthTroubles } from './health.ts';
import {
  contains,
  formatAddress,
  formatEndpoint,
  formatHostPort,
  formatNetwork,
  type Network,
  networkOf,
} from './scalar.ts';
import type { ConfigShape } from './schema.ts';

/** A Maglev table with fewer slots per backend spreads flows unevenly (NSDI 2016, section 5.3). */
const slotsPerBackend = 100;

export interface Inconsistency {
  severity: 'error' | 'warning';
  path: readonly (string | number)[];
  wrong: string;
  right: string;
}

type Path = readonly (string | number)[];

/** @param sections  the top-level keys that are written in the file */
export function inconsistencies(config: ConfigShape, sections: ReadonlySet<string>): Inconsistency[] {
  return [
    ...switchTroubles(config, sections),
    ...storeTroubles(config),
    ...networkTroubles(config),
    ...vipTroubles(config),
    ...backendTroubles(config),
    ...healthTroubles(config),
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

function* networkTroubles({ network }: ConfigShape): Generator<Inconsistency> {
  const { interfaces, routes, neighbours } = network;
  yield* tooMany(['network', 'interfaces'], interfaces.length, configLimits.interfaces);
  yield* tooMany(['network', 'routes'], routes.length, configLimits.routes);
  yield* tooMany(['network', 'neighbours'], neighbours.length, configLimits.neighbours);

  for (const [index, { address: own }] of interfaces.entries()) {
    const path = ['network', 'interfaces', index, 'address'];
    if (!isHost(own.address) || isEdge(own))
      yield error(
        path,
        `${formatNetwork(own)} is not the address of a host`,
        'an address inside the network',
      );
    const other = interfaces.slice(0, index).find((earlier) => overlap(earlier.address, own));
    if (other !== undefined)
      yield error(
        path,
        `${formatNetwork(own)} overlaps ${formatNetwork(other.address)} of port ${other.port}`,
        'networks that have no address in common',
      );
  }

  const prefixes = new Map<string, number>();
  for (const [index, { prefix, next_hop: nextHop }] of routes.entries()) {
    const path = ['network', 'routes', index];
    const name = formatNetwork(prefix);
    if (prefix.address !== networkOf(prefix))
      yield error(
        [...path, 'prefix'],
        `${name} has bits beyond its prefix`,
        formatNetwork({ ...prefix, address: networkOf(prefix) }),
      );
    if (prefixes.has(name))
      yield error([...path, 'prefix'], `${name} has a route already`, 'one route a prefix');
    prefixes.set(name, index);
    if (interfaces.some(({ address }) => formatNetwork({ ...address, address: networkOf(address) }) === name))
      yield error(
        [...path, 'prefix'],
        `${name} is the network of an interface`,
        'a network beyond a next hop',
      );
    yield* onLink([...path, 'next_hop'], 'next hop', nextHop);
  }

  const known = new Set<Ipv4Address>();
  for (const [index, { address, port }] of neighbours.entries()) {
    const path = ['network', 'neighbours', index];
    if (known.has(address))
      yield error([...path, 'address'], `${formatAddress(address)} is given twice`, 'one row a neighbour');
    known.add(address);
    yield* onLink([...path, 'address'], 'neighbour', address);
    const link = interfaces.find((candidate) => contains(candidate.address, address));
    if (link !== undefined && link.port !== port)
      yield error(
        [...path, 'port'],
        `${formatAddress(address)} is in the network of port ${link.port}`,
        `${link.port}`,
      );
  }

  function* onLink(path: Path, what: string, address: Ipv4Address): Generator<Inconsistency> {
    if (interfaces.some((link) => link.address.address === address))
      yield error(
        path,
        `${formatAddress(address)} is the switch itself`,
        `a ${what} in the network of an interface`,
      );
    else if (!interfaces.some((link) => contains(link.address, address)))
      yield error(
        path,
        `${formatAddress(address)} is not on link`,
        interfaces.length === 0
          ? 'an interface whose network contains it'
          : `an address in ${listed(interfaces.map((link) => networkName(link.address)))}`,
      );
  }
}

function* vipTroubles({ vips }: ConfigShape): Generator<Inconsistency> {
  yield* tooMany(['vips'], vips.length, configLimits.vips);
  const slots = vips.reduce((sum, vip) => sum + vip.slots, 0);
  if (slots > configLimits.slotsInAll)
    yield error(
      ['vips'],
      `${slots} slots in all`,
      `at most ${configLimits.slotsInAll}, the rows of table slot`,
    );

  const names = new Map<string, number>();
  const endpoints = new Map<string, string>();
  for (const [index, vip] of vips.entries()) {
    const path = ['vips', index];
    if (names.has(vip.name))
      yield error([...path, 'name'], `'${vip.name}' is the name of another vip`, 'a name of its own');
    names.set(vip.name, index);

    if (!isHost(vip.address))
      yield error([...path, 'address'], `${formatAddress(vip.address)} is not a unicast address`, 'one');
    const endpoint = `${vip.protocol} ${formatEndpoint(vip)}`;
    const owner = endpoints.get(endpoint);
    if (owner !== undefined)
      yield error(
        [...path, 'address'],
        `${endpoint} is vip '${owner}' already`,
        'another address, protocol or port',
      );
    endpoints.set(endpoint, vip.name);

    if (vip.slots < vip.backends.length)
      yield error(
        [...path, 'slots'],
        `${vip.slots} slots are too few for ${vip.backends.length} backends`,
        `at least ${enoughSlots(vip.backends.length)}`,
      );
    else if (vip.slots < slotsPerBackend * vip.backends.length && vip.slots < configLimits.slotsPerVip)
      yield warning(
        [...path, 'slots'],
        `${vip.slots} slots spread flows unevenly over ${vip.backends.length} backends`,
        `at least ${slotsPerBackend} for each: ${enoughSlots(vip.backends.length)}`,
      );
    if (!vip.backends.some((backend) => backend.state === 'active' && backend.weight > 0))
      yield warning(
        [...path, 'backends'],
        'nobody takes new flows',
        'at least one active backend whose weight is not 0',
      );
  }
}

function* backendTroubles({ vips, network }: ConfigShape): Generator<Inconsistency> {
  const count = vips.reduce((sum, vip) => sum + vip.backends.length, 0);
  yield* tooMany(['vips'], count, configLimits.backendsInAll, 'backends in all');

  const own = new Set(network.interfaces.map((link) => link.address.address));
  const vipAddresses = new Map(vips.map((vip) => [vip.address, vip.name]));
  const owners = new Map<string, { vip: string; backend: string }>();
  for (const [vipIndex, vip] of vips.entries()) {
    const names = new Set<string>();
    for (const [index, backend] of vip.backends.entries()) {
      const path = ['vips', vipIndex, 'backends', index];
      if (names.has(backend.name))
        yield error(
          [...path, 'name'],
          `'${backend.name}' is the name of another backend of this vip`,
          'a name of its own',
        );
      names.add(backend.name);

      const address = formatAddress(backend.address);
      const vipName = vipAddresses.get(backend.address);
      if (!isHost(backend.address))
        yield error([...path, 'address'], `${address} is not a unicast address`, 'one');
      else if (vipName !== undefined)
        yield error(
          [...path, 'address'],
          `${address} is the address of vip '${vipName}'`,
          'the address of a server',
        );
      else if (own.has(backend.address))
        yield error([...path, 'address'], `${address} is the switch itself`, 'the address of a server');
      else if (!isReachable(backend.address))
        yield warning(
          [...path, 'address'],
          `no route to ${address}`,
          'an interface or a route whose network contains it',
        );

      const endpoint = `${vip.protocol} ${formatEndpoint(backend)}`;
      const owner = owners.get(endpoint);
      if (owner !== undefined)
        yield error(
          [...path, 'address'],
          owner.vip === vip.name
            ? `${endpoint} is backend '${owner.backend}' already`
            : `${endpoint} is backend '${owner.backend}' of vip '${owner.vip}', and its replies can leave as one vip only`,
          'another address or port',
        );
      else owners.set(endpoint, { vip: vip.name, backend: backend.name });
    }
  }

  function isReachable(address: Ipv4Address): boolean {
    return (
      network.interfaces.some((link) => contains(link.address, address)) ||
      network.routes.some((route) => contains(route.prefix, address))
    );
  }
}

function* tooMany(
  path: Path,
  count: number,
  most: number,
  what = String(path.at(-1)),
): Generator<Inconsistency> {
  if (count > most) yield error(path, `${count} ${what}`, `at most ${most}`);
}

const error = (path: Path, wrong: string, right: string): Inconsistency => ({
  severity: 'error',
  path,
  wrong,
  right,
});

const warning = (path: Path, wrong: string, right: string): Inconsistency => ({
  severity: 'warning',
  path,
  wrong,
  right,
});

/** Neither 0/8, loopback, multicast nor broadcast. */
function isHost(address: Ipv4Address): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** The network's own or its broadcast address; networks of two addresses or one have neither (RFC 3021). */
function isEdge(network: Network): boolean {
  if (network.prefixLength >= 31) return false;
  const hostBits = 0xffff_ffff >>> network.prefixLength;
  const host = (network.address & hostBits) >>> 0;
  return host === 0 || host === hostBits;
}

function overlap(left: Network, right: Network): boolean {
  const prefixLength = Math.min(left.prefixLength, right.prefixLength);
  return networkOf({ ...left, prefixLength }) === networkOf({ ...right, prefixLength });
}

const networkName = (network: Network): string => formatNetwork({ ...network, address: networkOf(network) });

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

function enoughSlots(backends: number): number {
  return Math.min(configLimits.slotsPerVip, 2 ** Math.ceil(Math.log2(slotsPerBackend * backends)));
}
