// SPDX-License-Identifier: Apache-2.0
/** How vips and their backends must fit together, and into the network. */

import { type Family, familyOf, formatAddress, formatEndpoint } from '../core/address.ts';
import type { Address } from '../core/desired.ts';
import { configLimits, fragmentsByAffinity } from './config.ts';
import {
  error,
  familyNames,
  type Inconsistency,
  isHost,
  type Path,
  tooMany,
  warning,
} from './inconsistency.ts';
import { type Link, linksOf } from './links.ts';
import { contains } from './scalar.ts';
import type { BackendShape, ConfigShape, VipShape } from './schema.ts';
import { serverIdTroubles } from './server-id-consistency.ts';

/** A Maglev table with fewer slots per backend spreads flows unevenly (NSDI 2016, section 5.3). */
const slotsPerBackend = 100;

const tunnels: ReadonlySet<VipShape['forwarding']> = new Set(['ipip', 'gre', 'gue']);

/** Where its packets go: untranslated ones carry the vip's port. */
export function portOf(vip: Pick<VipShape, 'port'>, { port }: Pick<BackendShape, 'port'>): number {
  return port ?? vip.port;
}

/** Whether it takes all fragments to its address. */
export function fragmentsOf({ fragments, affinity }: VipShape): 'drop' | 'hash' {
  return fragments ?? fragmentsByAffinity[affinity];
}

export function* vipTroubles({ vips, network }: ConfigShape): Generator<Inconsistency> {
  yield* tooMany(['vips'], vips.length, configLimits.vips);
  const slots = vips.reduce((sum, vip) => sum + vip.slots, 0);
  if (slots > configLimits.slotsInAll)
    yield error(
      ['vips'],
      `${slots} slots in all`,
      `at most ${configLimits.slotsInAll}, the rows of table slot`,
    );

  const links = linksOf(network);
  const names = new Map<string, number>();
  const endpoints = new Map<string, { name: string; path: Path }>();
  const fragments = new Map<string, { name: string; path: Path }>();
  for (const [index, vip] of vips.entries()) {
    const path = ['vips', index];
    if (names.has(vip.name))
      yield error([...path, 'name'], `'${vip.name}' is the name of another vip`, 'a name of its own');
    names.set(vip.name, index);

    if (!isHost(vip.address))
      yield error([...path, 'address'], `${formatAddress(vip.address)} is not a unicast address`, 'one');
    else if (
      links.length > 0 &&
      !links.some(({ network: { address } }) => familyOf(address) === familyOf(vip.address))
    )
      yield warning(
        [...path, 'address'],
        `no interface has an ${familyNames[familyOf(vip.address)]} address`,
        'one, for the way back to the clients',
      );
    const endpoint = `${vip.protocol} ${formatEndpoint(vip)}`;
    const owner = endpoints.get(endpoint);
    if (owner !== undefined)
      yield error(
        [...path, 'address'],
        `${endpoint} is vip '${owner.name}' already`,
        'another address, protocol or port',
        owner.path,
      );
    endpoints.set(endpoint, { name: vip.name, path });

    yield* forwardingTroubles(path, vip, network);
    yield* serverIdTroubles(path, vip);

    if (fragmentsOf(vip) === 'hash') {
      const target = `${vip.protocol} ${formatAddress(vip.address)}`;
      const taker = fragments.get(target);
      if (taker !== undefined)
        yield error(
          [...path, vip.fragments === undefined ? 'affinity' : 'fragments'],
          `fragments to ${target} go to vip '${taker.name}' already, and have no ports`,
          'fragments: drop for one of the two',
          taker.path,
        );
      fragments.set(target, { name: vip.name, path });
    }

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
    if (vip.table === 'prefix' && vip.placement === 'pure')
      yield error(
        [...path, 'placement'],
        'a prefix table is placed from the table in force, block by block',
        'placement: sticky, or table: maglev',
      );
    if (!vip.backends.some((backend) => backend.state === 'active' && backend.weight > 0))
      yield warning(
        [...path, 'backends'],
        'nobody takes new flows',
        'at least one active backend whose weight is not 0',
      );
  }
}

export function* backendTroubles({ vips, network }: ConfigShape): Generator<Inconsistency> {
  const count = vips.reduce((sum, vip) => sum + vip.backends.length, 0);
  yield* tooMany(['vips'], count, configLimits.backendsInAll, 'backends in all');

  const links = linksOf(network);
  const own = new Set(links.map((link) => link.network.address));
  const vipAddresses = new Map(vips.map((vip) => [vip.address, vip.name]));
  const translated = new Map<string, { vip: string; backend: string; path: Path }>();
  for (const [vipIndex, vip] of vips.entries()) {
    const names = new Set<string>();
    const endpoints = new Map<string, { backend: string; path: Path }>();
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
      yield* fitTroubles(path, vip, backend, links);

      const endpoint = `${vip.protocol} ${formatEndpoint({ ...backend, port: portOf(vip, backend) })}`;
      const twin = endpoints.get(endpoint);
      const owner = translated.get(endpoint);
      if (twin !== undefined)
        yield error(
          [...path, 'address'],
          `${endpoint} is backend '${twin.backend}' already`,
          'another address or port',
          twin.path,
        );
      else if (owner !== undefined && vip.forwarding === 'nat')
        yield error(
          [...path, 'address'],
          `${endpoint} is backend '${owner.backend}' of vip '${owner.vip}', and its replies can leave as one vip only`,
          'another address or port, or another forwarding than nat for one of the two',
          owner.path,
        );
      endpoints.set(endpoint, { backend: backend.name, path });
      if (vip.forwarding === 'nat' && owner === undefined)
        translated.set(endpoint, { vip: vip.name, backend: backend.name, path });
    }
  }

  function isReachable(address: Address): boolean {
    return (
      links.some((link) => contains(link.network, address)) ||
      network.routes.some((route) => contains(route.prefix, address))
    );
  }
}

function* forwardingTroubles(
  path: Path,
  vip: VipShape,
  network: ConfigShape['network'],
): Generator<Inconsistency> {
  if (vip.gue_port !== undefined && vip.forwarding !== 'gue')
    yield error(
      [...path, 'gue_port'],
      `forwarding ${vip.forwarding} has no GUE port`,
      'forwarding: gue, or no such key',
    );
  if (!tunnels.has(vip.forwarding)) return;
  const families = new Set<Family>(vip.backends.map(({ address }) => familyOf(address)));
  for (const family of families)
    if (network.tunnel?.[family] === undefined)
      yield error(
        [...path, 'forwarding'],
        `there is no source for tunnels to ${familyNames[family]} backends`,
        `network.tunnel.${family}`,
      );
}

/** Whether packets of the vip can reach the backend the way the vip wants. */
function* fitTroubles(
  path: Path,
  vip: VipShape,
  backend: BackendShape,
  links: readonly Link[],
): Generator<Inconsistency> {
  const { forwarding } = vip;
  const family = familyOf(vip.address);
  const address = formatAddress(backend.address);
  if (!tunnels.has(forwarding) && familyOf(backend.address) !== family)
    yield error(
      [...path, 'address'],
      `${address} cannot take ${familyNames[family]} packets by ${forwarding}`,
      `an ${familyNames[family]} address, or forwarding: ipip, gre or gue`,
    );
  else if (forwarding === 'l2_dsr' && !links.some((link) => contains(link.network, backend.address)))
    yield error(
      [...path, 'address'],
      `${address} is not on link, so no frame can be sent to it`,
      'an address in the network of an interface, or forwarding: ipip, gre or gue',
    );
  if (forwarding !== 'nat' && backend.port !== undefined && backend.port !== vip.port)
    yield error(
      [...path, 'port'],
      `packets arrive by ${forwarding} as they are, for port ${vip.port}`,
      `${vip.port}, or no such key`,
    );
}

function enoughSlots(backends: number): number {
  return Math.min(configLimits.slotsPerVip, 2 ** Math.ceil(Math.log2(slotsPerBackend * backends)));
}
